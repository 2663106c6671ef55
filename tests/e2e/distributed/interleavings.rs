//! Requests of the processes of an execution in many orders. Every request waits until it is released, so nothing else runs
//! meanwhile.
//!
//! - Two workers of one shard, or of two, in every order with two switches: one sends so many requests, the other so many, and
//!   then each the rest.
//! - Two workers and the run that finishes, with three switches. There are thousands of orders, so a fixed seed selects some.
//!
//! All orders begin with copies of one account. `paused` has the orders with another run.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tidegate_publish::publish::Publisher;
use tidegate_tests::fault::{FaultGate, Faults};
use tokio::task::JoinHandle;

use super::*;

/// A participant, whose requests wait.
struct Participant {
    waiting: Arc<Mutex<VecDeque<FaultGate>>>,
    running: JoinHandle<()>,
    /// Whether it waits until workers can no longer write, which takes seconds.
    waits: bool,
}

impl Participant {
    /// A worker of a shard.
    fn new(world: &World, publish: &Publish, task: &ShardTask) -> Self {
        let (site, task) = (publish.site.clone(), task.clone());
        // Each may find that another one was faster.
        Self::of(world, false, |publisher| async move { drop(publisher.execute_shard(&site, &task).await) })
    }

    /// The run that finishes the publish.
    fn finish(world: &World, publish: &Publish) -> Self {
        let (site, request) = (publish.site.clone(), publish.request.clone());
        Self::of(world, true, |publisher| async move {
            let ended = publisher.finish_distributed(&execution(), &request, &site, Approval::Policies, |_| ()).await;
            let report = ended.unwrap();
            assert_eq!(report.outcome, Outcome::Live, "{report}");
        })
    }

    fn of<F: Future<Output = ()> + Send + 'static>(
        world: &World,
        waits: bool,
        work: impl FnOnce(Publisher) -> F,
    ) -> Self {
        let waiting = Arc::new(Mutex::new(VecDeque::new()));
        let gates = Arc::clone(&waiting);
        let faults = Faults::new(move |_| {
            let gate = FaultGate::closed();
            gates.lock().unwrap().push_back(gate.clone());
            Some(InjectedFault::Hold(gate))
        });
        let mut publisher = world.publisher_through(&faults);
        publisher.shard_operations = 2;
        Self { waiting, running: tokio::spawn(work(publisher)), waits }
    }

    /// Releases up to so many requests, one after the other. Returns how many were sent.
    async fn advance(&self, most: usize) -> usize {
        for sent in 0..most {
            let mut waited = Duration::ZERO;
            let gate = loop {
                tokio::time::sleep(LOOK).await;
                if let Some(gate) = self.waiting.lock().unwrap().pop_front() {
                    break Some(gate);
                }
                if self.running.is_finished() {
                    break None;
                }
                waited += LOOK;
                if self.waits && waited >= IDLE {
                    tokio::time::pause();
                    tokio::time::advance(JUMP).await;
                    tokio::time::resume();
                    waited = Duration::ZERO;
                }
            };
            let Some(gate) = gate else { return sent };
            gate.open();
        }
        most
    }
}

/// The time between two looks for a request, and after how long a participant waits for a time. The clock then jumps, by less
/// than the time between two renewals of a lease.
const LOOK: Duration = Duration::from_millis(1);
const IDLE: Duration = Duration::from_millis(60);
const JUMP: Duration = Duration::from_secs(5);

/// A publish of which the last two shards are left.
struct Prepared {
    world: World,
    publish: Publish,
    shards: [ShardTask; 2],
}

impl Prepared {
    async fn new() -> Self {
        let (world, publish) = set_up(SourceKind::Prefix).await;
        let run = started(&publish).await;
        let mut tasks: Vec<ShardTask> = ShardPhase::ALL.into_iter().flat_map(|phase| run.tasks(phase)).collect();
        let (last, before) = (tasks.pop().unwrap(), tasks.pop().unwrap());
        for task in tasks {
            assert!(execute(&publish, &task).await.unwrap().is_done());
        }
        Self { world, publish, shards: [before, last] }
    }

    /// The same publish in a copy of the account: much faster than to prepare another one.
    async fn copy(&self) -> (World, Publish) {
        let (from, copy) = (self.world.account.s3(), world().await);
        for bucket in [BUCKET, STAGING, STATE] {
            for (key, info) in from.list(bucket, "").unwrap() {
                let body = from.get(bucket, &key).unwrap().content.bytes().await.unwrap();
                copy.account.s3().put(bucket, &key, body, info.headers).await.unwrap();
            }
        }
        let Publish { site, request, .. } = &self.publish;
        let mut publish = Publish { publisher: copy.publisher(), site: site.clone(), request: request.clone() };
        publish.publisher.shard_operations = 2;
        (copy, publish)
    }
}

/// The first worker sends `before` requests, the second one `between`, then each the rest. Returns whether the first and the
/// second one had none left at their switch.
async fn order(
    prepared: &Prepared,
    same: bool,
    (before, between): (usize, usize),
    expected: &Published,
) -> (bool, bool) {
    let case = format!("the same shard: {same}, {before} requests, {between} requests");
    let (world, publish) = prepared.copy().await;
    let [first, second] = &prepared.shards;
    let one = Participant::new(&world, &publish, if same { second } else { first });
    let sent = one.advance(before).await;
    let other = Participant::new(&world, &publish, second);
    let answered = other.advance(between).await;
    one.advance(usize::MAX).await;
    other.advance(usize::MAX).await;
    world.clear_requests();
    let report = finish(&world, &publish).await.unwrap();
    assert_eq!((report.outcome, heads(&world)), (Outcome::Live, 0), "{case}: {report}");
    assert_eq!(Published::of(&world).await, *expected, "{case}");
    assert_tidy(&world.account).await;
    (sent < before, answered < between)
}

async fn every_order(same: bool) {
    let expected = Published::in_one_process(SourceKind::Prefix).await;
    let prepared = Prepared::new().await;
    if same {
        assert!(execute(&prepared.publish, &prepared.shards[0]).await.unwrap().is_done());
    }
    let mut orders = 0;
    for before in 0.. {
        let mut done = false;
        for between in 1.. {
            let (first_done, second_done) = order(&prepared, same, (before, between), &expected).await;
            orders += 1;
            done = first_done;
            if second_done {
                break;
            }
        }
        if done {
            break;
        }
    }
    println!("{orders} orders");
    assert!(orders > 60, "{orders}");
}

#[tokio::test]
async fn two_workers_of_a_shard_leave_what_one_leaves_in_every_order() {
    every_order(true).await;
}

#[tokio::test]
async fn two_workers_of_two_shards_leave_what_one_process_leaves_in_every_order() {
    every_order(false).await;
}

/// Orders of two workers and the run that finishes.
const SAMPLED: u64 = 24;

/// Most requests before a switch: about as many as a worker sends, and as the run that finishes sends.
const MOST_BEFORE: [usize; 3] = [12, 12, 36];

/// Runs one order: three times a participant sends some requests, and then each the rest. Returns which participant sent how
/// many requests before each switch, and whether the release was live then. Otherwise the next run has finished it.
async fn sampled_order(prepared: &Prepared, seed: u64, expected: &Published) -> (Vec<(usize, usize)>, bool) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (world, publish) = prepared.copy().await;
    let [first, second] = &prepared.shards;
    let participants = [
        Participant::new(&world, &publish, first),
        Participant::new(&world, &publish, if random.bool() { second } else { first }),
        Participant::finish(&world, &publish),
    ];
    let mut order = Vec::new();
    let mut next = random.usize(..3);
    for _ in 0..3 {
        order.push((next, participants[next].advance(random.usize(1..=MOST_BEFORE[next])).await));
        next = (next + random.usize(1..=2)) % 3;
    }
    let mut rest = [0, 1, 2];
    random.shuffle(&mut rest);
    for at in rest {
        participants[at].advance(usize::MAX).await;
    }
    let case = format!("seed {seed}, {order:?}, then {rest:?}");
    for Participant { running, .. } in participants {
        running.await.unwrap_or_else(|error| panic!("{case}: {error}"));
    }
    let report = finish(&world, &publish).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Live | Outcome::Unchanged), "{case}: {report}");
    assert_eq!(Published::of(&world).await, *expected, "{case}");
    assert_tidy(&world.account).await;
    (order, report.outcome == Outcome::Unchanged)
}

#[test]
fn workers_and_the_run_that_finishes_leave_what_one_process_leaves_in_sampled_orders() {
    // Each order has a clock of its own.
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (expected, prepared) =
        runtime().block_on(async { (Published::in_one_process(SourceKind::Prefix).await, Prepared::new().await) });
    let (mut orders, mut live) = (BTreeSet::new(), 0);
    for seed in 0..SAMPLED {
        let (order, was_live) = runtime().block_on(sampled_order(&prepared, seed, &expected));
        orders.insert(order);
        live += u64::from(was_live);
    }
    println!("{} orders, live after {live}", orders.len());
    assert!(
        orders.len() as u64 > SAMPLED * 9 / 10 && live > SAMPLED * 3 / 4,
        "{} orders, live after {live}",
        orders.len()
    );
}
