//! Compiled code on disk: used only if it is authentic, and never in the way.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tidegate_host::{CodeCache, Engine, Plugin};

use crate::support::{CRAFTED, engine, run, told};

/// Loads the crafted plugin and runs it, so that wrong code would show. Says whether its code came from the cache.
fn cached(engine: &Engine, directory: &Path) -> bool {
    let plugin = Plugin::load(engine, Some(&CodeCache::new(directory)), "x", &CRAFTED.component()).unwrap();
    assert_eq!(run(&told(&plugin, "x")).unwrap().desired.entries().len(), 2);
    plugin.cached()
}

fn code(directory: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[test]
fn the_second_load_takes_the_code_of_the_first() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("deep/cache");
    let engine = engine();
    assert!(!cached(&engine, &directory));
    assert!(cached(&engine, &directory));
    assert!(cached(&crate::support::engine(), &directory));
    let key = fs::metadata(directory.join("key")).unwrap();
    assert_eq!((key.permissions().mode() & 0o777, key.len()), (0o600, 32));
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    let name = code(&directory).file_name().unwrap().to_str().unwrap().to_owned();
    let plugin = Plugin::load(&engine, None, "x", &CRAFTED.component()).unwrap();
    assert!(name.starts_with(plugin.sha256().as_str()) && name.contains(std::env::consts::ARCH), "{name}");
    assert!(!plugin.cached());
}

#[test]
fn whatever_was_changed_is_compiled_again() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path();
    let engine = engine();
    assert!(!cached(&engine, directory));
    let whole = fs::read(code(directory)).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let places = [0, 25, 40, whole.len() / 3, whole.len() / 2, whole.len() - 1];
    let mut broken: Vec<Vec<u8>> = places.into_iter().map(flipped).collect();
    broken.extend([whole[..whole.len() - 1].to_vec(), whole[..30].to_vec(), Vec::new(), [&whole[..], b"x"].concat()]);
    for bytes in broken {
        fs::write(code(directory), bytes).unwrap();
        assert!(!cached(&engine, directory));
        assert!(cached(&engine, directory), "it was not overwritten");
        assert_eq!(fs::read(code(directory)).unwrap(), whole);
    }
}

#[test]
fn code_signed_by_another_key_is_compiled_again() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = engine();
    assert!(!cached(&engine, ours.path()));
    assert!(!cached(&engine, theirs.path()));
    fs::copy(code(theirs.path()), code(ours.path())).unwrap();
    assert!(!cached(&engine, ours.path()));
    // Code of one component under the name of another.
    let other = crate::support::Crafted { begin: "unreachable", ..CRAFTED }.component();
    let name = code(ours.path());
    let elsewhere = tempfile::tempdir().unwrap();
    fs::copy(ours.path().join("key"), elsewhere.path().join("key")).unwrap();
    Plugin::load(&engine, Some(&CodeCache::new(elsewhere.path())), "x", &other).unwrap();
    fs::copy(code(elsewhere.path()), name).unwrap();
    assert!(!cached(&engine, ours.path()));
    // A lost key: everything it signed is worthless.
    fs::remove_file(ours.path().join("key")).unwrap();
    assert!(!cached(&engine, ours.path()));
    assert!(cached(&engine, ours.path()));
}

#[test]
fn a_key_that_others_can_read_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("key");
    let engine = engine();
    assert!(!cached(&engine, home.path()));
    let before = fs::read(&key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!cached(&engine, home.path()));
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_ne!(fs::read(&key).unwrap(), before);
    assert!(cached(&engine, home.path()));
    // Neither is one that belongs to somebody else. Only a superuser can try that.
    if std::os::unix::fs::chown(&key, Some(54_321), None).is_ok() {
        let theirs = fs::read(&key).unwrap();
        assert!(!cached(&engine, home.path()));
        assert_ne!(fs::read(&key).unwrap(), theirs);
    }
    // A link to a key is none, even to a private file.
    let elsewhere = home.path().join("elsewhere");
    fs::rename(&key, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &key).unwrap();
    assert!(!cached(&engine, home.path()));
    // A key of another length is none.
    fs::write(&key, b"short").unwrap();
    assert!(!cached(&engine, home.path()));
    assert!(cached(&engine, home.path()));
}

#[test]
fn a_cache_that_cannot_be_written_is_none() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, b"").unwrap();
    let engine = engine();
    assert!(!cached(&engine, &file));
    assert!(!cached(&engine, &file.join("below")));
    assert!(!cached(&engine, Path::new("/proc/no-such")));
}
