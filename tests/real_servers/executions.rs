//! Large publishes by the state machine in ministack, with the real function: an upload, the command line (interrupted and
//! repeated), killed workers, a second trigger in the middle, and an execution that a person stops.
//!
//! ministack is reliable for the states that the definition uses, for errors of the function and for stopped executions. It
//! checks no permissions, and starts every child of a Distributed Map in this process.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use futures::{StreamExt as _, stream};

use tidegate_tests::fault::{ApiCall, FaultGate, Faults, InjectedFault};
use tidegate_tests::fault_proxy::FaultProxy;

use crate::executions_faults::{wait_until, written};
use crate::function::InstalledLambda;

/// Objects of a build: 12 shards.
const OBJECTS: usize = 600;

const CONFIGURATION: &str = r#"
state = "s3://artifacts/tidegate/"

[function]
timeout = 60
engine = "step-functions"
shard-size = 100
workers = 3

[[site]]
name = "docs"
builds = "s3://artifacts/builds/docs/"
target = "s3://site/docs/"
role = "arn:aws:iam::000000000000:role/tidegate-docs"
publish-on-upload = true
lease-seconds = 10
keep = { releases = 9, days = 0 }
"#;

/// An account with the function and its state machine.
pub(crate) struct Account {
    pub(crate) lambda: InstalledLambda,
    pub(crate) executions: aws_sdk_sfn::Client,
}

/// A build: half of it are pages.
fn build(text: &str) -> BTreeMap<String, String> {
    build_of(OBJECTS, text)
}

/// A build of so many objects.
pub(crate) fn build_of(objects: usize, text: &str) -> BTreeMap<String, String> {
    (0..objects)
        .map(|at| {
            let extension = if at % 2 == 0 { "html" } else { "js" };
            (format!("{at:04}.{extension}"), format!("{text} {at}"))
        })
        .collect()
}

impl Account {
    pub(crate) async fn new(test: &str) -> Option<Self> {
        let lambda = InstalledLambda::with_configuration(test, CONFIGURATION).await?;
        let executions = aws_sdk_sfn::Client::new(&lambda.server.configuration("test", "test"));
        Some(Self { lambda, executions })
    }

    /// Uploads a build as a folder; the marker last, which starts the publish.
    pub(crate) async fn upload(&self, name: &str, files: &BTreeMap<String, String>) {
        self.stage(name, files).await;
        self.stage(name, &BTreeMap::from([(".ready".to_owned(), String::new())])).await;
    }

    /// Uploads files of a build.
    pub(crate) async fn stage(&self, name: &str, files: &BTreeMap<String, String>) {
        let put = |key: &str, body: &str| {
            let key = format!("builds/docs/{name}/{key}");
            self.lambda.s3.put_object().bucket("artifacts").key(key).body(body.as_bytes().to_vec().into()).send()
        };
        let puts = stream::iter(files).map(|(key, body)| put(key, body));
        puts.buffer_unordered(8).for_each(|put| async { drop(put.unwrap()) }).await;
    }

    pub(crate) async fn site(&self) -> BTreeMap<String, String> {
        let mut pages = self.lambda.s3.list_objects_v2().bucket("site").prefix("docs/").into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            keys.extend(page.unwrap().contents().iter().map(|object| object.key().unwrap().to_owned()));
        }
        let get = |key: String| async move {
            let object = self.lambda.s3.get_object().bucket("site").key(&key).send().await.unwrap();
            let body = object.body.collect().await.unwrap().to_vec();
            (key.trim_start_matches("docs/").to_owned(), String::from_utf8(body).unwrap())
        };
        stream::iter(keys).map(get).buffer_unordered(8).collect().await
    }

    /// The executions, newest first: ARN and status.
    pub(crate) async fn executions(&self) -> Vec<(String, ExecutionStatus)> {
        let machine = "arn:aws:states:us-east-1:000000000000:stateMachine:tidegate-publish";
        let listed = self.executions.list_executions().state_machine_arn(machine).send().await.unwrap();
        let mut executions: Vec<_> = listed.executions.into_iter().collect();
        executions.sort_by_key(|execution| std::cmp::Reverse(execution.start_date));
        executions.into_iter().map(|execution| (execution.execution_arn, execution.status)).collect()
    }

    /// Waits until there are so many executions and the newest one has ended. Returns its ARN and its status.
    pub(crate) async fn ended(&self, count: usize) -> (String, ExecutionStatus) {
        let mut executions = Vec::new();
        for _ in 0..1_200 {
            executions = self.executions().await;
            if let Some((arn, status)) = executions.first()
                && executions.len() == count
                && *status != ExecutionStatus::Running
            {
                return (arn.clone(), status.clone());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("{count} executions expected, not {executions:?}");
    }

    /// Waits until workers have stored so many results.
    pub(crate) async fn results(&self, count: usize) {
        for _ in 0..1_200 {
            let listed = self.lambda.s3.list_objects_v2().bucket("artifacts").prefix("tidegate/docs/releases/");
            let page = listed.send().await.unwrap();
            let results = page.contents().iter().filter(|object| object.key().unwrap().contains(".results/"));
            if results.count() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no {count} results");
    }

    /// Files of releases that matter only while an execution runs.
    pub(crate) async fn left(&self) -> Vec<String> {
        let listed = self.lambda.s3.list_objects_v2().bucket("artifacts").prefix("tidegate/docs/releases/");
        let page = listed.send().await.unwrap();
        let keys = page.contents().iter().map(|object| object.key().unwrap().to_owned());
        keys.filter(|key| key.contains(".results/") || key.contains(".failures/")).collect()
    }

    /// Sends a signal, such as `-KILL`, to the processes of the function. Returns how many there are.
    pub(crate) fn signal_workers(&self, signal: &str) -> usize {
        let endpoint = format!("AWS_ENDPOINT_URL={}", self.lambda.server.endpoint());
        let mut count = 0;
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let is_bootstrap = std::fs::read_link(process.path().join("exe"))
                .is_ok_and(|exe| exe.file_name().is_some_and(|name| Path::new(name).starts_with("bootstrap")));
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            let ours = environment.split(|byte| *byte == 0).any(|entry| entry == endpoint.as_bytes());
            if is_bootstrap && ours {
                let id = process.file_name();
                let status = Command::new("kill").arg(signal).arg(id).status().unwrap();
                count += usize::from(status.success());
            }
        }
        count
    }
}

fn is_lease(call: &ApiCall) -> bool {
    call.key.as_deref().is_some_and(|key| key.ends_with("/lease.json"))
}

/// Interrupts a command that follows an execution. Returns what it printed.
fn interrupted(command: Child) -> String {
    assert!(Command::new("kill").arg("-INT").arg(command.id().to_string()).status().unwrap().success());
    let output = command.wait_with_output().unwrap();
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(130), "{text}{error}");
    assert!(error.contains("goes on; run the same command again to follow it"), "{error}");
    text.into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_and_the_command_line_publish_by_executions_in_ministack() {
    let Some(account) = Account::new("an_upload_and_the_command_line_publish_by_executions_in_ministack").await else {
        return;
    };
    let one = build("one");
    account.upload("one", &one).await;
    let (arn, status) = account.ended(1).await;
    let described = account.executions.describe_execution().execution_arn(&arn).send().await.unwrap();
    assert_eq!(status, ExecutionStatus::Succeeded, "{described:?}");
    assert!(described.output().unwrap().contains("\"live\""), "{described:?}");
    assert_eq!(account.site().await, one);
    assert_eq!(account.left().await, Vec::<String>::new());
    // From a laptop: the same state machine, followed to its end by a command that is interrupted and repeated.
    account.lambda.remove_notifications().await;
    let two = build("two");
    account.upload("two", &two).await;
    let (before, gate) = (FaultGate::closed(), FaultGate::closed());
    let held = [before.clone(), gate.clone()];
    // The execution waits before it has the lease. Later, workers wait with their first writes, and renew the lease.
    let faults = Faults::new(move |call| {
        let [before, gate] = &held;
        let held = if is_lease(call) { before } else { gate };
        let waits = (is_lease(call) || written(call).is_some()) && !held.is_open();
        waits.then(|| InjectedFault::Hold(held.clone()))
    });
    let server = account.lambda.server.endpoint();
    account.lambda.set_endpoint(&FaultProxy::start(&server, &faults).await.url()).await;
    let publish =
        ["publish", "docs", "--from", "s3://artifacts/builds/docs/two/", "--release", "two", "--step-functions"];
    let first = account.spawn(&server, &publish);
    wait_until("the execution asks for the lease", async || faults.calls().iter().any(is_lease)).await;
    let text = interrupted(first);
    let asked = Faults::none();
    let asking = FaultProxy::start(&server, &asked).await;
    let second = account.spawn(&asking.url(), &publish);
    wait_until("the second command has found an execution", async || {
        asked.calls().iter().any(|call| call.operation == "DescribeExecution")
    })
    .await;
    before.open();
    wait_until("a worker writes", async || faults.calls().iter().any(|call| written(call).is_some())).await;
    assert_eq!(interrupted(second), text, "joined before it had the lease");
    let mut second = account.spawn(&server, &publish);
    let mut joined = BufReader::new(second.stdout.take().unwrap());
    let mut line = String::new();
    joined.read_line(&mut line).unwrap();
    assert!(line.contains("docs: execution `arn:aws:states:"), "{line}");
    assert_eq!(line, text, "the execution of the first command");
    gate.open();
    assert_eq!(joined.lines().map(Result::unwrap).collect::<Vec<_>>(), ["docs: live"]);
    assert_eq!(second.wait().unwrap().code(), Some(0));
    assert_eq!(account.site().await, two);
    assert_eq!(account.executions().await.len(), 2);
    let text = account.lambda.run(&["status", "docs"]);
    assert!(text.contains("two") && !text.contains("in progress"), "{text}");
    // A rollback is an ordinary publish.
    account.lambda.run(&["rollback", "docs"]);
    assert_eq!(account.site().await, one);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_workers_a_second_trigger_and_a_stopped_execution_lose_nothing_in_ministack() {
    let test = "killed_workers_a_second_trigger_and_a_stopped_execution_lose_nothing_in_ministack";
    let Some(account) = Account::new(test).await else { return };
    let builds = ["one", "two", "three", "four"].map(build);
    let [one, two, three, four] = &builds;
    account.upload("one", one).await;
    assert_eq!(account.ended(1).await.1, ExecutionStatus::Succeeded);
    // Workers are killed in the middle: the execution fails, and the release before stays live.
    account.upload("two", two).await;
    account.results(4).await;
    assert!(account.signal_workers("-KILL") > 0);
    let (arn, status) = account.ended(2).await;
    let described = account.executions.describe_execution().execution_arn(&arn).send().await.unwrap();
    assert_eq!(status, ExecutionStatus::Failed, "{described:?}");
    assert!(account.lambda.run(&["releases", "docs"]).contains("one"));
    // The next trigger finishes, though the lease of the killed execution has not expired.
    account.upload("three", three).await;
    assert_eq!(account.ended(3).await.1, ExecutionStatus::Succeeded);
    assert_eq!(account.site().await, *three);
    assert_eq!(account.left().await, Vec::<String>::new());
    // An older build in the middle of the publish of a newer one waits, and changes nothing afterwards.
    account.upload("four", four).await;
    account.results(2).await;
    let text = account.lambda.run(&["status", "docs"]);
    assert!(text.contains("shards") && text.contains("execution: arn:aws:states:"), "{text}");
    let (running, _) = account.executions().await.remove(0);
    // A person stops it.
    account.executions.stop_execution().execution_arn(&running).send().await.unwrap();
    assert_eq!(account.ended(4).await, (running, ExecutionStatus::Aborted));
    account.upload("four", four).await;
    assert_eq!(account.ended(5).await.1, ExecutionStatus::Succeeded);
    assert_eq!(account.site().await, *four);
    assert_eq!(account.left().await, Vec::<String>::new());
}
