//! Changes by other tools between plan and apply: they are neither published nor lost.

use tidegate_core::report::Outcome;
use tidegate_emulator::s3::ObjectEncryption;
use tidegate_tests::fault::InjectedFault;
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

/// Staged objects over a replaced, a created and a deleted object of the site.
#[tokio::test]
async fn does_not_copy_over_an_object_changed_since_planning() {
    let world = World::new().await;
    world.seed(&texts(&[("changed.html", "old"), ("deleted.html", "old"), ("same.html", "old")])).await;
    let files = ["changed", "created", "deleted", "same", "new"]
        .map(|name| SourceObject::text(&format!("{name}.html"), &format!("our {name}")));
    let publish = world.publish(&site_with(""), &Sources::prefix(files)).await;
    let planned = publish.plan().await.unwrap();
    world.seed(&texts(&[("changed.html", "theirs"), ("created.html", "theirs")])).await;
    world.client().delete_object().bucket(BUCKET).key("deleted.html").send().await.unwrap();
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Partial, "{report}");
    let failed: Vec<&str> = report.done.failures.iter().map(|failed| failed.key.as_str()).collect();
    assert_eq!(failed, ["changed.html", "created.html", "deleted.html"], "{report}");
    for failed in &report.done.failures {
        assert!(failed.why.contains("changed after the plan was made"), "{}", failed.why);
    }
    let site = world.site().await;
    for (key, expected) in
        [("changed.html", "theirs"), ("created.html", "theirs"), ("same.html", "our same"), ("new.html", "our new")]
    {
        assert_eq!(site.get(key).unwrap().body.as_deref(), Some(expected), "{key}");
    }
    assert!(site.get("deleted.html").is_none());
    // A new plan knows what is there, and replaces it.
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    publish.assert_converged().await;
}

/// A repeated request finds what the first one has written.
#[tokio::test]
async fn a_copy_whose_response_was_lost_is_not_taken_for_a_change_of_others() {
    for kms in [false, true] {
        let world = World::new().await;
        if kms {
            let encryption = ObjectEncryption {
                algorithm: "aws:kms".to_owned(),
                kms_key: Some("arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d".to_owned()),
                bucket_key: None,
            };
            world.account.s3().set_encryption(BUCKET, encryption).await.unwrap();
        }
        world.seed(&texts(&[("index.html", "old")])).await;
        let files = [SourceObject::text("index.html", "new"), SourceObject::text("app.js", "1")];
        let mut publish = world.publish(&site_with(&plugin("sync", "mime", "{}")), &Sources::prefix(files)).await;
        publish.publisher = world.publisher_with(world.account.root_credentials(), 3);
        let seen = std::sync::Mutex::new(std::collections::BTreeMap::<String, u32>::new());
        world.inject_faults(move |call| {
            if call.operation != "CopyObject" {
                return None;
            }
            let mut seen = seen.lock().unwrap();
            let times = seen.entry(call.key.clone().unwrap_or_default()).or_default();
            *times += 1;
            (*times == 1).then_some(InjectedFault::Lose)
        });
        let report = publish.run().await;
        world.stop_faults();
        assert_eq!((report.outcome, report.done.written), (Outcome::Live, 2), "kms: {kms} {report}");
        publish.assert_converged().await;
    }
}
