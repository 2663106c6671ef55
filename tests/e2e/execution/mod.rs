//! Runs that the function gives to the state machine: when it does, what the tasks do, and how they fail.

mod machine;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_core::config::Site;
use tidegate_core::report::Outcome;
use tidegate_lambda::handler::RunResult;
use tidegate_lambda::run_log::RunEnding;
use tidegate_lambda::trigger::{CONTINUATION_FORMAT, Continuation, RunId};
use tidegate_publish::publish::Publisher;
use tidegate_publish::state::{LeaseGuard, LeaseRequest};
use tidegate_tests::World;
use tidegate_tests::events::zip;
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::releases::{assert_tidy, expire_lease, lease, state_files, visible};
use tidegate_tests::world::{BUCKET, no_executions};

use crate::triggers::{CONFIGURATION, context, function_in, outcome, stored};
use machine::Machine;

/// Pages of a large build: more than one invocation of 35 seconds writes, by the estimate of 300 a second.
const LARGE: usize = 3_200;

/// A function with this engine, and with invocations of 35 seconds, of which 15 are reserved.
async fn machine(engine: &str) -> Machine {
    let world = World::new().await;
    let mut publisher = world.publisher();
    publisher.shard_operations = 500;
    let function = format!("\n[function]\nengine = \"{engine}\"\nshard-size = 500\n\n[[site]]");
    let configuration = CONFIGURATION.replacen("\n[[site]]", &function, 1);
    Machine::new(function_in(world, publisher, &configuration).await, 35)
}

fn pages(count: usize, text: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> =
        (0..count).map(|at| (format!("{at:05}.html"), format!("<p>{text} {at}"))).collect();
    files.push(("app.js".to_owned(), text.to_owned()));
    files
}

async fn upload(machine: &Machine, key: &str, files: &[(String, String)], second: u32) -> RunResult {
    let named: Vec<(&str, &str)> = files.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
    let etag = machine.function.stage(key, &zip(&named)).await;
    let event = stored(key, &etag, second, &format!("{second:02}"));
    machine.function.upload_within(&event, machine.seconds).await.pop().unwrap()
}

fn texts(files: &[(String, String)]) -> BTreeMap<String, String> {
    files.iter().cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_plan_is_carried_out_by_an_execution() {
    let machine = machine("auto").await;
    let files = pages(LARGE, "one");
    let result = upload(&machine, "builds/one.zip", &files, 1).await;
    let RunResult::Distributed { execution, estimate: Some(estimate) } = &result else { panic!("{result:?}") };
    assert_eq!((estimate.writes, estimate.measured), (LARGE as u64 + 1, false));
    let (name, state) = machine.execution();
    assert_eq!((&name, state["next"].as_str()), (execution, Some("write")));
    assert_eq!(
        lease(&machine.function.world.account).await.holder,
        name.as_str(),
        "the lease belongs to the execution"
    );
    assert!(state.to_string().len() < 10_000, "a state of Step Functions has at most 256 KiB");
    let (last, steps) = machine.run(&name, state, 1).await;
    assert_eq!((&last["next"], &last["outcome"]), (&json!("done"), &json!("live")), "{last}");
    assert_eq!(steps, ["write", "done"]);
    assert_eq!(visible(&machine.function.world.account).await, texts(&files));
    assert_tidy(&machine.function.world.account).await;
    let entries = machine.function.run_log.entries();
    let [started, ended] = entries.as_slice() else { panic!("{entries:?}") };
    assert!(matches!(&started.ending, RunEnding::Distributed { .. }));
    assert!(matches!(&ended.ending, RunEnding::Report(report) if report.outcome == Outcome::Live));
    // The same artifact again changes nothing, and a small change needs no execution.
    assert_eq!(outcome(&upload(&machine, "builds/one.zip", &files, 1).await), Outcome::Unchanged);
    let mut next = files.clone();
    next[0].1 = "<p>changed".to_owned();
    assert_eq!(outcome(&upload(&machine, "builds/two.zip", &next, 2).await), Outcome::Live);
    assert_eq!(visible(&machine.function.world.account).await, texts(&next));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_plans_what_the_engine_or_the_time_leaves_to_it() {
    let machine = machine("step-functions").await;
    for (second, (count, steps)) in (1..).zip([(3, &["plan", "done"][..]), (LARGE, &["plan", "write", "done"])]) {
        let files = pages(count, "one");
        let result = upload(&machine, &format!("builds/{count}.zip"), &files, second).await;
        assert!(matches!(result, RunResult::Distributed { estimate: None, .. }), "{result:?}");
        let (name, state) = machine.execution();
        let (last, taken) = machine.run(&name, state, 2).await;
        assert_eq!(last["outcome"], json!("live"), "{last}");
        assert_eq!(taken, steps);
        assert_eq!(visible(&machine.function.world.account).await, texts(&files));
        assert_tidy(&machine.function.world.account).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_out_of_time_or_locked_out_goes_on_as_an_execution() {
    let mut machine = machine("auto").await;
    let files = pages(20, "one");
    // Another run holds the lease for longer than this invocation waits.
    let world = &machine.function.world;
    let publisher = world.publisher();
    let site = machine.function.handler.config.sites[0].clone();
    let held = hold_lease(&publisher, &site).await;
    machine.seconds = 19;
    let result = upload(&machine, "builds/one.zip", &files, 1).await;
    assert!(matches!(result, RunResult::Distributed { estimate: None, .. }), "{result:?}");
    let (name, state) = machine.execution();
    let again = machine.task(json!({ "step": "plan", "execution": name.as_str(), "state": state })).await.unwrap();
    assert_eq!((again["next"].as_str(), again["seconds"].as_u64()), (Some("wait"), Some(30)), "{again}");
    held.release().await;
    let (last, steps) = machine.run(&name, again, 3).await;
    assert_eq!(last["outcome"], json!("live"), "{last}");
    assert_eq!(steps, ["wait", "done"]);
    // The listing of the site takes longer than the invocation.
    machine.function.world.inject_faults(|call| {
        let listing = call.operation == "ListObjectsV2" && call.bucket.as_deref() == Some(BUCKET);
        listing.then(|| InjectedFault::Delay(Duration::from_secs(6)))
    });
    let files = pages(21, "two");
    let result = upload(&machine, "builds/two.zip", &files, 2).await;
    assert!(matches!(result, RunResult::Distributed { estimate: None, .. }), "{result:?}");
    let (name, state) = machine.execution();
    let again = machine.task(json!({ "step": "plan", "execution": name.as_str(), "state": state })).await.unwrap();
    assert_eq!(again["next"], json!("plan"), "as a task, not as an invocation of itself");
    assert_eq!(again["run"]["run"]["continuations"], json!(1));
    machine.function.world.stop_faults();
    let (last, _) = machine.run(&name, again, 4).await;
    assert_eq!(last["outcome"], json!("live"), "{last}");
    assert_eq!(visible(&machine.function.world.account).await, texts(&files));
    assert_tidy(&machine.function.world.account).await;
    assert!(machine.function.self_invoke.runs.lock().unwrap().is_empty());
}

async fn hold_lease(publisher: &Publisher, site: &Site) -> LeaseGuard {
    let request = LeaseRequest {
        execution: None,
        release: &"other".into(),
        seconds: 60,
        timeout: Duration::from_secs(1),
        observer: &publisher.observer,
        cancel: &publisher.cancel,
        executions: &no_executions(),
    };
    publisher.state(site).unwrap().lease(request).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_shard_stops_everything_after_its_phase_and_the_next_run_finishes() {
    let machine = machine("auto").await;
    let before = pages(LARGE, "one");
    upload(&machine, "builds/one.zip", &before, 1).await;
    let (name, state) = machine.execution();
    machine.run(&name, state, 1).await;
    let files = pages(LARGE, "two");
    let result = upload(&machine, "builds/two.zip", &files, 2).await;
    assert!(matches!(result, RunResult::Distributed { .. }), "{result:?}");
    let (name, state) = machine.execution();
    machine.function.world.inject_faults(|call| {
        let fails = call.key.as_deref() == Some("docs/app.js") && call.operation == "PutObject";
        fails.then(|| InjectedFault::answer(403, "AccessDenied"))
    });
    let (last, _) = machine.run(&name, state, 2).await;
    machine.function.world.stop_faults();
    assert_eq!(last["next"], json!("failed"));
    let why = last["error"]["Cause"].as_str().unwrap();
    assert!(why.contains("`app.js`") && why.contains("AccessDenied"), "{why}");
    assert_eq!(visible(&machine.function.world.account).await, texts(&before), "no page is written");
    let entries = machine.function.run_log.entries();
    assert!(
        matches!(&entries.last().unwrap().ending, RunEnding::Failed { reason, .. } if reason.contains("AccessDenied"))
    );
    // The next run takes the lease over, and does what is left.
    expire_lease(&machine.function.world).await;
    let result = upload(&machine, "builds/two.zip", &files, 3).await;
    assert!(matches!(result, RunResult::Distributed { .. }), "{result:?}");
    let (name, state) = machine.execution();
    let (last, _) = machine.run(&name, state, 3).await;
    assert_eq!(last["outcome"], json!("live"), "{last}");
    assert_eq!(visible(&machine.function.world.account).await, texts(&files));
    assert_tidy(&machine.function.world.account).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_execution_says_why_a_worker_could_not_begin() {
    let machine = machine("auto").await;
    upload(&machine, "builds/one.zip", &pages(LARGE, "one"), 1).await;
    let (name, state) = machine.execution();
    machine.function.world.inject_faults(|call| {
        let is_shard = call.key.as_deref().is_some_and(|key| key.contains(".shards/") && key.ends_with(".gz"));
        (is_shard && call.operation == "GetObject").then(|| InjectedFault::answer(403, "AccessDenied"))
    });
    let (last, _) = machine.run(&name, state, 1).await;
    machine.function.world.stop_faults();
    assert_eq!(last["next"], json!("failed"));
    let why = last["error"]["Cause"].as_str().unwrap();
    assert!(why.contains("of the phase `assets`") && why.contains("AccessDenied"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_throttled_shards_are_repeated() {
    let mut machine = machine("auto").await;
    machine.function.handler.publisher =
        machine.function.world.publisher_with(machine.function.world.account.root_credentials(), 1);
    machine.function.handler.publisher.shard_operations = 500;
    let files = pages(LARGE, "one");
    upload(&machine, "builds/one.zip", &files, 1).await;
    let (name, state) = machine.execution();
    let throttled = Arc::new(AtomicUsize::new(0));
    let count = throttled.clone();
    machine.function.world.inject_faults(move |call| {
        let is_page = call.operation == "PutObject" && call.key.as_deref() == Some("docs/00001.html");
        let first = is_page && count.fetch_add(1, Ordering::SeqCst) < 3;
        first.then(|| InjectedFault::answer(503, "SlowDown"))
    });
    let (last, _) = machine.run(&name, state, 5).await;
    machine.function.world.stop_faults();
    assert_eq!(last["outcome"], json!("live"), "{last}");
    assert!(throttled.load(Ordering::SeqCst) >= 4);
    assert_eq!(visible(&machine.function.world.account).await, texts(&files));
    assert_tidy(&machine.function.world.account).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_state_machine_the_run_fails_and_leaves_the_lease_free() {
    let machine = machine("auto").await;
    *machine.started.missing.lock().unwrap() = true;
    let files = pages(LARGE, "one");
    let named: Vec<(&str, &str)> = files.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
    let etag = machine.function.stage("builds/one.zip", &zip(&named)).await;
    let event = stored("builds/one.zip", &etag, 1, "01");
    let error = machine.function.handler.handle(&event, "request", context(35)).await.unwrap_err();
    assert!(error.to_string().contains("set `engine = \"lambda\"`"), "{error}");
    assert_eq!(lease(&machine.function.world.account).await.holder, "");
    *machine.started.missing.lock().unwrap() = false;
    let result = upload(&machine, "builds/one.zip", &files, 1).await;
    assert!(matches!(result, RunResult::Distributed { .. }), "{result:?}");
    let (name, state) = machine.execution();
    let (last, _) = machine.run(&name, state, 6).await;
    assert_eq!(last["outcome"], json!("live"), "{last}");
    assert_tidy(&machine.function.world.account).await;
}

#[tokio::test]
async fn a_forged_task_publishes_no_files_of_the_function() {
    let machine = machine("auto").await;
    let run = json!({
        "format": CONTINUATION_FORMAT,
        "run": RunId::new("r"),
        "trigger": {
            "site": "docs", "release": "x", "cause": "upload",
            "artifact": { "source": { "source": "s3://staging/builds/x/" } },
        },
    });
    serde_json::from_value::<Continuation>(run.clone()).unwrap();
    let request =
        |source: &str| json!({ "site": "docs", "release": "x", "source": source, "instant": 1, "cause": "x" });
    let finish = |run: &Value, source: &str| {
        let state = json!({ "next": "finish", "run": run, "request": request(source) });
        json!({ "step": "finish", "execution": "e", "state": state })
    };
    for source in ["/var/task", "/var/task/code.zip"] {
        let (_, message) = machine.task(finish(&run, source)).await.unwrap_err();
        assert!(message.contains("which is a local path"), "{message}");
    }
    let mut other = run.clone();
    other["format"] = json!(1);
    let (_, message) = machine.task(finish(&other, "s3://staging/x/")).await.unwrap_err();
    assert!(message.contains("its format is 1"), "{message}");
    let plan = json!({ "step": "plan", "execution": "e", "state": { "next": "done", "run": run, "outcome": "live" } });
    assert_eq!(machine.task(plan).await.unwrap_err().0, "Tidegate.Bug");
    assert_eq!(state_files(&machine.function.world.account, ""), BTreeSet::new());
}
