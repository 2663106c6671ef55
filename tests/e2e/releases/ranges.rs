//! Ranges of a site: stored with its manifest, listed side by side by the next run, and deleted with the manifest.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidegate_core::location::Source;
use tidegate_core::report::Outcome;
use tidegate_tests::fault::{ApiCall, FaultGate, InjectedFault};
use tidegate_tests::source::STAGING;
use tidegate_tests::world::{request, site};
use tidegate_tests::{SiteObject, SourceObject, Sources};

use super::*;

const KEEP: &str = "{ releases = 2, days = 0 }";

/// Objects of a range, and of the site.
const RANGE: u64 = 10;
const OBJECTS: usize = 255;

/// Ranges of the site: the last one has between one and two times as many objects.
const RANGES: usize = 25;

fn objects(text: &str, count: usize) -> Vec<SourceObject> {
    (0..count).map(|n| SourceObject::text(&format!("lib-{}/{n:03}.html", n / 50), &format!("{text} {n}"))).collect()
}

async fn publish(world: &World, name: &str, sources: Sources) -> Publish {
    let source = sources.stage(&world.directory().join(name), &world.client()).await;
    let mut request = request(source);
    request.release = name.into();
    let mut publish = Publish { publisher: world.publisher(), site: site(&configuration(KEEP)), request };
    publish.publisher.range_objects = RANGE;
    publish
}

/// A world whose site was published from a directory, and the publish of the next release.
async fn set_up() -> (World, Publish) {
    let world = world().await;
    let first = publish(&world, "c1", Sources::directory(objects("page", OBJECTS))).await;
    assert_eq!(first.publish().await.unwrap().outcome, Outcome::Live);
    assert_tidy(&world.account).await;
    let mut next = objects("page", OBJECTS);
    next.iter_mut().step_by(7).for_each(|object| object.body = Some("changed".to_owned()));
    next.truncate(OBJECTS - 20);
    let second = publish(&world, "c2", Sources::directory(next)).await;
    world.clear_requests();
    (world, second)
}

fn is_listing_of(call: &ApiCall, bucket: &str) -> bool {
    call.operation == "ListObjectsV2" && call.bucket.as_deref() == Some(bucket)
}

/// Pages of a bucket that were requested since this was last called.
fn pages(world: &World, bucket: &str) -> usize {
    let pages = world.faults.calls().iter().filter(|call| is_listing_of(call, bucket)).count();
    world.clear_requests();
    pages
}

/// The releases that have a file with this name.
fn releases_with(world: &World, name: &str) -> BTreeSet<String> {
    let files = state_files(&world.account, "releases/");
    files.iter().filter_map(|file| Some(file.strip_suffix(name)?.to_owned())).collect()
}

async fn replace_ranges(world: &World, text: &str) {
    let put = world.client().put_object().bucket(STATE).key("tidegate/docs/releases/r0000000001.ranges.json");
    put.body(text.as_bytes().to_vec().into()).send().await.unwrap();
}

#[tokio::test]
async fn a_site_is_planned_the_same_with_and_without_ranges() {
    let (world, publish) = set_up().await;
    // Objects of another tool before, between and after all ranges, and one that it deleted.
    for key in ["docs/!first", "docs/lib-2/100.htmk", "docs/lib-2/100.htmm", "docs/zz/last"] {
        SiteObject::text(key, "theirs").seed(&world.client(), BUCKET).await;
    }
    world.client().delete_object().bucket(BUCKET).key("docs/lib-0/009.html").send().await.unwrap();
    let with = publish.plan().await.unwrap().plan;
    assert_eq!(pages(&world, BUCKET), RANGES);
    let splits: serde_json::Value =
        serde_json::from_slice(&stored(&world.account, "releases/r0000000001.ranges.json").await.unwrap()).unwrap();
    assert_eq!((&splits["splits"][0], splits["splits"].as_array().unwrap().len()), (&"lib-0/009.html".into(), 24));

    // A damaged document costs only time.
    for damaged in ["{", "{}", "{\"format\": 2, \"splits\": []}"] {
        replace_ranges(&world, damaged).await;
        assert_eq!(publish.plan().await.unwrap().plan, with, "{damaged}");
        assert_eq!(pages(&world, BUCKET), 1);
    }
    // So do keys that do not fit.
    replace_ranges(&world, r#"{"format": 3, "splits": ["z", "lib-3/180.html", "", "a", "z"]}"#).await;
    assert_eq!(publish.plan().await.unwrap().plan, with);
    assert_eq!(pages(&world, BUCKET), 4);

    let key = "tidegate/docs/releases/r0000000001.ranges.json";
    world.client().delete_object().bucket(STATE).key(key).send().await.unwrap();
    assert_eq!(publish.plan().await.unwrap().plan, with);
    assert_eq!(pages(&world, BUCKET), 1);
    assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Live);
    assert_tidy_beside(&world).await;
}

/// What the other tool wrote is deleted by the publish, so the site is tidy again.
async fn assert_tidy_beside(world: &World) {
    assert_tidy(&world.account).await;
    assert_eq!(
        releases_with(world, ".ranges.json"),
        releases_with(world, ".manifest.gz").into_iter().skip(1).collect()
    );
}

#[tokio::test]
async fn a_staged_prefix_is_listed_in_the_ranges_of_its_site() {
    let (world, _) = set_up().await;
    let publish = publish(&world, "c2", Sources::prefix(objects("page", OBJECTS))).await;
    let Source::Prefix(_) = publish.request.source else { panic!("a staged prefix") };
    assert!(publish.plan().await.unwrap().plan.is_empty());
    assert_eq!((pages(&world, STAGING), publish.publish().await.unwrap().outcome), (RANGES, Outcome::Unchanged));
}

#[tokio::test]
async fn sixteen_ranges_are_requested_at_the_same_time() {
    let (world, publish) = set_up().await;
    let gate = FaultGate::closed();
    let closed = gate.clone();
    world.inject_faults(move |call| is_listing_of(call, BUCKET).then(|| InjectedFault::Hold(closed.clone())));
    let planning = tokio::spawn(async move { publish.plan().await.map(|planned| planned.plan) });
    let listings = || world.faults.calls().iter().filter(|call| is_listing_of(call, BUCKET)).count();
    for _ in 0..6_000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if listings() >= 16 {
            break;
        }
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(listings(), 16, "the others wait for the first");
    gate.open();
    assert!(!planning.await.unwrap().unwrap().is_empty());
    assert_eq!(listings(), RANGES);
}

#[tokio::test]
async fn an_error_in_one_range_fails_the_plan() {
    let (world, publish) = set_up().await;
    for failing in [0, 1, 7, 20, RANGES - 1] {
        let seen = AtomicUsize::new(0);
        world.inject_faults(move |call| {
            let is_failing = is_listing_of(call, BUCKET) && seen.fetch_add(1, Ordering::Relaxed) == failing;
            is_failing.then(|| InjectedFault::answer(403, "AccessDenied"))
        });
        let error = publish.plan().await.unwrap_err().to_string();
        assert!(error.contains("ListObjectsV2") && error.contains("AccessDenied"), "{error}");
    }
    world.clear_requests();
    // Ranges that cannot be read, or stored, cost only time.
    world.inject_faults(|call| {
        let is_ranges = call.key.as_ref().is_some_and(|key| key.ends_with(".ranges.json"));
        is_ranges.then(|| InjectedFault::answer(403, "AccessDenied"))
    });
    assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Live);
    assert_eq!(pages(&world, BUCKET), 1);
    assert_eq!(releases_with(&world, ".ranges.json"), BTreeSet::from(["r0000000001".to_owned()]));
}

#[tokio::test]
async fn ranges_are_kept_and_deleted_with_their_manifest() {
    let world = world().await;
    for round in 0..4 {
        let name = format!("c{round}");
        let release = publish(&world, &name, Sources::directory(objects(&name, 40))).await;
        assert_eq!(release.publish().await.unwrap().outcome, Outcome::Live);
        // An unchanged release has the manifest of the one before.
        assert_eq!(release.publish().await.unwrap().outcome, Outcome::Unchanged);
        assert_tidy(&world.account).await;
        assert_eq!(releases_with(&world, ".ranges.json"), releases_with(&world, ".manifest.gz"), "{name}");
    }
    assert_eq!(releases_with(&world, ".ranges.json").len(), 2);

    // A run that ends between the ranges and the pointer leaves none behind.
    let killed = publish(&world, "killed", Sources::directory(objects("killed", 40))).await;
    world.inject_faults(|call| {
        let moves = call.operation == "PutObject" && call.key.as_deref() == Some("tidegate/docs/current.json");
        moves.then_some(InjectedFault::Refuse)
    });
    assert_eq!(killed.publish().await.unwrap().outcome, Outcome::Partial);
    world.stop_faults();
    assert_eq!(releases_with(&world, ".ranges.json").len(), 3);
    for name in ["c4", "c5", "c6"] {
        let small = publish(&world, name, Sources::directory([SourceObject::text("index.html", name)])).await;
        assert_eq!(small.publish().await.unwrap().outcome, Outcome::Live);
        assert_tidy(&world.account).await;
        assert!(releases_with(&world, ".ranges.json").is_subset(&releases_with(&world, ".manifest.gz")), "{name}");
    }
    assert_eq!(releases_with(&world, ".ranges.json"), BTreeSet::new(), "a small site has none");
}
