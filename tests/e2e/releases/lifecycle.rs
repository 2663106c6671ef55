//! Releases of one site in sequence, without faults.

use tidegate_core::approval::Approval;
use tidegate_core::report::Outcome;
use tidegate_publish::publish::PublishError;
use tidegate_tests::fault::ApiCall;
use tidegate_tests::world::{BUCKET, site};
use tidegate_tests::{SiteObject, calls};

use super::*;

const KEEP: &str = "{ releases = 2, days = 0 }";

const ONE: Files<'_> = &[("index.html", "one a1.css"), ("a1.css", "1"), ("gone.html", "g"), ("same.js", "s")];
const TWO: Files<'_> = &[("index.html", "two a2.css"), ("a2.css", "2"), ("same.js", "s")];
const THREE: Files<'_> = &[("index.html", "three a3.css"), ("a3.css", "3"), ("same.js", "s")];

async fn released(world: &World, name: &str, files: Files<'_>) -> tidegate_core::report::PublishReport {
    let report = publish_of(world, KEEP, name, files).await.publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_tidy(&world.account).await;
    report
}

fn with(files: Files<'_>, more: Files<'_>) -> BTreeMap<String, String> {
    let mut all = texts_of(files);
    all.extend(texts_of(more));
    all
}

#[tokio::test]
async fn keeps_assets_of_kept_releases_and_deletes_their_pages() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    assert_eq!(visible(&world.account).await, texts_of(ONE));
    let report = released(&world, "c2", TWO).await;
    assert_eq!(visible(&world.account).await, with(TWO, &[("a1.css", "1")]));
    // The bodies of the deleted and the replaced page are archived.
    assert_eq!((report.done.archived, report.totals.retained), (2, 1));
    released(&world, "c3", THREE).await;
    assert_eq!(visible(&world.account).await, with(THREE, &[("a2.css", "2")]), "the first release is no longer kept");
}

#[tokio::test]
async fn rolls_back_to_a_kept_release_and_forward_again() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    released(&world, "c2", TWO).await;
    let rollback = rollback_to(&world, KEEP, "r1");
    let planned = rollback.plan().await.unwrap();
    assert_eq!((planned.plan.totals.create, planned.plan.totals.update, planned.plan.totals.keep), (1, 1, 2));
    assert_eq!(planned.plan.totals.bytes_to_write, 0, "every body is on the site or archived");
    assert!(!planned.judgements.is_empty(), "policies review a rollback");
    let report = rollback.publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_tidy(&world.account).await;
    assert_eq!(visible(&world.account).await, with(ONE, &[("a2.css", "2")]));
    let page = world.client().head_object().bucket(BUCKET).key("docs/gone.html").send().await.unwrap();
    assert_eq!(page.content_type(), Some("text/html; charset=utf-8"), "a rollback restores headers");

    // And forward again.
    let report = rollback_to(&world, KEEP, "r2").publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(visible(&world.account).await, with(TWO, &[("a1.css", "1")]));
    assert_tidy(&world.account).await;

    let error = rollback_to(&world, KEEP, "r1").plan().await.unwrap_err();
    assert!(matches!(error, PublishError::UnknownRelease(..)), "{error}");
    let error = rollback_to(&world, KEEP, "r9").plan().await.unwrap_err();
    assert!(error.to_string().contains("keeps no release `r9`"), "{error}");
}

#[tokio::test]
async fn rejects_a_rollback_whose_objects_another_tool_deleted() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    released(&world, "c2", TWO).await;
    // Another tool deletes the asset of the first release, which is kept on the site.
    world.client().delete_object().bucket(BUCKET).key("docs/a1.css").send().await.unwrap();
    let error = rollback_to(&world, KEEP, "r1").publish().await.unwrap_err();
    assert!(error.to_string().contains("`a1.css`"), "{error}");
    assert_eq!(visible(&world.account).await, texts_of(TWO));
}

#[tokio::test]
async fn unchanged_releases_write_nothing_and_expire_no_release() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    released(&world, "c2", TWO).await;
    for round in 0..4 {
        world.clear_requests();
        let report = publish_of(&world, KEEP, &format!("again{round}"), TWO).await.publish().await.unwrap();
        assert_eq!(report.outcome, Outcome::Unchanged, "{report}");
        let calls = world.faults.calls();
        assert_eq!(calls::count(&calls, "HeadObject"), 0, "the manifest knows all headers");
        let elsewhere = |call: &&ApiCall| !call.only_reads() && call.bucket.as_deref() != Some(STATE);
        assert_eq!(calls.iter().find(elsewhere), None);
        assert_tidy(&world.account).await;
    }
    let ids: Vec<String> = pointer(&world.account).await.releases.iter().map(|entry| entry.id.to_string()).collect();
    assert_eq!(ids, ["r1", "r2", "r6"], "unchanged releases share one entry");
    assert_eq!(invalidated_paths(&world.account).len(), 2);
    assert_eq!(rollback_to(&world, KEEP, "r1").publish().await.unwrap().outcome, Outcome::Live);
}

#[tokio::test]
async fn detects_reports_and_repairs_drift() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    let client = world.client();
    client.delete_object().bucket(BUCKET).key("docs/a1.css").send().await.unwrap();
    SiteObject::text("docs/same.js", "theirs").seed(&client, BUCKET).await;
    SiteObject::text("docs/foreign.html", "theirs").seed(&client, BUCKET).await;
    let publish = publish_of(&world, KEEP, "c1", ONE).await;
    let planned = publish.plan().await.unwrap();
    assert_eq!((planned.plan.totals.drifted, planned.plan.totals.keep), (2, 2));
    let report = publish.publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let drift: Vec<String> = report.drift.iter().map(ToString::to_string).collect();
    assert_eq!(
        drift,
        ["drift: `a1.css` was deleted outside Tidegate", "drift: `same.js` was replaced outside Tidegate"]
    );
    assert!(report.to_string().contains("drift: `same.js` was replaced outside Tidegate"));
    assert_eq!(visible(&world.account).await, texts_of(ONE));
    assert_tidy(&world.account).await;

    // Changed headers leave the ETag unchanged, so only `verify` detects them.
    let copy = client.copy_object().bucket(BUCKET).key("docs/same.js").copy_source(format!("{BUCKET}/docs/same.js"));
    let directive = aws_sdk_s3::types::MetadataDirective::Replace;
    copy.metadata_directive(directive).content_type("text/plain").send().await.unwrap();
    let mut publish = publish_of(&world, KEEP, "c1", ONE).await;
    assert!(publish.plan().await.unwrap().plan.is_empty());
    publish.publisher.verify = true;
    assert_eq!(publish.plan().await.unwrap().plan.totals.headers, 1);
    assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Live);
    assert_tidy(&world.account).await;
}

#[tokio::test]
async fn a_trusted_manifest_replaces_the_listing() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    let mut publish = publish_of(&world, KEEP, "c2", TWO).await;
    publish.publisher.trust_manifest = true;
    world.clear_requests();
    let report = publish.publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let listed = |calls: &[ApiCall]| {
        calls.iter().any(|call| call.operation == "ListObjectsV2" && call.bucket.as_deref() == Some(BUCKET))
    };
    assert!(!listed(&world.faults.calls()));
    assert_eq!(visible(&world.account).await, with(TWO, &[("a1.css", "1")]));
    assert_tidy(&world.account).await;

    // After an unfinished run, the site is listed anyway.
    let mut publish = publish_of(&world, KEEP, "c3", THREE).await;
    publish.publisher.trust_manifest = true;
    world.inject_faults(|call| {
        (call.key.as_deref() == Some("docs/index.html")).then_some(tidegate_tests::fault::InjectedFault::Refuse)
    });
    assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Partial);
    world.stop_faults();
    world.clear_requests();
    assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Live);
    assert!(listed(&world.faults.calls()));
    assert_tidy(&world.account).await;
}

#[tokio::test]
async fn sends_one_request_per_changed_object() {
    let requests = |count: usize| async move {
        let world = world().await;
        let names: Vec<(String, String)> = (0..count).map(|n| (format!("a{n}.css"), format!("{n}"))).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|(key, body)| (key.as_str(), body.as_str())).collect();
        released(&world, "c1", &[("index.html", "1")]).await;
        let publish = publish_of(&world, KEEP, "c2", &[&[("index.html", "1")], files.as_slice()].concat()).await;
        world.clear_requests();
        assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Live);
        // Lease renewals and invalidations in progress depend on time.
        let depends_on_time = |call: &&ApiCall| {
            call.key.as_deref() == Some("tidegate/docs/lease.json") || call.operation == "GetInvalidation"
        };
        world.faults.calls().iter().filter(|call| !depends_on_time(call)).count()
    };
    let (few, many) = (requests(5).await, requests(105).await);
    assert_eq!(many - few, 100, "one request per additional object");
    assert!(few <= 5 + 20, "{few} requests for five changes");
}

#[tokio::test]
async fn records_superseded_requests() {
    let world = world().await;
    let publish = |name: &'static str, files: Files<'static>, at: u64| {
        let world = &world;
        async move { with_revision(publish_of(world, KEEP, name, files).await, at).publish().await.unwrap() }
    };
    assert_eq!(publish("c2", TWO, 20).await.outcome, Outcome::Live);
    world.clear_requests();
    let report = publish("c1", ONE, 10).await;
    assert_eq!(report.outcome, Outcome::Superseded, "{report}");
    assert!(report.to_string().contains("`c1` is older than `c2`, which is live as r1"), "{report}");
    let touched = world.faults.calls().iter().any(|call| call.bucket.as_deref() == Some(BUCKET));
    assert!(!touched, "the site's bucket was accessed");
    // A rebuild of the same commit can differ, so it is compared.
    let report = publish("c2", TWO, 20).await;
    assert_eq!(report.outcome, Outcome::Unchanged, "{report}");
    assert_eq!(visible(&world.account).await, texts_of(TWO));
    let skipped: Vec<(String, bool)> = pointer(&world.account)
        .await
        .skipped
        .into_iter()
        .map(|skipped| (skipped.release.into(), skipped.superseded))
        .collect();
    assert_eq!(skipped, [("c1".to_owned(), true)]);
    assert_tidy(&world.account).await;
    // A request without a revision is always published.
    assert_eq!(publish_of(&world, KEEP, "c1", ONE).await.publish().await.unwrap().outcome, Outcome::Live);
}

#[tokio::test]
async fn denied_and_failed_plans_release_the_lease() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    let mut publish = publish_of(&world, KEEP, "empty", &[]).await;
    assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Denied);
    publish.request.source = Source::Directory("nowhere".into());
    publish.publish().await.unwrap_err();
    let mut next = publish_of(&world, KEEP, "c2", TWO).await;
    next.publisher.lock_timeout = std::time::Duration::ZERO;
    assert_eq!(next.publish().await.unwrap().outcome, Outcome::Live, "the lease is free");
    assert_tidy(&world.account).await;
}

#[tokio::test]
async fn rejects_a_saved_plan_after_another_release() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    let publish = publish_of(&world, KEEP, "c2", TWO).await;
    let saved = publish.plan().await.unwrap().plan;
    released(&world, "c3", THREE).await;
    released(&world, "c1", ONE).await;
    let again =
        publish.publisher.publish(&publish.request, &publish.site, Approval::Policies, Some(&saved), |_| ()).await;
    let error = again.unwrap_err();
    assert!(error.to_string().contains("the release `r3` is live now"), "{error}");
    // The same for a plan that was made without the lease.
    let planned = publish.plan().await.unwrap();
    released(&world, "c3", THREE).await;
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(report.why.unwrap().contains("r4 is live now"));
    assert_tidy(&world.account).await;
}

#[tokio::test]
async fn rejects_sources_and_targets_that_overlap_the_state() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    for source in
        ["s3://state/", "s3://state/tidegate/", "s3://state/tidegate/docs/bodies/", "s3://state/tidegate/x.zip"]
    {
        let mut publish = publish_of(&world, KEEP, "c2", TWO).await;
        publish.request.source = source.parse().unwrap();
        let error = publish.plan().await.unwrap_err();
        assert!(matches!(error, PublishError::PublishesState(_)), "{source}: {error}");
    }
    for (state, target) in [
        ("s3://site/", "s3://site/docs/"),
        ("s3://site/docs/state/", "s3://site/docs/"),
        ("s3://site/docs/", "s3://site/docs/"),
    ] {
        let text = format!("state = \"{state}\"\n[[site]]\nname = \"docs\"\ntarget = \"{target}\"\n");
        let error = tidegate_core::config::Config::parse(&text).unwrap_err();
        assert!(error.to_string().contains("`state` overlaps `target` of the site `docs`"), "{error}");
    }
    let staged =
        "state = \"s3://a-b/s/x/\"\n[[site]]\nname = \"docs\"\nstaged = \"s3://a-b/s/\"\ntarget = \"s3://site/\"\n";
    let error = tidegate_core::config::Config::parse(staged).unwrap_err();
    assert!(error.to_string().contains("`state` overlaps `staged` of the site `docs`"), "{error}");
}

#[tokio::test]
async fn two_sites_publish_at_the_same_time() {
    let world = world().await;
    let docs = publish_of(&world, KEEP, "c1", ONE).await;
    let gate = tidegate_tests::fault::FaultGate::closed();
    let closed = gate.clone();
    world.inject_faults(move |call| {
        (call.key.as_deref() == Some("docs/index.html"))
            .then(|| tidegate_tests::fault::InjectedFault::Hold(closed.clone()))
    });
    let first = tokio::spawn(async move { docs.publish().await });
    let text = configuration(KEEP)
        .replace("\"docs\"", "\"blog\"")
        .replace("/docs/", "/blog/")
        .replace("\"/docs\"", "\"/blog\"");
    let mut blog = publish_of(&world, KEEP, "c1", TWO).await;
    blog.site = site(&text);
    blog.request.site = "blog".to_owned();
    blog.publisher.lock_timeout = std::time::Duration::ZERO;
    assert_eq!(blog.publish().await.unwrap().outcome, Outcome::Live);
    assert!(!first.is_finished());
    gate.open();
    assert_eq!(first.await.unwrap().unwrap().outcome, Outcome::Live);
}
