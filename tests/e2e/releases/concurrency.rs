//! Concurrent publishes of one site. One run is paused at each of its requests in turn, for longer than its lease,
//! while another publishes; then it continues. In the end, the site is exactly the newer release and the state holds
//! nothing superfluous.

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

/// Publishes twice, as a user who repeats a command would.
async fn retry(publish: &Publish) -> PublishReport {
    let first = publish.publish().await;
    if let Ok(report) = &first
        && !matches!(report.outcome, Outcome::Partial | Outcome::Failed)
    {
        return publish.publish().await.unwrap_or_else(|error| panic!("after {report}: {error}"));
    }
    publish.publish().await.unwrap_or_else(|error| panic!("after {first:?}: {error}"))
}

/// Pauses one run at its request `at`, publishes the other, and resumes the first. Returns whether the first got that
/// far.
async fn interleave(at: usize, newer_is_paused: bool) -> bool {
    let world = world().await;
    let first = with_revision(publish_of(&world, KEEP, "c0", BEFORE).await, 1);
    assert_eq!(first.publish().await.unwrap().outcome, Outcome::Live);
    let older = with_revision(publish_of(&world, KEEP, "older", OLDER).await, 10);
    let newer = with_revision(publish_of(&world, KEEP, "newer", NEWER).await, 20);
    let (paused, other) = if newer_is_paused { (newer, older) } else { (older, newer) };
    let mut paused = with_short_lease(paused);

    let (gate, count) = (FaultGate::closed(), Arc::new(AtomicUsize::new(0)));
    let (closed, counter) = (gate.clone(), Arc::clone(&count));
    let faults = Faults::new(move |_| {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        (number >= at && !closed.is_open()).then(|| InjectedFault::Hold(closed.clone()))
    });
    paused.publisher = world.publisher_through(&faults);
    let again = Publish { publisher: world.publisher(), site: paused.site.clone(), request: paused.request.clone() };
    let running = tokio::spawn(async move { paused.publish().await });
    let reached = wait_for(&count, at, &running).await;
    let other_result: Result<PublishReport> = other.publish().await;
    gate.open();
    let paused_result = running.await.unwrap();
    let case = format!(
        "paused at request {}, newer is paused: {newer_is_paused}\n{paused_result:?}\n{other_result:?}",
        at + 1
    );
    if !is_complete(&paused_result) {
        retry(&again).await;
    }
    if !is_complete(&other_result) {
        retry(&other).await;
    }
    // A run that lost its lease after it moved the pointer leaves the rest to the next run.
    if !pointer(&world.account).await.finalized {
        let newer = if newer_is_paused { &again } else { &other };
        retry(newer).await;
    }
    let site = visible(&world.account).await;
    for (key, body) in texts_of(NEWER) {
        assert_eq!(site.get(&key), Some(&body), "`{key}`: {case}");
    }
    let pages: Vec<&String> = site.keys().filter(|key| key.ends_with(".html")).collect();
    assert_eq!(pages, ["index.html", "newer.html"], "{case}");
    assert_tidy(&world.account).await;
    reached
}

/// Whether nothing is left to do for this request.
fn is_complete(result: &Result<PublishReport>) -> bool {
    matches!(result, Ok(report) if matches!(report.outcome, Outcome::Live | Outcome::Unchanged | Outcome::Superseded))
}

/// Waits until the run is paused or has ended. Returns whether it is paused.
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
fn the_newer_release_wins_wherever_a_run_is_paused() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let cases = (0..45).flat_map(|at| [(at, true), (at, false)]);
        let reached: Vec<bool> =
            stream::iter(cases).map(|(at, newer)| interleave(at, newer)).buffer_unordered(12).collect().await;
        let paused = reached.iter().filter(|reached| **reached).count();
        assert!(paused > 50, "only {paused} runs were paused");
        println!("{paused} runs were paused");
    });
}

/// Eight runs with different revisions start at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_of_many_concurrent_runs_is_live() {
    let world = world().await;
    let runs = (1..=8_u64).map(|n| {
        let world = &world;
        async move {
            let name = format!("c{n}");
            let body = format!("release {n}");
            let asset = format!("a{n}.css");
            let files = [("index.html", body.as_str()), (asset.as_str(), "x")];
            with_revision(publish_of(world, KEEP, &name, &files).await, n).publish().await.unwrap()
        }
    });
    let reports = futures::future::join_all(runs).await;
    assert!(reports.iter().all(|report| matches!(report.outcome, Outcome::Live | Outcome::Superseded)), "{reports:?}");
    assert_eq!(visible(&world.account).await.get("index.html").map(String::as_str), Some("release 8"));
    assert_tidy(&world.account).await;
    let fence = pointer(&world.account).await.fence;
    assert!(fence >= 1);
}
