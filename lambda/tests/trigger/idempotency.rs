//! Deliveries that arrive again.

use std::time::Duration;

use tidegate_core::webhook_delivery::{DeliveryProgress, DeliveryRecord, DeliveryState};
use tidegate_lambda::trigger::HttpRequest;
use tidegate_lambda::webhook::candidates;

use crate::support::{SECRET, fixture_bytes, github_config, now, signature};

const ACTIVE: Duration = Duration::from_secs(900);

fn digest(event: &str, delivery: &str) -> String {
    let body = fixture_bytes("github-push");
    let signature = signature(SECRET, &body);
    let headers =
        [("x-github-event", event), ("x-github-delivery", delivery), ("x-hub-signature-256", signature.as_str())];
    let config = github_config("branch = \"main\"");
    let candidates = candidates(&HttpRequest::new("POST", "/", headers, body), &config).unwrap();
    assert_eq!(candidates.delivery_id(), delivery);
    candidates.digest().to_string()
}

fn running(state: DeliveryState) -> DeliveryRecord {
    match state {
        DeliveryState::Run(record) => record,
        other => panic!("{other:?}"),
    }
}

fn later(seconds: u64) -> tidegate_core::timestamp::Timestamp {
    tidegate_core::timestamp::Timestamp::from_milliseconds(now().milliseconds() + seconds * 1000)
}

#[test]
fn the_delivery_id_is_not_part_of_the_digest() {
    // Neither the id nor the event's name is signed.
    assert_eq!(digest("push", "72d3162e"), digest("push", "another"));
    assert_eq!(digest("push", "72d3162e"), digest("create", "72d3162e"));
}

#[test]
fn a_delivery_runs_again_only_if_it_failed() {
    let next = |before: Option<&DeliveryRecord>, at: u64| {
        DeliveryRecord::state(before, "72d3162e", "run-2", later(at), ACTIVE)
    };
    let first = running(DeliveryRecord::state(None, "72d3162e", "run-1", now(), ACTIVE));
    assert_eq!((first.state, first.run.as_str(), first.until), (DeliveryProgress::Running, "run-1", later(900)));
    // While the first run is active, or may be.
    assert_eq!(next(Some(&first), 0), DeliveryState::AlreadyRunning("run-1".to_owned()));
    assert_eq!(next(Some(&first), 899), DeliveryState::AlreadyRunning("run-1".to_owned()));
    // The first run died.
    assert_eq!(running(next(Some(&first), 900)).run, "run-2");
    // The first run succeeded, even years ago.
    assert_eq!(next(Some(&first.ended(true)), 900_000_000), DeliveryState::AlreadyDone("run-1".to_owned()));
    // The first run failed, and the delivery is sent again.
    let again = running(next(Some(&first.ended(false)), 1));
    assert_eq!((again.state, again.run.as_str()), (DeliveryProgress::Running, "run-2"));
    let text = serde_json::to_string(&again).unwrap();
    assert_eq!(serde_json::from_str::<DeliveryRecord>(&text).unwrap(), again);
}

#[test]
fn sanitizes_delivery_ids() {
    let record =
        running(DeliveryRecord::state(None, &format!("\u{1b}[31m\n{}", "x".repeat(5000)), "run-1", now(), ACTIVE));
    assert!(record.delivery.len() < 80 && !record.delivery.contains(char::is_control), "{}", record.delivery);
}
