//! Deliveries that come again.

use std::time::Duration;

use tidegate_core::webhook_delivery::{DeliveryProgress, DeliveryRecord, DeliveryState};
use tidegate_lambda::trigger::HttpRequest;
use tidegate_lambda::webhook::candidates;

use crate::support::{SECRET, fixture_bytes, github_config, now, signature};

const LASTS: Duration = Duration::from_secs(900);

fn identity(event: &str, delivery: &str) -> String {
    let body = fixture_bytes("github-push");
    let signature = signature(SECRET, &body);
    let headers =
        [("x-github-event", event), ("x-github-delivery", delivery), ("x-hub-signature-256", signature.as_str())];
    let config = github_config("branch = \"main\"");
    let candidates = candidates(&HttpRequest::new("POST", "/", headers, body), &config).unwrap();
    assert_eq!(candidates.delivery(), delivery);
    candidates.identity().to_string()
}

fn run(turn: DeliveryState) -> DeliveryRecord {
    match turn {
        DeliveryState::Run(seen) => seen,
        other => panic!("{other:?}"),
    }
}

fn later(seconds: u64) -> tidegate_core::timestamp::Timestamp {
    tidegate_core::timestamp::Timestamp::from_milliseconds(now().milliseconds() + seconds * 1000)
}

#[test]
fn a_body_under_a_new_delivery_id_is_the_same_delivery() {
    // 20: neither the id nor the event's name is signed.
    assert_eq!(identity("push", "72d3162e"), identity("push", "another"));
    assert_eq!(identity("push", "72d3162e"), identity("create", "72d3162e"));
}

#[test]
fn a_delivery_runs_once_and_again_only_if_it_failed() {
    // 6, 20, 21
    let turn =
        |before: Option<&DeliveryRecord>, at: u64| DeliveryRecord::state(before, "72d3162e", "run-2", later(at), LASTS);
    let first = run(DeliveryRecord::state(None, "72d3162e", "run-1", now(), LASTS));
    assert_eq!((first.state, first.run.as_str(), first.until), (DeliveryProgress::Running, "run-1", later(900)));
    // In parallel, and later while it may still be alive.
    assert_eq!(turn(Some(&first), 0), DeliveryState::AlreadyRunning("run-1".to_owned()));
    assert_eq!(turn(Some(&first), 899), DeliveryState::AlreadyRunning("run-1".to_owned()));
    // It died.
    assert_eq!(run(turn(Some(&first), 900)).run, "run-2");
    // It was done: also years later.
    assert_eq!(turn(Some(&first.ended(true)), 900_000_000), DeliveryState::AlreadyDone("run-1".to_owned()));
    // It failed, and somebody delivers it again by hand.
    let again = run(turn(Some(&first.ended(false)), 1));
    assert_eq!((again.state, again.run.as_str()), (DeliveryProgress::Running, "run-2"));
    let text = serde_json::to_string(&again).unwrap();
    assert_eq!(serde_json::from_str::<DeliveryRecord>(&text).unwrap(), again);
}

#[test]
fn the_id_of_a_delivery_is_only_for_people() {
    let odd = run(DeliveryRecord::state(None, &format!("\u{1b}[31m\n{}", "x".repeat(5000)), "run-1", now(), LASTS));
    assert!(odd.delivery.len() < 80 && !odd.delivery.contains(char::is_control), "{}", odd.delivery);
}
