//! Deployment packages for this machine: building them with the `tidegate` binary and unpacking them as Lambda does.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::io::{Cursor, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidegate_core::architecture::Architecture;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::binary::{binary, bootstrap, cache};

/// The deployment package for a configuration, as a zip that tests of one run share.
#[must_use]
pub fn package(configuration: &str) -> PathBuf {
    let modified = |path: &Path| std::fs::metadata(path).unwrap().modified().unwrap();
    let mut hasher = DefaultHasher::new();
    (configuration, modified(bootstrap()), modified(binary())).hash(&mut hasher);
    let directory = cache().with_file_name("packages");
    let zip = directory.join(format!("{:016x}.zip", hasher.finish()));
    if zip.exists() {
        return zip;
    }
    std::fs::create_dir_all(&directory).unwrap();
    let work = tempfile::tempdir_in(&directory).unwrap();
    std::fs::write(work.path().join("tidegate.toml"), configuration).unwrap();
    // A debug build exceeds Lambda's size limit for an unpacked package.
    let stripped = Command::new("strip").arg("-o").arg(work.path().join("bootstrap")).arg(bootstrap()).status();
    assert!(stripped.unwrap().success(), "strip failed");
    let output = Command::new(binary())
        .current_dir(work.path())
        .env("XDG_CACHE_HOME", cache())
        .args(["package", "--bootstrap", "bootstrap", "--out", "function.zip", "--target"])
        .arg(Architecture::of_this_machine().unwrap().as_str())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // If two tests build the package at once, the second replaces the first with equal bytes.
    std::fs::rename(work.path().join("function.zip"), &zip).unwrap();
    zip
}

/// The header of a 64-bit little-endian ELF executable for `target`. Packaging inspects nothing else of a `bootstrap`.
#[must_use]
pub fn program(target: Architecture) -> Vec<u8> {
    let machine: u16 = match target {
        Architecture::X86_64 => 62,
        Architecture::Aarch64 => 183,
    };
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([2, 0]);
    bytes.extend(machine.to_le_bytes());
    bytes.resize(64, 0);
    bytes
}

/// A package with a configuration and the header of a program for this machine: enough for `tidegate install`, which
/// inspects nothing else of it.
#[must_use]
pub fn small_package(configuration: &str) -> Vec<u8> {
    let program = program(Architecture::of_this_machine().unwrap());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [("bootstrap", program.as_slice()), ("tidegate.toml", configuration.as_bytes())] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Unpacks a zip, with the file modes that it stores.
pub fn unpack(zip: &Path, into: &Path) {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(zip).unwrap()).unwrap();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).unwrap();
        let path = into.join(file.enclosed_name().unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::io::copy(&mut file, &mut std::fs::File::create(&path).unwrap()).unwrap();
        let mode = file.unix_mode().unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    }
}
