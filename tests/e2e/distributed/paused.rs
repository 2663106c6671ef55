//! A worker is paused at each of its requests, while another worker carries out the same shard, the execution finishes, or
//! another run publishes a newer release. Then it continues. The site is exactly the newest release.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidegate_tests::fault::{FaultGate, Faults};

use super::*;
use crate::model::runtime;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    AnotherWorker,
    Finish,
    NewerRelease,
}

/// Returns whether the worker got as far as the request.
async fn continues(phase: ShardPhase, at: usize, meanwhile: Meanwhile, expected: &Published) -> bool {
    let case = format!("{phase} paused at request {}, {meanwhile:?}", at + 1);
    let (world, publish) = set_up(SourceKind::StagedZip).await;
    let publish = with_short_lease(publish);
    let run = started(&publish).await;
    for task in ShardPhase::ALL.into_iter().filter(|before| *before < phase).flat_map(|before| run.tasks(before)) {
        assert!(execute(&publish, &task).await.unwrap().is_done());
    }
    let task = run.tasks(phase).next().unwrap();
    let (gate, count) = (FaultGate::closed(), Arc::new(AtomicUsize::new(0)));
    let (closed, counter) = (gate.clone(), Arc::clone(&count));
    let faults = Faults::new(move |_| {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        (number >= at && !closed.is_open()).then(|| InjectedFault::Hold(closed.clone()))
    });
    let mut paused = Publish {
        publisher: world.publisher_through(&faults),
        site: publish.site.clone(),
        request: publish.request.clone(),
    };
    paused.publisher.shard_operations = 2;
    let its_task = task.clone();
    let running = tokio::spawn(async move { execute(&paused, &its_task).await });
    while count.load(Ordering::SeqCst) <= at && !running.is_finished() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let reached = count.load(Ordering::SeqCst) > at;
    let Publish { publisher, site, request } = &publish;
    let finish = async || publisher.finish_distributed(&execution(), request, site, Approval::Policies, |_| ()).await;
    let newest = match meanwhile {
        Meanwhile::AnotherWorker => {
            assert!(execute(&publish, &task).await.unwrap().is_done(), "{case}");
            &publish
        }
        // It waits until the worker has lost the lease.
        Meanwhile::Finish => {
            assert_eq!(finish().await.unwrap().outcome, Outcome::Live, "{case}");
            &publish
        }
        // After the lease has expired.
        Meanwhile::NewerRelease => {
            let newer = with_short_lease(staged(&world, "c3", SourceKind::StagedZip, one()).await);
            assert_eq!(newer.publish().await.unwrap().outcome, Outcome::Live, "{case}");
            &Publish { ..newer }
        }
    };
    gate.open();
    let ended = running.await.unwrap();
    if meanwhile == Meanwhile::AnotherWorker {
        assert!(ended.unwrap().is_done(), "{case}");
        for task in ShardPhase::ALL.into_iter().filter(|after| *after >= phase).flat_map(|after| run.tasks(after)) {
            assert!(execute(&publish, &task).await.unwrap().is_done(), "{case}");
        }
        assert_eq!(finish().await.unwrap().outcome, Outcome::Live, "{case}");
    }
    if meanwhile != Meanwhile::NewerRelease {
        assert_eq!(world.site().await, expected.site, "{case}");
    }
    assert_tidy(&world.account).await;
    let report = newest.publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Unchanged, "{case}: {report}");
    reached
}

#[test]
fn the_newest_release_wins_wherever_a_worker_is_paused() {
    runtime().block_on(async {
        let expected = Published::in_one_process(SourceKind::StagedZip).await;
        let cases = ShardPhase::ALL.into_iter().flat_map(|phase| {
            let all = [Meanwhile::AnotherWorker, Meanwhile::Finish, Meanwhile::NewerRelease];
            (0..12).flat_map(move |at| all.map(|meanwhile| (phase, at, meanwhile)))
        });
        let reached: Vec<bool> = stream::iter(cases)
            .map(|(phase, at, meanwhile)| continues(phase, at, meanwhile, &expected))
            .buffer_unordered(16)
            .collect()
            .await;
        let paused = reached.iter().filter(|reached| **reached).count();
        assert!(paused > 70, "only {paused} workers were paused");
        println!("{paused} workers were paused");
    });
}
