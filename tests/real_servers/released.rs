//! Two releases of one small site, and what a bucket must hold after each.

use std::collections::BTreeMap;
use std::path::Path;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use tidegate_core::approval::Approval;
use tidegate_core::config::Site;
use tidegate_core::location::Source;
use tidegate_core::plan::Plan;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_host::sync::Trace;
use tidegate_publish::publish::Publisher;
use tidegate_tests::source::write;
use tidegate_tests::{SourceObject, world};

/// What the site's configuration adds to name and target.
pub(crate) const PLUGINS: &str = r#"
[[site.sync]]
plugin = "exclude"

[[site.sync]]
plugin = "rewrite"
settings = { redirects = [{ from = "/old.html", to = "/index.html" }] }

[[site.sync]]
plugin = "mime"

[[site.sync]]
plugin = "headers"
"#;

/// The files of a release.
pub(crate) fn files(release: u32) -> Vec<SourceObject> {
    let mut files = vec![
        SourceObject::text("index.html", &format!("<p>release {release}")),
        SourceObject::text("style.css", "a{}"),
        SourceObject::text("app.3f2a9c41.js", "let a;"),
        SourceObject::text("c++ & é/a b.html", "<p>odd name"),
        SourceObject::text(".nojekyll", ""),
        SourceObject::text(".DS_Store", "not published"),
        SourceObject::sized("img/photo.bin", 300_000, 5),
    ];
    if release == 1 {
        files.push(SourceObject::text("gone.html", "<p>gone"));
        files.push(SourceObject::sized("img/before.bin", 9_000, 6));
    } else {
        files.push(SourceObject::text("new.html", "<p>new"));
        files.push(SourceObject::sized("img/after.bin", 9_000, 6));
    }
    files
}

/// Writes a release into a directory.
pub(crate) fn lay(place: &Path, release: u32) -> Source {
    let directory = place.join("source");
    let _ = std::fs::remove_dir_all(&directory);
    files(release).iter().for_each(|file| write(&directory, file));
    Source::Directory(directory)
}

/// Puts a release below a prefix of a bucket.
pub(crate) async fn stage(client: &Client, bucket: &str, release: u32) -> Source {
    for file in files(release) {
        let key = format!("build/{}", file.key);
        client.put_object().bucket(bucket).key(key).body(ByteStream::from(file.bytes())).send().await.unwrap();
    }
    format!("s3://{bucket}/build/").parse().unwrap()
}

/// Bytes and headers of everything that a bucket holds below a prefix, as the server itself tells.
pub(crate) async fn held(client: &Client, bucket: &str, prefix: &str) -> BTreeMap<String, (Vec<u8>, String, String)> {
    let mut held = BTreeMap::new();
    let mut pages = client.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page.unwrap().contents() {
            let key = object.key().unwrap();
            let got = client.get_object().bucket(bucket).key(key).send().await.unwrap();
            let kind = got.content_type().unwrap_or_default().to_owned();
            let cache = got.cache_control().unwrap_or_default().to_owned();
            let bytes = got.body.collect().await.unwrap().to_vec();
            held.insert(key.strip_prefix(prefix).unwrap().to_owned(), (bytes, kind, cache));
        }
    }
    held
}

/// Plans and publishes.
pub(crate) async fn publish(publisher: &Publisher, site: &Site, source: &Source) -> (Plan, PublishReport) {
    let request = world::request(source.clone());
    let planned = publisher.plan(&request, site, Trace::Off).await.unwrap_or_else(|error| panic!("no plan: {error}"));
    let plan = planned.plan.clone();
    (plan, publisher.apply(planned, &request, site, Approval::Policies).await)
}

/// Publishes both releases, each twice, and checks after each what the server holds.
pub(crate) async fn both_releases(
    publisher: &Publisher,
    site: &Site,
    client: &Client,
    (bucket, prefix): (&str, &str),
    place: &Path,
) {
    for release in [1, 2] {
        let source = lay(place, release);
        let (plan, report) = publish(publisher, site, &source).await;
        assert_eq!(report.outcome, Outcome::Live, "release {release}: {report}");
        let (create, update, delete) = (plan.totals.create, plan.totals.update, plan.totals.delete);
        match release {
            1 => assert_eq!((create, update, delete), (9, 0, 0), "{:#?}", plan.operations),
            // The renamed image is copied, everything else stays.
            _ => {
                assert_eq!((create, update, delete, plan.totals.headers), (2, 1, 2, 0), "{:#?}", plan.operations);
                assert_eq!(plan.totals.bytes_to_copy, 9_000);
            }
        }
        assert_release(&held(client, bucket, prefix).await, release);
        let (plan, report) = publish(publisher, site, &source).await;
        assert_eq!(report.outcome, Outcome::Unchanged, "release {release} again: {:#?}", plan.operations);
    }
}

/// What must be there is there, with its types, and nothing else.
pub(crate) fn assert_release(held: &BTreeMap<String, (Vec<u8>, String, String)>, release: u32) {
    let mut expected: BTreeMap<String, Vec<u8>> = files(release)
        .into_iter()
        .filter(|file| file.key != ".DS_Store")
        .map(|file| (file.key.clone(), file.bytes()))
        .collect();
    expected.insert("old.html".to_owned(), Vec::new());
    let found: BTreeMap<String, Vec<u8>> = held.iter().map(|(key, (bytes, ..))| (key.clone(), bytes.clone())).collect();
    assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    assert!(expected == found, "the bytes differ");
    let (_, kind, cache) = &held["index.html"];
    assert_eq!((kind.as_str(), cache.as_str()), ("text/html; charset=utf-8", "no-cache"));
    let (_, kind, cache) = &held["app.3f2a9c41.js"];
    assert_eq!(
        (kind.as_str(), cache.as_str()),
        ("text/javascript; charset=utf-8", "public, max-age=31536000, immutable")
    );
    assert_eq!(held["style.css"].1, "text/css; charset=utf-8");
}
