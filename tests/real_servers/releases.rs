//! Two releases of a small site, and the objects that a bucket must have after each.

use std::collections::BTreeMap;
use std::path::Path;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use tidegate_core::approval::Approval;
use tidegate_core::config::Site;
use tidegate_core::location::{Location, Source};
use tidegate_core::plan::Plan;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_host::sync::Trace;
use tidegate_publish::publish::Publisher;
use tidegate_tests::source::write;
use tidegate_tests::{SourceObject, world};

/// The plugins in the configuration of the site.
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

/// Writes a release into `source` below a directory.
pub(crate) fn write_release(directory: &Path, release: u32) -> Source {
    let source = directory.join("source");
    let _ = std::fs::remove_dir_all(&source);
    files(release).iter().for_each(|file| write(&source, file));
    Source::Directory(source)
}

/// Uploads a release below `build/` in a bucket.
pub(crate) async fn stage(client: &Client, bucket: &str, release: u32) -> Source {
    for file in files(release) {
        let key = format!("build/{}", file.key);
        client.put_object().bucket(bucket).key(key).body(ByteStream::from(file.bytes())).send().await.unwrap();
    }
    format!("s3://{bucket}/build/").parse().unwrap()
}

/// An object as the server returns it.
pub(crate) struct PublishedObject {
    bytes: Vec<u8>,
    content_type: String,
    cache_control: String,
}

/// The objects below a prefix, by key relative to the prefix.
pub(crate) async fn objects(client: &Client, target: &Location) -> BTreeMap<String, PublishedObject> {
    let (bucket, prefix) = (target.bucket.as_str(), target.prefix.as_str());
    let mut objects = BTreeMap::new();
    let mut pages = client.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page.unwrap().contents() {
            let key = object.key().unwrap();
            let response = client.get_object().bucket(bucket).key(key).send().await.unwrap();
            let object = PublishedObject {
                content_type: response.content_type().unwrap_or_default().to_owned(),
                cache_control: response.cache_control().unwrap_or_default().to_owned(),
                bytes: response.body.collect().await.unwrap().to_vec(),
            };
            objects.insert(key.strip_prefix(prefix).unwrap().to_owned(), object);
        }
    }
    objects
}

/// Plans and publishes.
pub(crate) async fn publish(publisher: &Publisher, site: &Site, source: &Source) -> (Plan, PublishReport) {
    let request = world::request(source.clone());
    let planned =
        publisher.plan(&request, site, Trace::Off).await.unwrap_or_else(|error| panic!("cannot plan: {error}"));
    let plan = planned.plan.clone();
    (plan, publisher.apply(planned, &request, site, Approval::Policies).await)
}

/// Publishes both releases, each twice, and checks the plans and the objects on the server.
pub(crate) async fn publish_both(publisher: &Publisher, site: &Site, client: &Client, directory: &Path) {
    for release in [1, 2] {
        let source = write_release(directory, release);
        let (plan, report) = publish(publisher, site, &source).await;
        assert_eq!(report.outcome, Outcome::Live, "release {release}: {report}");
        let (create, update, delete) = (plan.totals.create, plan.totals.update, plan.totals.delete);
        match release {
            1 => assert_eq!((create, update, delete), (9, 0, 0), "{:#?}", plan.operations),
            // The renamed image is copied within the bucket.
            _ => {
                assert_eq!((create, update, delete, plan.totals.headers), (2, 1, 2, 0), "{:#?}", plan.operations);
                assert_eq!(plan.totals.bytes_to_copy, 9_000);
            }
        }
        assert_release(&objects(client, &site.target).await, release);
        let (plan, report) = publish(publisher, site, &source).await;
        assert_eq!(report.outcome, Outcome::Unchanged, "release {release} again: {:#?}", plan.operations);
    }
}

/// Asserts that the objects are exactly those of a release, with their bytes and headers.
pub(crate) fn assert_release(objects: &BTreeMap<String, PublishedObject>, release: u32) {
    let mut expected: BTreeMap<String, Vec<u8>> = files(release)
        .into_iter()
        .filter(|file| file.key != ".DS_Store")
        .map(|file| (file.key.clone(), file.bytes()))
        .collect();
    expected.insert("old.html".to_owned(), Vec::new());
    let found: BTreeMap<String, Vec<u8>> =
        objects.iter().map(|(key, object)| (key.clone(), object.bytes.clone())).collect();
    assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    assert!(expected == found, "the bytes differ");
    let headers = |key: &str| (objects[key].content_type.as_str(), objects[key].cache_control.as_str());
    assert_eq!(headers("index.html"), ("text/html; charset=utf-8", "no-cache"));
    assert_eq!(headers("app.3f2a9c41.js"), ("text/javascript; charset=utf-8", "public, max-age=31536000, immutable"));
    assert_eq!(headers("style.css").0, "text/css; charset=utf-8");
}
