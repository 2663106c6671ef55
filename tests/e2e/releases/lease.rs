//! The lease while requests hang: a run keeps it, and gives it back, whatever happens to single requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tidegate_core::lease::LeaseRecord;
use tidegate_core::report::Outcome;
use tidegate_publish::CancellationToken;
use tidegate_publish::progress::{NoProgress, ProgressObserver};
use tidegate_publish::publish::PublishError;
use tidegate_publish::state::{LeaseGuard, LeaseRequest, StateStore};
use tidegate_tests::fault::{ApiCall, FaultGate, InjectedFault};
use tidegate_tests::world::no_executions;

use super::*;

const KEEP: &str = "{ releases = 2, days = 0 }";
const FILES: Files<'_> = &[("index.html", "one")];

/// Whether a request writes the lease.
fn writes_lease(call: &ApiCall) -> bool {
    call.operation == "PutObject" && call.key.as_deref().is_some_and(|key| key.ends_with("/lease.json"))
}

/// The store of a site without releases.
async fn store(world: &World) -> StateStore {
    let publish = publish_of(world, KEEP, "c1", FILES).await;
    publish.publisher.state(&publish.site).unwrap()
}

async fn acquire(store: &StateStore, seconds: u16) -> LeaseGuard {
    let (observer, cancel): (Arc<dyn ProgressObserver>, _) = (Arc::new(NoProgress), CancellationToken::new());
    let (timeout, executions) = (Duration::ZERO, &no_executions());
    let request = LeaseRequest {
        execution: None,
        release: &"c1".into(),
        seconds,
        timeout,
        observer: &observer,
        cancel: &cancel,
        executions,
    };
    store.lease(request).await.unwrap().unwrap()
}

/// Holds the first renewal for ever. The lease is acquired before it.
fn hang_in_renewal(world: &World) {
    let (gate, writes) = (FaultGate::closed(), AtomicUsize::new(0));
    world.inject_faults(move |call| {
        let renewal = writes_lease(call) && writes.fetch_add(1, Ordering::SeqCst) == 1;
        renewal.then(|| InjectedFault::Hold(gate.clone()))
    });
}

#[tokio::test]
async fn a_renewal_that_hangs_is_sent_again_before_the_lease_is_lost() {
    let world = world().await;
    let store = store(&world).await;
    hang_in_renewal(&world);
    // Renewed after 6 seconds, and again after 6 more; without a renewal, it is lost after 16.
    let guard = acquire(&store, 24).await;
    tokio::time::sleep(Duration::from_secs(17)).await;
    guard.fence().check().unwrap();
    assert_eq!(lease(&world.account).await.renewals, 1);
}

#[tokio::test]
async fn a_renewal_that_hangs_does_not_delay_the_release() {
    let world = world().await;
    let store = store(&world).await;
    hang_in_renewal(&world);
    let guard = acquire(&store, 24).await;
    // In the middle of the renewal.
    tokio::time::sleep(Duration::from_secs(9)).await;
    let released = guard.release();
    tokio::time::timeout(Duration::from_secs(20), released).await.unwrap();
    assert_eq!(lease(&world.account).await.holder, "");
}

#[tokio::test]
async fn releases_a_lease_whose_renewal_was_stored_without_a_response() {
    let world = world().await;
    let store = store(&world).await;
    let guard = acquire(&store, 30).await;
    replace_lease(&world, &lease(&world.account).await.renewed()).await;
    guard.release().await;
    assert_eq!(lease(&world.account).await.holder, "");
    // The lease of another run stays.
    let guard = acquire(&store, 30).await;
    let other = LeaseRecord { holder: "another run".to_owned(), ..lease(&world.account).await };
    replace_lease(&world, &other).await;
    guard.release().await;
    assert_eq!(lease(&world.account).await, other);
}

#[tokio::test]
async fn an_interruption_while_the_lease_is_stored_releases_it() {
    let world = world().await;
    let mut publish = publish_of(&world, KEEP, "c1", FILES).await;
    let cancel = CancellationToken::new();
    publish.publisher.cancel = cancel.clone();
    let gate = FaultGate::closed();
    let held = gate.clone();
    world.inject_faults(move |call| {
        // Interrupted when the request is on its way, and before S3 has it.
        writes_lease(call).then(|| {
            cancel.cancel();
            InjectedFault::Hold(held.clone())
        })
    });
    let open = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        gate.open();
    };
    let (ended, ()) = tokio::join!(publish.publish(), open);
    assert!(matches!(ended, Err(PublishError::Interrupted)), "{ended:?}");
    world.stop_faults();
    assert_eq!(lease(&world.account).await.holder, "");
    let started = Instant::now();
    let next = publish_of(&world, KEEP, "c2", FILES).await.publish().await.unwrap();
    assert_eq!(next.outcome, Outcome::Live);
    assert!(started.elapsed() < Duration::from_secs(25), "the next run does not wait for the lease");
}
