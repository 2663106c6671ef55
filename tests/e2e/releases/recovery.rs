//! A publish that is struck at every one of its requests in turn, and the next one, which finishes its work: the site is what
//! an undisturbed run would have made of it, nothing is left over, and the CDN was told once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{StreamExt, stream};
use tidegate_core::report::Outcome;
use tidegate_tests::fault::InjectedFault;

use super::*;
use crate::model::runtime;

const KEEP: &str = "{ releases = 2, days = 0 }";

/// Every kind of operation, in the second and third release: new, replaced, other headers, removed page, kept asset, pruned
/// asset, bodies set aside and bodies forgotten.
const ONE: Files<'_> = &[("index.html", "one"), ("a1.css", "1"), ("old.html", "o"), ("page", "p"), ("x.js", "x")];
const TWO: Files<'_> = &[("index.html", "two"), ("a2.css", "2"), ("page", "p"), ("x.js", "x")];
const THREE: Files<'_> = &[("index.html", "three"), ("a3.css", "3"), ("new.html", "n"), ("x.js", "y")];

/// What happens to one request of a run, and to those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    /// One request fails before anybody sees it.
    Refuse,
    /// One answer is lost.
    Lose,
    /// From one request on nothing gets through: killed before it.
    Dead,
    /// One answer is lost and nothing gets through afterwards: killed after it.
    DeadAfter,
}

const STRIKES: [Strike; 4] = [Strike::Dead, Strike::DeadAfter, Strike::Lose, Strike::Refuse];

impl Strike {
    /// Strikes the request with the number `at`, counted from 0 and from now on. The answer counts the requests.
    pub(crate) fn arm(self, world: &World, at: usize) -> Arc<AtomicUsize> {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        world.trouble(move |_| {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            match self {
                Self::Refuse => (number == at).then_some(InjectedFault::Refuse),
                Self::Lose => (number == at).then_some(InjectedFault::Lose),
                Self::Dead => (number >= at).then_some(InjectedFault::Refuse),
                Self::DeadAfter if number == at => Some(InjectedFault::Lose),
                Self::DeadAfter => (number > at).then_some(InjectedFault::Refuse),
            }
        });
        count
    }
}

/// Strikes so many requests in turn, in every way. `struck` answers whether its strike was met, which most must be.
pub(crate) async fn strike_all<S: Future<Output = bool>>(requests: usize, struck: impl Fn(usize, Strike) -> S) {
    // Most of the time goes into waiting for leases of the dead, so many worlds live side by side.
    let cases = (0..requests).flat_map(|at| STRIKES.map(|strike| (at, strike)));
    let met: Vec<bool> =
        stream::iter(cases).map(|(at, strike)| struck(at, strike)).buffer_unordered(12).collect().await;
    let struck = met.iter().filter(|met| **met).count();
    assert!(struck >= requests * 3, "{struck} of {} met their request", met.len());
    println!("{struck} runs were struck, over {requests} requests");
}

async fn begin() -> (World, Publish) {
    let world = world().await;
    for (name, files) in [("c1", ONE), ("c2", TWO)] {
        assert_eq!(publish_of(&world, KEEP, name, files).await.go().await.unwrap().outcome, Outcome::Live);
    }
    let publish = publish_of(&world, KEEP, "c3", THREE).await;
    world.forget();
    (world, publish)
}

/// What an undisturbed run makes of it: the site, and what the CDN is told.
async fn undisturbed() -> (BTreeMap<String, String>, BTreeSet<String>, usize) {
    let (world, publish) = begin().await;
    let report = publish.go().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_tidy(&world.account).await;
    let paths = told(&world.account).pop().unwrap();
    (visible(&world.account).await, paths, world.faults.calls().len())
}

/// Answers whether a request was struck.
async fn struck(at: usize, strike: Strike, site: &BTreeMap<String, String>, paths: &BTreeSet<String>) -> bool {
    let (world, publish) = begin().await;
    let before = told(&world.account).len();
    let count = strike.arm(&world, at);
    let dying = publish_of(&world, KEEP, "c3", THREE).await;
    let first = mortal(dying).go().await;
    let met = count.load(Ordering::SeqCst) > at;
    let case = format!("{strike:?} at request {}: {first:?}", at + 1);
    if let Ok(report) = &first {
        let now = visible(&world.account).await;
        match report.outcome {
            Outcome::Failed => assert_eq!(now, with_old(TWO), "{case}"),
            Outcome::Live | Outcome::LiveInvalidationPending => {
                assert!(site.iter().all(|(key, body)| now.get(key) == Some(body)), "{case}\n{now:?}");
            }
            _ => {}
        }
    }
    world.peace();
    let report = publish.go().await.unwrap_or_else(|error| panic!("{case}\nthe next run: {error}"));
    assert!(matches!(report.outcome, Outcome::Live | Outcome::Unchanged), "{case}\n{report}");
    assert_eq!(&visible(&world.account).await, site, "{case}");
    assert_tidy(&world.account).await;
    let mut told: Vec<BTreeSet<String>> = told(&world.account).split_off(before);
    // What could not be removed was still there when the CDN was told, so it is told of that once more when it is gone.
    let left: BTreeSet<String> = first
        .iter()
        .flat_map(|report| &report.done.failures)
        .filter(|failed| failed.operation == "delete")
        .map(|failed| format!("/{}", failed.key))
        .collect();
    if !left.is_empty() && told.len() == 2 {
        assert_eq!(told.pop(), Some(left), "{case}");
    }
    assert_eq!(told, std::slice::from_ref(paths), "the CDN is told once: {case}");
    // And one more has nothing to do.
    let report = publish.go().await.unwrap();
    assert_eq!(report.outcome, Outcome::Unchanged, "{case}\n{report}");
    met
}

/// What the second release left: its own files, and the assets of the first.
fn with_old(files: Files<'_>) -> BTreeMap<String, String> {
    let mut all = texts_of(files);
    all.insert("a1.css".to_owned(), "1".to_owned());
    all
}

#[test]
fn a_run_that_is_struck_anywhere_is_finished_by_the_next() {
    runtime().block_on(async {
        let (site, paths, requests) = undisturbed().await;
        assert!(requests > 20, "{requests} requests");
        strike_all(requests, |at, strike| struck(at, strike, &site, &paths)).await;
    });
}
