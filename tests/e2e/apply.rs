//! The order of writes, and the state of a site after a partial failure.

use tidegate_core::report::Outcome;
use tidegate_tests::fault::{ApiCall, InjectedFault};
use tidegate_tests::world::BUCKET;
use tidegate_tests::{BucketContents, SiteObject, SourceObject, Sources, World, calls};

use crate::{plugin, site_with, texts};

fn typed() -> String {
    site_with(&plugin("sync", "mime", "{}"))
}

/// Two pages, three assets, two stale objects.
async fn release() -> (World, tidegate_tests::Publish) {
    let world = World::new().await;
    world.seed(&texts(&[("stale.html", "x"), ("stale.js", "x"), ("index.html", "old")])).await;
    let files = [("index.html", "new"), ("a/page.html", "p"), ("app.js", "1"), ("style.css", "2"), ("zoo.png", "3")];
    let sources = Sources::directory(files.map(|(key, body)| SourceObject::text(key, body)));
    let publish = world.publish(&typed(), &sources).await;
    (world, publish)
}

fn fails(operation: &'static str, key: &'static str) -> impl Fn(&ApiCall) -> Option<InjectedFault> + Send + Sync {
    move |call| {
        (call.operation == operation && call.key.as_deref() == Some(key))
            .then(|| InjectedFault::answer(503, "SlowDown"))
    }
}

#[tokio::test]
async fn writes_assets_then_pages_then_deletes() {
    let (world, publish) = release().await;
    let planned = publish.plan().await.unwrap();
    world.clear_requests();
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let calls = world.faults.calls();
    let puts = calls::keys(&calls, "PutObject");
    let page = |key: &&str| key.ends_with(".html");
    assert_eq!(puts.len(), 5);
    assert!(!puts.iter().take(3).any(page) && puts.iter().skip(3).all(page), "{puts:?}");
    let last_put = calls.iter().rposition(|call| call.operation == "PutObject").unwrap();
    let delete = calls::position(&calls, "DeleteObjects", None).unwrap();
    assert!(last_put < delete, "{calls:?}");
    publish.assert_converged().await;
}

#[tokio::test]
async fn a_failed_asset_stops_pages_and_deletes() {
    let (world, publish) = release().await;
    let planned = publish.plan().await.unwrap();
    world.clear_requests();
    world.inject_faults(fails("PutObject", "app.js"));
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Partial, "{report}");
    let failed: Vec<&str> = report.done.failures.iter().map(|failed| failed.key.as_str()).collect();
    assert_eq!(failed, ["app.js"]);
    assert_eq!(report.done.skipped, 4, "two pages and two deletes");
    let site = world.site().await;
    assert_eq!(site.keys(), ["index.html", "stale.html", "stale.js", "style.css", "zoo.png"]);
    assert_eq!(site.get("index.html").unwrap().body.as_deref(), Some("old"), "no page before its assets");
    assert_eq!(calls::count(&world.faults.calls(), "DeleteObjects"), 0);

    world.stop_faults();
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    publish.assert_converged().await;
}

#[tokio::test]
async fn a_failed_page_stops_deletes() {
    let (world, publish) = release().await;
    let planned = publish.plan().await.unwrap();
    world.inject_faults(fails("PutObject", "a/page.html"));
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Partial, "{report}");
    let site = world.site().await;
    assert!(site.get("stale.html").is_some() && site.get("stale.js").is_some());
    assert_eq!(site.get("index.html").unwrap().body.as_deref(), Some("new"), "other pages are written");
}

#[tokio::test]
async fn reports_failed_if_no_write_succeeded() {
    let (world, publish) = release().await;
    let before = world.site().await;
    let planned = publish.plan().await.unwrap();
    world.inject_faults(|call| (!call.only_reads()).then(|| InjectedFault::answer(403, "AccessDenied")));
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Failed, "{report}");
    assert!(!report.done.failures.is_empty());
    assert_eq!(world.site().await, before);
}

#[tokio::test]
async fn reports_writes_without_a_response_as_unknown() {
    let world = World::new().await;
    let publish = world.publish(&typed(), &Sources::directory([SourceObject::text("app.js", "1")])).await;
    let planned = publish.plan().await.unwrap();
    world.inject_faults(|call| (call.operation == "PutObject").then_some(InjectedFault::Lose));
    let report = publish.apply(planned).await;
    assert_eq!(world.site().await.keys(), ["app.js"], "the server executed the request");
    assert_eq!((report.outcome, report.done.unanswered), (Outcome::Partial, 1), "{report}");
    assert!(report.to_string().contains("1 operation without a response, which may have taken effect"), "{report}");
    world.stop_faults();
    publish.assert_converged().await;
}

#[tokio::test]
async fn stops_after_many_failures() {
    let world = World::new().await;
    let files = (0..500).map(|n| SourceObject::text(&format!("{n}.js"), "x"));
    let publish = world.publish(&typed(), &Sources::directory(files)).await;
    let planned = publish.plan().await.unwrap();
    world.clear_requests();
    world.inject_faults(|call| (call.operation == "PutObject").then(|| InjectedFault::answer(403, "AccessDenied")));
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Failed, "{report}");
    let tried = calls::count(&world.faults.calls(), "PutObject") as u64;
    assert!(tried < 100, "{tried} requests were sent");
    assert_eq!(tried, report.done.failures.len() as u64);
    assert_eq!(tried + report.done.skipped, 500);
}

#[tokio::test]
async fn a_denied_delete_makes_the_run_partial() {
    let (world, mut publish) = release().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::site","arn:aws:s3:::site/*"]},
        {"Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::site/stale.js"}]}"#;
    world.account.iam().create_user("publisher", &[("all", policy)]).unwrap();
    let key = world.account.iam().create_access_key("publisher").unwrap();
    publish.publisher = world.publisher_with(key.credentials(), 1);
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Partial, "{report}");
    assert_eq!(report.done.deleted, 1);
    let [failed] = report.done.failures.as_slice() else { panic!("{report}") };
    assert_eq!((failed.key.as_str(), failed.operation.as_str()), ("stale.js", "delete"));
    assert!(failed.why.contains("AccessDenied"), "{}", failed.why);
    assert_eq!(world.site().await.keys(), ["a/page.html", "app.js", "index.html", "stale.js", "style.css", "zoo.png"]);
}

#[tokio::test]
async fn deletes_a_thousand_objects_per_request() {
    let world = World::new().await;
    for n in 0..1_001 {
        let headers = tidegate_emulator::s3::StoredHeaders::default();
        world.account.s3().put(BUCKET, &format!("old/{n:04}.html"), "x", headers).await.unwrap();
    }
    let guard = plugin("policy", "guard", "{ max-delete-share = 1 }");
    let sources = Sources::directory([SourceObject::text("index.html", "x")]);
    let publish = world.publish(&site_with(&guard), &sources).await;
    let planned = publish.plan().await.unwrap();
    world.clear_requests();
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(report.done.deleted, 1_001);
    assert_eq!(calls::count(&world.faults.calls(), "DeleteObjects"), 2);
    assert_eq!(world.site().await.keys(), ["index.html"]);
}

#[tokio::test]
async fn a_truncated_listing_is_an_error() {
    let world = World::new().await;
    for n in 0..1_001 {
        let headers = tidegate_emulator::s3::StoredHeaders::default();
        world.account.s3().put(BUCKET, &format!("{n:04}.html"), "x", headers).await.unwrap();
    }
    let sources = Sources::directory([SourceObject::text("0000.html", "x")]);
    let publish = world.publish(&site_with(""), &sources).await;
    let pages = std::sync::atomic::AtomicUsize::new(0);
    world.inject_faults(move |call| {
        let listing = call.operation == "ListObjectsV2" && call.bucket.as_deref() == Some(BUCKET);
        let second = listing && pages.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1;
        second.then_some(InjectedFault::Cut)
    });
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(error.contains("ListObjectsV2") && error.contains("s3://site/"), "{error}");
}

#[tokio::test]
async fn lists_only_the_prefix_of_the_site() {
    let world = World::new().await;
    for n in 0..2_500 {
        let headers = tidegate_emulator::s3::StoredHeaders::default();
        world.account.s3().put(BUCKET, &format!("other/{n}"), "x", headers).await.unwrap();
    }
    let configuration = site_with("").replace("s3://site/", "s3://site/docs/");
    let files = [SourceObject::text("a.html", "x"), SourceObject::text("b.html", "x")];
    let publish = world.publish(&configuration, &Sources::directory(files)).await;
    world.clear_requests();
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    // One page, because the prefix is empty.
    assert_eq!(calls::count(&world.faults.calls(), "ListObjectsV2"), 1);
}

#[tokio::test]
async fn a_failed_invalidation_leaves_the_release_live() {
    let (world, mut publish) = release().await;
    publish.site = tidegate_tests::world::site(&site_with("cdn = [{ distribution = \"E2EXAMPLE\" }]\n"));
    world.inject_faults(|call| {
        (call.operation == "CreateInvalidation").then(|| InjectedFault::answer(400, "TooManyInvalidationsInProgress"))
    });
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::LiveInvalidationPending, "{report}");
    assert!(report.to_string().contains("E2EXAMPLE: not invalidated:"), "{report}");
    assert!(report.to_string().contains("TooManyInvalidationsInProgress"), "{report}");
    world.stop_faults();
    publish.assert_converged().await;
}

#[tokio::test]
async fn failed_and_unchanged_runs_send_no_invalidation() {
    let (world, mut publish) = release().await;
    publish.site = tidegate_tests::world::site(&site_with("cdn = [{ distribution = \"E2EXAMPLE\" }]\n"));
    world.inject_faults(fails("PutObject", "zoo.png"));
    assert_eq!(publish.run().await.outcome, Outcome::Partial);
    assert_eq!(calls::count(&world.faults.calls(), "CreateInvalidation"), 0);
    world.stop_faults();
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    assert_eq!(calls::count(&world.faults.calls(), "CreateInvalidation"), 1);
    world.clear_requests();
    assert_eq!(publish.run().await.outcome, Outcome::Unchanged);
    assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());
}

#[tokio::test]
async fn names_a_bucket_that_cannot_be_listed() {
    let (world, mut publish) = release().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"*"}]}"#;
    world.account.iam().create_user("writer", &[("writes", policy)]).unwrap();
    let key = world.account.iam().create_access_key("writer").unwrap();
    publish.publisher = world.publisher_with(key.credentials(), 1);
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(
        error.contains("ListObjectsV2") && error.contains("s3://site/") && error.contains("AccessDenied"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_large_bodies_in_parts_and_recognizes_them_later() {
    let world = World::new().await;
    let size = 65 * 1024 * 1024;
    let sources = Sources::directory([SourceObject::sized("film.bin", size, 3), SourceObject::text("x.txt", "x")]);
    let publish = world.publish(&site_with(""), &sources).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(calls::count(&world.faults.calls(), "UploadPart"), 5);
    let site = world.site().await;
    let film = site.get("film.bin").unwrap();
    assert_eq!((film.size, film.parts), (Some(size), Some(5)));
    publish.assert_converged().await;

    // A different body of the same size.
    world
        .stage(&Sources::directory([SourceObject::sized("film.bin", size, 4), SourceObject::text("x.txt", "x")]))
        .await;
    let planned = publish.plan().await.unwrap();
    assert_eq!(planned.plan.operations.len(), 1);
    world.inject_faults(fails("UploadPart", "film.bin"));
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Failed, "{report}");
    assert!(calls::count(&world.faults.calls(), "AbortMultipartUpload") > 0, "a failed upload leaves no parts");
    assert_eq!(world.site().await.get("film.bin"), site.get("film.bin"));
}

#[tokio::test]
async fn replaces_headers_and_keeps_tags_storage_class_and_encryption() {
    let world = World::new().await;
    let tags = [("team".to_owned(), "docs".to_owned())].into();
    let object = SiteObject {
        content_type: Some("text/plain".to_owned()),
        storage_class: Some("STANDARD_IA".to_owned()),
        encryption: Some("aws:kms".to_owned()),
        kms_key: Some("arn:aws:kms:us-east-1:000000000000:key/k".to_owned()),
        tags,
        ..SiteObject::text("index.html", "x")
    };
    // Under KMS, the ETag does not prove equal bytes, so an earlier publish must have written the object.
    world.seed(&BucketContents { objects: vec![object.clone()] }).await;
    let key = object.kms_key.clone().unwrap();
    let objects =
        format!("objects = {{ encryption = \"aws:kms\", kms-key = \"{key}\", storage-class = \"STANDARD_IA\" }}\n");
    let sources = Sources::directory([SourceObject::text("index.html", "x")]);
    let mut publish = world.publish(&site_with(&objects), &sources).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    publish.assert_converged().await;
    let tagging = aws_sdk_s3::types::Tagging::builder()
        .tag_set(aws_sdk_s3::types::Tag::builder().key("team").value("docs").build().unwrap())
        .build()
        .unwrap();
    world.client().put_object_tagging().bucket(BUCKET).key("index.html").tagging(tagging).send().await.unwrap();

    publish.site = tidegate_tests::world::site(&typed());
    let planned = publish.plan().await.unwrap();
    assert_eq!(planned.plan.totals.headers, 1, "{:#?}", planned.plan);
    assert_eq!(publish.apply(planned).await.outcome, Outcome::Live);
    let site = world.site().await;
    let after = site.get("index.html").unwrap();
    assert_eq!(after.content_type.as_deref(), Some("text/html; charset=utf-8"));
    assert_eq!(
        (&after.storage_class, &after.encryption, &after.kms_key, &after.tags),
        (&object.storage_class, &object.encryption, &object.kms_key, &object.tags)
    );
    publish.assert_converged().await;
}

#[tokio::test]
async fn retries_make_transient_faults_invisible() {
    // Each request fails once, with each kind of fault that the SDK retries.
    let faults = [
        InjectedFault::answer(503, "SlowDown"),
        InjectedFault::Refuse,
        InjectedFault::answer(500, "InternalError"),
        InjectedFault::Lose,
    ];
    for fault in faults {
        for at in 0.. {
            let (world, mut publish) = release().await;
            publish.publisher = world.publisher_with(world.account.root_credentials(), 3);
            let (count, injected) = (std::sync::atomic::AtomicUsize::new(0), fault.clone());
            world.inject_faults(move |_| {
                (count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == at).then(|| injected.clone())
            });
            let report = publish.run().await;
            assert_eq!(report.outcome, Outcome::Live, "{fault:?} at request {}: {report}", at + 1);
            publish.assert_converged().await;
            if at > world.faults.calls().len() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn retries_a_conflict_but_not_a_failed_precondition() {
    for (status, code, attempts) in [(409, "ConditionalRequestConflict", 3), (412, "PreconditionFailed", 1)] {
        let (world, mut publish) = release().await;
        publish.publisher = world.publisher_with(world.account.root_credentials(), 3);
        let planned = publish.plan().await.unwrap();
        world.clear_requests();
        world.inject_faults(move |call| {
            (call.operation == "PutObject" && call.key.as_deref() == Some("app.js"))
                .then(|| InjectedFault::answer(status, code))
        });
        let report = publish.apply(planned).await;
        assert_eq!(report.outcome, Outcome::Partial, "{report}");
        let tried = calls::keys(&world.faults.calls(), "PutObject").iter().filter(|key| **key == "app.js").count();
        assert_eq!(tried, attempts, "{code}");
    }
}
