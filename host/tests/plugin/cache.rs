//! The code cache: only authentic code is used, and an unusable cache does not fail a run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tidegate_host::{CodeCache, Engine, Plugin};

use crate::support::{CRAFTED, configure, engine, run};

/// Loads the crafted plugin and runs it, which detects wrong code. Returns whether its code came from the cache.
fn is_hit(engine: &Engine, directory: &Path) -> bool {
    let plugin = Plugin::load(engine, Some(&CodeCache::new(directory)), "x", &CRAFTED.component()).unwrap();
    assert_eq!(run(&configure(&plugin, "x")).unwrap().desired.entries().len(), 2);
    plugin.precompiled()
}

fn code_file(directory: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[test]
fn the_second_load_is_a_hit() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("deep/cache");
    let engine = engine();
    assert!(!is_hit(&engine, &directory));
    assert!(is_hit(&engine, &directory));
    assert!(is_hit(&crate::support::engine(), &directory));
    let key = fs::metadata(directory.join("key")).unwrap();
    assert_eq!((key.permissions().mode() & 0o777, key.len()), (0o600, 32));
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    let name = code_file(&directory).file_name().unwrap().to_str().unwrap().to_owned();
    let plugin = Plugin::load(&engine, None, "x", &CRAFTED.component()).unwrap();
    assert!(name.starts_with(plugin.sha256().as_str()) && name.contains(std::env::consts::ARCH), "{name}");
    assert!(!plugin.precompiled());
}

#[test]
fn damaged_code_is_recompiled() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path();
    let engine = engine();
    assert!(!is_hit(&engine, directory));
    let whole = fs::read(code_file(directory)).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let positions = [0, 25, 40, whole.len() / 3, whole.len() / 2, whole.len() - 1];
    let mut broken: Vec<Vec<u8>> = positions.into_iter().map(flipped).collect();
    broken.extend([whole[..whole.len() - 1].to_vec(), whole[..30].to_vec(), Vec::new(), [&whole[..], b"x"].concat()]);
    for bytes in broken {
        fs::write(code_file(directory), bytes).unwrap();
        assert!(!is_hit(&engine, directory));
        assert!(is_hit(&engine, directory), "the damaged file was not overwritten");
        assert_eq!(fs::read(code_file(directory)).unwrap(), whole);
    }
}

#[test]
fn code_of_another_key_is_recompiled() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = engine();
    assert!(!is_hit(&engine, first.path()));
    assert!(!is_hit(&engine, second.path()));
    fs::copy(code_file(second.path()), code_file(first.path())).unwrap();
    assert!(!is_hit(&engine, first.path()));
    // Code of one component under the name of another.
    let other = crate::support::Crafted { begin: "unreachable", ..CRAFTED }.component();
    let name = code_file(first.path());
    let elsewhere = tempfile::tempdir().unwrap();
    fs::copy(first.path().join("key"), elsewhere.path().join("key")).unwrap();
    Plugin::load(&engine, Some(&CodeCache::new(elsewhere.path())), "x", &other).unwrap();
    fs::copy(code_file(elsewhere.path()), name).unwrap();
    assert!(!is_hit(&engine, first.path()));
    // Without the key, the code that it signed is not used.
    fs::remove_file(first.path().join("key")).unwrap();
    assert!(!is_hit(&engine, first.path()));
    assert!(is_hit(&engine, first.path()));
}

#[test]
fn a_key_that_is_not_private_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("key");
    let engine = engine();
    assert!(!is_hit(&engine, home.path()));
    let before = fs::read(&key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!is_hit(&engine, home.path()));
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_ne!(fs::read(&key).unwrap(), before);
    assert!(is_hit(&engine, home.path()));
    // The same for a key of another user. Only root can test that.
    if std::os::unix::fs::chown(&key, Some(54_321), None).is_ok() {
        let foreign = fs::read(&key).unwrap();
        assert!(!is_hit(&engine, home.path()));
        assert_ne!(fs::read(&key).unwrap(), foreign);
    }
    // A link is not a key, even to a private file.
    let elsewhere = home.path().join("elsewhere");
    fs::rename(&key, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &key).unwrap();
    assert!(!is_hit(&engine, home.path()));
    // The same for a key of another length.
    fs::write(&key, b"short").unwrap();
    assert!(!is_hit(&engine, home.path()));
    assert!(is_hit(&engine, home.path()));
}

#[test]
fn an_unwritable_directory_does_not_fail_the_run() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, b"").unwrap();
    let engine = engine();
    assert!(!is_hit(&engine, &file));
    assert!(!is_hit(&engine, &file.join("below")));
    assert!(!is_hit(&engine, Path::new("/proc/no-such")));
}
