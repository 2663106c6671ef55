//! Random artifacts and sites compared with a model that is a plain map, both without faults and with a fault at each
//! request in turn. A failure prints a line to add to [`REGRESSIONS`].

mod check;
pub(crate) mod scenario;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use check::{FaultKind, publish_with_each_fault, publish_without_faults};
use scenario::Scenario;

/// Scenarios that once failed or that the generator rarely finds, in the format of [`Scenario`]'s `Display`.
const REGRESSIONS: [&str; 6] = [
    // A file replaces a redirect, a redirect replaces a file, and two files swap names.
    "prefix delete 3 | a:7.0 b.r:0.0 aa:4096.0 ab:4096.1 | c | a:redirect:/x c.r:plain:7.1:3 aa:plain:4096.1:3 ab:plain:4096.0:3",
    // Everything is up to date, including objects of other tools.
    "directory delete 1 | a:7.0 b-:1.1 | | a:plain:7.0:5 b-:plain:1.1:1",
    // No ETag proves equality.
    "prefix delete 2 | a:7.0 b:7.1 | | a:kms:7.0:5 b:parts:7.0:5 c:kms:7.0:5",
    // Names that sort differently from paths, a file and a folder with one name, a directory marker.
    "prefix delete 1 | a:1.0 a-/a:1.1 a/-:1.0 a/a:0.0 | a | a/:marker -/:marker a--:plain:1.0:1 a/a/a:plain:1.0:1",
    // An empty file replaces a redirect: the bytes are equal, but the objects are not.
    "directory delete 5 | a:0.0 b/-:0.0 | | a:redirect:/x b/-:redirect:/index.html",
    // The artifact is empty and nothing is deleted.
    "directory keep 1 | | | a:plain:7.0:5 a.r:redirect:/index.html",
];

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub(crate) fn runner(cases: u32) -> TestRunner {
    // A fixed seed, so that every run and every machine tests the same cases.
    let config = Config { cases, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let seed = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, seed)
}

#[test]
fn scenarios_can_be_written_and_parsed() {
    runner(200)
        .run(&Scenario::any(), |scenario| {
            prop_assert_eq!(Scenario::parse(&scenario.to_string()), scenario);
            Ok(())
        })
        .unwrap();
}

#[test]
fn publishes_what_the_model_predicts() {
    let runtime = runtime();
    runner(60)
        .run(&Scenario::any(), |scenario| {
            runtime.block_on(publish_without_faults(&scenario)).map_err(TestCaseError::fail)
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn random_sites_survive_a_fault_at_any_request() {
    let runtime = runtime();
    runner(8)
        .run(&Scenario::any(), |scenario| {
            let requests = runtime
                .block_on(publish_with_each_fault(&scenario, &FaultKind::ROTATION))
                .map_err(TestCaseError::fail)?;
            prop_assert!(requests > 1, "no request failed");
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn earlier_failures_stay_fixed() {
    let runtime = runtime();
    for text in REGRESSIONS {
        let scenario = Scenario::parse(text);
        runtime.block_on(publish_without_faults(&scenario)).unwrap_or_else(|why| panic!("{text}\n{why}"));
    }
}

/// One scenario with every kind of operation, and every kind of fault at each of its requests.
#[test]
fn a_site_survives_every_kind_of_fault_at_any_request() {
    let runtime = runtime();
    let scenario = Scenario::parse(
        "prefix delete 3 | a:7.0 aa:4096.0 b-:1.1 n:0.0 | c | a:plain:7.1:3 b-:plain:1.1:9 c.r:redirect:/x gone:plain:4096.0:1 m/:marker",
    );
    for fault in FaultKind::ALL {
        let requests =
            runtime.block_on(publish_with_each_fault(&scenario, &[fault])).unwrap_or_else(|why| panic!("{why}"));
        assert!(requests > 8, "{fault:?} at only {requests} requests");
    }
}
