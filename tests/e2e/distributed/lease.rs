//! The lease of an execution under random delays and lost requests: the coordinator, workers, another coordinator of the
//! same execution, and an intruder. At every moment, at most one fencing counter may write. Time is simulated, so that
//! leases expire without waiting.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_core::lease::LeaseTerm;
use tidegate_publish::CancellationToken;
use tidegate_publish::progress::{NoProgress, ProgressObserver};
use tidegate_publish::publish::Publisher;
use tidegate_publish::state::{Fence, LeaseGuard, LeaseRequest, StateStore};
use tidegate_tests::fault::Faults;
use tidegate_tests::world::no_executions;
use tokio::time::{Instant, sleep};

use super::*;

const SECONDS: u16 = 24;

/// Who may write: fencing counters with their fences.
#[derive(Clone, Default)]
struct Writers(Arc<Mutex<Vec<(u64, Fence)>>>);

impl Writers {
    fn add(&self, counter: u64, fence: Fence) {
        self.0.lock().unwrap().push((counter, fence));
    }

    /// A run has ended.
    fn remove(&self, counter: u64) {
        self.0.lock().unwrap().retain(|(other, _)| *other != counter);
    }

    /// The counters under which something may be written now.
    fn now(&self) -> BTreeSet<u64> {
        let writers = self.0.lock().unwrap();
        writers.iter().filter(|(_, fence)| fence.check().is_ok()).map(|(counter, _)| *counter).collect()
    }
}

/// The store of the site through requests that are late or lost.
fn store(world: &World, seed: u64) -> StateStore {
    let random = Mutex::new(fastrand::Rng::with_seed(seed));
    let faults = Faults::new(move |_| {
        let mut random = random.lock().unwrap();
        match random.u8(..20) {
            0 => Some(InjectedFault::Refuse),
            1 => Some(InjectedFault::Lose),
            2 => Some(InjectedFault::Delay(Duration::from_millis(random.u64(..9_000)))),
            _ => Some(InjectedFault::Delay(Duration::from_millis(random.u64(..1_500)))),
        }
    });
    let publisher: Publisher = world.publisher_through(&faults);
    publisher.state(&site(&configuration(KEEP))).unwrap()
}

/// Acquires the lease, however many requests are lost.
async fn acquire(store: &StateStore, execution: Option<&ExecutionName>) -> LeaseGuard {
    let (observer, cancel): (Arc<dyn ProgressObserver>, _) = (Arc::new(NoProgress), CancellationToken::new());
    let (release, seconds, timeout) = (&"c1".into(), SECONDS, Duration::from_secs(3_600));
    let executions = &no_executions();
    let request =
        LeaseRequest { execution, release, seconds, timeout, observer: &observer, cancel: &cancel, executions };
    loop {
        if let Ok(Some(guard)) = store.lease(request).await {
            return guard;
        }
    }
}

async fn worker(store: StateStore, term: LeaseTerm, writers: Writers, start: Duration, duration: Duration) -> bool {
    sleep(start).await;
    let Ok(lease) = store.share_lease(&term).await else { return false };
    writers.add(term.fence, lease.fence());
    // As a worker does, it stops when its fence says so.
    let worked = lease.fence().guard(sleep(duration)).await.is_ok();
    drop(lease);
    worked
}

/// What happened in one schedule.
#[derive(Default)]
struct Counts {
    workers_joined: usize,
    intrusions: usize,
}

async fn schedule(seed: u64, counts: &mut Counts) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut seconds = |most: u64| Duration::from_millis(random.u64(..most * 1_000));
    let world = world().await;
    let writers = Writers::default();
    let coordinator = acquire(&store(&world, seed), Some(&execution())).await;
    let term = LeaseTerm { holder: execution(), fence: coordinator.fencing_counter() };
    writers.add(term.fence, coordinator.fence());
    sleep(seconds(10)).await;
    coordinator.keep().await;
    let workers: Vec<_> = (0..3)
        .map(|number| {
            let store = store(&world, seed * 10 + number);
            tokio::spawn(worker(store, term.clone(), writers.clone(), seconds(30), seconds(90)))
        })
        .collect();
    let (again, finishes) = (seconds(90), random.bool());
    let finish = async {
        if !finishes {
            return;
        }
        sleep(again).await;
        let guard = acquire(&store(&world, seed * 10 + 7), Some(&execution())).await;
        guard.alone().await;
        if guard.fence().check().is_ok() {
            writers.add(guard.fencing_counter(), guard.fence());
            let _ = guard.fence().guard(sleep(Duration::from_secs(20))).await;
            writers.remove(guard.fencing_counter());
        }
        guard.release().await;
    };
    let intruder = async {
        let guard = acquire(&store(&world, seed * 10 + 8), None).await;
        writers.add(guard.fencing_counter(), guard.fence());
        let _ = guard.fence().guard(sleep(Duration::from_secs(30))).await;
        writers.remove(guard.fencing_counter());
        guard.release().await;
    };
    let ended = async {
        let ((), ()) = tokio::join!(finish, intruder);
        let joined = futures::future::join_all(workers).await;
        counts.workers_joined += joined.into_iter().filter(|worked| *worked.as_ref().unwrap()).count();
        counts.intrusions += 1;
    };
    let watch = async {
        let started = Instant::now();
        loop {
            let now = writers.now();
            assert!(now.len() <= 1, "seed {seed}, after {:?}: {now:?} may write", started.elapsed());
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = ended => (),
        () = watch => (),
    }
}

#[tokio::test(start_paused = true)]
async fn one_fencing_counter_writes_at_a_time() {
    let mut counts = Counts::default();
    for seed in 0..60 {
        schedule(seed, &mut counts).await;
    }
    println!("{} workers worked to their end, {} intrusions", counts.workers_joined, counts.intrusions);
    assert!(counts.workers_joined > 60 && counts.intrusions == 60);
}

/// Behind thousands of writes, S3 answers late. Here, a renewal takes longer than the time between two of them.
#[tokio::test(start_paused = true)]
async fn workers_keep_the_lease_while_responses_are_slow() {
    let world = world().await;
    let coordinator = acquire(&store(&world, 0), Some(&execution())).await;
    let term = LeaseTerm { holder: execution(), fence: coordinator.fencing_counter() };
    coordinator.keep().await;
    let slow = Faults::new(|_| Some(InjectedFault::Delay(Duration::from_secs(2))));
    let store = world.publisher_through(&slow).state(&site(&configuration(KEEP))).unwrap();
    let (writers, start, duration) = (Writers::default(), Duration::ZERO, Duration::from_secs(120));
    let workers = (0..3).map(|_| worker(store.clone(), term.clone(), writers.clone(), start, duration));
    assert_eq!(futures::future::join_all(workers).await, [true; 3]);
}

#[tokio::test(start_paused = true)]
async fn many_workers_keep_the_lease_with_few_writes() {
    let world = world().await;
    let store = world.publisher().state(&site(&configuration(KEEP))).unwrap();
    let coordinator = acquire(&store, Some(&execution())).await;
    let term = LeaseTerm { holder: execution(), fence: coordinator.fencing_counter() };
    coordinator.keep().await;
    let (writers, work) = (Writers::default(), Duration::from_secs(240));
    let workers = (0..40_u64).map(|number| {
        let start = Duration::from_millis(number * 50);
        tokio::spawn(worker(store.clone(), term.clone(), writers.clone(), start, work))
    });
    let worked = futures::future::join_all(workers.collect::<Vec<_>>()).await;
    assert!(worked.into_iter().all(|worked| worked.unwrap()), "no worker lost the lease");
    let renewals = lease(&world.account).await.renewals;
    // Each of 40 workers writes once when it starts. Then a look lasts 3 seconds: 80 of them.
    assert!((60..40 + 100).contains(&renewals), "{renewals} renewals");
}
