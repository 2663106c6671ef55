//! Recovery from a failure at any request. After the next run, the site equals the result of a run without failures,
//! the state holds nothing superfluous, and the CDN was invalidated once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{StreamExt, stream};
use tidegate_core::report::Outcome;
use tidegate_tests::fault::InjectedFault;

use super::*;
use crate::model::runtime;

const KEEP: &str = "{ releases = 2, days = 0 }";

/// The second and third release contain every kind of operation: create, update, changed headers, deleted page,
/// retained asset, pruned asset, archived and pruned bodies.
const ONE: Files<'_> = &[("index.html", "one"), ("a1.css", "1"), ("old.html", "o"), ("page", "p"), ("x.js", "x")];
const TWO: Files<'_> = &[("index.html", "two"), ("a2.css", "2"), ("page", "p"), ("x.js", "x")];
const THREE: Files<'_> = &[("index.html", "three"), ("a3.css", "3"), ("new.html", "n"), ("x.js", "y")];

/// How a run is interrupted at one of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// One request fails before AWS sees it.
    Refuse,
    /// One response is lost.
    Lose,
    /// The run is killed before the request: this and all later requests fail.
    KilledBefore,
    /// The run is killed after the request: its response is lost and all later requests fail.
    KilledAfter,
}

pub(crate) const INTERRUPTIONS: [Interruption; 4] =
    [Interruption::KilledBefore, Interruption::KilledAfter, Interruption::Lose, Interruption::Refuse];

impl Interruption {
    /// Interrupts at request `at`, counted from 0, starting now. Returns the counter of requests.
    pub(crate) fn inject(self, world: &World, at: usize) -> Arc<AtomicUsize> {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        world.inject_faults(move |_| {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            match self {
                Self::Refuse => (number == at).then_some(InjectedFault::Refuse),
                Self::Lose => (number == at).then_some(InjectedFault::Lose),
                Self::KilledBefore => (number >= at).then_some(InjectedFault::Refuse),
                Self::KilledAfter if number == at => Some(InjectedFault::Lose),
                Self::KilledAfter => (number > at).then_some(InjectedFault::Refuse),
            }
        });
        count
    }
}

/// Runs `test` with every interruption at each request. `test` returns whether its run got as far as the request, which
/// most must.
pub(crate) async fn interrupt_everywhere<S: Future<Output = bool>>(
    requests: usize,
    test: impl Fn(usize, Interruption) -> S,
) {
    let cases = (0..requests).flat_map(|at| INTERRUPTIONS.map(|interruption| (at, interruption)));
    let reached: Vec<bool> =
        stream::iter(cases).map(|(at, interruption)| test(at, interruption)).buffer_unordered(12).collect().await;
    let interrupted = reached.iter().filter(|reached| **reached).count();
    assert!(interrupted >= requests * 3, "only {interrupted} of {} runs were interrupted", reached.len());
    println!("{interrupted} runs were interrupted, over {requests} requests");
}

/// A site with two releases, and the publish of the third.
async fn set_up() -> (World, Publish) {
    let world = world().await;
    for (name, files) in [("c1", ONE), ("c2", TWO)] {
        assert_eq!(publish_of(&world, KEEP, name, files).await.publish().await.unwrap().outcome, Outcome::Live);
    }
    let publish = publish_of(&world, KEEP, "c3", THREE).await;
    world.clear_requests();
    (world, publish)
}

/// The result of a run without failures.
struct Expected {
    site: BTreeMap<String, String>,
    /// The paths of the invalidation.
    paths: BTreeSet<String>,
    requests: usize,
}

async fn publish_without_faults() -> Expected {
    let (world, publish) = set_up().await;
    let report = publish.publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_tidy(&world.account).await;
    let paths = invalidated_paths(&world.account).pop().unwrap();
    Expected { site: visible(&world.account).await, paths, requests: world.faults.calls().len() }
}

/// Interrupts a run and checks the next one. Returns whether the run got as far as the interruption.
async fn recovers(at: usize, interruption: Interruption, expected: &Expected) -> bool {
    let Expected { site, paths, .. } = expected;
    let (world, publish) = set_up().await;
    let before = invalidated_paths(&world.account).len();
    let count = interruption.inject(&world, at);
    let first = publish_of(&world, KEEP, "c3", THREE).await.publish().await;
    let reached = count.load(Ordering::SeqCst) > at;
    let case = format!("{interruption:?} at request {}: {first:?}", at + 1);
    if let Ok(report) = &first {
        let now = visible(&world.account).await;
        match report.outcome {
            Outcome::Failed => assert_eq!(now, with_retained_asset(TWO), "{case}"),
            Outcome::Live | Outcome::LiveInvalidationPending => {
                assert!(site.iter().all(|(key, body)| now.get(key) == Some(body)), "{case}\n{now:?}");
            }
            _ => {}
        }
    }
    world.stop_faults();
    expire_lease(&world).await;
    let report = publish.publish().await.unwrap_or_else(|error| panic!("{case}\nthe next run: {error}"));
    assert!(matches!(report.outcome, Outcome::Live | Outcome::Unchanged), "{case}\n{report}");
    assert_eq!(&visible(&world.account).await, site, "{case}");
    assert_tidy(&world.account).await;
    let mut invalidations: Vec<BTreeSet<String>> = invalidated_paths(&world.account).split_off(before);
    // Objects that could not be deleted existed during the invalidation, so another one follows after they are deleted.
    let left: BTreeSet<String> = first
        .iter()
        .flat_map(|report| &report.done.failures)
        .filter(|failed| failed.operation == "delete")
        .map(|failed| format!("/{}", failed.key))
        .collect();
    if !left.is_empty() && invalidations.len() == 2 {
        assert_eq!(invalidations.pop(), Some(left), "{case}");
    }
    assert_eq!(invalidations, std::slice::from_ref(paths), "the CDN must be invalidated once: {case}");
    // Another run changes nothing.
    let report = publish.publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Unchanged, "{case}\n{report}");
    reached
}

/// The site before the third release: `files` and the retained asset of the first release.
fn with_retained_asset(files: Files<'_>) -> BTreeMap<String, String> {
    let mut all = texts_of(files);
    all.insert("a1.css".to_owned(), "1".to_owned());
    all
}

#[test]
fn the_next_run_recovers_from_an_interruption_at_any_request() {
    runtime().block_on(async {
        let expected = publish_without_faults().await;
        let requests = expected.requests;
        assert!(requests > 20, "{requests} requests");
        interrupt_everywhere(requests, |at, interruption| recovers(at, interruption, &expected)).await;
    });
}
