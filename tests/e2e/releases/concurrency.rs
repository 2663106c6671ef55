//! Two publishes of one site at once. One of them is stopped at each of its requests in turn, for longer than its lease lasts,
//! while the other publishes; then it goes on. In the end the site is the newer release, entirely, and nothing is left over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{StreamExt, stream};
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_publish::publish::PublishError;
use tidegate_tests::fault::{FaultGate, Faults, InjectedFault};

use super::*;

const KEEP: &str = "{ releases = 2, days = 0 }";

const BEFORE: Files<'_> = &[("index.html", "zero"), ("a0.css", "0"), ("both.js", "0"), ("gone.html", "g")];
const OLDER: Files<'_> = &[("index.html", "older"), ("older.css", "1"), ("both.js", "1"), ("older.html", "o")];
const NEWER: Files<'_> = &[("index.html", "newer"), ("newer.css", "2"), ("both.js", "2"), ("newer.html", "n")];

type Result<T> = std::result::Result<T, PublishError>;

/// A run, and again where it did not come to an end, as whoever asked would.
async fn insist(publish: &Publish) -> PublishReport {
    let first = publish.go().await;
    if let Ok(report) = &first
        && !matches!(report.outcome, Outcome::Partial | Outcome::Failed)
    {
        return publish.go().await.unwrap_or_else(|error| panic!("after {report}: {error}"));
    }
    publish.go().await.unwrap_or_else(|error| panic!("after {first:?}: {error}"))
}

/// Stops `stopped` at its request `at`, publishes `other`, lets `stopped` go on. Answers whether it came that far.
async fn interleave(at: usize, newer_is_stopped: bool) -> bool {
    let world = world().await;
    let first = ordered(publish_of(&world, KEEP, "c0", BEFORE).await, 1);
    assert_eq!(first.go().await.unwrap().outcome, Outcome::Live);
    let older = ordered(publish_of(&world, KEEP, "older", OLDER).await, 10);
    let newer = ordered(publish_of(&world, KEEP, "newer", NEWER).await, 20);
    let (stopped, other) = if newer_is_stopped { (newer, older) } else { (older, newer) };
    let mut stopped = mortal(stopped);

    let (gate, count) = (FaultGate::closed(), Arc::new(AtomicUsize::new(0)));
    let (shut, counter) = (gate.clone(), Arc::clone(&count));
    let faults = Faults::new(move |_| {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        (number >= at && !shut.is_open()).then(|| InjectedFault::Hold(shut.clone()))
    });
    stopped.publisher = world.publisher_through(&faults);
    let again = Publish { publisher: world.publisher(), site: stopped.site.clone(), request: stopped.request.clone() };
    let running = tokio::spawn(async move { stopped.go().await });
    let far = wait_for(&count, at, &running).await;
    let others: Result<PublishReport> = other.go().await;
    gate.open();
    let told = running.await.unwrap();
    let case = format!("stopped at request {}, newer is stopped: {newer_is_stopped}\n{told:?}\n{others:?}", at + 1);
    if !matches!(&told, Ok(report) if matches!(report.outcome, Outcome::Live | Outcome::Unchanged | Outcome::Superseded))
    {
        insist(&again).await;
    }
    if !matches!(&others, Ok(report) if matches!(report.outcome, Outcome::Live | Outcome::Unchanged | Outcome::Superseded))
    {
        insist(&other).await;
    }
    // Whoever lost the lease after the pointer had moved leaves the rest to the next run, whoever asks for it.
    if !pointer(&world.account).await.finalized {
        let newer = if newer_is_stopped { &again } else { &other };
        insist(newer).await;
    }
    let site = visible(&world.account).await;
    for (key, body) in texts_of(NEWER) {
        assert_eq!(site.get(&key), Some(&body), "`{key}`: {case}");
    }
    let pages: Vec<&String> = site.keys().filter(|key| key.ends_with(".html")).collect();
    assert_eq!(pages, ["index.html", "newer.html"], "{case}");
    assert_tidy(&world.account).await;
    far
}

/// Waits until the run stands still, or is over.
async fn wait_for(count: &AtomicUsize, at: usize, running: &tokio::task::JoinHandle<Result<PublishReport>>) -> bool {
    loop {
        if count.load(Ordering::SeqCst) > at {
            return true;
        }
        if running.is_finished() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn whoever_is_stopped_wherever_the_newer_release_wins() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let cases = (0..45).flat_map(|at| [(at, true), (at, false)]);
        let far: Vec<bool> =
            stream::iter(cases).map(|(at, newer)| interleave(at, newer)).buffer_unordered(12).collect().await;
        let stopped = far.iter().filter(|far| **far).count();
        assert!(stopped > 50, "{stopped} runs were stopped");
        println!("{stopped} runs were stopped");
    });
}

/// Many at once, of which every one wants to be the newest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_the_newest_is_live() {
    let world = world().await;
    let runs = (1..=8_u64).map(|n| {
        let world = &world;
        async move {
            let name = format!("c{n}");
            let body = format!("release {n}");
            let asset = format!("a{n}.css");
            let files = [("index.html", body.as_str()), (asset.as_str(), "x")];
            ordered(publish_of(world, KEEP, &name, &files).await, n).go().await.unwrap()
        }
    });
    let reports = futures::future::join_all(runs).await;
    assert!(reports.iter().all(|report| matches!(report.outcome, Outcome::Live | Outcome::Superseded)), "{reports:?}");
    assert_eq!(visible(&world.account).await.get("index.html").map(String::as_str), Some("release 8"));
    assert_tidy(&world.account).await;
    let fence = pointer(&world.account).await.fence;
    assert!(fence >= 1);
}
