//! Machine architectures of AWS Lambda: the names that Lambda and compilers use, and reading them from an executable.

use std::fmt;
use std::str::FromStr;

use object::Endianness;
use object::elf::{EM_AARCH64, EM_X86_64, FileHeader64};
use object::read::elf::FileHeader;
use serde::{Deserialize, Serialize};

use crate::sanitize::sanitize_name;

/// An architecture of AWS Lambda. Serialized by Lambda's name, as in `tidegate.toml`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Architecture {
    /// `x86_64`, Lambda's default.
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
    /// `aarch64`, which Lambda calls `arm64` and which costs a fifth less.
    #[serde(rename = "arm64")]
    Aarch64,
}

/// An unknown architecture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown architecture `{0}`; available: `x86_64`, `aarch64`")]
pub struct ArchitectureError(String);

impl Architecture {
    /// All architectures.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// The architecture of this machine. `None` if Lambda does not have it, or if this is not Linux.
    #[must_use]
    pub fn of_this_machine() -> Option<Self> {
        let linux = cfg!(target_os = "linux");
        Self::ALL.into_iter().find(|known| linux && known.as_str() == std::env::consts::ARCH)
    }

    /// The architecture of an ELF file. `None` if the bytes are not an ELF file, or if it is for another machine.
    #[must_use]
    pub fn of_executable(bytes: &[u8]) -> Option<Self> {
        let header = FileHeader64::<Endianness>::parse(bytes).ok()?;
        match header.e_machine(header.endian().ok()?) {
            EM_X86_64 => Some(Self::X86_64),
            EM_AARCH64 => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// The name that compilers and the kernel use: `x86_64` or `aarch64`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// The name that Lambda uses: `x86_64` or `arm64`.
    #[must_use]
    pub const fn lambda_name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "arm64",
        }
    }

    /// The compiler target: Linux with static musl, so that a binary depends on nothing of the machine.
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

    /// Accepts the names that compilers and Lambda use.
    fn from_str(text: &str) -> Result<Self, ArchitectureError> {
        Self::ALL
            .into_iter()
            .find(|known| [known.as_str(), known.lambda_name()].contains(&text))
            .ok_or_else(|| ArchitectureError(sanitize_name(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for architecture in Architecture::ALL {
            assert_eq!(architecture.to_string().parse(), Ok(architecture));
            assert_eq!(architecture.lambda_name().parse(), Ok(architecture));
            assert!(architecture.triple().starts_with(architecture.as_str()));
            let json = serde_json::json!(architecture.lambda_name());
            assert_eq!(serde_json::to_value(architecture).unwrap(), json);
        }
        assert_eq!("arm64".parse(), Ok(Architecture::Aarch64));
        let error = "riscv64\n".parse::<Architecture>().unwrap_err().to_string();
        assert_eq!(error, "unknown architecture `riscv64\\n`; available: `x86_64`, `aarch64`");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn reads_the_architecture_of_this_program() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(Architecture::of_executable(&program), Architecture::of_this_machine());
        assert_eq!(Architecture::of_executable(program.get(..40).unwrap()), None);
        assert_eq!(Architecture::of_executable(b"#!/bin/sh\n"), None);
    }
}
