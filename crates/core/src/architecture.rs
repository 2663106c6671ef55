//! The machines that a deployment package can be made for.
//!
//! Owns their names. Never compiles anything.

use std::fmt;
use std::str::FromStr;

use object::Endianness;
use object::elf::{EM_AARCH64, EM_X86_64, FileHeader64};
use object::read::elf::FileHeader;

/// An architecture of AWS Lambda, always with Linux and a static musl: the binaries need nothing of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// `x86_64`.
    X86_64,
    /// `aarch64`, which Lambda calls `arm64`.
    Aarch64,
}

/// Not a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no target, there are `x86_64` and `aarch64`")]
pub struct ArchitectureError(String);

impl Architecture {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// This machine, if it is one of them.
    #[must_use]
    pub fn of_this_machine() -> Option<Self> {
        let linux = cfg!(target_os = "linux");
        Self::ALL.into_iter().find(|target| linux && target.as_str() == std::env::consts::ARCH)
    }

    /// The machine that an ELF file is for; nothing where the bytes are no such file or for another machine.
    #[must_use]
    pub fn of_executable(bytes: &[u8]) -> Option<Self> {
        let header = FileHeader64::<Endianness>::parse(bytes).ok()?;
        match header.e_machine(header.endian().ok()?) {
            EM_X86_64 => Some(Self::X86_64),
            EM_AARCH64 => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// Its name, as compilers and the kernel have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Its name among the compilers' targets.
    #[must_use]
    pub const fn triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-musl",
            Self::Aarch64 => "aarch64-unknown-linux-musl",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Architecture {
    type Err = ArchitectureError;

    /// Takes Lambda's word for `aarch64` as well.
    fn from_str(text: &str) -> Result<Self, ArchitectureError> {
        match text {
            "x86_64" => Ok(Self::X86_64),
            "aarch64" | "arm64" => Ok(Self::Aarch64),
            other => Err(ArchitectureError(other.escape_default().to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for target in Architecture::ALL {
            assert_eq!(target.to_string().parse(), Ok(target));
            assert!(target.triple().starts_with(target.as_str()));
        }
        assert_eq!("arm64".parse(), Ok(Architecture::Aarch64));
        let refused = "riscv64\n".parse::<Architecture>().unwrap_err().to_string();
        assert_eq!(refused, "`riscv64\\n` is no target, there are `x86_64` and `aarch64`");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_very_program_is_for_this_machine() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(Architecture::of_executable(&program), Architecture::of_this_machine());
        assert_eq!(Architecture::of_executable(program.get(..40).unwrap()), None);
        assert_eq!(Architecture::of_executable(b"#!/bin/sh\n"), None);
    }
}
