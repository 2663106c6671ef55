//! Symbolic links in archives: the same tree, in a directory and in an archive, gives the same site or is refused.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;
use tidegate_core::config::ArchiveLimits;
use tidegate_publish::source::{SourceOptions, open_directory};

use crate::support::*;

/// A file, or a link to a target.
#[derive(Debug, Clone)]
enum Node {
    File,
    Link(String),
}

/// Few names, so that targets exist often. No name is below a file or a link.
fn trees() -> impl Strategy<Value = BTreeMap<String, Node>> {
    let name = "(a|b|c)(/(a|b|c)){0,2}";
    let target = r"(\.\./){0,2}(\./)?(a|b|c|\.|\.\.)(/(a|b|c|\.\.)){0,2}/?";
    let node = prop_oneof![3 => Just(Node::File), 2 => target.prop_map(Node::Link)];
    prop::collection::btree_map(name, node, 1..9).prop_map(|mut tree| {
        let names: Vec<String> = tree.keys().cloned().collect();
        tree.retain(|name, _| !names.iter().any(|other| other.starts_with(&format!("{name}/"))));
        tree
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_archive_with_links_is_the_same_site_as_a_directory(tree in trees()) {
        let folder = tempfile::tempdir().unwrap();
        // Deep enough that no target leads out of the temporary folder.
        let root = folder.path().join("1/2/3/root");
        let mut entries = Vec::new();
        for (name, node) in &tree {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match node {
                Node::File => {
                    fs::write(&path, name).unwrap();
                    entries.push(entry(name, name.as_bytes()));
                }
                Node::Link(target) => {
                    symlink(target, &path).unwrap();
                    entries.push(link(name, target));
                }
            }
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let directory = runtime.block_on(open_directory(&root, &SourceOptions::default()));
        match (directory, open(zip(&entries))) {
            (Ok(directory), Ok(archive)) => {
                prop_assert_eq!(runtime.block_on(read_all(&directory)), runtime.block_on(read_all(&archive)));
            }
            (Err(_), Err(_)) => {}
            (Ok(_), Err(error)) => prop_assert!(false, "only the archive is refused: {error}"),
            (Err(error), Ok(_)) => prop_assert!(false, "only the directory is refused: {error}"),
        }
    }
}

#[test]
fn refuses_links_that_leave_dangle_or_loop() {
    let cases: Vec<(Vec<Entry>, &str)> = vec![
        (vec![link("a", "../etc/passwd")], "leads out of the archive to `../etc/passwd`"),
        (vec![link("a", "/etc/passwd")], "leads out of the archive to `/etc/passwd`"),
        (vec![link("b/a", "c/../../../x"), entry("b/c/d", b"")], "leads out of the archive"),
        (vec![link("a", "b"), link("b", "../x")], "`a` in the archive `x.zip` is a link that leads out"),
        (vec![link("a", "missing")], "points to nothing"),
        (vec![link("a", "")], "points to nothing"),
        (vec![link("a", "b/x"), entry("b", b"")], "points to nothing"),
        (vec![link("a", "a")], "back to itself"),
        (vec![link("a", "b"), link("b", "a")], "back to itself"),
        (vec![link("a/b", ".."), entry("a/c", b"")], "a folder that contains the link"),
        (vec![link("a/b", "../c"), link("c/d", "../a")], "a folder that contains the link"),
        (vec![link("a", "b"), entry("a/x", b""), entry("b/x", b"")], "is a link, and a folder with entries"),
        (vec![link("a", "b"), entry("a/", b""), entry("b", b"")], "is a link, and a folder with entries"),
        (vec![link("a", "b"), link("a", "c"), entry("b", b""), entry("c", b"")], "is in the archive twice"),
        (vec![link("a", "b"), entry("a", b""), entry("b", b"")], "is in the archive twice"),
        (vec![link("a", &"x".repeat(5_000))], "more than 4,096 bytes"),
        (vec![Entry { content: b"\xff".to_vec(), ..link("a", "") }], "not UTF-8"),
        (vec![Entry { crc32: Some(7), ..link("a", "b") }, entry("b", b"")], "checksum"),
        (vec![Entry { name: b"a/".to_vec(), ..link("a", "") }], "a folder by its name"),
    ];
    for (entries, expected) in cases {
        let message = open(zip(&entries)).expect_err(expected).to_string();
        assert!(message.contains(expected), "{expected}: {message}");
    }
    assert_eq!(keys(&open(zip(&[link("a", "b"), entry("b/", b""), entry("c", b"")])).unwrap()), ["c"]);
}

#[test]
fn limits_hold_for_what_links_add() {
    // Each folder has two links to the next one: 2^30 files, or none but as many folders.
    for last in ["30/file", "30/"] {
        let mut entries = vec![entry(last, b"")];
        for depth in 0..30 {
            entries.extend(["x", "y"].map(|name| link(&format!("{depth}/{name}"), &format!("../{}", depth + 1))));
        }
        let message = open(zip(&entries)).expect_err(last).to_string();
        assert!(message.contains("links to more than 200000 entries"), "{message}");
    }
    let limits = ArchiveLimits { total_bytes: 10, ..ArchiveLimits::default() };
    let entries = [entry("a", b"12345"), link("b", "a"), link("c", "a")];
    let message = open_limited(zip(&entries), limits).expect_err("15 bytes").to_string();
    assert!(message.contains("links to more than 10 bytes") && message.contains("raise `total-bytes`"), "{message}");
}
