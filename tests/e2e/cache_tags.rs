//! Invalidation by cache tags: which items are sent, which cached copies they clear, and the fallback to paths if the
//! distribution does not support tags.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidegate_core::error_kind::ErrorKind;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_emulator::cloudfront::{InvalidationDelay, ViewerPath};
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::releases::{self, STATE};
use tidegate_tests::world::{BUCKET, DISTRIBUTION};
use tidegate_tests::{BucketContents, Publish, SourceObject, Sources, World, calls};

use crate::model::runtime;
use crate::releases::recovery::{Interruption, interrupt_everywhere};
use crate::{plugin, site_with};

const HEADER: &str = "x-amz-meta-cache-tag";

/// A configuration in which each article has the cache tags `tags`, and each unchanged page `Stays` and `articles`.
fn configuration(more: &str, tags: &str) -> String {
    let rules = format!(
        "{{ rules = [{{ glob = \"news-*.html\", set = {{ {HEADER} = \"{tags}\" }} }}, {{ glob = \"news-x/\", set = {{ {HEADER} = \"{tags}\" }} }}, {{ glob = \"stays.html\", set = {{ {HEADER} = \"Stays, articles\" }} }}] }}"
    );
    let cdn = format!("cdn = [{{ distribution = \"{DISTRIBUTION}\", cache-tags = \"cache-tag\" }}]\n{more}");
    let guard = plugin("policy", "guard", "{ max-delete-share = 1, max-deletes = 100000 }");
    format!("state = \"s3://{STATE}/tidegate/\"\n\n") + &site_with(&cdn) + &plugin("sync", "headers", &rules) + &guard
}

/// Articles in folders with an unchanged page each, so that no wildcard covers only articles.
fn articles(body: &str, names: &[&str]) -> Sources {
    let stays = ["a", "b", "c", "d"].map(|folder| SourceObject::text(&format!("{folder}/stays.html"), "same"));
    Sources::directory(names.iter().map(|name| SourceObject::text(name, body)).chain(stays))
}

const NEWS: [&str; 4] = ["a/news-1.html", "b/news-2.html", "c/news-3.html", "c/news-x/index.html"];

/// A world after the first release, with its invalidation completed and no recorded requests.
async fn first_release(more: &str) -> (World, Publish) {
    let world = releases::world().await;
    let cloudfront = world.account.cloudfront();
    cloudfront.set_completion(InvalidationDelay::After(Duration::ZERO));
    cloudfront.set_cache_tags(DISTRIBUTION, Some(HEADER)).unwrap();
    let publish = world.publish(&configuration(more, "News, articles"), &articles("one", &NEWS)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert!(
        items(&report).iter().all(|item| item.starts_with('/')),
        "the first release is invalidated by paths: {report}"
    );
    assert_eq!(cloudfront.completed(DISTRIBUTION).unwrap(), 1);
    world.clear_requests();
    (world, publish)
}

/// The paths under which visitors request the articles.
const VISITED: [&str; 4] = ["/a/news-1.html", "/b/news-2.html", "/c/news-3.html", "/c/news-x/"];

fn items(report: &PublishReport) -> Vec<&str> {
    report.invalidations.iter().flat_map(|invalidation| &invalidation.paths).map(String::as_str).collect()
}

/// Whether the invalidations after the first release clear the cached copy of a path with these tags.
fn cleared(world: &World, path: &str, tags: &[&str]) -> bool {
    cleared_since(world, path, tags, 1)
}

/// The same for a copy that was cached after `seen` invalidations were complete.
fn cleared_since(world: &World, path: &str, tags: &[&str], seen: u64) -> bool {
    let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
    world.account.cloudfront().cleared_with(DISTRIBUTION, &ViewerPath::new(path), &tags, seen).unwrap()
}

#[tokio::test]
async fn one_tag_clears_all_articles_and_nothing_else() {
    let (world, publish) = first_release("").await;
    world.stage(&articles("two", &NEWS)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(items(&report), ["#news"]);
    for path in ["/a/news-1.html", "/c/news-x/index.html", "/c/news-x/", "/c/news-x"] {
        assert!(cleared(&world, path, &["news", "articles"]), "{path}");
    }
    assert!(!cleared(&world, "/a/stays.html", &["stays", "articles"]));
    // The next release uses the tags that this one wrote.
    world.stage(&articles("three", &NEWS)).await;
    assert_eq!(items(&publish.run().await), ["#news"]);
}

#[tokio::test]
async fn clears_deleted_pages_by_tag_and_new_pages_by_path() {
    let (world, publish) = first_release("").await;
    world.stage(&articles("two", &["a/news-1.html", "b/news-2.html", "d/news-4.html"])).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(items(&report), ["/c/news-x", "/d/news-4.html", "#news"]);
    assert!(cleared(&world, "/c/news-3.html", &["news", "articles"]) && cleared(&world, "/d/news-4.html", &[]));
}

#[tokio::test]
async fn does_not_use_a_tag_of_an_unchanged_page() {
    let (world, publish) = first_release("").await;
    let mut some = articles("two", &NEWS[1..]);
    some.objects.push(SourceObject::text(NEWS[0], "one"));
    world.stage(&some).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert!(items(&report).iter().all(|item| item.starts_with('/')), "{report}");
    assert!(!cleared(&world, "/a/news-1.html", &["news", "articles"]));
    assert!(cleared(&world, "/b/news-2.html", &[]));
}

#[tokio::test]
async fn clears_pages_written_by_other_tools_by_path() {
    let (world, publish) = first_release("").await;
    world.seed(&crate::texts(&[("a/news-1.html", "theirs")])).await;
    world.stage(&articles("two", &NEWS)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(items(&report), ["/a/news-1.html", "#news"]);
}

/// Visitors may have cached pages of a run that was killed. Those copies have its tags or the tags of the previous
/// release.
#[tokio::test]
async fn clears_pages_of_a_killed_run_by_path() {
    let (world, publish) = first_release("").await;
    let writes = AtomicUsize::new(0);
    world.inject_faults(move |call| {
        let page = call.operation == "PutObject" && call.bucket.as_deref() == Some(BUCKET);
        let after = writes.fetch_add(usize::from(page), Ordering::SeqCst);
        (after > 0).then_some(InjectedFault::Refuse)
    });
    world.stage(&articles("two", &NEWS)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Partial, "{report}");
    world.stop_faults();
    releases::expire_lease(&world).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert!(!items(&report).is_empty() && items(&report).iter().all(|item| item.starts_with('/')), "{report}");
    for path in ["/a/news-1.html", "/b/news-2.html", "/c/news-3.html", "/c/news-x/"] {
        assert!(cleared(&world, path, &[]), "{path}");
    }
}

/// Interrupts the second release and publishes the third: no cached copy of the first two survives. Returns whether the
/// second release got as far as the interruption.
async fn clears_old_copies(at: usize, interruption: Interruption) -> bool {
    let (world, publish) = first_release("").await;
    // The tags of this release differ from those of the other releases.
    let interrupted = world.publish(&configuration("", "Late"), &articles("two", &NEWS)).await;
    let count = interruption.inject(&world, at);
    let first = interrupted.publish().await;
    let case = format!("{interruption:?} at request {}: {first:?}", at + 1);
    let reached = count.load(Ordering::SeqCst) > at;
    world.stop_faults();
    releases::expire_lease(&world).await;
    let seen = world.account.cloudfront().completed(DISTRIBUTION).unwrap();
    let now = world.site().await;
    let second: Vec<bool> = NEWS.iter().map(|key| shows(&now, key, "two")).collect();
    world.stage(&articles("three", &NEWS)).await;
    let report = publish.publish().await.unwrap_or_else(|error| panic!("{case}\nthe next run: {error}"));
    assert_eq!(report.outcome, Outcome::Live, "{case}\n{report}");
    let now = world.site().await;
    for ((key, path), second) in NEWS.iter().zip(VISITED).zip(second) {
        assert!(shows(&now, key, "three"), "{case}\n{key}");
        assert!(cleared(&world, path, &["news", "articles"]), "{case}\na copy of the first release survives: {path}");
        let stale = second && !cleared_since(&world, path, &["late"], seen);
        assert!(!stale, "{case}\na copy of the second release survives: {path}");
    }
    reached
}

fn shows(site: &BucketContents, key: &str, body: &str) -> bool {
    site.objects.iter().any(|object| object.key == key && object.body.as_deref() == Some(body))
}

#[test]
fn no_old_copy_survives_an_interruption_at_any_request() {
    runtime().block_on(async {
        let (world, publish) = first_release("").await;
        world.stage(&articles("two", &NEWS)).await;
        assert_eq!(items(&publish.publish().await.unwrap()), ["#news"]);
        let requests = world.faults.calls().len();
        assert!(requests > 20, "{requests} requests");
        interrupt_everywhere(requests, clears_old_copies).await;
    });
}

/// Each way in which a distribution may not support tags. All end live, with every old page cleared by path.
#[tokio::test]
async fn falls_back_to_paths_if_tags_are_not_supported() {
    for (header, error, requests) in [
        (None, None, 1),
        (Some("x-amz-meta-other"), None, 1),
        (Some(HEADER), Some(("GetDistributionConfig", 403, "AccessDenied")), 1),
        (Some(HEADER), Some(("CreateInvalidation", 400, "InvalidArgument")), 2),
    ] {
        let (world, publish) = first_release("").await;
        world.account.cloudfront().set_cache_tags(DISTRIBUTION, header).unwrap();
        if let Some((operation, status, code)) = error {
            let calls = AtomicUsize::new(0);
            world.inject_faults(move |call| {
                let first = call.operation == operation && calls.fetch_add(1, Ordering::SeqCst) == 0;
                first.then(|| InjectedFault::answer(status, code))
            });
        }
        world.stage(&articles("two", &NEWS)).await;
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::Live, "{error:?}: {report}");
        assert!(items(&report).iter().all(|item| item.starts_with('/')), "{report}");
        for path in ["/a/news-1.html", "/b/news-2.html", "/c/news-x/index.html", "/c/news-x/", "/c/news-x"] {
            assert!(cleared(&world, path, &[]), "{header:?} {error:?}: {path}");
        }
        assert_eq!(calls::count(&world.faults.calls(), "CreateInvalidation"), requests, "{error:?}");
        assert_eq!(world.account.cloudfront().invalidations(DISTRIBUTION).unwrap().len(), 2);
    }
}

#[tokio::test]
async fn sends_a_pending_invalidation_again_with_the_same_reference() {
    let (world, publish) = first_release("").await;
    // The request takes effect, but the response is lost.
    world.inject_faults(|call| (call.operation == "CreateInvalidation").then_some(InjectedFault::Lose));
    world.stage(&articles("two", &NEWS)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::LiveInvalidationPending, "{report}");
    assert_eq!(items(&report), ["#news"]);
    world.stop_faults();
    let report = publish.run().await;
    assert_eq!((report.outcome, items(&report)), (Outcome::Live, vec!["#news"]));
    assert_eq!(
        world.account.cloudfront().invalidations(DISTRIBUTION).unwrap().len(),
        2,
        "the second request must not create another invalidation"
    );
}

#[tokio::test]
async fn rejects_invalid_cache_tags_while_planning() {
    let many: Vec<String> = (0..51).map(|number| format!("t{number}")).collect();
    for (tags, expected) in [
        (many.join(", "), "too many tags: 51"),
        ("news,,x".to_owned(), "remove the comma"),
        ("two words".to_owned(), "`two words`"),
        ("a".repeat(257), "257 characters"),
    ] {
        let world = releases::world().await;
        let publish = world.publish(&configuration("", &tags), &articles("one", &NEWS)).await;
        let error = publish.plan().await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(expected) && text.contains("`a/news-1.html`") && text.contains("3 other objects"),
            "{text}"
        );
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_role_of_a_site_may_read_the_distribution_configuration() {
    let world = releases::world().await;
    world.account.cloudfront().set_completion(InvalidationDelay::After(Duration::ZERO));
    world.account.cloudfront().set_cache_tags(DISTRIBUTION, Some(HEADER)).unwrap();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;
    let role = "role = \"arn:aws:iam::000000000000:role/publisher\"\n";
    let configuration = configuration(role, "News");
    let granted = tidegate_iam::policies::site(&tidegate_tests::world::site(&configuration), "000000000000", &[]);
    let document = granted.document.compact().unwrap();
    world.account.iam().create_role("publisher", trust, &[("site", &document)]).unwrap();
    let publish = world.publish(&configuration, &articles("one", &NEWS)).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    world.stage(&articles("two", &NEWS)).await;
    let report = publish.run().await;
    assert_eq!((report.outcome, items(&report)), (Outcome::Live, vec!["#news"]), "{report}");
}
