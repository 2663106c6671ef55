//! The state machine that has a plan carried out in shards, phase after phase, by many invocations of the function.
//!
//! Each task invokes the function, and what that returns replaces the state. Its field `next` says what follows: `plan`, `wait`
//! with `seconds`, `write` with `work` and the `lists` of shards by phase, `finish`, `done`, or `failed` with an `error` as
//! Step Functions itself writes it (`Error`, `Cause`).
//!
//! Sources: Amazon States Language specification, <https://states-language.net>; AWS Step Functions developer guide, "Using Map
//! state in Distributed mode" and "Invoke an AWS Lambda function with Step Functions".

use serde_json::{Map, Value, json};

use super::model::Stack;
use crate::document::Partition;

/// The longest execution, in seconds: a day.
const TIMEOUT: u32 = 86_400;

/// The state that reads `next`.
const NEXT: &str = "Next step";

/// The last task of a publish.
const FINISH: &str = "Commit, invalidate, prune";

/// The task that releases what a failed execution holds.
const GIVE_UP: &str = "Give up";

const FAILED: &str = "Failed";

/// A phase of a plan. Names are unique in the whole definition.
struct PhaseStates {
    /// Its name in `lists`.
    list: &'static str,
    /// The state that skips it if it has no shards.
    choice: &'static str,
    /// The state that starts an execution for each shard.
    map: &'static str,
    /// The task of such an execution.
    task: &'static str,
}

/// The phases, in order.
const PHASES: [PhaseStates; 3] = [
    PhaseStates { list: "archive", choice: "Any bodies to archive", map: "Archive bodies", task: "Archive shard" },
    PhaseStates { list: "assets", choice: "Any assets", map: "Write assets", task: "Write shard of assets" },
    PhaseStates { list: "pages", choice: "Any pages", map: "Write pages", task: "Write shard of pages" },
];

/// Tasks of the state machine of a stack.
struct Tasks {
    partition: Partition,
    function: String,
}

impl Tasks {
    /// A task with these members beside those that every task has.
    fn task(&self, call: &Value, members: Value) -> Value {
        let mut task = json!({
            "Type": "Task",
            "Resource": format!("arn:{}:states:::lambda:invoke", self.partition),
            "Parameters": { "FunctionName": self.function, "Payload": { "tidegate-task": call } },
            // Any other failure ends the execution. The next publish completes what is left.
            "Retry": [{
                "ErrorEquals": ["Lambda.TooManyRequestsException", "Throttled"],
                "IntervalSeconds": 2,
                "BackoffRate": 2.0,
                "MaxAttempts": 10,
                "MaxDelaySeconds": 60,
                "JitterStrategy": "FULL",
            }],
        });
        if let (Some(task), Value::Object(members)) = (task.as_object_mut(), members) {
            task.extend(members);
        }
        task
    }

    /// A task that gets the whole state.
    fn step(&self, step: &str, members: Value) -> Value {
        self.task(&json!({ "step": step, "execution.$": "$$.Execution.Id", "state.$": "$" }), members)
    }

    /// The states of a phase, which `next` follows.
    fn phase(&self, phase: &PhaseStates, workers: u16, next: &str) -> [(&'static str, Value); 2] {
        let list = format!("$.lists.{}", phase.list);
        let choice = json!({
            "Type": "Choice",
            "Choices": [{ "Variable": list, "IsPresent": true, "Next": phase.map }],
            "Default": next,
        });
        // Step Functions collects the outputs of all shards, 256 KiB at most, so these are empty.
        let ends = json!({ "OutputPath": null, "End": true });
        let task = self.task(&json!({ "step": "write", "shard.$": "$.shard", "work.$": "$.work" }), ends);
        let map = json!({
            "Type": "Map",
            "ItemReader": {
                "Resource": format!("arn:{}:states:::s3:getObject", self.partition),
                "ReaderConfig": { "InputType": "JSON" },
                "Parameters": { "Bucket.$": format!("{list}.bucket"), "Key.$": format!("{list}.key") },
            },
            "ItemSelector": { "shard.$": "$$.Map.Item.Value.shard", "work.$": "$.work" },
            "ItemProcessor": {
                "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
                "StartAt": phase.task,
                "States": { (phase.task): task },
            },
            "MaxConcurrency": workers,
            "ResultPath": null,
            "Catch": catch(GIVE_UP, "$.error"),
            "Next": next,
        });
        [(phase.choice, choice), (phase.map, map)]
    }
}

/// Catches every error, and adds it to the state at this path.
fn catch(next: &str, path: &str) -> Value {
    json!([{ "ErrorEquals": ["States.ALL"], "ResultPath": path, "Next": next }])
}

/// The ARN of the function, as tasks name it.
pub(super) fn function_arn(stack: &Stack) -> String {
    stack.arn("lambda", &format!("function:{}", stack.function.name))
}

/// The definition of the state machine, with pseudo parameters.
pub(super) fn definition(stack: &Stack) -> Value {
    let tasks = Tasks { partition: stack.partition.clone(), function: function_arn(stack) };
    let [first, ..] = PHASES;
    let following = [
        ("plan", "Plan"),
        ("wait", "Wait"),
        ("write", first.choice),
        ("finish", FINISH),
        ("done", "Published"),
        ("failed", FAILED),
    ];
    let following = following.map(|(next, state)| json!({ "Variable": "$.next", "StringEquals": next, "Next": state }));
    let step = |step| {
        let members = json!({ "OutputPath": "$.Payload", "Catch": catch(GIVE_UP, "$.error"), "Next": NEXT });
        tasks.step(step, members)
    };
    // Its answer says more about the error. The first error stays in the state if this task fails.
    let give_up = json!({ "OutputPath": "$.Payload", "Catch": catch(FAILED, "$.second_error"), "Next": FAILED });
    let mut states = Map::new();
    let mut put = |name: &str, state: Value| drop(states.insert(name.to_owned(), state));
    put(NEXT, json!({ "Type": "Choice", "Choices": following, "Default": FAILED }));
    put("Plan", step("plan"));
    put("Wait", json!({ "Type": "Wait", "SecondsPath": "$.seconds", "Next": "Plan" }));
    let after = PHASES.iter().skip(1).map(|phase| phase.choice).chain([FINISH]);
    for (phase, next) in PHASES.iter().zip(after) {
        for (name, state) in tasks.phase(phase, stack.function.workers.get(), next) {
            put(name, state);
        }
    }
    put(FINISH, step("finish"));
    put(GIVE_UP, tasks.step("give-up", give_up));
    put("Published", json!({ "Type": "Succeed" }));
    put(FAILED, json!({ "Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause" }));
    json!({
        "Comment": "Publishes a site in shards. Generated by tidegate template",
        "StartAt": NEXT,
        "TimeoutSeconds": TIMEOUT,
        "States": states,
    })
}
