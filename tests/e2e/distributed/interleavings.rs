//! Two workers of one shard, or of two, in every order of their requests with two switches between them: one sends so many
//! requests, the other so many, and then each the rest. Every request waits until it is released, so nothing else runs
//! meanwhile. `paused` has the orders with the run that finishes, and with another one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tidegate_tests::fault::{FaultGate, Faults};
use tokio::task::JoinHandle;

use super::*;

/// A participant, whose requests wait.
struct Participant {
    waiting: Arc<Mutex<VecDeque<FaultGate>>>,
    running: JoinHandle<()>,
}

impl Participant {
    fn new(world: &World, publish: &Publish, task: &ShardTask) -> Self {
        let waiting = Arc::new(Mutex::new(VecDeque::new()));
        let gates = Arc::clone(&waiting);
        let faults = Faults::new(move |_| {
            let gate = FaultGate::closed();
            gates.lock().unwrap().push_back(gate.clone());
            Some(InjectedFault::Hold(gate))
        });
        let mut publisher = world.publisher_through(&faults);
        publisher.shard_operations = 2;
        let (site, task) = (publish.site.clone(), task.clone());
        // Each may find that the other one was faster.
        let running = tokio::spawn(async move { drop(publisher.execute_shard(&site, &task).await) });
        Self { waiting, running }
    }

    /// Releases up to so many requests, one after the other. Returns how many were sent.
    async fn advance(&self, most: usize) -> usize {
        for sent in 0..most {
            let gate = loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                if let Some(gate) = self.waiting.lock().unwrap().pop_front() {
                    break Some(gate);
                }
                if self.running.is_finished() {
                    break None;
                }
            };
            let Some(gate) = gate else { return sent };
            gate.open();
        }
        most
    }
}

/// The last two shards, after all others are done.
async fn last_shards(publish: &Publish, run: &DistributedRun) -> [ShardTask; 2] {
    let mut tasks: Vec<ShardTask> = ShardPhase::ALL.into_iter().flat_map(|phase| run.tasks(phase)).collect();
    let (last, before) = (tasks.pop().unwrap(), tasks.pop().unwrap());
    for task in tasks {
        assert!(execute(publish, &task).await.unwrap().is_done());
    }
    [before, last]
}

/// The first worker sends `before` requests, the second one `between`, then each the rest. Returns whether the first and the
/// second one had none left at their switch.
async fn order(same: bool, before: usize, between: usize, expected: &Published) -> (bool, bool) {
    let case = format!("the same shard: {same}, {before} requests, {between} requests");
    let (world, publish) = set_up(SourceKind::Prefix).await;
    let run = started(&publish).await;
    let [first, second] = last_shards(&publish, &run).await;
    if same {
        assert!(execute(&publish, &first).await.unwrap().is_done());
    }
    let one = Participant::new(&world, &publish, if same { &second } else { &first });
    let sent = one.advance(before).await;
    let other = Participant::new(&world, &publish, &second);
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
    let mut orders = 0;
    for before in 0.. {
        let mut done = false;
        for between in 1.. {
            let (first_done, second_done) = order(same, before, between, &expected).await;
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
