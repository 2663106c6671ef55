//! What a distribution is told, from the publish to the stand-in's rules of CloudFront: which addresses are cleared, what is
//! in progress already, throttling, waiting, and that none of it can fail a release that is live.
//!
//! No local server that we know checks CloudFront's rules but our own stand-in; its reading of AWS's pages is tested in
//! `local/tests/cloudfront_invalidations.rs`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidegate_core::report::{Outcome, PublishReport};
use tidegate_emulator::cloudfront::{InvalidationBatch, InvalidationDelay, ViewerPath};
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::world::{BUCKET, DISTRIBUTION};
use tidegate_tests::{Publish, SourceObject, Sources, World, calls};

use crate::{plugin, site_with, texts};

/// A site behind the distribution, with what a test adds to the distribution's entry.
fn site(more: &str) -> String {
    let guard = plugin("policy", "guard", "{ max-delete-share = 1, max-deletes = 100000 }");
    site_with(&format!("cdn = [{{ distribution = \"{DISTRIBUTION}\"{more} }}]\n{guard}"))
}

/// Every kind of key that needs care, each a page, and some that stay.
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

/// The addresses under which visitors ask for them, as browsers write them.
const ADDRESSES: [&str; 17] = [
    "/",
    "/index.html",
    "/d",
    "/d/",
    "/d/index.html",
    "/d/e",
    "/d/e/",
    "/d/e/index.html",
    "/a%20b/caf%C3%A9.html",
    "/it's.html",
    "/100%25.html",
    "/c++.html",
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

/// The first release is out, nothing is in progress, and nothing is recorded.
async fn first_release(more: &str, attempts: u32) -> (World, Publish) {
    let world = World::new().await;
    world.account.cloudfront().set_completion(InvalidationDelay::After(Duration::ZERO));
    let mut publish = world.publish(&site(more), &pages("one", &PAGES)).await;
    publish.publisher = world.publisher_with(world.account.root_credentials(), attempts);
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(world.account.cloudfront().completed(DISTRIBUTION).unwrap(), 1);
    world.forget();
    (world, publish)
}

/// Whether a visitor's request is cleared by what completed after the first `seen` invalidations.
fn cleared(world: &World, path: &str, seen: u64) -> bool {
    world.account.cloudfront().cleared(DISTRIBUTION, &ViewerPath::new(path), seen).unwrap()
}

fn paths(report: &PublishReport) -> Vec<&str> {
    report.invalidations.iter().flat_map(|told| &told.paths).map(String::as_str).collect()
}

/// Has other people's invalidations in progress.
fn occupy(world: &World, reference: &str, paths: impl Iterator<Item = String>) -> String {
    let paths: Vec<String> = paths.collect();
    let quantity = i64::try_from(paths.len()).unwrap();
    let batch = InvalidationBatch { caller_reference: reference.to_owned(), quantity, paths };
    world.account.cloudfront().create_invalidation(DISTRIBUTION, &batch).unwrap().id
}

#[tokio::test]
async fn every_address_of_a_change_is_cleared_and_nothing_else() {
    let (world, publish) = first_release("", 1).await;
    let seen = world.account.cloudfront().completed(DISTRIBUTION).unwrap();
    world.lay(&pages("two", &PAGES)).await;
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
async fn what_is_deleted_or_redirected_is_cleared_too() {
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
async fn a_whole_folder_goes_for_one_path() {
    let (world, publish) = first_release("", 1).await;
    let more: Vec<String> = (0..50).map(|number| format!("news/{number}.html")).collect();
    let keys: Vec<&str> = PAGES.into_iter().chain(more.iter().map(String::as_str)).collect();
    world.lay(&pages("one", &keys)).await;
    assert_eq!(paths(&publish.run().await), ["/news/*"]);
}

#[tokio::test]
async fn what_is_in_progress_leaves_less_room() {
    let (world, publish) = first_release("", 1).await;
    world.account.cloudfront().set_completion(InvalidationDelay::AfterPolls(1000));
    // 2,998 paths in three invalidations, and thirteen wildcards: two of each are left.
    for run in 0..2 {
        occupy(&world, &format!("other-{run}"), (0..1000).map(|number| format!("/their-{run}/{number}")));
    }
    let paths_and_wildcards =
        (0..998).map(|number| format!("/their/{number}")).chain((0..13).map(|n| format!("/w{n}/*")));
    occupy(&world, "other", paths_and_wildcards);
    world.lay(&pages("two", &PAGES)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "CloudFront took it: {report}");
    let wildcards = paths(&report).iter().filter(|path| path.ends_with('*')).count();
    assert!(wildcards <= 2 && paths(&report).len() - wildcards <= 2, "{:?}", paths(&report));
    assert_eq!(calls::count(&world.faults.calls(), "GetInvalidation"), 3, "only what is in progress is looked at");
}

#[tokio::test]
async fn the_list_is_read_to_the_last_page_that_has_something_in_progress() {
    let (world, publish) = first_release("", 1).await;
    let seen = |world: &World| calls::count(&world.faults.calls(), "ListInvalidations");
    for run in 0..250 {
        occupy(&world, &format!("done-{run}"), ["/x".to_owned()].into_iter());
    }
    world.lay(&pages("two", &PAGES)).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    assert_eq!(seen(&world), 1, "nothing is in progress on the first page");
    world.forget();
    world.account.cloudfront().set_completion(InvalidationDelay::AfterPolls(1000));
    for run in 0..150 {
        occupy(&world, &format!("new-{run}"), ["/x".to_owned()].into_iter());
    }
    world.lay(&pages("three", &PAGES)).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    assert_eq!(seen(&world), 3);
    assert_eq!(calls::count(&world.faults.calls(), "GetInvalidation"), 100, "more are counted without a look");
}

#[tokio::test]
async fn where_nobody_may_look_nothing_is_taken_to_be_in_progress() {
    let (world, mut publish) = first_release("", 1).await;
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:*","cloudfront:CreateInvalidation"],"Resource":"*"}}"#;
    world.account.iam().create_user("publisher", &[("all", policy)]).unwrap();
    let key = world.account.iam().create_access_key("publisher").unwrap();
    publish.publisher = world.publisher_with(key.credentials(), 1);
    world.lay(&pages("two", &PAGES)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert!(paths(&report).len() > 10, "{:?}", paths(&report));
}

#[tokio::test]
async fn throttling_passes_and_the_batch_is_sent_once() {
    for (status, code) in [(400, "Throttling"), (503, "ServiceUnavailable"), (400, "TooManyInvalidationsInProgress")] {
        let (world, publish) = first_release("", 2).await;
        let before = world.account.cloudfront().invalidations(DISTRIBUTION).unwrap().len();
        let tried = AtomicUsize::new(0);
        world.trouble(move |call| {
            let create = call.operation == "CreateInvalidation";
            (create && tried.fetch_add(1, Ordering::SeqCst) < 7).then(|| InjectedFault::answer(status, code))
        });
        world.lay(&pages("two", &PAGES)).await;
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::Live, "{code}: {report}");
        assert_eq!(calls::count(&world.faults.calls(), "CreateInvalidation"), 8, "{code}");
        assert_eq!(world.account.cloudfront().invalidations(DISTRIBUTION).unwrap().len(), before + 1, "{code}");
    }
}

#[tokio::test]
async fn a_lost_answer_costs_no_second_invalidation() {
    let (world, publish) = first_release("", 2).await;
    let before = world.account.cloudfront().invalidations(DISTRIBUTION).unwrap().len();
    let lost = AtomicUsize::new(0);
    world.trouble(move |call| {
        let first = call.operation == "CreateInvalidation" && lost.fetch_add(1, Ordering::SeqCst) == 0;
        first.then_some(InjectedFault::Lose)
    });
    world.lay(&pages("two", &PAGES)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(calls::count(&world.faults.calls(), "CreateInvalidation"), 2);
    assert_eq!(world.account.cloudfront().invalidations(DISTRIBUTION).unwrap().len(), before + 1);
}

#[tokio::test]
async fn what_stays_refused_is_told_and_the_release_is_live() {
    for (status, code, tries) in [(400, "TooManyInvalidationsInProgress", 11), (403, "AccessDenied", 1)] {
        let (world, publish) = first_release("", 2).await;
        world
            .trouble(move |call| (call.operation == "CreateInvalidation").then(|| InjectedFault::answer(status, code)));
        world.lay(&pages("two", &PAGES)).await;
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::LiveInvalidationPending, "{report}");
        let [told] = report.invalidations.as_slice() else { panic!("{report}") };
        assert!(told.id.is_none() && !told.paths.is_empty());
        assert!(told.why.as_ref().unwrap().contains(code), "{told:?}");
        assert_eq!(calls::count(&world.faults.calls(), "CreateInvalidation"), tries, "{code}");
        assert_eq!(world.site().await.get("index.html").unwrap().body.as_deref(), Some("two"));
    }
}

#[tokio::test]
async fn waiting_ends_with_the_invalidation_or_with_patience() {
    for (polls, seconds, complete) in [(3, 600, true), (u32::MAX - 1, 1, false)] {
        let (world, publish) = first_release(&format!(", wait-seconds = {seconds}"), 2).await;
        world.account.cloudfront().set_completion(InvalidationDelay::AfterPolls(polls));
        world.lay(&pages("two", &PAGES)).await;
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::Live, "a release does not fail by waiting: {report}");
        let asked = calls::count(&world.faults.calls(), "GetInvalidation");
        assert!(if complete { asked == 4 } else { asked >= 2 }, "{asked}");
        let list = world.account.cloudfront().invalidations(DISTRIBUTION).unwrap();
        assert_eq!(list.first().unwrap().in_progress(), !complete);
    }
}

#[tokio::test]
async fn waiting_that_is_not_allowed_or_fails_is_no_failure() {
    let (world, publish) = first_release(", wait-seconds = 600", 2).await;
    world.trouble(|call| (call.operation == "GetInvalidation").then(|| InjectedFault::answer(403, "AccessDenied")));
    world.account.cloudfront().set_completion(InvalidationDelay::AfterPolls(1000));
    world.lay(&pages("two", &PAGES)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(calls::count(&world.faults.calls(), "GetInvalidation"), 1, "what is denied is not asked again");
}

#[tokio::test]
async fn two_distributions_get_a_list_each() {
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
    let told: Vec<(&str, Vec<&str>)> = report
        .invalidations
        .iter()
        .map(|told| (told.distribution.as_str(), told.paths.iter().map(String::as_str).collect()))
        .collect();
    // One distribution's ceiling is not the other's: two paths cannot name `/docs` beside its folder, so one covers both.
    assert_eq!(told, [(DISTRIBUTION, vec!["/doc*"]), ("E1INNER", vec!["/*"])]);
}
