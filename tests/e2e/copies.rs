//! Server-side copies: from a staged prefix, and of objects larger than one request can copy.

use tidegate_core::report::Outcome;
use tidegate_emulator::s3::StoreLimits;
use tidegate_tests::world::BUCKET;
use tidegate_tests::{BucketContents, SiteObject, SourceObject, Sources, World, calls};

use crate::{plugin, site_with};

/// The largest object that one request copies: S3's limit, lowered for publisher and emulator alike.
const LIMIT: u64 = 1_000;

async fn world_with_copy_limit() -> World {
    let world = World::new().await;
    world.account.s3().set_limits(StoreLimits { copy_source: LIMIT, smallest_part: 1, ..StoreLimits::default() });
    world
}

#[tokio::test]
async fn copies_a_staged_prefix_on_the_server() {
    let world = World::new().await;
    let files =
        [SourceObject::text("index.html", "x"), SourceObject::sized("big.bin", 70_000, 1), SourceObject::text("e", "")];
    let publish =
        world.publish(&site_with(&plugin("sync", "mime", "{ sniff = false }")), &Sources::prefix(files)).await;
    world.clear_requests();
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let seen = world.faults.calls();
    assert_eq!((calls::count(&seen, "GetObject"), calls::count(&seen, "PutObject")), (0, 0), "{seen:?}");
    assert_eq!(
        calls::count(&seen, "CopyObject"),
        3 + 1,
        "one is repeated to find out whether the server knows conditions"
    );
    assert_eq!((report.totals.bytes_to_write, report.totals.bytes_to_copy), (0, 70_001));
    publish.assert_converged().await;
    let seen = world.faults.calls();
    assert_eq!(calls::count(&seen, "GetObject"), 0, "comparing needs no read");
}

#[tokio::test]
async fn copies_a_large_staged_object_in_parts() {
    let world = world_with_copy_limit().await;
    let files = [SourceObject::sized("big.bin", 4_500, 1), SourceObject::sized("edge.bin", LIMIT, 2)];
    let mut publish = world.publish(&site_with(&plugin("sync", "mime", "{}")), &Sources::prefix(files)).await;
    publish.publisher.copy_limit = LIMIT;
    world.clear_requests();
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let seen = world.faults.calls();
    assert_eq!(calls::count(&seen, "UploadPartCopy"), 5);
    let copied: std::collections::BTreeSet<_> = calls::keys(&seen, "CopyObject").into_iter().collect();
    assert_eq!(copied, ["edge.bin"].into());
    assert_eq!(calls::count(&seen, "GetObject"), 0);
    let site = world.site().await;
    let big = site.get("big.bin").unwrap();
    assert_eq!(big.digest.as_deref(), Some(&*tidegate_tests::body::digest(&tidegate_tests::body::pattern(4_500, 1))));
    assert_eq!(big.content_type.as_deref(), Some("application/octet-stream"));
    publish.assert_converged().await;
}

#[tokio::test]
async fn replaces_headers_of_a_large_object_in_parts_and_keeps_its_tags() {
    let world = world_with_copy_limit().await;
    let tags = [("team".to_owned(), "docs & more".to_owned())].into();
    let object = SiteObject {
        key: "film.mp4".to_owned(),
        size: Some(2_500),
        seed: 9,
        content_type: Some("binary/octet-stream".to_owned()),
        content_language: Some("de".to_owned()),
        storage_class: Some("STANDARD_IA".to_owned()),
        ..SiteObject::default()
    };
    world.seed(&BucketContents { objects: vec![object.clone()] }).await;
    let tagging = aws_sdk_s3::types::Tagging::builder()
        .tag_set(aws_sdk_s3::types::Tag::builder().key("team").value("docs & more").build().unwrap())
        .build()
        .unwrap();
    world.client().put_object_tagging().bucket(BUCKET).key("film.mp4").tagging(tagging).send().await.unwrap();
    let settings = r#"{ rules = [{ glob = "*.mp4", set = { cache-control = "max-age=60", content-language = "de", content-type = "video/mp4" } }] }"#;
    let sources = Sources::directory([SourceObject::sized("film.mp4", 2_500, 9)]);
    let mut publish = world.publish(&site_with(&plugin("sync", "headers", settings)), &sources).await;
    publish.publisher.copy_limit = LIMIT;
    world.clear_requests();
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!((report.done.headers, report.done.written), (1, 0));
    assert_eq!(calls::count(&world.faults.calls(), "UploadPartCopy"), 3);
    let site = world.site().await;
    let after = site.get("film.mp4").unwrap();
    assert_eq!(after.content_type.as_deref(), Some("video/mp4"));
    assert_eq!(after.cache_control.as_deref(), Some("max-age=60"));
    assert_eq!((&after.content_language, &after.storage_class), (&object.content_language, &object.storage_class));
    assert_eq!(after.tags, tags);
    publish.assert_converged().await;
}

#[tokio::test]
async fn aborts_a_failed_copy_in_parts() {
    let world = world_with_copy_limit().await;
    let mut publish = world.publish(&site_with(""), &Sources::prefix([SourceObject::sized("big.bin", 4_500, 1)])).await;
    publish.publisher.copy_limit = LIMIT;
    let planned = publish.plan().await.unwrap();
    world.clear_requests();
    let parts = std::sync::atomic::AtomicUsize::new(0);
    world.inject_faults(move |call| {
        let third = call.operation == "UploadPartCopy" && parts.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 2;
        third.then(|| tidegate_tests::fault::InjectedFault::answer(500, "InternalError"))
    });
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Failed, "{report}");
    let seen = world.faults.calls();
    assert_eq!((calls::count(&seen, "AbortMultipartUpload"), calls::count(&seen, "CompleteMultipartUpload")), (1, 0));
    assert_eq!(world.site().await.objects, Vec::new());
}

#[tokio::test]
async fn reads_a_multipart_object_of_another_tool_at_most_once() {
    let world = World::new().await;
    let object =
        SiteObject { key: "x.bin".to_owned(), size: Some(3_000), seed: 1, parts: Some(1_024), ..SiteObject::default() };
    world.seed(&BucketContents { objects: vec![object] }).await;
    let publish = world.publish(&site_with(""), &Sources::prefix([SourceObject::sized("x.bin", 3_000, 1)])).await;
    world.clear_requests();
    assert!(publish.plan().await.is_ok());
    let reads = calls::count(&world.faults.calls(), "GetObject");
    assert!(reads <= 1, "the staged object was read {reads} times");
}
