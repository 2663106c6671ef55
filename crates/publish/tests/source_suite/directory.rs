//! Directories as sources: what is published, what is refused, and files that change after opening.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tempfile::TempDir;
use tidegate_core::content::{ContentReader, ReadError};
use tidegate_glob::{GlobList, IgnoreGlob};
use tidegate_publish::source::content::SourceContent;
use tidegate_publish::source::digest::Algorithms;
use tidegate_publish::source::{OpenedSource, SourceError, SourceOptions, open_directory};
use tokio::runtime::Handle;

use crate::support::*;

fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

async fn open(path: &Path) -> Result<OpenedSource, SourceError> {
    open_directory(path, &SourceOptions::default()).await
}

async fn refusal(path: &Path) -> String {
    open(path).await.expect_err("the directory must be refused").to_string()
}

#[tokio::test]
async fn lists_files_with_digests() {
    let folder = tree(&[
        ("index.html", b"hello"),
        (".well-known/security.txt", b"x"),
        (".nojekyll", b""),
        ("a b/c++ é.html", b"y"),
        ("dir-2/x", b"2"),
        ("dir/x", b"1"),
    ]);
    fs::create_dir_all(folder.path().join("empty/folder")).unwrap();
    let (files, bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (total_files, total_bytes) = (Arc::clone(&files), Arc::clone(&bytes));
    let progress = move |files: u64, bytes: u64| {
        total_files.fetch_add(files, Ordering::Relaxed);
        total_bytes.fetch_add(bytes, Ordering::Relaxed);
    };
    let options = SourceOptions {
        algorithms: Algorithms { md5: true, ..Algorithms::default() },
        progress: Some(Arc::new(progress)),
        ..SourceOptions::default()
    };
    let opened = open_directory(folder.path(), &options).await.unwrap();
    let expected = [".nojekyll", ".well-known/security.txt", "a b/c++ é.html", "dir-2/x", "dir/x", "index.html"];
    assert_eq!(keys(&opened), expected);
    assert_eq!((files.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed)), (6, 9));
    let index = opened.artifact.items().last().unwrap();
    assert_eq!(index.size, 5);
    assert_eq!(index.identity.get().sha256.unwrap()[..], <sha2::Sha256 as sha2::Digest>::digest(b"hello")[..]);
    assert_eq!(hex::encode(index.identity.get().md5.unwrap()), "5d41402abc4b2a76b9719d911017c592");
    let all = read_all(&opened).await;
    assert_eq!((all["index.html"].as_slice(), all[".nojekyll"].as_slice()), (&b"hello"[..], &b""[..]));
    assert_eq!(opened.reader.whole(&key("index.html")).await.unwrap(), b"hello"[..]);
    let absent = opened.reader.stream(&key("empty")).await.unwrap_err();
    assert!(matches!(absent, SourceError::Absent(_)));
}

#[tokio::test]
async fn fingerprint_depends_only_on_names_and_contents() {
    let print = async |files: &[(&str, &[u8])]| open(tree(files).path()).await.unwrap().artifact.fingerprint().clone();
    let one = print(&[("a", b"1"), ("b", b"2")]).await;
    assert_eq!(one, print(&[("b", b"2"), ("a", b"1")]).await);
    assert_ne!(one, print(&[("a", b"2"), ("b", b"1")]).await);
    assert_ne!(one, print(&[("a", b"1"), ("c", b"2")]).await);
    assert_ne!(one, print(&[("a", b"1")]).await);
}

#[tokio::test]
async fn computes_md5_on_request() {
    let folder = tree(&[("a", b"hello")]);
    let opened = open(folder.path()).await.unwrap();
    assert!(opened.artifact.items()[0].identity.get().md5.is_none());
    let found = opened.reader.digest(&key("a"), Algorithms { md5: true, ..Algorithms::default() }).await.unwrap();
    assert_eq!(hex::encode(found.md5.unwrap()), "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(found.sha256, opened.artifact.items()[0].identity.get().sha256);
    // SHA-256 is known already, so the file is not needed.
    fs::remove_file(folder.path().join("a")).unwrap();
    assert!(opened.reader.digest(&key("a"), Algorithms::default()).await.is_ok());
    assert!(opened.reader.digest(&key("a"), Algorithms { md5: true, ..Algorithms::default() }).await.is_err());
}

#[tokio::test]
async fn computes_crc64nvme_on_request() {
    // The check value of the algorithm. Source: the CRC catalogue, "CRC-64/NVME".
    let folder = tree(&[("a", b"123456789")]);
    let opened = open(folder.path()).await.unwrap();
    let found = opened.reader.digest(&key("a"), Algorithms { crc64nvme: true, ..Algorithms::default() }).await.unwrap();
    assert_eq!(hex::encode(found.crc64nvme.unwrap()), "ae8b14860a799888");
    assert!(found.md5.is_none());
}

#[tokio::test]
async fn never_sends_a_changed_file_completely() {
    let original = vec![b'x'; 700_000];
    let mut same_size = original.clone();
    same_size[0] = b'y';
    let mut last_byte = original.clone();
    *last_byte.last_mut().unwrap() = b'y';
    let longer = [&original[..], b"x"].concat();
    for changed in [&same_size, &last_byte, &longer, &original[..699_999].to_vec(), &Vec::new()] {
        let folder = tree(&[("big", &original)]);
        let opened = open(folder.path()).await.unwrap();
        assert_eq!(drain(&opened.reader, &key("big")).await.unwrap(), original);
        fs::write(folder.path().join("big"), changed).unwrap();
        let mut body = opened.reader.stream(&key("big")).await.unwrap();
        let mut sent = 0;
        let error = loop {
            match futures::StreamExt::next(&mut body).await.expect("an error before the end") {
                Ok(chunk) => sent += chunk.len(),
                Err(error) => break error.to_string(),
            }
        };
        assert!(sent < original.len(), "all {sent} bytes were sent");
        assert!(error.contains("big` changed since it was read"), "{error}");
        assert!(opened.reader.whole(&key("big")).await.is_err());
        assert!(opened.reader.digest(&key("big"), Algorithms { md5: true, ..Algorithms::default() }).await.is_err());
    }
    let folder = tree(&[("empty", b"")]);
    let opened = open(folder.path()).await.unwrap();
    fs::write(folder.path().join("empty"), b"x").unwrap();
    assert!(opened.reader.stream(&key("empty")).await.is_err(), "an empty body must fail before it is sent");
    fs::remove_file(folder.path().join("empty")).unwrap();
    let gone = opened.reader.stream(&key("empty")).await.unwrap_err().to_string();
    assert!(gone.contains("changed since it was read"), "{gone}");
}

#[tokio::test]
async fn explains_paths_that_are_not_directories() {
    let folder = tree(&[("file", b"x")]);
    assert!(refusal(&folder.path().join("no")).await.contains("no` does not exist"));
    assert!(refusal(&folder.path().join("file")).await.contains("file` is not a directory"));
    let empty = tempfile::tempdir().unwrap();
    assert!(
        open(empty.path()).await.unwrap().artifact.is_empty(),
        "policies decide whether an empty source may be published"
    );
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn follows_links_inside_the_root() {
        let folder = tree(&[("real/a.txt", b"hello"), ("b.txt", b"world")]);
        symlink("real", folder.path().join("alias")).unwrap();
        symlink("../b.txt", folder.path().join("real/b.txt")).unwrap();
        symlink(folder.path().join("b.txt"), folder.path().join("absolute.txt")).unwrap();
        // The root itself may be a link.
        let outside = tempfile::tempdir().unwrap();
        symlink(folder.path(), outside.path().join("current")).unwrap();
        let opened = open(&outside.path().join("current")).await.unwrap();
        let expected = ["absolute.txt", "alias/a.txt", "alias/b.txt", "b.txt", "real/a.txt", "real/b.txt"];
        assert_eq!(keys(&opened), expected);
        assert_eq!(read_all(&opened).await["alias/b.txt"], b"world");
    }

    #[tokio::test]
    async fn follows_links_out_of_the_source_on_request() {
        let shared = tree(&[("logo.svg", b"svg"), ("fonts/a.woff", b"font")]);
        let parent = tree(&[("site/index.html", b"page")]);
        let site = parent.path().join("site");
        symlink(shared.path(), site.join("shared")).unwrap();
        symlink(shared.path().join("logo.svg"), site.join("logo.svg")).unwrap();
        let options = SourceOptions { follow_external_links: true, ..SourceOptions::default() };
        let opened = open_directory(&site, &options).await.unwrap();
        assert_eq!(keys(&opened), ["index.html", "logo.svg", "shared/fonts/a.woff", "shared/logo.svg"]);
        assert_eq!(read_all(&opened).await["shared/fonts/a.woff"], b"font");
        assert!(refusal(&site).await.contains("exclude the link, or follow it with `--follow-external-links`"));
        // From outside back into the source, to a folder that contains the source, and outside in a circle.
        for (place, target) in [(shared.path(), &*site), (&site, parent.path()), (shared.path(), shared.path())] {
            symlink(target, place.join("loop")).unwrap();
            let error = open_directory(&site, &options).await.unwrap_err().to_string();
            fs::remove_file(place.join("loop")).unwrap();
            assert!(error.contains("a folder that contains the link"), "{target:?}: {error}");
        }
        symlink("nothing", site.join("dangling")).unwrap();
        let error = open_directory(&site, &options).await.unwrap_err().to_string();
        assert!(error.contains("points to nothing"), "{error}");
    }

    #[tokio::test]
    async fn refuses_links_that_leave_dangle_or_loop() {
        let secret = tree(&[("secret.txt", b"secret")]);
        let cases: [(&str, &Path, &str); 7] = [
            ("out-file", &secret.path().join("secret.txt"), "leads out of the source"),
            ("out-folder", secret.path(), "leads out of the source"),
            ("out-parent", Path::new(".."), "leads out of the source"),
            ("dangling", Path::new("nothing"), "points to nothing"),
            ("itself", Path::new("itself"), "link"),
            ("loop-up", Path::new("."), "contains the link"),
            ("folder/loop-up", Path::new("../folder"), "contains the link"),
        ];
        for (name, target, expected) in cases {
            let folder = tree(&[("folder/a.txt", b"x")]);
            symlink(target, folder.path().join(name)).unwrap();
            let message = refusal(folder.path()).await;
            assert!(message.contains(name) && message.contains(expected), "{name}: {message}");
        }
    }

    #[tokio::test]
    async fn treats_a_sibling_with_the_same_prefix_as_outside() {
        let parent = tree(&[("site/a.txt", b"x"), ("site-secret/b.txt", b"secret")]);
        symlink("../site-secret/b.txt", parent.path().join("site/b.txt")).unwrap();
        assert!(refusal(&parent.path().join("site")).await.contains("leads out of the source"));
    }

    #[tokio::test]
    async fn refuses_sockets() {
        let folder = tree(&[("a", b"x")]);
        let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
        assert!(refusal(folder.path()).await.contains("socket` is neither a file nor a folder"));
    }

    #[tokio::test]
    async fn excluded_names_are_neither_checked_nor_read() {
        let folder = tree(&[
            ("index.html", b"x"),
            (".git/HEAD", b"x"),
            ("Icon\r", b""),
            ("a\\b~", b"x"),
            ("cache/keep/a.html", b"x"),
            ("cache/b.html", b"x"),
        ]);
        let at = |name: &str| folder.path().join(name);
        let _sockets = [".git/fsmonitor.ipc", "daemon.sock~"].map(|name| UnixListener::bind(at(name)).unwrap());
        symlink("nothing", at(".#index.html")).unwrap();
        symlink("itself~", at("itself~")).unwrap();
        symlink("/", at("node_modules")).unwrap();
        symlink("/", at("cache/out")).unwrap();
        symlink("nowhere", at("cache/gone")).unwrap();
        fs::write(at("").join(OsStr::from_bytes(b"latin-\xe9~")), b"x").unwrap();
        fs::create_dir(at("").join(OsStr::from_bytes(b"\xff~"))).unwrap();
        // Reading it would take longer than the test may.
        fs::File::create(at("core~")).unwrap().set_len(1 << 40).unwrap();
        let globs = ["Icon\r", ".git/", ".#*", "*~", "node_modules/", "cache/", "!/cache/keep/"];
        let opened = open_directory(folder.path(), &excluding(&globs)).await.unwrap();
        assert_eq!(keys(&opened), ["cache/keep/a.html", "index.html"]);
        let expected = [
            ".#index.html",
            ".git/",
            "Icon\r",
            "a\\b~",
            "cache/b.html",
            "cache/gone",
            "cache/out/",
            "core~",
            "daemon.sock~",
            "itself~",
            "latin-\u{fffd}~",
            "node_modules/",
            "\u{fffd}~/",
        ];
        assert_eq!(excluded(&opened), expected);
        let globs = [&globs[..], &["!/.git/"]].concat();
        let message = open_directory(folder.path(), &excluding(&globs)).await.unwrap_err().to_string();
        assert!(message.contains("fsmonitor.ipc` is neither a file nor a folder"), "{message}");
    }

    #[tokio::test]
    async fn a_link_is_excluded_as_what_it_leads_to() {
        let folder = tree(&[("real/a.html", b"x"), ("b.html", b"x")]);
        symlink("real", folder.path().join("folder")).unwrap();
        symlink("b.html", folder.path().join("file")).unwrap();
        let opened = open_directory(folder.path(), &excluding(&["folder/", "file/"])).await.unwrap();
        assert_eq!(keys(&opened), ["b.html", "file", "real/a.html"]);
        assert_eq!(excluded(&opened), ["folder/"]);
    }

    /// The tests may run as root, who may open everything, so the kernel reports what is opened.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn excluded_folders_are_not_opened() {
        use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};

        let folder = tree(&[("index.html", b"x"), ("node_modules/a/b.js", b"x"), ("kept/a.html", b"x")]);
        let inotify = init(CreateFlags::NONBLOCK).unwrap();
        let names = ["node_modules", "node_modules/a", "node_modules/a/b.js", "kept", "kept/a.html"];
        let watches = names.map(|name| {
            let path = folder.path().join(name);
            (add_watch(&inotify, path, WatchFlags::OPEN).unwrap(), name)
        });
        let opened = open_directory(folder.path(), &excluding(&["node_modules/"])).await.unwrap();
        assert_eq!(keys(&opened), ["index.html", "kept/a.html"]);
        let mut buffer = [std::mem::MaybeUninit::uninit(); 16 * 1024];
        let mut events = Reader::new(&inotify, &mut buffer);
        let mut seen = BTreeSet::new();
        while let Ok(event) = events.next() {
            seen.extend(watches.iter().filter(|(watch, _)| *watch == event.wd()).map(|(_, name)| *name));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["kept", "kept/a.html"]);
    }

    #[tokio::test]
    async fn reports_all_names_that_cannot_be_keys() {
        let folder = tree(&[("fine", b"x"), ("a\\b", b"x"), ("line\nbreak", b"x")]);
        fs::write(folder.path().join(OsStr::from_bytes(b"latin-\xe9.html")), b"x").unwrap();
        let Err(SourceError::Names(names)) = open(folder.path()).await else { panic!("the names must be refused") };
        assert_eq!((names.total(), names.shown().len()), (3, 3));
        let message = names.to_string();
        assert!(
            message.contains("`a\\b`") && message.contains("`line\\nbreak`") && message.contains("not UTF-8"),
            "{message}"
        );
        let bad = tempfile::tempdir().unwrap();
        fs::create_dir(bad.path().join(OsStr::from_bytes(b"\xff"))).unwrap();
        fs::write(bad.path().join(OsStr::from_bytes(b"\xff/a")), b"x").unwrap();
        let message = refusal(bad.path()).await;
        assert!(message.contains("is not UTF-8"), "{message}");
    }

    #[tokio::test]
    async fn refuses_names_that_differ_only_in_normalization() {
        let folder = tree(&[("é.html", b"1"), ("e\u{301}.html", b"2")]);
        assert!(refusal(folder.path()).await.contains("Unicode normalization"));
        let decomposed = tree(&[("e\u{301}.html", b"2")]);
        assert_eq!(keys(&open(decomposed.path()).await.unwrap()), ["e\u{301}.html"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_heads_and_ranges_for_plugins() {
    let folder = tree(&[("a", b"hello"), ("b", b"")]);
    let opened = open(folder.path()).await.unwrap();
    let content = SourceContent::new(opened.reader, Handle::current());
    let deadline = Instant::now() + Duration::from_secs(60);
    let heads = content.heads(&[key("a"), key("b"), key("c")], 3, deadline);
    assert_eq!(heads, [Ok(b"hel".to_vec()), Ok(Vec::new()), Err(ReadError::NotFound(key("c")))]);
    assert_eq!(content.range(&key("a"), 3, 10, deadline), Ok(b"lo".to_vec()));
    assert_eq!(content.range(&key("a"), 9, 10, deadline), Ok(Vec::new()));
    let late = content.range(&key("a"), 0, 1, Instant::now()).unwrap_err();
    assert!(matches!(late, ReadError::Unavailable { .. }));
}

fn name() -> impl Strategy<Value = String> {
    "[ab.]{1,3}".prop_filter("no dot segments", |text| text != "." && text != "..")
}

fn glob() -> impl Strategy<Value = String> {
    let part = prop_oneof![4 => name(), 2 => "[ab.*?]{1,3}", 1 => Just("**".to_owned()), 1 => Just("*".to_owned())];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (flags, prop::collection::vec(part, 1..3)).prop_map(|((exception, rooted, folder), parts)| {
        let sign = |is: bool, text| if is { text } else { "" };
        format!("{}{}{}{}", sign(exception, "!"), sign(rooted, "/"), parts.join("/"), sign(folder, "/"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A filtered listing is what the patterns leave of the whole listing.
    #[test]
    fn a_filtered_listing_is_the_rest_of_the_whole(
        globs in prop::collection::vec(glob(), 0..5),
        names in prop::collection::btree_set(prop::collection::vec(name(), 1..5), 1..12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        for name in &names {
            let path = folder.path().join(name.join("/"));
            // A name may be a file already where another one needs a folder.
            if fs::create_dir_all(path.parent().unwrap()).is_ok() && !path.exists() {
                fs::write(path, b"x").unwrap();
            }
        }
        let globs: Vec<&str> = globs.iter().map(String::as_str).collect();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let whole = runtime.block_on(open(folder.path())).unwrap();
        let filtered = runtime.block_on(open_directory(folder.path(), &excluding(&globs))).unwrap();
        let list: GlobList = globs.iter().map(|glob| IgnoreGlob::parse(glob).unwrap()).collect();
        let (matching, rest): (Vec<&str>, Vec<&str>) = keys(&whole).into_iter().partition(|key| list.matches(key));
        prop_assert_eq!(keys(&filtered), rest);
        for key in keys(&whole) {
            let covered = filtered.exclusions.iter().filter(|excluded| excluded.covers(key)).count();
            prop_assert_eq!(covered, usize::from(matching.contains(&key)), "{}", key);
        }
    }
}
