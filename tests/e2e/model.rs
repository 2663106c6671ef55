//! Random artifacts and random sites against a model that is a plain map, undisturbed and with a fault at every request in
//! turn. A failure prints a line that belongs into [`REGRESSIONS`].

mod check;
pub(crate) mod scenario;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use check::{Strike, undisturbed, with_every_fault};
use scenario::Scenario;

/// Scenarios that once failed, or that no generator should have to find. As [`Scenario`]'s `Display` writes them.
const REGRESSIONS: [&str; 6] = [
    // A file takes the place of a redirect, a redirect that of a file, and two files swap names.
    "prefix delete 3 | a:7.0 b.r:0.0 aa:4096.0 ab:4096.1 | c | a:redirect:/x c.r:plain:7.1:3 aa:plain:4096.1:3 ab:plain:4096.0:3",
    // Everything is there already, also what other tools wrote.
    "directory delete 1 | a:7.0 b-:1.1 | | a:plain:7.0:5 b-:plain:1.1:1",
    // Nothing of the ETag helps.
    "prefix delete 2 | a:7.0 b:7.1 | | a:kms:7.0:5 b:parts:7.0:5 c:kms:7.0:5",
    // Names that sort otherwise than paths do, one file and one folder of a name, a marker.
    "prefix delete 1 | a:1.0 a-/a:1.1 a/-:1.0 a/a:0.0 | a | a/:marker -/:marker a--:plain:1.0:1 a/a/a:plain:1.0:1",
    // An empty file takes the place of a redirect: equal bytes, and yet not the same.
    "directory delete 5 | a:0.0 b/-:0.0 | | a:redirect:/x b/-:redirect:/index.html",
    // Nothing is published and nothing deleted.
    "directory keep 1 | | | a:plain:7.0:5 a.r:redirect:/index.html",
];

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub(crate) fn runner(cases: u32) -> TestRunner {
    // The same cases in every run: what fails on one machine fails on all.
    let config = Config { cases, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let seed = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, seed)
}

#[test]
fn scenarios_survive_being_written_down() {
    runner(200)
        .run(&Scenario::any(), |scenario| {
            prop_assert_eq!(Scenario::parse(&scenario.to_string()), scenario);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_publish_makes_the_site_what_the_model_says() {
    let runtime = runtime();
    runner(60)
        .run(&Scenario::any(), |scenario| runtime.block_on(undisturbed(&scenario)).map_err(TestCaseError::fail))
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn no_single_fault_harms_a_site() {
    let runtime = runtime();
    runner(8)
        .run(&Scenario::any(), |scenario| {
            let struck =
                runtime.block_on(with_every_fault(&scenario, &Strike::ROTATION)).map_err(TestCaseError::fail)?;
            prop_assert!(struck > 1, "no fault was ever met");
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn what_failed_once_fails_no_more() {
    let runtime = runtime();
    for text in REGRESSIONS {
        let scenario = Scenario::parse(text);
        runtime.block_on(undisturbed(&scenario)).unwrap_or_else(|why| panic!("{text}\n{why}"));
    }
}

/// One scenario with every kind of operation, and every kind of fault at every one of its requests.
#[test]
fn no_fault_of_any_kind_harms_a_site() {
    let runtime = runtime();
    let scenario = Scenario::parse(
        "prefix delete 3 | a:7.0 aa:4096.0 b-:1.1 n:0.0 | c | a:plain:7.1:3 b-:plain:1.1:9 c.r:redirect:/x gone:plain:4096.0:1 m/:marker",
    );
    for strike in Strike::ALL {
        let struck = runtime.block_on(with_every_fault(&scenario, &[strike])).unwrap_or_else(|why| panic!("{why}"));
        assert!(struck > 8, "{strike:?} met only {struck} requests");
    }
}
