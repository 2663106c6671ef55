//! A deployment package made by the `tidegate` binary for this machine, unpacked as Lambda unpacks it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidegate_core::architecture::Architecture;

use crate::binary::{binary, bootstrap, cache};

/// The zip of a configuration, which other tests of the same run share.
#[must_use]
pub fn package(configuration: &str) -> PathBuf {
    let built = |path: &Path| std::fs::metadata(path).unwrap().modified().unwrap();
    let mut hasher = DefaultHasher::new();
    (configuration, built(bootstrap()), built(binary())).hash(&mut hasher);
    let place = cache().with_file_name("packages");
    let zip = place.join(format!("{:016x}.zip", hasher.finish()));
    if zip.exists() {
        return zip;
    }
    std::fs::create_dir_all(&place).unwrap();
    let work = tempfile::tempdir_in(&place).unwrap();
    std::fs::write(work.path().join("tidegate.toml"), configuration).unwrap();
    // A debugging build is larger than what Lambda unpacks.
    let stripped = Command::new("strip").arg("-o").arg(work.path().join("bootstrap")).arg(bootstrap()).status();
    assert!(stripped.unwrap().success(), "strip failed");
    let made = Command::new(binary())
        .current_dir(work.path())
        .env("XDG_CACHE_HOME", cache())
        .args(["package", "--bootstrap", "bootstrap", "--out", "function.zip", "--target"])
        .arg(Architecture::of_this_machine().unwrap().as_str())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // Whoever comes second replaces it by the same bytes.
    std::fs::rename(work.path().join("function.zip"), &zip).unwrap();
    zip
}

/// The head of an ELF file for a target: 64-bit, little-endian, an executable. All that packaging looks at of a bootstrap.
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

/// Unpacks a zip.
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
