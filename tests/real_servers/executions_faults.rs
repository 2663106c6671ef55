//! Publishes by the state machine in ministack, with the real function: S3 throttles, and a lease expires while an execution
//! runs. See `executions` for what ministack is reliable for.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use aws_sdk_sfn::types::{ExecutionStatus, HistoryEventType};
use serde_json::Value;
use tidegate_core::lease::LeaseRecord;
use tidegate_tests::fault::{ApiCall, FaultGate, Faults, InjectedFault};
use tidegate_tests::fault_proxy::FaultProxy;

use crate::executions::{Account, build_of};
use crate::server::command_at;

/// Objects of a build: two shards of assets and two of pages.
const OBJECTS: usize = 240;

/// The object whose write S3 throttles until the function gives up: an asset.
const STUBBORN: usize = 7;

/// How often the function sends a request.
const ATTEMPTS: usize = 6;

const PUBLISH_TWO: [&str; 6] = ["publish", "docs", "--from", "s3://artifacts/builds/docs/two/", "--release", "two"];

/// The number in the key of an object of the site that a request writes.
pub(crate) fn written(call: &ApiCall) -> Option<usize> {
    let key =
        call.key.as_deref().filter(|_| call.operation == "CopyObject" && call.bucket.as_deref() == Some("site"))?;
    key.strip_prefix("docs/")?.get(..4)?.parse().ok()
}

/// Waits until a condition is true, for at most a minute.
pub(crate) async fn wait_until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not within a minute: {what}");
}

/// The exit code of a command, and what it printed.
fn ended(command: Child) -> (Option<i32>, String) {
    let output = command.wait_with_output().unwrap();
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), format!("{text}{error}"))
}

impl Account {
    /// Errors of tasks in the executions of shards, and how many of these executions are at work.
    async fn shards(&self, execution: &str) -> (Vec<String>, usize) {
        let (mut errors, mut running) = (Vec::new(), 0);
        let runs = self.executions.list_map_runs().execution_arn(execution).send().await.unwrap();
        for run in runs.map_runs {
            let shards = self.executions.list_executions().map_run_arn(&run.map_run_arn).send().await.unwrap();
            for shard in shards.executions {
                running += usize::from(shard.status == ExecutionStatus::Running);
                let history = self.executions.get_execution_history().execution_arn(&shard.execution_arn);
                let failed = history.send().await.unwrap().events.into_iter();
                let failed = failed.filter(|event| event.r#type == HistoryEventType::TaskFailed);
                errors.extend(failed.filter_map(|event| event.task_failed_event_details?.error));
            }
        }
        (errors, running)
    }

    async fn lease(&self) -> LeaseRecord {
        let lease =
            self.lambda.s3.get_object().bucket("artifacts").key("tidegate/docs/lease.json").send().await.unwrap();
        serde_json::from_slice(&lease.body.collect().await.unwrap().to_vec()).unwrap()
    }

    /// Starts the binary.
    pub(crate) fn spawn(&self, endpoint: &str, arguments: &[&str]) -> Child {
        let mut command = command_at(endpoint, self.lambda.directory.path(), "test");
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_shard_is_repeated_until_the_site_is_whole_in_ministack() {
    let Some(account) = Account::new("a_throttled_shard_is_repeated_until_the_site_is_whole_in_ministack").await else {
        return;
    };
    let attempts = Mutex::new(BTreeMap::<usize, usize>::new());
    // The first write of every third object, and one object for as long as one invocation tries.
    let faults = Faults::new(move |call| {
        let number = written(call)?;
        let mut attempts = attempts.lock().unwrap();
        let attempt = attempts.entry(number).and_modify(|attempt| *attempt += 1).or_insert(1);
        let throttled = (number % 3 == 0 && *attempt == 1) || (number == STUBBORN && *attempt <= ATTEMPTS);
        throttled.then(|| InjectedFault::answer(503, "SlowDown"))
    });
    let proxy = FaultProxy::start(&account.lambda.server.endpoint(), &faults).await;
    account.lambda.set_endpoint(&proxy.url()).await;
    let build = build_of(OBJECTS, "one");
    account.upload("one", &build).await;
    let (execution, status) = account.ended(1).await;
    let described = account.executions.describe_execution().execution_arn(&execution).send().await.unwrap();
    assert_eq!(status, ExecutionStatus::Succeeded, "{described:?}");
    assert_eq!(account.site().await, build);
    assert_eq!(account.left().await, Vec::<String>::new());
    // The state machine has repeated one shard, by the name of its error. The SDK has repeated all other writes.
    assert_eq!(account.shards(&execution).await.0, ["Throttled"]);
    let writes = faults.calls().iter().filter(|call| written(call).is_some()).count();
    assert!(writes >= OBJECTS + OBJECTS / 3 + ATTEMPTS, "{writes} writes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_lease_is_taken_over_only_after_the_execution_has_ended_in_ministack() {
    let test = "an_expired_lease_is_taken_over_only_after_the_execution_has_ended_in_ministack";
    let Some(account) = Account::new(test).await else { return };
    let (one, two) = (build_of(OBJECTS, "one"), build_of(OBJECTS, "two"));
    account.stage("two", &two).await;
    let gate = FaultGate::closed();
    let held = gate.clone();
    // Once workers write pages, none of their requests arrives, renewals of the lease neither.
    let holding = AtomicBool::new(false);
    let faults = Faults::new(move |call| {
        if written(call).is_some_and(|number| number % 2 == 0) {
            holding.store(true, SeqCst);
        }
        (holding.load(SeqCst) && !held.is_open()).then(|| InjectedFault::Hold(held.clone()))
    });
    let proxy = FaultProxy::start(&account.lambda.server.endpoint(), &faults).await;
    account.lambda.set_endpoint(&proxy.url()).await;
    account.upload("one", &one).await;
    account.results(2).await;
    wait_until("a worker writes a page", async || {
        faults.calls().iter().filter_map(written).any(|number| number % 2 == 0)
    })
    .await;
    let (execution, status) = account.executions().await.remove(0);
    assert_eq!((status, account.lease().await.holder.as_str()), (ExecutionStatus::Running, execution.as_str()));
    // Another run, whose requests are counted, and one that begins to wait later.
    let asked = Faults::none();
    let asking = FaultProxy::start(&account.lambda.server.endpoint(), &asked).await;
    let refused = account.spawn(&asking.url(), &[&PUBLISH_TWO[..], &["--lock-timeout", "11"]].concat());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let other =
        account.spawn(&account.lambda.server.endpoint(), &[&PUBLISH_TWO[..], &["--lock-timeout", "60"]].concat());
    let (code, text) = ended(refused);
    assert!(asked.calls().iter().any(|call| call.operation == "DescribeExecution"), "{text}");
    assert!(code == Some(3) && text.contains(&execution), "{text}");
    assert_eq!(account.lease().await.holder, execution, "the lease of a running execution is not taken over");
    account.executions.stop_execution().execution_arn(&execution).send().await.unwrap();
    let (code, text) = ended(other);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(account.site().await, two);
    // The workers of the stopped execution continue, and change nothing.
    gate.open();
    wait_until("the workers have ended", async || account.shards(&execution).await.1 == 0).await;
    assert_eq!(account.site().await, two);
    assert_eq!(account.left().await, Vec::<String>::new());
    let again = account.lambda.run(&[&["--json"], &PUBLISH_TWO[..]].concat());
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap()["outcome"], "unchanged");
}
