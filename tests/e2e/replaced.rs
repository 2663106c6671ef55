//! Changes by other tools between plan and apply: they are neither published nor lost.

use tidegate_core::report::Outcome;
use tidegate_tests::world::BUCKET;
use tidegate_tests::{SiteObject, SourceObject, Sources, World};

use crate::{plugin, site_with, texts};

#[tokio::test]
async fn does_not_copy_a_staged_object_replaced_since_planning() {
    let world = World::new().await;
    let files =
        |page: &str| Sources::prefix([SourceObject::text("app.js", "1"), SourceObject::text("index.html", page)]);
    let publish = world.publish(&site_with(""), &files("planned")).await;
    let planned = publish.plan().await.unwrap();
    world.stage(&files("another")).await;
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Partial, "{report}");
    let [failed] = report.done.failures.as_slice() else { panic!("{report}") };
    assert_eq!(failed.key, "index.html");
    assert!(failed.why.contains("PreconditionFailed"), "{}", failed.why);
    assert_eq!(world.site().await.keys(), ["app.js"]);
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    publish.assert_converged().await;
}

#[tokio::test]
async fn does_not_upload_a_file_changed_since_planning() {
    let world = World::new().await;
    let files =
        |page: &str| Sources::directory([SourceObject::text("app.js", "1"), SourceObject::text("index.html", page)]);
    let publish = world.publish(&site_with(""), &files("planned")).await;
    let planned = publish.plan().await.unwrap();
    world.stage(&files("another")).await;
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Partial, "{report}");
    let [failed] = report.done.failures.as_slice() else { panic!("{report}") };
    assert_eq!(failed.key, "index.html");
    assert!(failed.why.contains("index.html"), "{}", failed.why);
    assert_eq!(world.site().await.keys(), ["app.js"]);
}

#[tokio::test]
async fn does_not_delete_an_object_replaced_since_planning() {
    let world = World::new().await;
    world.seed(&texts(&[("a.html", "stale"), ("b.html", "stale"), ("odd\u{1}.html", "stale")])).await;
    let publish = world.publish(&site_with(""), &Sources::directory([SourceObject::text("index.html", "x")])).await;
    let planned = publish.plan().await.unwrap();
    world.seed(&texts(&[("b.html", "a new page"), ("odd\u{1}.html", "another new page")])).await;
    let report = publish.apply(planned).await;
    assert_eq!((report.done.deleted, report.done.kept_replaced), (1, 2), "{report}");
    assert!(report.to_string().contains("2 objects not deleted: replaced since the plan was made"), "{report}");
    assert_eq!(world.site().await.keys(), ["b.html", "index.html", "odd\u{1}.html"]);
}

#[tokio::test]
async fn counts_an_already_deleted_object_as_deleted() {
    let world = World::new().await;
    world.seed(&texts(&[("a.html", "stale"), ("b.html", "stale")])).await;
    let publish = world.publish(&site_with(""), &Sources::directory([SourceObject::text("index.html", "x")])).await;
    let planned = publish.plan().await.unwrap();
    world.client().delete_object().bucket(BUCKET).key("b.html").send().await.unwrap();
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(world.site().await.keys(), ["index.html"]);
}

#[tokio::test]
async fn does_not_change_headers_of_an_object_replaced_since_planning() {
    let world = World::new().await;
    world.seed(&texts(&[("a.html", "same")])).await;
    let sources = Sources::directory([SourceObject::text("a.html", "same")]);
    let publish = world.publish(&site_with(&plugin("sync", "mime", "{}")), &sources).await;
    let planned = publish.plan().await.unwrap();
    assert_eq!(planned.plan.totals.headers, 1);
    let theirs = SiteObject { content_type: Some("text/plain".to_owned()), ..SiteObject::text("a.html", "theirs") };
    theirs.seed(&world.client(), BUCKET).await;
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Failed, "{report}");
    assert_eq!(report.done.failures.first().map(|failed| failed.key.as_str()), Some("a.html"));
    assert_eq!(world.site().await.objects, [theirs]);
}

#[tokio::test]
async fn does_not_copy_a_renamed_file_from_an_object_replaced_since_planning() {
    let world = World::new().await;
    let old = |seed| SiteObject { key: "old.bin".to_owned(), size: Some(9_000), seed, ..SiteObject::default() };
    old(1).seed(&world.client(), BUCKET).await;
    let publish = world.publish(&site_with(""), &Sources::directory([SourceObject::sized("new.bin", 9_000, 1)])).await;
    let planned = publish.plan().await.unwrap();
    assert_eq!((planned.plan.totals.bytes_to_copy, planned.plan.totals.bytes_to_write), (9_000, 0));
    old(2).seed(&world.client(), BUCKET).await;
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Failed, "{report}");
    assert_eq!(world.site().await.keys(), ["old.bin"]);
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    let site = world.site().await;
    assert_eq!(site.keys(), ["new.bin"]);
    let expected = tidegate_tests::body::digest(&tidegate_tests::body::pattern(9_000, 1));
    assert_eq!(site.get("new.bin").unwrap().digest.as_deref(), Some(&*expected));
}
