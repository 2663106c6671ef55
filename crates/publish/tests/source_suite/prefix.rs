//! Staged prefixes as sources: complete listings, conditional reads, and names that cannot be published.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_core::content::{ContentReader, ReadError};
use tidegate_publish::source::content::SourceContent;
use tidegate_publish::source::digest::Algorithms;
use tidegate_publish::source::{OpenedSource, SourceError, SourceOptions, open as open_source};
use tokio::runtime::Handle;

use crate::memory_s3::MemoryS3;
use crate::support::*;

async fn open(bucket: MemoryS3) -> (Result<OpenedSource, SourceError>, Arc<MemoryS3>) {
    let bucket = Arc::new(bucket);
    let source = "s3://bucket/docs/".parse().unwrap();
    (open_source(&source, &bucket.client(), &SourceOptions::default()).await, bucket)
}

#[tokio::test]
async fn lists_a_prefix_completely() {
    let mut bucket = MemoryS3::new(&[("docs2/x", b"no"), ("doc", b"no"), ("docs/.ready", b""), ("docs/", b"")]);
    for n in 0..25 {
        bucket.put(&format!("docs/{n:02}"), b"x");
    }
    bucket.put("docs/folder/", b"");
    bucket.put("docs/sub/.ready", b"x");
    bucket.put("docs/00/x", b"a bucket may have an object and a folder of the same name");
    bucket.page = 7;
    let (opened, _) = open(bucket).await;
    let opened = opened.unwrap();
    assert_eq!(opened.artifact.len(), 27);
    assert_eq!(keys(&opened)[..3], ["00", "00/x", "01"]);
    assert_eq!(keys(&opened).last(), Some(&"sub/.ready"));
}

#[tokio::test]
async fn fails_if_a_page_fails() {
    for failing in 0..3 {
        let mut bucket = MemoryS3::new(&[("docs/a", b"x"), ("docs/b", b"x"), ("docs/c", b"x")]);
        (bucket.page, bucket.failing_page) = (1, Some(failing));
        let message = open(bucket).await.0.unwrap_err().to_string();
        assert!(message.contains("cannot read `s3://bucket/docs/`: SlowDown: test"), "{message}");
    }
}

#[tokio::test]
async fn excluded_keys_are_not_checked() {
    let bucket = MemoryS3::new(&[
        ("docs/index.html", b"x"),
        ("docs/a//b.log", b"x"),
        ("docs//c.log", b"x"),
        ("docs/../x.log", b"x"),
        ("docs/drafts/", b"a marker with content"),
        ("docs/drafts/a.html", b"x"),
        ("docs/drafts//b.html", b"x"),
        ("docs/Icon\r", b""),
        ("docs/.ready", b""),
    ]);
    let (source, options) = ("s3://bucket/docs/".parse().unwrap(), excluding(&["*.log", "drafts/", "Icon\r"]));
    let opened = open_source(&source, &Arc::new(bucket).client(), &options).await.unwrap();
    assert_eq!(keys(&opened), ["index.html"]);
    assert_eq!(excluded(&opened), ["../x.log", "Icon\r", "a//b.log", "c.log", "drafts/"]);
}

#[tokio::test]
async fn reads_etags_as_md5_or_opaque() {
    let bucket = MemoryS3::new(&[("docs/plain", b"hello")]);
    bucket.put_with_etag("docs/multipart", b"hello", "\"5d41402abc4b2a76b9719d911017c592-2\"");
    let opened = open(bucket).await.0.unwrap();
    let [multipart, plain] = opened.artifact.items() else { panic!("two objects") };
    assert_eq!(hex::encode(plain.identity.get().md5.unwrap()), "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(multipart.identity.get().opaque.as_deref(), Some("5d41402abc4b2a76b9719d911017c592-2"));
    assert!(multipart.identity.get().md5.is_none() && plain.identity.get().opaque.is_none());
    assert!(plain.identity.get().sha256.is_none());
    let found =
        opened.reader.digest(&key("multipart"), Algorithms { md5: true, ..Algorithms::default() }).await.unwrap();
    assert_eq!(found.md5, plain.identity.get().md5);
    assert_eq!(found.sha256.unwrap()[..], <sha2::Sha256 as sha2::Digest>::digest(b"hello")[..]);
}

#[tokio::test]
async fn fingerprint_depends_on_the_listing() {
    let print =
        async |objects: &[(&str, &[u8])]| open(MemoryS3::new(objects)).await.0.unwrap().artifact.fingerprint().clone();
    let one = print(&[("docs/a", b"1"), ("docs/b", b"2")]).await;
    assert_eq!(one, print(&[("docs/b", b"2"), ("docs/a", b"1"), ("docs/.ready", b"3")]).await);
    assert_ne!(one, print(&[("docs/a", b"2"), ("docs/b", b"2")]).await);
    assert_ne!(one, print(&[("docs/a", b"1")]).await);
}

#[tokio::test]
async fn reports_all_names_that_cannot_be_published() {
    let bucket =
        MemoryS3::new(&[("docs/a//b", b"x"), ("docs/../x", b"x"), ("docs/ok", b"x"), ("docs/full/", b"content")]);
    let Err(SourceError::Names(names)) = open(bucket).await.0 else { panic!("the names must be refused") };
    assert_eq!(names.total(), 3);
    let message = names.to_string();
    assert!(message.contains("`a//b`") && message.contains("`../x`") && message.contains("`full/`"), "{message}");
}

#[tokio::test]
async fn reads_objects_only_with_their_listed_etag() {
    let big = vec![b'x'; 1_000_000];
    let (opened, bucket) = open(MemoryS3::new(&[("docs/a", b"hello"), ("docs/big", &big), ("docs/empty", b"")])).await;
    let opened = opened.unwrap();
    assert_eq!(drain(&opened.reader, &key("big")).await.unwrap(), big);
    assert_eq!(opened.reader.whole(&key("big")).await.unwrap(), big);
    assert_eq!(drain(&opened.reader, &key("empty")).await.unwrap(), b"");
    assert_eq!(opened.reader.whole(&key("empty")).await.unwrap(), b""[..]);
    let staged = opened.reader.staged(&key("a")).unwrap();
    assert_eq!((staged.url().as_str(), staged.size), ("s3://bucket/docs/a", 5));
    assert_eq!(staged.etag.text(), "5d41402abc4b2a76b9719d911017c592");
    assert!(opened.reader.staged(&key("no")).is_none());
    bucket.put("docs/a", b"other");
    let message = opened.reader.stream(&key("a")).await.unwrap_err().to_string();
    assert!(message.contains("`s3://bucket/docs/a` changed since it was read"), "{message}");
}

#[tokio::test]
async fn fails_before_the_last_byte_of_a_short_body() {
    let mut bucket = MemoryS3::new(&[("docs/a", b"hello")]);
    bucket.cut = 1;
    let opened = open(bucket).await.0.unwrap();
    let message = drain(&opened.reader, &key("a")).await.unwrap_err().to_string();
    assert!(message.contains("shorter than it was listed"), "{message}");
    assert!(opened.reader.whole(&key("a")).await.is_err());
    assert!(opened.reader.digest(&key("a"), Algorithms::default()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_for_plugins_concurrently_until_the_deadline() {
    let mut bucket = MemoryS3::new(&[("docs/a", b"hello"), ("docs/empty", b"")]);
    bucket.delay = Duration::from_millis(300);
    let opened = open(bucket).await.0.unwrap();
    let content = SourceContent::new(opened.reader.clone(), Handle::current());
    let work = move || {
        let keys = [key("a"), key("empty"), key("no")];
        let late = content.heads(&keys, 3, Instant::now() + Duration::from_millis(20));
        let soon = Instant::now() + Duration::from_secs(60);
        (late, content.heads(&keys, 3, soon), content.range(&key("a"), 3, 9, soon))
    };
    let (late, heads, range) = tokio::task::spawn_blocking(work).await.unwrap();
    assert!(matches!(late[0], Err(ReadError::Unavailable { .. })), "{late:?}");
    assert_eq!(heads, [Ok(b"hel".to_vec()), Ok(Vec::new()), Err(ReadError::NotFound(key("no")))]);
    assert_eq!(range, Ok(b"lo".to_vec()));
}
