//! The files of a deployment package for AWS Lambda: names, modes and limits.

use std::collections::BTreeMap;

use crate::architecture::Architecture;

/// The program that Lambda starts. Source: AWS Lambda developer guide, "Building a custom runtime".
pub const BOOTSTRAP: &str = "bootstrap";
/// The configuration. In the package it always has this name.
pub const CONFIGURATION: &str = "tidegate.toml";
/// The folder for compiled plugins.
pub const COMPILED: &str = "compiled";

/// Most bytes of an unpacked package. Source: AWS Lambda developer guide, "Lambda quotas": 250 MB including layers.
pub const MAX_UNPACKED_BYTES: u64 = 250 << 20;
/// Most bytes of a zip for a direct upload; a larger one must be in S3. Same source: 50 MB.
pub const MAX_DIRECT_BYTES: u64 = 50 << 20;

/// Modes of programs and files. Lambda runs the function as another user than the owner.
const PROGRAM: u32 = 0o755;
const FILE: u32 = 0o644;

/// Why a package is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageContentsError {
    /// The bootstrap is not a Linux executable for Lambda.
    #[error(
        "the bootstrap is not a Linux executable for x86_64 or aarch64; use `--bootstrap` with one that `make release` built"
    )]
    NotAProgram,
    /// The bootstrap is for another architecture.
    #[error(
        "the bootstrap is for {actual} and the package for {target}; use `--bootstrap` with one for {target}, or `--target {actual}`"
    )]
    WrongArchitecture {
        /// The architecture of the bootstrap.
        actual: Architecture,
        /// The architecture of the package.
        target: Architecture,
    },
    /// Larger than Lambda accepts.
    #[error(
        "package too large: {0} bytes unpacked, Lambda accepts {MAX_UNPACKED_BYTES}; use fewer plugins, or the bootstrap of a release build"
    )]
    TooLarge(u64),
}

/// The program that Lambda starts, for one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    target: Architecture,
    bytes: Vec<u8>,
}

impl Bootstrap {
    /// Checks that an executable is for an architecture.
    ///
    /// # Errors
    /// [`PackageContentsError::NotAProgram`], [`PackageContentsError::WrongArchitecture`].
    pub fn new(target: Architecture, bytes: Vec<u8>) -> Result<Self, PackageContentsError> {
        match Architecture::of_executable(&bytes) {
            Some(actual) if actual == target => Ok(Self { target, bytes }),
            Some(actual) => Err(PackageContentsError::WrongArchitecture { actual, target }),
            None => Err(PackageContentsError::NotAProgram),
        }
    }

    /// Its architecture.
    #[must_use]
    pub fn target(&self) -> Architecture {
        self.target
    }
}

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFile {
    /// Its permissions.
    pub mode: u32,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The files of a package, by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageContents(BTreeMap<String, PackageFile>);

impl PackageContents {
    /// Combines the program, the configuration, and the files of [`COMPILED`] by name.
    ///
    /// # Errors
    /// [`PackageContentsError::TooLarge`].
    pub fn new(
        bootstrap: Bootstrap,
        configuration: &str,
        compiled: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, PackageContentsError> {
        let compiled =
            compiled.into_iter().map(|(name, bytes)| (format!("{COMPILED}/{name}"), PackageFile { mode: FILE, bytes }));
        let configuration = PackageFile { mode: FILE, bytes: configuration.as_bytes().to_vec() };
        let program = PackageFile { mode: PROGRAM, bytes: bootstrap.bytes };
        let own = [(CONFIGURATION.to_owned(), configuration), (BOOTSTRAP.to_owned(), program)];
        let files: BTreeMap<String, PackageFile> = compiled.chain(own).collect();
        let contents = Self(files);
        match contents.bytes() {
            bytes if bytes > MAX_UNPACKED_BYTES => Err(PackageContentsError::TooLarge(bytes)),
            _ => Ok(contents),
        }
    }

    /// The files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &PackageFile)> {
        self.0.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The total size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.values().map(|file| file.bytes.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a 64-bit little-endian ELF executable for a machine.
    fn program(machine: u16) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(64, 0);
        bytes[16] = 2;
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes
    }

    const X86_64: u16 = 62;
    const AARCH64: u16 = 183;
    const RISCV: u16 = 243;

    fn compiled(names: &[&str]) -> BTreeMap<String, Vec<u8>> {
        names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect()
    }

    #[test]
    fn files_are_sorted_and_only_the_bootstrap_is_executable() {
        let bootstrap = Bootstrap::new(Architecture::Aarch64, program(AARCH64)).unwrap();
        let contents =
            PackageContents::new(bootstrap, "# none", compiled(&["index.json", "0a-aarch64.cwasm"])).unwrap();
        let files: Vec<(&str, u32)> = contents.files().map(|(path, file)| (path, file.mode)).collect();
        let expected = [
            ("bootstrap", 0o755),
            ("compiled/0a-aarch64.cwasm", 0o644),
            ("compiled/index.json", 0o644),
            ("tidegate.toml", 0o644),
        ];
        assert_eq!(files, expected);
    }

    #[test]
    fn a_bootstrap_is_an_executable_for_its_target() {
        let wrong = |actual, target| PackageContentsError::WrongArchitecture { actual, target };
        let cases = [
            (Architecture::X86_64, program(X86_64), None),
            (Architecture::Aarch64, program(AARCH64), None),
            (Architecture::X86_64, program(AARCH64), Some(wrong(Architecture::Aarch64, Architecture::X86_64))),
            (Architecture::Aarch64, program(X86_64), Some(wrong(Architecture::X86_64, Architecture::Aarch64))),
            (Architecture::X86_64, program(RISCV), Some(PackageContentsError::NotAProgram)),
            (Architecture::X86_64, b"#!/bin/sh\nexec ./tidegate\n".to_vec(), Some(PackageContentsError::NotAProgram)),
            (Architecture::X86_64, Vec::new(), Some(PackageContentsError::NotAProgram)),
        ];
        for (target, bytes, error) in cases {
            assert_eq!(Bootstrap::new(target, bytes).err(), error);
        }
        let message = wrong(Architecture::X86_64, Architecture::Aarch64).to_string();
        assert!(message.contains("is for x86_64 and the package for aarch64"), "{message}");
    }

    #[test]
    fn rejects_a_package_that_is_too_large() {
        let bootstrap = Bootstrap::new(Architecture::X86_64, program(X86_64)).unwrap();
        let remaining = usize::try_from(MAX_UNPACKED_BYTES).unwrap() - 64;
        let compiled = |bytes: usize| BTreeMap::from([("x.wasm".to_owned(), vec![0; bytes])]);
        assert!(PackageContents::new(bootstrap.clone(), "", compiled(remaining)).is_ok());
        let error = PackageContents::new(bootstrap, "", compiled(remaining + 1)).unwrap_err();
        assert_eq!(error, PackageContentsError::TooLarge(MAX_UNPACKED_BYTES + 1));
    }
}
