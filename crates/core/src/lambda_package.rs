//! What a deployment package for AWS Lambda holds, and what is refused there.
//!
//! Owns names, modes and limits of its files. Never reads, compiles or packs one.

use std::collections::BTreeMap;

use crate::architecture::Architecture;

/// The program that Lambda starts. Source: AWS Lambda developer guide, "Building a custom runtime".
pub const BOOTSTRAP: &str = "bootstrap";
/// The configuration, whatever it was called before.
pub const CONFIGURATION: &str = "tidegate.toml";
/// The folder of compiled plugins.
pub const COMPILED: &str = "compiled";

/// Most bytes of an unpacked package. Source: AWS Lambda developer guide, "Lambda quotas": 250 MB, layers included.
pub const MAX_UNPACKED_BYTES: u64 = 250 << 20;
/// Most bytes of a zip that goes to Lambda directly; a larger one goes by S3. Source: as above, 50 MB.
pub const MAX_DIRECT_BYTES: u64 = 50 << 20;

/// Modes of programs and of files: Lambda runs the function as another user than the owner.
const PROGRAM: u32 = 0o755;
const FILE: u32 = 0o644;

/// Why there is no package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageContentsError {
    /// The bootstrap is no program for Lambda.
    #[error(
        "the bootstrap is no Linux program for x86_64 or aarch64: give `--bootstrap` one that `make release` built"
    )]
    NotAProgram,
    /// The bootstrap is for the other architecture.
    #[error(
        "the bootstrap is for {found} and the package for {wanted}: give `--bootstrap` one for {wanted}, or `--target {found}`"
    )]
    Machine {
        /// What it is for.
        found: Architecture,
        /// What the package is for.
        wanted: Architecture,
    },
    /// More than Lambda unpacks.
    #[error(
        "the package would have {0} bytes, Lambda takes {MAX_UNPACKED_BYTES}: use fewer or smaller plugins, and the bootstrap of a release"
    )]
    TooLarge(u64),
}

/// The program of a package, for its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    target: Architecture,
    bytes: Vec<u8>,
}

impl Bootstrap {
    /// Takes a program for a target.
    ///
    /// # Errors
    /// [`PackageContentsError::NotAProgram`], [`PackageContentsError::Machine`].
    pub fn new(target: Architecture, bytes: Vec<u8>) -> Result<Self, PackageContentsError> {
        match Architecture::of_executable(&bytes) {
            Some(found) if found == target => Ok(Self { target, bytes }),
            Some(found) => Err(PackageContentsError::Machine { found, wanted: target }),
            None => Err(PackageContentsError::NotAProgram),
        }
    }

    /// What it is for.
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

/// The files of a package, by their paths in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageContents(BTreeMap<String, PackageFile>);

impl PackageContents {
    /// Puts a package together: program, configuration, and the files of [`COMPILED`] by their names.
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

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.values().map(|file| file.bytes.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of an ELF file: 64-bit, little-endian, an executable for a machine.
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

    fn files(names: &[&str]) -> BTreeMap<String, Vec<u8>> {
        names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_package_holds_what_it_needs_sorted_and_only_the_bootstrap_runs() {
        let bootstrap = Bootstrap::new(Architecture::Aarch64, program(AARCH64)).unwrap();
        let contents = PackageContents::new(bootstrap, "# none", files(&["index.json", "0a-aarch64.cwasm"])).unwrap();
        let told: Vec<(&str, u32)> = contents.files().map(|(path, file)| (path, file.mode)).collect();
        let expected = [
            ("bootstrap", 0o755),
            ("compiled/0a-aarch64.cwasm", 0o644),
            ("compiled/index.json", 0o644),
            ("tidegate.toml", 0o644),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_bootstrap_is_a_program_for_its_target() {
        let machine = |found, wanted| PackageContentsError::Machine { found, wanted };
        let cases = [
            (Architecture::X86_64, program(X86_64), None),
            (Architecture::Aarch64, program(AARCH64), None),
            (Architecture::X86_64, program(AARCH64), Some(machine(Architecture::Aarch64, Architecture::X86_64))),
            (Architecture::Aarch64, program(X86_64), Some(machine(Architecture::X86_64, Architecture::Aarch64))),
            (Architecture::X86_64, program(RISCV), Some(PackageContentsError::NotAProgram)),
            (Architecture::X86_64, b"#!/bin/sh\nexec ./tidegate\n".to_vec(), Some(PackageContentsError::NotAProgram)),
            (Architecture::X86_64, Vec::new(), Some(PackageContentsError::NotAProgram)),
        ];
        for (target, bytes, refused) in cases {
            assert_eq!(Bootstrap::new(target, bytes).err(), refused);
        }
        let words = machine(Architecture::X86_64, Architecture::Aarch64).to_string();
        assert!(words.contains("is for x86_64 and the package for aarch64"), "{words}");
    }

    #[test]
    fn more_than_lambda_takes_is_refused() {
        let bootstrap = Bootstrap::new(Architecture::X86_64, program(X86_64)).unwrap();
        let room = usize::try_from(MAX_UNPACKED_BYTES).unwrap() - 64;
        let with = |bytes: usize| BTreeMap::from([("x.wasm".to_owned(), vec![0; bytes])]);
        assert!(PackageContents::new(bootstrap.clone(), "", with(room)).is_ok());
        let refused = PackageContents::new(bootstrap, "", with(room + 1)).unwrap_err();
        assert_eq!(refused, PackageContentsError::TooLarge(MAX_UNPACKED_BYTES + 1));
    }
}
