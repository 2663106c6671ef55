//! Credentials of a run: planning uses a session that can only read, and applying uses a session with the permissions
//! of the plan.

mod limits;
mod proof;
pub(crate) mod scoped;

use std::collections::BTreeSet;

use tidegate_core::approval::Approval;
use tidegate_core::report::Outcome;
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::recorder::SignedRequest;
use tidegate_tests::{Publish, SourceObject, Sources, World, calls};

use crate::{plugin, site_with, texts};

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/publisher";

/// A policy that allows everything that a run could need.
const ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","cloudfront:*","kms:*"],"Resource":"*"}]}"#;

/// A role that allows everything, so that only the session policy can deny a request.
pub(crate) fn create_unrestricted_role(world: &World) {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;
    assert_eq!(world.account.iam().create_role("publisher", trust, &[("all", ALL)]).unwrap(), ROLE);
}

fn with_role(more: &str) -> String {
    site_with(&format!(
        "role = \"{ROLE}\"\ncdn = [{{ distribution = \"E2EXAMPLE\", origin-path = \"/docs\" }}]\n{more}"
    ))
    .replace("s3://site/", "s3://site/docs/")
}

fn sources() -> [SourceObject; 3] {
    [SourceObject::text("index.html", "new"), SourceObject::text("app.js", "1"), SourceObject::text("same.css", "a{}")]
}

async fn release(sources: Sources) -> (World, Publish) {
    let world = World::new().await;
    create_unrestricted_role(&world);
    world
        .seed(&texts(&[
            ("docs/index.html", "old"),
            ("docs/stale.html", "x"),
            ("docs/same.css", "a{}"),
            ("docs2/x", "theirs"),
        ]))
        .await;
    let publish = world.publish(&with_role(&plugin("sync", "mime", "{}")), &sources).await;
    world.clear_requests();
    (world, publish)
}

fn reads(request: &SignedRequest) -> bool {
    matches!(request.method.as_str(), "GET" | "HEAD")
}

#[tokio::test]
async fn plans_with_a_read_only_session_and_writes_with_another() {
    let (world, publish) = release(Sources::directory(sources())).await;
    let root = world.account.root_credentials().access_key_id().to_owned();
    let planned = publish.plan().await.unwrap();
    let planning = world.recorder.requests();
    assert_eq!(calls::count(&world.faults.calls(), "AssumeRole"), 1);
    world.clear_requests();
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let writing = world.recorder.requests();

    let keys = |requests: &[SignedRequest]| -> BTreeSet<String> {
        requests.iter().map(|request| request.access_key.clone()).filter(|key| *key != root).collect()
    };
    let (reader, writer) = (keys(&planning), keys(&writing));
    assert_eq!((reader.len(), writer.len()), (1, 1));
    assert!(reader.is_disjoint(&writer), "the two sessions must have different credentials");
    assert!(reader.union(&writer).all(|key| key.starts_with("ASIA")));
    assert!(planning.iter().filter(|request| reader.contains(&request.access_key)).all(reads));
    // The caller's own credentials only assume the role.
    for request in planning.iter().chain(&writing).filter(|request| request.access_key == root) {
        assert!(request.text.contains("Action=AssumeRole"), "{request:?}");
    }
    assert_eq!(world.site().await.keys(), ["docs/app.js", "docs/index.html", "docs/same.css", "docs2/x"]);
    publish.assert_converged().await;
}

#[tokio::test]
async fn the_session_policy_allows_exactly_the_operations_of_the_plan() {
    let (world, mut publish) = release(Sources::directory(sources())).await;
    let session = |world: &World| {
        let requests = world.recorder.requests();
        let request = requests.iter().rfind(|request| request.text.contains("Action=AssumeRole")).unwrap().clone();
        request.text
    };
    publish.site.delete = false;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    let policy = session(&world);
    assert!(policy.contains("s3%3APutObject") && !policy.contains("s3%3ADeleteObject"), "{policy}");
    assert!(policy.contains("arn%3Aaws%3As3%3A%3A%3Asite%2Fdocs%2F%2A"), "{policy}");
    assert!(policy.contains("distribution%2FE2EXAMPLE"), "{policy}");
    // Only a delete remains.
    publish.site.delete = true;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    let policy = session(&world);
    assert!(policy.contains("s3%3ADeleteObject") && !policy.contains("s3%3APutObject"), "{policy}");
    // The site is up to date, so no session that can write is created.
    world.clear_requests();
    assert_eq!(publish.run().await.outcome, Outcome::Unchanged);
    assert_eq!(calls::count(&world.faults.calls(), "AssumeRole"), 1);
    assert!(!session(&world).contains("PutObject"));
}

#[tokio::test]
async fn a_denied_plan_gets_no_write_credentials() {
    let (world, mut publish) = release(Sources::directory(sources())).await;
    publish.site = tidegate_tests::world::site(&with_role(&plugin("policy", "guard", "{ max-object-bytes = 1 }")));
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Denied, "{report}");
    assert_eq!(calls::count(&world.faults.calls(), "AssumeRole"), 1);
    assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());
}

#[tokio::test]
async fn the_session_policy_suffices_for_every_kind_of_operation() {
    let (world, mut publish) = release(Sources::prefix(sources())).await;
    // Copies from the staged prefix, headers, redirects, and deletes, one of which needs a request of its own.
    world.seed(&texts(&[("docs/odd\u{1}.html", "stale"), ("docs/app.js", "1")])).await;
    let redirects = plugin("sync", "rewrite", r#"{ redirects = [{ from = "/r.html", to = "/index.html" }] }"#);
    publish.site = tidegate_tests::world::site(&with_role(&(plugin("sync", "mime", "{}") + &redirects)));
    let planned = publish.plan().await.unwrap();
    let totals = &planned.plan.totals;
    assert_eq!((totals.create, totals.update, totals.headers, totals.delete), (1, 1, 2, 2), "{totals:?}");
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    publish.assert_converged().await;
}

/// A site of one object, with the content that seed 1 gives.
fn sized(key: &str, size: u64) -> tidegate_tests::BucketContents {
    let object = tidegate_tests::SiteObject { key: key.to_owned(), size: Some(size), seed: 1, ..Default::default() };
    tidegate_tests::BucketContents { objects: vec![object] }
}

#[tokio::test]
async fn the_session_policy_suffices_for_copies_in_parts() {
    let world = World::new().await;
    create_unrestricted_role(&world);
    world.account.s3().set_limits(tidegate_emulator::s3::StoreLimits {
        copy_source: 1_000,
        smallest_part: 1,
        ..Default::default()
    });
    world.seed(&sized("docs/film.mp4", 2_500)).await;
    let files = [SourceObject::sized("film.mp4", 2_500, 1), SourceObject::sized("new.bin", 2_500, 2)];
    let mut publish = world.publish(&with_role(&plugin("sync", "mime", "{}")), &Sources::prefix(files)).await;
    publish.publisher.copy_limit = 1_000;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    publish.assert_converged().await;
}

#[tokio::test]
async fn the_session_policy_suffices_to_copy_a_renamed_file() {
    let world = World::new().await;
    create_unrestricted_role(&world);
    world.seed(&sized("docs/old.bin", 9_000)).await;
    let publish = world.publish(&with_role(""), &Sources::directory([SourceObject::sized("new.bin", 9_000, 1)])).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(report.totals.bytes_to_copy, 9_000);
    publish.assert_converged().await;
}

#[tokio::test]
async fn a_denied_assume_role_changes_nothing() {
    let (world, publish) = release(Sources::directory(sources())).await;
    let before = world.site().await;
    let planned = publish.plan().await.unwrap();
    world.inject_faults(|call| (call.operation == "AssumeRole").then(|| InjectedFault::answer(403, "AccessDenied")));
    let report = publish.publisher.apply(planned, &publish.request, &publish.site, Approval::Policies).await;
    assert_eq!(report.outcome, Outcome::Failed, "{report}");
    assert!(report.why.as_deref().is_some_and(|why| why.contains("AssumeRole") && why.contains(ROLE)), "{report}");
    assert_eq!(world.site().await, before);
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(error.contains("AssumeRole") && error.contains(ROLE), "{error}");
}

#[tokio::test]
async fn reports_contain_no_secret() {
    let (world, publish) = release(Sources::directory(sources())).await;
    world.inject_faults(|call| {
        (call.key.as_deref() == Some("docs/app.js")).then(|| InjectedFault::answer(403, "AccessDenied"))
    });
    let report = publish.run().await;
    let text = format!("{report}\n{report:?}\n{}", serde_json::to_string(&report).unwrap());
    let root = world.account.root_credentials();
    assert!(!text.contains(root.secret_access_key()));
    for request in world.recorder.requests() {
        let token = request.text.lines().find_map(|line| line.strip_prefix("x-amz-security-token: "));
        assert!(token.is_none_or(|token| !text.contains(token)), "a session token is in the report");
    }
    assert!(!text.contains("Signature="));
}
