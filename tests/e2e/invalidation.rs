//! CloudFront invalidation: which paths are cleared, invalidations in progress, throttling and waiting. No failure here
//! may fail a release that is live.
//!
//! No other local server enforces CloudFront's rules. The emulator's rules have tests of their own in
//! `crates/emulator`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidegate_core::report::{Outcome, PublishReport};
use tidegate_emulator::cloudfront::{InvalidationBatch, InvalidationDelay, ViewerPath};
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::world::{BUCKET, DISTRIBUTION};
use tidegate_tests::{Publish, SourceObject, Sources, World, calls};

use crate::{plugin, site_with, texts};

/// A site with the distribution, and with `more` in the distribution's table.
fn site(more: &str) -> String {
    let guard = plugin("policy", "guard", "{ max-delete-share = 1, max-deletes = 100000 }");
    site_with(&format!("cdn = [{{ distribution = \"{DISTRIBUTION}\"{more} }}]\n{guard}"))
}

/// Keys that need encoding or have several paths.
const PAGES: [&str; 12] = [
    "index.html",
    "d/index.html",
    "d/e/index.html",
    "a b/caf\u{e9}.html",
    "it's.html",
    "100%.html",
    "c++.html",
    "a#b.html",
    "what?.html",
    "runtime~main.js",
    "star*b.html",
    "x/y*",
];

/// The paths under which browsers request them.
const ADDRESSES: [&str; 22] = [
    "/",
    "/index.html",
    "/d",
    "/d/",
    "/d/index.html",
    "/d/e",
    "/d/e/",
    "/d/e/index.html",
    "/a%20b/caf%C3%A9.html",
    "/a+b/caf%C3%A9.html",
    "/a+b/caf%c3%a9.html",
    "/it's.html",
    "/it%27s.html",
    "/100%25.html",
    "/c++.html",
    "/c%2B%2B.html",
    "/c%2b%2b.html",
    "/a%23b.html",
    "/what%3F.html",
    "/runtime~main.js",
    "/star*b.html",
    "/x/y*",
];

fn pages(body: &str, keys: &[&str]) -> Sources {
    let stays = ["d/stays.html", "stays.html", "a b/stays.html", "x/z.html"].map(|key| SourceObject::text(key, "same"));
    Sources::directory(keys.iter().map(|key| SourceObject::text(key, body)).chain(stays))
}

/// A world after the first release, with its invalidation completed and no recorded requests.
async fn first_release(more: &str, attempts: u32) -> (World, Publish) {
    let world = World::new().await;
    world.account.cloudfront().set_completion(InvalidationDelay::After(Duration::ZERO));
    let mut publish = world.publish(&site(more), &pages("one", &PAGES)).await;
    publish.publisher = world.publisher_with(world.account.root_credentials(), attempts);
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(world.account.cloudfront().completed(DISTRIBUTION).unwrap(), 1);
    world.clear_requests();
    (world, publish)
}

/// Whether an invalidation after the first `seen` ones clears a path.
fn cleared(world: &World, path: &str, seen: u64) -> bool {
    world.account.cloudfront().cleared_with(DISTRIBUTION, &ViewerPath::new(path), &[], seen).unwrap()
}

fn paths(report: &PublishReport) -> Vec<&str> {
    report.invalidations.iter().flat_map(|invalidation| &invalidation.paths).map(String::as_str).collect()
}

/// Creates an invalidation as another user of the distribution would.
fn create_other_invalidation(world: &World, reference: &str, paths: impl Iterator<Item = String>) -> String {
    let paths: Vec<String> = paths.collect();
    let quantity = i64::try_from(paths.len()).unwrap();
    let batch = InvalidationBatch { caller_reference: reference.to_owned(), quantity, paths };
    world.account.cloudfront().create_invalidation(DISTRIBUTION, &batch).unwrap().id
}

#[tokio::test]
async fn clears_every_path_of_a_changed_page_and_no_other() {
    let (world, publish) = first_release("", 1).await;
    let seen = world.account.cloudfront().completed(DISTRIBUTION).unwrap();
    world.stage(&pages("two", &PAGES)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    for address in ADDRESSES {
        assert!(cleared(&world, address, seen), "{address} is not cleared by {:?}", paths(&report));
    }
    for address in ["/d/stays.html", "/stays.html", "/a%20b/stays.html", "/x/z.html"] {
        assert!(!cleared(&world, address, seen), "{address} is cleared by {:?}", paths(&report));
    }
}

#[tokio::test]
async fn clears_both_addresses_of_a_page_with_a_clean_url() {
    for (more, clean) in [("", false), (", clean-urls = true", true)] {
        let (world, publish) = first_release(more, 1).await;
        let seen = world.account.cloudfront().completed(DISTRIBUTION).unwrap();
        world.stage(&pages("two", &PAGES)).await;
        let report = publish.run().await;
        for page in ["/100%25", "/it's", "/c++", "/c%2B%2B", "/a%20b/caf%C3%A9", "/a+b/caf%C3%A9"] {
            assert!(cleared(&world, &format!("{page}.html"), seen), "{page}: {:?}", paths(&report));
            assert_eq!(cleared(&world, page, seen), clean, "{page}: {:?}", paths(&report));
        }
        assert!(!cleared(&world, "/stays", seen), "{:?}", paths(&report));
    }
}

#[tokio::test]
async fn clears_deleted_and_redirected_pages() {
    let world = World::new().await;
    world.account.cloudfront().set_completion(InvalidationDelay::After(Duration::ZERO));
    world.seed(&texts(&[("gone.html", "x"), ("stays.html", "same"), ("old.html", "x")])).await;
    let rewrite = plugin("sync", "rewrite", "{ redirects = [{ from = \"/old.html\", to = \"/new.html\" }] }");
    let files = [SourceObject::text("stays.html", "same"), SourceObject::text("new.html", "x")];
    let publish = world.publish(&(site("") + &rewrite), &Sources::directory(files)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(paths(&report), ["/gone.html", "/new.html", "/old.html"]);
}

#[tokio::test]
async fn clears_a_whole_folder_with_one_path() {
    let (world, publish) = first_release("", 1).await;
    let more: Vec<String> = (0..50).map(|number| format!("news/{number}.html")).collect();
    let keys: Vec<&str> = PAGES.into_iter().chain(more.iter().map(String::as_str)).collect();
    world.stage(&pages("one", &keys)).await;
    assert_eq!(paths(&publish.run().await), ["/news/*"]);
}

#[tokio::test]
async fn counts_paths_in_progress_against_the_limit() {
    let (world, publish) = first_release("", 1).await;
    world.account.cloudfront().set_completion(InvalidationDelay::AfterPolls(1000));
    // Three invalidations with 2,998 paths and 13 wildcards leave two of each.
    for run in 0..2 {
        create_other_invalidation(
            &world,
            &format!("other-{run}"),
            (0..1000).map(|number| format!("/their-{run}/{number}")),
        );
    }
    let paths_and_wildcards =
        (0..998).map(|number| format!("/their/{number}")).chain((0..13).map(|n| format!("/w{n}/*")));
    create_other_invalidation(&world, "other", paths_and_wildcards);
    world.stage(&pages("two", &PAGES)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "CloudFront must accept the batch: {report}");
    let wildcards = paths(&report).iter().filter(|path| path.ends_with('*')).count();
    assert!(wildcards <= 2 && paths(&report).len() - wildcards <= 2, "{:?}", paths(&report));
    assert_eq!(calls::count(&world.faults.calls(), "GetInvalidation"), 3, "only invalidations in progress are read");
}

#[tokio::test]
async fn lists_invalidations_up_to_the_last_page_with_one_in_progress() {
    let (world, publish) = first_release("", 1).await;
    let list_requests = |world: &World| calls::count(&world.faults.calls(), "ListInvalidations");
    for run in 0..250 {
        create_other_invalidation(&world, &format!("done-{run}"), ["/x".to_owned()].into_iter());
    }
    world.stage(&pages("two", &PAGES)).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    assert_eq!(list_requests(&world), 1, "nothing is in progress on the first page");
    world.clear_requests();
    world.account.cloudfront().set_completion(InvalidationDelay::AfterPolls(1000));
    for run in 0..150 {
        create_other_invalidation(&world, &format!("new-{run}"), ["/x".to_owned()].into_iter());
    }
    world.stage(&pages("three", &PAGES)).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    assert_eq!(list_requests(&world), 3);
    assert_eq!(calls::count(&world.faults.calls(), "GetInvalidation"), 100, "at most 100 invalidations are read");
}

#[tokio::test]
async fn assumes_nothing_in_progress_if_it_may_not_list_invalidations() {
    let (world, mut publish) = first_release("", 1).await;
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:*","cloudfront:CreateInvalidation"],"Resource":"*"}}"#;
    world.account.iam().create_user("publisher", &[("all", policy)]).unwrap();
    let key = world.account.iam().create_access_key("publisher").unwrap();
    publish.publisher = world.publisher_with(key.credentials(), 1);
    world.stage(&pages("two", &PAGES)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert!(paths(&report).len() > 10, "{:?}", paths(&report));
}

#[tokio::test]
async fn retries_throttled_requests_and_creates_one_invalidation() {
    for (status, code) in [(400, "Throttling"), (503, "ServiceUnavailable"), (400, "TooManyInvalidationsInProgress")] {
        let (world, publish) = first_release("", 2).await;
        let before = world.account.cloudfront().invalidations(DISTRIBUTION).unwrap().len();
        let attempts = AtomicUsize::new(0);
        world.inject_faults(move |call| {
            let create = call.operation == "CreateInvalidation";
            (create && attempts.fetch_add(1, Ordering::SeqCst) < 7).then(|| InjectedFault::answer(status, code))
        });
        world.stage(&pages("two", &PAGES)).await;
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::Live, "{code}: {report}");
        assert_eq!(calls::count(&world.faults.calls(), "CreateInvalidation"), 8, "{code}");
        assert_eq!(world.account.cloudfront().invalidations(DISTRIBUTION).unwrap().len(), before + 1, "{code}");
    }
}

#[tokio::test]
async fn a_lost_response_causes_no_second_invalidation() {
    let (world, publish) = first_release("", 2).await;
    let before = world.account.cloudfront().invalidations(DISTRIBUTION).unwrap().len();
    let lost = AtomicUsize::new(0);
    world.inject_faults(move |call| {
        let first = call.operation == "CreateInvalidation" && lost.fetch_add(1, Ordering::SeqCst) == 0;
        first.then_some(InjectedFault::Lose)
    });
    world.stage(&pages("two", &PAGES)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(calls::count(&world.faults.calls(), "CreateInvalidation"), 2);
    assert_eq!(world.account.cloudfront().invalidations(DISTRIBUTION).unwrap().len(), before + 1);
}

#[tokio::test]
async fn reports_a_rejected_invalidation_and_stays_live() {
    for (status, code, attempts) in [(400, "TooManyInvalidationsInProgress", 11), (403, "AccessDenied", 1)] {
        let (world, publish) = first_release("", 2).await;
        world.inject_faults(move |call| {
            (call.operation == "CreateInvalidation").then(|| InjectedFault::answer(status, code))
        });
        world.stage(&pages("two", &PAGES)).await;
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::LiveInvalidationPending, "{report}");
        let [invalidation] = report.invalidations.as_slice() else { panic!("{report}") };
        assert!(invalidation.id.is_none() && !invalidation.paths.is_empty());
        assert!(invalidation.why.as_ref().unwrap().contains(code), "{invalidation:?}");
        assert_eq!(calls::count(&world.faults.calls(), "CreateInvalidation"), attempts, "{code}");
        assert_eq!(world.site().await.get("index.html").unwrap().body.as_deref(), Some("two"));
    }
}

#[tokio::test]
async fn waits_for_completion_or_until_the_timeout() {
    for (polls, seconds, complete) in [(3, 600, true), (u32::MAX - 1, 1, false)] {
        let (world, publish) = first_release(&format!(", wait-seconds = {seconds}"), 2).await;
        world.account.cloudfront().set_completion(InvalidationDelay::AfterPolls(polls));
        world.stage(&pages("two", &PAGES)).await;
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::Live, "a timeout must not fail the release: {report}");
        let polls = calls::count(&world.faults.calls(), "GetInvalidation");
        assert!(if complete { polls == 4 } else { polls >= 2 }, "{polls}");
        let list = world.account.cloudfront().invalidations(DISTRIBUTION).unwrap();
        assert_eq!(list.first().unwrap().in_progress(), !complete);
    }
}

#[tokio::test]
async fn a_denied_poll_ends_waiting_without_a_failure() {
    let (world, publish) = first_release(", wait-seconds = 600", 2).await;
    world.inject_faults(|call| {
        (call.operation == "GetInvalidation").then(|| InjectedFault::answer(403, "AccessDenied"))
    });
    world.account.cloudfront().set_completion(InvalidationDelay::AfterPolls(1000));
    world.stage(&pages("two", &PAGES)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(calls::count(&world.faults.calls(), "GetInvalidation"), 1, "a denied poll is not repeated");
}

#[tokio::test]
async fn invalidates_each_distribution_with_its_own_paths() {
    let world = World::new().await;
    let inner = tidegate_emulator::cloudfront::S3Origin { bucket: BUCKET.to_owned(), path: "/docs".to_owned() };
    world.account.cloudfront().create_distribution("E1INNER", inner, Some("index.html")).unwrap();
    let cdn = format!(
        "cdn = [{{ distribution = \"{DISTRIBUTION}\", max-paths = 2 }}, {{ distribution = \"E1INNER\", origin-path = \"/docs\" }}]\n"
    );
    let configuration = site_with(&cdn).replace("s3://site/", "s3://site/docs/");
    let files = [SourceObject::text("index.html", "x"), SourceObject::text("a.css", "x")];
    let publish = world.publish(&configuration, &Sources::directory(files)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let invalidated: Vec<(&str, Vec<&str>)> = report
        .invalidations
        .iter()
        .map(|invalidation| {
            (invalidation.distribution.as_str(), invalidation.paths.iter().map(String::as_str).collect())
        })
        .collect();
    // `max-paths` applies to one distribution only. Two paths are not enough for `/docs` and its contents, so one
    // wildcard covers both.
    assert_eq!(invalidated, [(DISTRIBUTION, vec!["/doc*"]), ("E1INNER", vec!["/*"])]);
}
