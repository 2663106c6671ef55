//! A site's releases one after the other, undisturbed.

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
    let report = publish_of(world, KEEP, name, files).await.go().await.unwrap();
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
async fn assets_of_kept_releases_stay_and_pages_go() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    assert_eq!(visible(&world.account).await, texts_of(ONE));
    let report = released(&world, "c2", TWO).await;
    assert_eq!(visible(&world.account).await, with(TWO, &[("a1.css", "1")]));
    // The page that went and the one that was replaced can come back.
    assert_eq!((report.done.archived, report.totals.retained), (2, 1));
    released(&world, "c3", THREE).await;
    assert_eq!(
        visible(&world.account).await,
        with(THREE, &[("a2.css", "2")]),
        "the first release is not kept any more"
    );
}

#[tokio::test]
async fn a_rollback_is_a_publish_of_an_earlier_release() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    released(&world, "c2", TWO).await;
    let back = back_to(&world, KEEP, "r1");
    let planned = back.plan().await.unwrap();
    assert_eq!((planned.plan.totals.create, planned.plan.totals.update, planned.plan.totals.keep), (1, 1, 2));
    assert_eq!(planned.plan.totals.bytes_to_write, 0, "every body is still there");
    assert!(!planned.judgements.is_empty(), "it is judged like any other plan");
    let report = back.go().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_tidy(&world.account).await;
    assert_eq!(visible(&world.account).await, with(ONE, &[("a2.css", "2")]));
    let page = world.client().head_object().bucket(BUCKET).key("docs/gone.html").send().await.unwrap();
    assert_eq!(page.content_type(), Some("text/html; charset=utf-8"), "headers come back as well");

    // And forward again.
    let report = back_to(&world, KEEP, "r2").go().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(visible(&world.account).await, with(TWO, &[("a1.css", "1")]));
    assert_tidy(&world.account).await;

    let error = back_to(&world, KEEP, "r1").plan().await.unwrap_err();
    assert!(matches!(error, PublishError::UnknownRelease(..)), "{error}");
    let error = back_to(&world, KEEP, "r9").plan().await.unwrap_err();
    assert!(error.to_string().contains("keeps no release `r9`"), "{error}");
}

#[tokio::test]
async fn bodies_that_somebody_removed_are_missed_before_anything_is_written() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    released(&world, "c2", TWO).await;
    // The asset of the first release is still on the site, until somebody removes it.
    world.client().delete_object().bucket(BUCKET).key("docs/a1.css").send().await.unwrap();
    let error = back_to(&world, KEEP, "r1").go().await.unwrap_err();
    assert!(error.to_string().contains("`a1.css`"), "{error}");
    assert_eq!(visible(&world.account).await, texts_of(TWO));
}

#[tokio::test]
async fn a_release_that_changes_nothing_costs_nothing_and_pushes_nothing_out() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    released(&world, "c2", TWO).await;
    for round in 0..4 {
        world.forget();
        let report = publish_of(&world, KEEP, &format!("again{round}"), TWO).await.go().await.unwrap();
        assert_eq!(report.outcome, Outcome::Unchanged, "{report}");
        let calls = world.faults.calls();
        assert_eq!(calls::count(&calls, "HeadObject"), 0, "the manifest knows all headers");
        let elsewhere = |call: &&ApiCall| !call.only_reads() && call.bucket.as_deref() != Some(STATE);
        assert_eq!(calls.iter().find(elsewhere), None);
        assert_tidy(&world.account).await;
    }
    let ids: Vec<String> = pointer(&world.account).await.releases.iter().map(|past| past.id.to_string()).collect();
    assert_eq!(ids, ["r1", "r2", "r6"], "one stands for all that changed nothing");
    assert_eq!(told(&world.account).len(), 2);
    assert_eq!(back_to(&world, KEEP, "r1").go().await.unwrap().outcome, Outcome::Live);
}

#[tokio::test]
async fn drift_is_seen_reported_and_repaired() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    let client = world.client();
    client.delete_object().bucket(BUCKET).key("docs/a1.css").send().await.unwrap();
    SiteObject::text("docs/same.js", "theirs").seed(&client, BUCKET).await;
    SiteObject::text("docs/foreign.html", "theirs").seed(&client, BUCKET).await;
    let publish = publish_of(&world, KEEP, "c1", ONE).await;
    let planned = publish.plan().await.unwrap();
    assert_eq!((planned.plan.totals.drifted, planned.plan.totals.keep), (2, 2));
    let report = publish.go().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let drift: Vec<String> = report.drift.iter().map(ToString::to_string).collect();
    assert_eq!(drift, ["`a1.css` was deleted by somebody else", "`same.js` was written by somebody else"]);
    assert!(report.to_string().contains("`same.js` was written by somebody else"));
    assert_eq!(visible(&world.account).await, texts_of(ONE));
    assert_tidy(&world.account).await;

    // Headers that were replaced so that the ETag stays are seen by those who look.
    let copy = client.copy_object().bucket(BUCKET).key("docs/same.js").copy_source(format!("{BUCKET}/docs/same.js"));
    let directive = aws_sdk_s3::types::MetadataDirective::Replace;
    copy.metadata_directive(directive).content_type("text/plain").send().await.unwrap();
    let mut publish = publish_of(&world, KEEP, "c1", ONE).await;
    assert!(publish.plan().await.unwrap().plan.is_empty());
    publish.publisher.verify = true;
    assert_eq!(publish.plan().await.unwrap().plan.totals.headers, 1);
    assert_eq!(publish.go().await.unwrap().outcome, Outcome::Live);
    assert_tidy(&world.account).await;
}

#[tokio::test]
async fn a_trusted_manifest_saves_the_listing() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    let mut publish = publish_of(&world, KEEP, "c2", TWO).await;
    publish.publisher.trust_manifest = true;
    world.forget();
    let report = publish.go().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let listed = |calls: &[ApiCall]| {
        calls.iter().any(|call| call.operation == "ListObjectsV2" && call.bucket.as_deref() == Some(BUCKET))
    };
    assert!(!listed(&world.faults.calls()));
    assert_eq!(visible(&world.account).await, with(TWO, &[("a1.css", "1")]));
    assert_tidy(&world.account).await;

    // Not where a run did not finish.
    let mut publish = publish_of(&world, KEEP, "c3", THREE).await;
    publish.publisher.trust_manifest = true;
    world.trouble(|call| {
        (call.key.as_deref() == Some("docs/index.html")).then_some(tidegate_tests::fault::InjectedFault::Refuse)
    });
    assert_eq!(publish.go().await.unwrap().outcome, Outcome::Partial);
    world.peace();
    world.forget();
    assert_eq!(publish.go().await.unwrap().outcome, Outcome::Live);
    assert!(listed(&world.faults.calls()));
    assert_tidy(&world.account).await;
}

#[tokio::test]
async fn a_changed_object_costs_one_request_and_a_run_a_handful() {
    let requests = |count: usize| async move {
        let world = world().await;
        let names: Vec<(String, String)> = (0..count).map(|n| (format!("a{n}.css"), format!("{n}"))).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|(key, body)| (key.as_str(), body.as_str())).collect();
        released(&world, "c1", &[("index.html", "1")]).await;
        let publish = publish_of(&world, KEEP, "c2", &[&[("index.html", "1")], files.as_slice()].concat()).await;
        world.forget();
        assert_eq!(publish.go().await.unwrap().outcome, Outcome::Live);
        // A lease is renewed as time goes by, and it depends on time whether an earlier invalidation is still in progress.
        let timed = |call: &&ApiCall| {
            call.key.as_deref() == Some("tidegate/docs/lease.json") || call.operation == "GetInvalidation"
        };
        world.faults.calls().iter().filter(|call| !timed(call)).count()
    };
    let (few, many) = (requests(5).await, requests(105).await);
    assert_eq!(many - few, 100, "one request for each of a hundred more");
    assert!(few <= 5 + 20, "{few} requests for five changes");
}

#[tokio::test]
async fn an_older_or_repeated_request_is_a_success_and_remembered() {
    let world = world().await;
    let publish = |name: &'static str, files: Files<'static>, at: u64| {
        let world = &world;
        async move { ordered(publish_of(world, KEEP, name, files).await, at).go().await.unwrap() }
    };
    assert_eq!(publish("c2", TWO, 20).await.outcome, Outcome::Live);
    world.forget();
    let report = publish("c1", ONE, 10).await;
    assert_eq!(report.outcome, Outcome::Superseded, "{report}");
    assert!(report.to_string().contains("`c1` is older than `c2`, which is live as r1"), "{report}");
    let report = publish("c2", TWO, 20).await;
    assert_eq!(report.outcome, Outcome::Unchanged, "{report}");
    let touched = world.faults.calls().iter().any(|call| call.bucket.as_deref() == Some(BUCKET));
    assert!(!touched, "the site was not even looked at");
    assert_eq!(visible(&world.account).await, texts_of(TWO));
    let passed: Vec<(String, bool)> =
        pointer(&world.account).await.skipped.into_iter().map(|passed| (passed.release, passed.superseded)).collect();
    assert_eq!(passed, [("c1".to_owned(), true), ("c2".to_owned(), false)]);
    assert_tidy(&world.account).await;
    // A person who asks by hand always publishes.
    assert_eq!(publish_of(&world, KEEP, "c1", ONE).await.go().await.unwrap().outcome, Outcome::Live);
}

#[tokio::test]
async fn a_denied_plan_and_a_failing_plan_give_the_lease_back() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    let mut publish = publish_of(&world, KEEP, "empty", &[]).await;
    assert_eq!(publish.go().await.unwrap().outcome, Outcome::Denied);
    publish.request.source = Source::Directory("nowhere".into());
    publish.go().await.unwrap_err();
    let mut next = publish_of(&world, KEEP, "c2", TWO).await;
    next.publisher.lock_timeout = std::time::Duration::ZERO;
    assert_eq!(next.go().await.unwrap().outcome, Outcome::Live, "nobody had to wait");
    assert_tidy(&world.account).await;
}

#[tokio::test]
async fn a_saved_plan_holds_only_while_its_release_is_live() {
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
    // A plan that was made without the lease and carried out later is refused as well.
    let planned = publish.plan().await.unwrap();
    released(&world, "c3", THREE).await;
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(report.why.unwrap().contains("r4 is live now"));
    assert_tidy(&world.account).await;
}

#[tokio::test]
async fn nothing_is_published_from_where_releases_are_kept() {
    let world = world().await;
    released(&world, "c1", ONE).await;
    for place in
        ["s3://state/", "s3://state/tidegate/", "s3://state/tidegate/docs/bodies/", "s3://state/tidegate/x.zip"]
    {
        let mut publish = publish_of(&world, KEEP, "c2", TWO).await;
        publish.request.source = place.parse().unwrap();
        let error = publish.plan().await.unwrap_err();
        assert!(matches!(error, PublishError::PublishesState(_)), "{place}: {error}");
    }
    for (state, target) in [
        ("s3://site/", "s3://site/docs/"),
        ("s3://site/docs/state/", "s3://site/docs/"),
        ("s3://site/docs/", "s3://site/docs/"),
    ] {
        let text = format!("state = \"{state}\"\n[[site]]\nname = \"docs\"\ntarget = \"{target}\"\n");
        let error = tidegate_core::config::Config::parse(&text).unwrap_err();
        assert!(error.to_string().contains("`state` lies within the target of the site `docs`"), "{error}");
    }
    let staged =
        "state = \"s3://a-b/s/x/\"\n[[site]]\nname = \"docs\"\nstaged = \"s3://a-b/s/\"\ntarget = \"s3://site/\"\n";
    assert!(tidegate_core::config::Config::parse(staged).unwrap_err().to_string().contains("within the staged"));
}

#[tokio::test]
async fn two_sites_do_not_wait_for_each_other() {
    let world = world().await;
    let held = publish_of(&world, KEEP, "c1", ONE).await;
    let gate = tidegate_tests::fault::FaultGate::closed();
    let shut = gate.clone();
    world.trouble(move |call| {
        (call.key.as_deref() == Some("docs/index.html"))
            .then(|| tidegate_tests::fault::InjectedFault::Hold(shut.clone()))
    });
    let first = tokio::spawn(async move { held.go().await });
    let text = configuration(KEEP)
        .replace("\"docs\"", "\"blog\"")
        .replace("/docs/", "/blog/")
        .replace("\"/docs\"", "\"/blog\"");
    let mut other = publish_of(&world, KEEP, "c1", TWO).await;
    other.site = site(&text);
    other.request.site = "blog".to_owned();
    other.publisher.lock_timeout = std::time::Duration::ZERO;
    assert_eq!(other.go().await.unwrap().outcome, Outcome::Live);
    assert!(!first.is_finished());
    gate.open();
    assert_eq!(first.await.unwrap().unwrap().outcome, Outcome::Live);
}
