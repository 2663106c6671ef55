//! Every call of a distributed publish is interrupted at each of its requests. After it is repeated, or after the finishing
//! publish, the site is what a publish in one process leaves.

use std::sync::atomic::Ordering;

use super::*;
use crate::model::runtime;
use crate::releases::recovery::{INTERRUPTIONS, Interruption};

/// The call that is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interrupted {
    Start,
    /// The first worker of a phase. It is repeated, or the publish is finished without it.
    Worker(ShardPhase, AfterWorker),
    Finish,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AfterWorker {
    Repeated,
    Finished,
}

async fn requests_of(interrupted: Interrupted) -> usize {
    let (world, publish) = set_up(SourceKind::Prefix).await;
    let run = started(&publish).await;
    if interrupted == Interrupted::Start {
        return world.faults.calls().len();
    }
    for phase in ShardPhase::ALL {
        for task in run.tasks(phase) {
            world.clear_requests();
            execute(&publish, &task).await.unwrap();
            if matches!(interrupted, Interrupted::Worker(of, _) if of == phase) {
                return world.faults.calls().len();
            }
        }
    }
    world.clear_requests();
    finish(&world, &publish).await.unwrap();
    world.faults.calls().len()
}

/// Interrupts one call at its request `at`. Returns whether it got that far.
async fn recovers(interrupted: Interrupted, at: usize, interruption: Interruption, expected: &Published) -> bool {
    let case = format!("{interrupted:?}, {interruption:?} at request {}", at + 1);
    let (world, publish) = set_up(SourceKind::Prefix).await;
    let mut reached = false;
    if interrupted == Interrupted::Start {
        let count = interruption.inject(&world, at);
        let first = start(&publish).await;
        reached = count.load(Ordering::SeqCst) > at;
        world.stop_faults();
        expire_lease(&world).await;
        assert!(first.is_ok() || world.site().await != expected.site, "{case}");
    }
    let run = match start(&publish).await.unwrap_or_else(|error| panic!("{case}: {error}")) {
        DistributedStart::Started(run) => run,
        DistributedStart::Finished(report) => panic!("{case}: {report}"),
    };
    'phases: for phase in ShardPhase::ALL {
        for (number, task) in run.tasks(phase).enumerate() {
            if let (Interrupted::Worker(of, then), 0) = (interrupted, number)
                && of == phase
            {
                let count = interruption.inject(&world, at);
                let first = execute(&publish, &task).await;
                reached = count.load(Ordering::SeqCst) > at;
                world.stop_faults();
                if then == AfterWorker::Finished && !first.is_ok_and(|summary| summary.is_done()) {
                    break 'phases;
                }
            }
            let summary = execute(&publish, &task).await.unwrap_or_else(|error| panic!("{case}: {error}"));
            assert!(summary.is_done(), "{case}: {summary:?}");
        }
    }
    if interrupted == Interrupted::Finish {
        expire_lease(&world).await;
        let count = interruption.inject(&world, at);
        let Publish { publisher, site, request } = &publish;
        let first = publisher.finish_distributed(&execution(), request, site, Approval::Policies, |_| ()).await;
        reached = count.load(Ordering::SeqCst) > at;
        world.stop_faults();
        drop(first);
    }
    let report = finish(&world, &publish).await.unwrap_or_else(|error| panic!("{case}: {error}"));
    assert!(matches!(report.outcome, Outcome::Live | Outcome::Unchanged), "{case}: {report}");
    let published = Published::of(&world).await;
    assert_eq!(published.site, expected.site, "{case}");
    assert_eq!(published.manifest.len(), expected.manifest.len(), "{case}");
    assert_tidy(&world.account).await;
    assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Unchanged, "{case}");
    reached
}

fn interrupt(cases: &[Interrupted]) {
    runtime().block_on(async {
        let expected = Published::in_one_process(SourceKind::Prefix).await;
        for interrupted in cases {
            let requests = requests_of(*interrupted).await;
            assert!(requests > 5, "{interrupted:?}: {requests} requests");
            // One kind of interruption for each request, in turn.
            let cases = (0..requests).map(|at| (at, INTERRUPTIONS[at % INTERRUPTIONS.len()]));
            let reached: Vec<bool> = stream::iter(cases)
                .map(|(at, interruption)| recovers(*interrupted, at, interruption, &expected))
                .buffer_unordered(8)
                .collect()
                .await;
            let count = reached.iter().filter(|reached| **reached).count();
            assert!(count * 10 >= requests * 9, "{interrupted:?}: only {count} of {requests} were interrupted");
            println!("{interrupted:?}: {count} interruptions, over {requests} requests");
        }
    });
}

#[test]
fn a_start_that_was_interrupted_at_any_request_is_repeated() {
    interrupt(&[Interrupted::Start]);
}

#[test]
fn a_worker_that_was_interrupted_at_any_request_is_repeated() {
    interrupt(&ShardPhase::ALL.map(|phase| Interrupted::Worker(phase, AfterWorker::Repeated)));
}

#[test]
fn a_publish_whose_worker_was_interrupted_at_any_request_is_finished() {
    interrupt(&ShardPhase::ALL.map(|phase| Interrupted::Worker(phase, AfterWorker::Finished)));
}

#[test]
fn a_finish_that_was_interrupted_at_any_request_is_repeated() {
    interrupt(&[Interrupted::Finish]);
}
