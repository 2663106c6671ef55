//! Telling a distribution by cache tags, from the publish to the stand-in: which items are sent, which copies they clear, and
//! that no visitor keeps an old page where tags are not honoured.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidegate_core::error_kind::ErrorKind;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_emulator::cloudfront::{InvalidationDelay, ViewerPath};
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::releases::{self, STATE};
use tidegate_tests::world::{BUCKET, DISTRIBUTION};
use tidegate_tests::{Publish, SiteState, SourceObject, Sources, World, calls};

use crate::model::runtime;
use crate::releases::recovery::{Strike, strike_all};
use crate::{plugin, site_with};

const HEADER: &str = "x-amz-meta-cache-tag";

/// Every article carries `News` and `articles`, every page that stays `Stays`.
fn configuration(more: &str, tags: &str) -> String {
    let rules = format!(
        "{{ rules = [{{ glob = \"news-*.html\", set = {{ {HEADER} = \"{tags}\" }} }}, {{ glob = \"news-x/\", set = {{ {HEADER} = \"{tags}\" }} }}, {{ glob = \"stays.html\", set = {{ {HEADER} = \"Stays, articles\" }} }}] }}"
    );
    let cdn = format!("cdn = [{{ distribution = \"{DISTRIBUTION}\", cache-tags = \"cache-tag\" }}]\n{more}");
    let guard = plugin("policy", "guard", "{ max-delete-share = 1, max-deletes = 100000 }");
    format!("state = \"s3://{STATE}/tidegate/\"\n\n") + &site_with(&cdn) + &plugin("sync", "headers", &rules) + &guard
}

/// Articles in folders that hold something else as well, so that no folder stands for them.
fn articles(body: &str, names: &[&str]) -> Sources {
    let stays = ["a", "b", "c", "d"].map(|folder| SourceObject::text(&format!("{folder}/stays.html"), "same"));
    Sources::directory(names.iter().map(|name| SourceObject::text(name, body)).chain(stays))
}

const NEWS: [&str; 4] = ["a/news-1.html", "b/news-2.html", "c/news-3.html", "c/news-x/index.html"];

/// The first release is out, nothing is in progress, and nothing is recorded.
async fn first_release(more: &str) -> (World, Publish) {
    let world = releases::world().await;
    let cloudfront = world.account.cloudfront();
    cloudfront.set_completion(InvalidationDelay::After(Duration::ZERO));
    cloudfront.set_cache_tags(DISTRIBUTION, Some(HEADER)).unwrap();
    let publish = world.publish(&configuration(more, "News, articles"), &articles("one", &NEWS)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert!(items(&report).iter().all(|item| item.starts_with('/')), "nothing was there before: {report}");
    assert_eq!(cloudfront.completed(DISTRIBUTION).unwrap(), 1);
    world.forget();
    (world, publish)
}

/// Where visitors ask for the articles.
const VISITED: [&str; 4] = ["/a/news-1.html", "/b/news-2.html", "/c/news-3.html", "/c/news-x/"];

fn items(report: &PublishReport) -> Vec<&str> {
    report.invalidations.iter().flat_map(|told| &told.paths).map(String::as_str).collect()
}

/// Whether the copy at a path that carries these tags is cleared by what came after the first release.
fn cleared(world: &World, path: &str, tags: &[&str]) -> bool {
    cleared_since(world, path, tags, 1)
}

/// The same for a copy that was made when so many invalidations were complete.
fn cleared_since(world: &World, path: &str, tags: &[&str], seen: u64) -> bool {
    let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
    world.account.cloudfront().cleared_with(DISTRIBUTION, &ViewerPath::new(path), &tags, seen).unwrap()
}

#[tokio::test]
async fn all_articles_go_for_one_tag_and_nothing_else_does() {
    let (world, publish) = first_release("").await;
    world.lay(&articles("two", &NEWS)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(items(&report), ["#news"]);
    for path in ["/a/news-1.html", "/c/news-x/index.html", "/c/news-x/", "/c/news-x"] {
        assert!(cleared(&world, path, &["news", "articles"]), "{path}");
    }
    assert!(!cleared(&world, "/a/stays.html", &["stays", "articles"]));
    // The same again, from what this release wrote.
    world.lay(&articles("three", &NEWS)).await;
    assert_eq!(items(&publish.run().await), ["#news"]);
}

#[tokio::test]
async fn a_deleted_page_goes_by_its_tag_and_a_new_one_by_its_path() {
    let (world, publish) = first_release("").await;
    world.lay(&articles("two", &["a/news-1.html", "b/news-2.html", "d/news-4.html"])).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(items(&report), ["/c/news-x", "/d/news-4.html", "#news"]);
    assert!(cleared(&world, "/c/news-3.html", &["news", "articles"]) && cleared(&world, "/d/news-4.html", &[]));
}

#[tokio::test]
async fn an_article_that_stays_keeps_its_tag_from_being_told() {
    let (world, publish) = first_release("").await;
    let mut some = articles("two", &NEWS[1..]);
    some.objects.push(SourceObject::text(NEWS[0], "one"));
    world.lay(&some).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert!(items(&report).iter().all(|item| item.starts_with('/')), "{report}");
    assert!(!cleared(&world, "/a/news-1.html", &["news", "articles"]));
    assert!(cleared(&world, "/b/news-2.html", &[]));
}

#[tokio::test]
async fn what_somebody_else_wrote_goes_by_its_path() {
    let (world, publish) = first_release("").await;
    world.seed(&crate::texts(&[("a/news-1.html", "by hand")])).await;
    world.lay(&articles("two", &NEWS)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(items(&report), ["/a/news-1.html", "#news"]);
}

/// A run that died may have shown visitors what it wrote: their copies carry its tags, or those of the release before.
#[tokio::test]
async fn what_a_run_that_died_may_have_written_goes_by_paths() {
    let (world, publish) = first_release("lease-seconds = 1\n").await;
    let died = AtomicUsize::new(0);
    world.trouble(move |call| {
        let page = call.operation == "PutObject" && call.bucket.as_deref() == Some(BUCKET);
        let after = died.fetch_add(usize::from(page), Ordering::SeqCst);
        (after > 0).then_some(InjectedFault::Refuse)
    });
    world.lay(&articles("two", &NEWS)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Partial, "{report}");
    world.peace();
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert!(!items(&report).is_empty() && items(&report).iter().all(|item| item.starts_with('/')), "{report}");
    for path in ["/a/news-1.html", "/b/news-2.html", "/c/news-3.html", "/c/news-x/"] {
        assert!(cleared(&world, path, &[]), "{path}");
    }
}

/// A run of the second release that is struck, and then the third release: no copy of the first one survives, and none of
/// what the struck run wrote. Answers whether the strike was met.
async fn struck(at: usize, strike: Strike) -> bool {
    let (world, publish) = first_release("").await;
    // Copies of what it writes carry another tag than those of the other releases.
    let dying = releases::mortal(world.publish(&configuration("", "Late"), &articles("two", &NEWS)).await);
    let count = strike.arm(&world, at);
    let first = dying.go().await;
    let case = format!("{strike:?} at request {}: {first:?}", at + 1);
    let met = count.load(Ordering::SeqCst) > at;
    world.peace();
    let seen = world.account.cloudfront().completed(DISTRIBUTION).unwrap();
    let now = world.site().await;
    let second: Vec<bool> = NEWS.iter().map(|key| shows(&now, key, "two")).collect();
    world.lay(&articles("three", &NEWS)).await;
    let report = publish.go().await.unwrap_or_else(|error| panic!("{case}\nthe next run: {error}"));
    assert_eq!(report.outcome, Outcome::Live, "{case}\n{report}");
    let now = world.site().await;
    for ((key, path), second) in NEWS.iter().zip(VISITED).zip(second) {
        assert!(shows(&now, key, "three"), "{case}\n{key}");
        assert!(cleared(&world, path, &["news", "articles"]), "{case}\nof the first release: {path}");
        let stale = second && !cleared_since(&world, path, &["late"], seen);
        assert!(!stale, "{case}\nof the second release: {path}");
    }
    met
}

fn shows(site: &SiteState, key: &str, body: &str) -> bool {
    site.objects.iter().any(|object| object.key == key && object.body.as_deref() == Some(body))
}

#[test]
fn whatever_request_is_struck_no_copy_of_an_old_article_survives() {
    runtime().block_on(async {
        let (world, publish) = first_release("").await;
        world.lay(&articles("two", &NEWS)).await;
        assert_eq!(items(&publish.go().await.unwrap()), ["#news"]);
        let requests = world.faults.calls().len();
        assert!(requests > 20, "{requests} requests");
        strike_all(requests, struck).await;
    });
}

/// Every way in which a distribution may turn out to honour no tags: each ends live, with every old page cleared.
#[tokio::test]
async fn where_tags_are_not_honoured_paths_clear_the_same() {
    for (header, trouble, sent) in [
        (None, None, 1),
        (Some("x-amz-meta-other"), None, 1),
        (Some(HEADER), Some(("GetDistributionConfig", 403, "AccessDenied")), 1),
        (Some(HEADER), Some(("CreateInvalidation", 400, "InvalidArgument")), 2),
    ] {
        let (world, publish) = first_release("").await;
        world.account.cloudfront().set_cache_tags(DISTRIBUTION, header).unwrap();
        if let Some((operation, status, code)) = trouble {
            let struck = AtomicUsize::new(0);
            world.trouble(move |call| {
                let first = call.operation == operation && struck.fetch_add(1, Ordering::SeqCst) == 0;
                first.then(|| InjectedFault::answer(status, code))
            });
        }
        world.lay(&articles("two", &NEWS)).await;
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::Live, "{trouble:?}: {report}");
        assert!(items(&report).iter().all(|item| item.starts_with('/')), "{report}");
        for path in ["/a/news-1.html", "/b/news-2.html", "/c/news-x/index.html", "/c/news-x/", "/c/news-x"] {
            assert!(cleared(&world, path, &[]), "{header:?} {trouble:?}: {path}");
        }
        assert_eq!(calls::count(&world.faults.calls(), "CreateInvalidation"), sent, "{trouble:?}");
        assert_eq!(world.account.cloudfront().invalidations(DISTRIBUTION).unwrap().len(), 2);
    }
}

#[tokio::test]
async fn what_could_not_be_sent_is_sent_again_under_the_same_reference() {
    let (world, publish) = first_release("").await;
    // It arrives, and nobody hears of it.
    world.trouble(|call| (call.operation == "CreateInvalidation").then_some(InjectedFault::Lose));
    world.lay(&articles("two", &NEWS)).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::LiveInvalidationPending, "{report}");
    assert_eq!(items(&report), ["#news"]);
    world.peace();
    let report = publish.run().await;
    assert_eq!((report.outcome, items(&report)), (Outcome::Live, vec!["#news"]));
    assert_eq!(
        world.account.cloudfront().invalidations(DISTRIBUTION).unwrap().len(),
        2,
        "one invalidation, sent twice"
    );
}

#[tokio::test]
async fn tags_that_would_not_be_honoured_are_told_before_anything_is_written() {
    let many: Vec<String> = (0..51).map(|number| format!("t{number}")).collect();
    for (tags, told) in [
        (many.join(", "), "it holds 51 tags"),
        ("news,,x".to_owned(), "remove that comma"),
        ("two words".to_owned(), "`two words`"),
        ("a".repeat(257), "257 characters"),
    ] {
        let world = releases::world().await;
        let publish = world.publish(&configuration("", &tags), &articles("one", &NEWS)).await;
        let error = publish.plan().await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(told) && text.contains("`a/news-1.html`") && text.contains("3 other objects"), "{text}");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_session_of_a_run_may_ask_whether_tags_are_read() {
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
    world.lay(&articles("two", &NEWS)).await;
    let report = publish.run().await;
    assert_eq!((report.outcome, items(&report)), (Outcome::Live, vec!["#news"]), "{report}");
}
