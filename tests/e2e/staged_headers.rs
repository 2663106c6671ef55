//! Headers of a staged prefix: sync plugins start from them, and each version of an object is asked for them once.

use std::io::{Read, Write};

use aws_sdk_s3::primitives::ByteStream;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tidegate_core::config::LeaseSeconds;
use tidegate_core::declared::StagedHeaders;
use tidegate_core::report::Outcome;
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::releases::{STATE, configuration, state_files, visible, with_short_lease, world};
use tidegate_tests::source::STAGING;
use tidegate_tests::world::BUCKET;
use tidegate_tests::{Publish, SiteObject, SourceObject, Sources, World};

use crate::model::runtime;
use crate::releases::recovery::interrupt_everywhere;
use crate::{plugin, site_with};

const KEEP: &str = "{ releases = 2, days = 0 }";

/// A page with a declared language.
fn page(key: &str, body: &str, language: &str) -> SourceObject {
    let declared = SiteObject {
        content_type: Some("text/html; charset=iso-8859-1".to_owned()),
        content_language: Some(language.to_owned()),
        ..SiteObject::default()
    };
    SourceObject { declared, ..SourceObject::text(key, body) }
}

/// Stages one object under its full key.
async fn stage(world: &World, object: SourceObject) {
    let object = SiteObject { key: object.key, body: object.body, ..object.declared };
    object.seed(&world.client(), STAGING).await;
}

fn pages(language: &str) -> Sources {
    Sources::prefix([page("a.html", "a", "de"), page("b.html", "b", "de"), page("c.html", "c", language)])
}

/// A publish of the staged prefix to a site with releases.
async fn publish(world: &World, sources: &Sources) -> Publish {
    world.publish(&configuration(KEEP), sources).await
}

/// Publishes, and returns the staged keys that a HEAD asked for.
async fn asked(world: &World, publish: &Publish) -> Vec<String> {
    world.clear_requests();
    let report = publish.publish().await.unwrap();
    assert!(matches!(report.outcome, Outcome::Live | Outcome::Unchanged), "{report}");
    let seen = world.faults.calls();
    let staged = seen.iter().filter(|call| call.bucket.as_deref() == Some(STAGING));
    let reads: Vec<_> = staged.filter(|call| ["HeadObject", "GetObject"].contains(&&*call.operation)).collect();
    assert!(reads.iter().all(|call| call.operation == "HeadObject"), "declared types are not read: {reads:?}");
    let mut keys: Vec<String> = reads.into_iter().filter_map(|call| call.key.clone()).collect();
    keys.sort();
    keys
}

async fn language(world: &World, key: &str) -> Option<String> {
    let head = world.client().head_object().bucket(BUCKET).key(key).send().await.unwrap();
    head.content_language
}

#[tokio::test]
async fn visitors_can_decode_a_staged_page_that_is_encoded() {
    let world = World::new().await;
    let plugins = plugin("sync", "mime", "{}") + &plugin("sync", "headers", "{}");
    let publish = world.publish(&site_with(&plugins), &Sources::prefix([])).await;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(b"<p>hello").unwrap();
    let staged = world.client().put_object().bucket(STAGING).key("build/index.html");
    let staged = staged
        .body(ByteStream::from(gzip.finish().unwrap()))
        .content_encoding("gzip")
        .content_type("text/html; charset=utf-8")
        .cache_control("max-age=5")
        .content_disposition("inline")
        .content_language("de")
        .metadata("author", "ada")
        .metadata("mtime", "1700000000.5")
        .metadata("tidegate-sha256", "00");
    let expires = |request: &mut aws_sdk_s3::config::http::HttpRequest| {
        request.headers_mut().insert("expires", "Thu, 01 Jan 2026 00:00:00 GMT");
    };
    staged.customize().mutate_request(expires).send().await.unwrap();
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    let served = world.client().get_object().bucket(BUCKET).key("index.html").send().await.unwrap();
    assert_eq!(served.content_encoding(), Some("gzip"));
    assert_eq!(served.content_type(), Some("text/html; charset=utf-8"));
    assert_eq!(served.cache_control(), Some("max-age=5"), "presets are for objects that declare nothing");
    assert_eq!(served.content_disposition(), Some("inline"));
    assert_eq!(served.content_language(), Some("de"));
    assert_eq!(served.expires_string(), Some("Thu, 01 Jan 2026 00:00:00 GMT"));
    let metadata = served.metadata().unwrap();
    assert_eq!(metadata.get("author").map(String::as_str), Some("ada"));
    assert!(!metadata.contains_key("mtime"), "{metadata:?}");
    assert_ne!(metadata.get("tidegate-sha256").map(String::as_str), Some("00"));
    let mut text = String::new();
    GzDecoder::new(&*served.body.collect().await.unwrap().into_bytes()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "<p>hello");
    publish.assert_converged().await;
}

#[tokio::test]
async fn each_version_of_a_staged_object_is_asked_once() {
    let world = world().await;
    let first = publish(&world, &pages("de")).await;
    assert_eq!(asked(&world, &first).await, ["build/a.html", "build/b.html", "build/c.html"]);
    assert_eq!(asked(&world, &first).await, [""; 0], "an unchanged prefix");
    assert_eq!(language(&world, "docs/c.html").await.as_deref(), Some("de"));

    // Other headers for the same bytes.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    stage(&world, page("build/c.html", "c", "fr")).await;
    assert_eq!(asked(&world, &first).await, ["build/c.html"]);
    assert_eq!(language(&world, "docs/c.html").await.as_deref(), Some("fr"));
    assert_eq!(asked(&world, &first).await, [""; 0]);
    world.client().delete_object().bucket(STAGING).key("build/b.html").send().await.unwrap();
    stage(&world, page("build/d.html", "d", "es")).await;
    assert_eq!(asked(&world, &first).await, ["build/d.html"]);
    assert_eq!(language(&world, "docs/d.html").await.as_deref(), Some("es"));

    // A lost or damaged document costs requests, not the publish.
    let document = "tidegate/docs/staged-headers.gz";
    for damaged in [None, Some(b"not gzip".to_vec())] {
        match damaged {
            None => drop(world.client().delete_object().bucket(STATE).key(document).send().await.unwrap()),
            Some(bytes) => {
                let put = world.client().put_object().bucket(STATE).key(document).body(ByteStream::from(bytes));
                put.send().await.unwrap();
            }
        }
        assert_eq!(asked(&world, &first).await, ["build/a.html", "build/c.html", "build/d.html"]);
        assert_eq!(asked(&world, &first).await, [""; 0]);
    }
}

#[tokio::test]
async fn headers_of_another_prefix_are_not_remembered() {
    let world = world().await;
    let mut build = publish(&world, &pages("de")).await;
    assert_eq!(asked(&world, &build).await.len(), 3);
    for key in ["a.html", "b.html", "c.html"] {
        stage(&world, page(&format!("other/{key}"), key.trim_end_matches(".html"), "it")).await;
    }
    build.request.source = format!("s3://{STAGING}/other/").parse().unwrap();
    assert_eq!(asked(&world, &build).await, ["other/a.html", "other/b.html", "other/c.html"]);
    assert_eq!(language(&world, "docs/a.html").await.as_deref(), Some("it"));
}

#[tokio::test]
async fn ignored_headers_take_no_request() {
    let world = World::new().await;
    let mut publish = world.publish(&site_with("staged-headers = \"ignore\""), &pages("de")).await;
    assert_eq!(asked(&world, &publish).await, [""; 0]);
    assert_eq!(language(&world, "a.html").await, None);
    publish.site.staged_headers = StagedHeaders::Keep;
    assert_eq!(asked(&world, &publish).await.len(), 3);
    assert_eq!(language(&world, "a.html").await.as_deref(), Some("de"));
    assert_eq!(asked(&world, &publish).await.len(), 3, "without a state, nothing is remembered");
}

#[tokio::test]
async fn an_object_replaced_since_the_listing_fails_the_plan() {
    let world = World::new().await;
    let publish = world.publish(&site_with(""), &pages("de")).await;
    let replaced = "`s3://staging/build/b.html` changed since it was read; publish again";
    for (status, code, expected) in [
        (412, "PreconditionFailed", replaced),
        (404, "NotFound", replaced),
        (403, "AccessDenied", "access denied reading `s3://staging/build/b.html`"),
        (500, "InternalError", "cannot read `s3://staging/build/b.html`"),
    ] {
        world.inject_faults(move |call| {
            let is_asked = call.operation == "HeadObject" && call.key.as_deref() == Some("build/b.html");
            is_asked.then(|| InjectedFault::answer(status, code))
        });
        let message = publish.plan().await.unwrap_err().to_string();
        assert!(message.contains(expected), "{status}: {message}");
    }
    world.stop_faults();
    world.clear_requests();
    publish.plan().await.unwrap();
    let heads = world.recorder.requests().into_iter().filter(|request| request.method == "HEAD").collect::<Vec<_>>();
    assert_eq!(heads.len(), 3);
    assert!(heads.iter().all(|head| head.text.to_lowercase().contains("if-match")), "{heads:?}");
}

#[tokio::test]
async fn a_staged_value_that_cannot_be_published_names_its_object() {
    let world = World::new().await;
    let mut object = page("a.html", "a", "de");
    object.declared.metadata = [("a!".to_owned(), "x".to_owned())].into();
    let publish = world.publish(&site_with(""), &Sources::prefix([object])).await;
    let message = publish.plan().await.unwrap_err().to_string();
    let expected = ["cannot publish `s3://staging/build/a.html`: invalid metadata name `a!`", "`staged-headers`"];
    assert!(expected.iter().all(|part| message.contains(part)), "{message}");
}

#[tokio::test]
async fn an_empty_staged_object_redirects_where_it_says() {
    let world = World::new().await;
    let redirect = |key: &str, body: &str| {
        let declared = SiteObject { redirect: Some("/new".to_owned()), ..SiteObject::default() };
        SourceObject { declared, ..SourceObject::text(key, body) }
    };
    let sources = Sources::prefix([redirect("old", ""), redirect("page.html", "<p>x")]);
    let publish = world.publish(&site_with(&plugin("sync", "mime", "{}")), &sources).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    let site = world.site().await;
    assert_eq!(site.get("old").unwrap().redirect.as_deref(), Some("/new"));
    let page = site.get("page.html").unwrap();
    assert_eq!((page.redirect.as_deref(), page.body.as_deref()), (None, Some("<p>x")));
    publish.assert_converged().await;
}

#[test]
fn a_publish_with_staged_headers_recovers_from_every_interruption() {
    runtime().block_on(async {
        let counted = world().await;
        let clean = publish(&counted, &pages("de")).await;
        counted.clear_requests();
        assert_eq!(clean.publish().await.unwrap().outcome, Outcome::Live);
        let (requests, expected) = (counted.faults.calls().len(), visible(&counted.account).await);
        interrupt_everywhere(requests, async |at, interruption| {
            let world = world().await;
            let mut publish = with_short_lease(publish(&world, &pages("de")).await);
            let count = interruption.inject(&world, at);
            let _ = publish.publish().await;
            world.stop_faults();
            publish.site.lease_seconds = LeaseSeconds::default();
            let reached = count.load(std::sync::atomic::Ordering::SeqCst) > at;
            let report = publish.publish().await.unwrap();
            assert!(matches!(report.outcome, Outcome::Live | Outcome::Unchanged), "{report}");
            assert_eq!(visible(&world.account).await, expected, "{interruption:?} at {at}");
            assert_eq!(language(&world, "docs/a.html").await.as_deref(), Some("de"));
            assert_eq!(asked(&world, &publish).await, [""; 0], "{interruption:?} at {at}");
            assert!(state_files(&world.account, "").contains("staged-headers.gz"));
            reached
        })
        .await;
    });
}
