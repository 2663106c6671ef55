//! What may follow a publish that was killed at any request: a rollback to each kept release, or a publish of another
//! source. Whatever it is, every kept release can still be restored afterwards.

use futures::{StreamExt, stream};
use tidegate_core::report::Outcome;

use super::recovery::Interruption;
use super::*;
use crate::model::runtime;

/// More than the test makes, so that no release expires.
const KEEP: &str = "{ releases = 9, days = 0 }";

/// Pages and assets that releases share, replace, delete and bring back.
const ONE: Files<'_> = &[("index.html", "1"), ("a.css", "1"), ("old.html", "old"), ("page.html", "p"), ("x.js", "x")];
const TWO: Files<'_> = &[("index.html", "2"), ("a.css", "2"), ("page.html", "p"), ("x.js", "x")];
const THREE: Files<'_> = &[("index.html", "3"), ("a.css", "1"), ("new.html", "n"), ("x.js", "y")];
const FOUR: Files<'_> = &[("index.html", "4"), ("a.css", "4"), ("old.html", "other"), ("new.html", "n"), ("x.js", "z")];

#[derive(Debug, Clone, Copy)]
enum SecondRun {
    Rollback(&'static str),
    Publish,
}

const SECOND_RUNS: [SecondRun; 3] = [SecondRun::Rollback("r1"), SecondRun::Rollback("r2"), SecondRun::Publish];

async fn set_up() -> World {
    let world = world().await;
    for (name, files) in [("c1", ONE), ("c2", TWO)] {
        assert_eq!(publish_of(&world, KEEP, name, files).await.publish().await.unwrap().outcome, Outcome::Live);
    }
    world.clear_requests();
    world
}

/// Checks that visitors get exactly these pages, and all of these assets; assets of other releases may stay.
async fn assert_serves(world: &World, files: Files<'_>, case: &str) {
    let (visible, expected) = (visible(&world.account).await, texts_of(files));
    for (key, text) in &expected {
        assert_eq!(visible.get(key), Some(text), "{key}: {case}");
    }
    let unexpected = visible.keys().find(|key| key.ends_with(".html") && !expected.contains_key(*key));
    assert_eq!(unexpected, None, "{case}");
    assert_tidy(&world.account).await;
}

async fn roll_back(world: &World, id: &str, files: Files<'_>, case: &str) {
    let report = rollback_to(world, KEEP, id).publish().await;
    let report = report.unwrap_or_else(|error| panic!("rollback to {id}: {error}; {case}"));
    assert!(matches!(report.outcome, Outcome::Live | Outcome::Unchanged), "rollback to {id}: {report}; {case}");
    assert_serves(world, files, case).await;
}

async fn nothing_is_lost(at: usize, interruption: Interruption, second: SecondRun) {
    let world = set_up().await;
    interruption.inject(&world, at);
    let first = publish_of(&world, KEEP, "c3", THREE).await.publish().await;
    world.stop_faults();
    expire_lease(&world).await;
    let case = format!("{interruption:?} at request {}, then {second:?}: {first:?}", at + 1);
    match second {
        SecondRun::Rollback("r1") => roll_back(&world, "r1", ONE, &case).await,
        SecondRun::Rollback(id) => roll_back(&world, id, TWO, &case).await,
        SecondRun::Publish => {
            let report = publish_of(&world, KEEP, "c4", FOUR).await.publish().await.unwrap();
            assert_eq!(report.outcome, Outcome::Live, "{report}; {case}");
            assert_serves(&world, FOUR, &case).await;
        }
    }
    for (id, files) in [("r2", TWO), ("r1", ONE)] {
        if pointer(&world.account).await.release(id.parse().unwrap()).is_some() {
            roll_back(&world, id, files, &case).await;
        } else {
            // A rollback to the live release repairs it, and takes its place.
            assert!(id == "r2" && matches!(second, SecondRun::Rollback("r2")), "{id} is not kept: {case}");
        }
    }
}

#[test]
fn every_kept_release_can_be_restored_after_a_killed_publish() {
    runtime().block_on(async {
        let world = set_up().await;
        publish_of(&world, KEEP, "c3", THREE).await.publish().await.unwrap();
        let requests = world.faults.calls().len();
        assert!(requests > 20, "{requests} requests");
        let interruptions = [Interruption::KilledBefore, Interruption::KilledAfter];
        let cases = (0..requests)
            .flat_map(|at| interruptions.map(|interruption| (at, interruption)))
            .flat_map(|(at, interruption)| SECOND_RUNS.map(|second| (at, interruption, second)));
        stream::iter(cases)
            .map(|(at, interruption, second)| nothing_is_lost(at, interruption, second))
            .buffer_unordered(12)
            .collect::<()>()
            .await;
    });
}

#[test]
fn a_superseded_run_does_not_hide_an_unfinished_one() {
    runtime().block_on(async {
        let world = world().await;
        let publish = with_revision(publish_of(&world, KEEP, "c2", TWO).await, 2_000);
        assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Live);
        let newer = with_revision(publish_of(&world, KEEP, "c3", THREE).await, 3_000);
        // Killed after the first write of the site.
        world.clear_requests();
        let dry = world.account.s3().list(BUCKET, "docs/").unwrap().len();
        let mut at = 20;
        loop {
            Interruption::KilledBefore.inject(&world, at);
            let ended = newer.publish().await;
            world.stop_faults();
            expire_lease(&world).await;
            let half_written = world.account.s3().list(BUCKET, "docs/").unwrap().len() > dry;
            if half_written {
                assert!(!matches!(&ended, Ok(report) if report.outcome == Outcome::Live), "{ended:?}");
                break;
            }
            at += 1;
        }
        let older = with_revision(publish_of(&world, KEEP, "c1", ONE).await, 1_000);
        let report = older.publish().await.unwrap();
        assert_eq!(report.outcome, Outcome::Partial, "{report}");
        assert!(report.why.unwrap().contains("did not finish"));
        // The newer one completes the site, and then the older one is superseded.
        assert_eq!(newer.publish().await.unwrap().outcome, Outcome::Live);
        assert_serves(&world, THREE, "completed").await;
        assert_eq!(older.publish().await.unwrap().outcome, Outcome::Superseded);
    });
}
