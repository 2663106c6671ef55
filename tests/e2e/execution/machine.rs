//! A state machine that gives its tasks to the function in the test, as the definition in the stack does.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use tidegate_core::config::SiteName;
use tidegate_core::lease::ExecutionName;
use tidegate_lambda::handler::{EventError, StartExecution};
use tidegate_lambda::trigger::{ExecutionState, RunId};
use tidegate_publish::AwsError;
use tidegate_tests::releases::expire_lease;

use crate::triggers::{Function, context};

/// Records the executions that would be started.
#[derive(Default)]
pub(super) struct StartedExecutions {
    pub(super) executions: Mutex<Vec<(ExecutionName, Value)>>,
    /// Whether there is no state machine.
    pub(super) missing: Mutex<bool>,
}

#[async_trait]
impl StartExecution for StartedExecutions {
    fn name(&self, run: &RunId, site: &SiteName) -> ExecutionName {
        ExecutionName::new(&format!("{}-{site}", run.id)).unwrap()
    }

    async fn start(&self, execution: &ExecutionName, state: &ExecutionState) -> Result<(), AwsError> {
        if *self.missing.lock().unwrap() {
            let why = "StateMachineDoesNotExist".to_owned();
            let code = Some(why.clone());
            let subject = execution.as_str().to_owned();
            return Err(AwsError { call: "StartExecution", subject, code, status: Some(400), why });
        }
        let state = serde_json::to_value(state).unwrap();
        self.executions.lock().unwrap().push((execution.clone(), state));
        Ok(())
    }
}

/// A function with executions.
pub(super) struct Machine {
    pub(super) function: Function,
    pub(super) started: Arc<StartedExecutions>,
    /// Seconds of one invocation, with the 15 that it reserves.
    pub(super) seconds: u64,
}

impl Machine {
    pub(super) fn new(mut function: Function, seconds: u64) -> Self {
        let started = Arc::new(StartedExecutions::default());
        function.handler.executions = Some(started.clone());
        Self { function, started, seconds }
    }

    /// The only execution that was started.
    pub(super) fn execution(&self) -> (ExecutionName, Value) {
        let mut executions = self.started.executions.lock().unwrap();
        assert_eq!(executions.len(), 1, "{executions:?}");
        executions.pop().unwrap()
    }

    /// Gives a task to the function. Returns its answer, or the name and the message of its error.
    pub(super) async fn task(&self, task: Value) -> Result<Value, (String, String)> {
        let event = json!({ "tidegate-task": task });
        let answer = Box::pin(self.function.handler.handle(&event, "request", context(self.seconds))).await;
        answer.map_err(|error: EventError| (error.error_type().to_owned(), error.to_string()))
    }

    /// Gives the shards of a phase to the function, in any order; all of them, even if one fails.
    pub(super) async fn phase(&self, state: &Value, phase: &str, random: &mut fastrand::Rng) -> Result<(), Value> {
        let Some(list) = state["lists"].get(phase) else { return Ok(()) };
        let (bucket, key) = (list["bucket"].as_str().unwrap(), list["key"].as_str().unwrap());
        let object = self.function.world.client().get_object().bucket(bucket).key(key).send().await.unwrap();
        let bytes = object.body.collect().await.unwrap().to_vec();
        let mut items: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
        random.shuffle(&mut items);
        let mut caught = Ok(());
        for item in items {
            let task = json!({ "step": "write", "shard": item["shard"], "work": state["work"] });
            let mut answer = self.task(task.clone()).await;
            // The only error after which a task is repeated.
            while matches!(&answer, Err((name, _)) if name == "Throttled") {
                answer = self.task(task.clone()).await;
            }
            if let Err((name, message)) = answer {
                assert!(!message.is_empty(), "{name}");
                // What a Distributed Map says about a child that failed.
                caught = Err(json!({
                    "Error": "States.ExceedToleratedFailureThreshold",
                    "Cause": "The specified tolerated failure threshold was exceeded",
                }));
            }
        }
        caught
    }

    /// Runs an execution to its end. Returns its last state, and the steps that it took.
    pub(super) async fn run(&self, execution: &ExecutionName, mut state: Value, seed: u64) -> (Value, Vec<String>) {
        let (mut steps, mut random) = (Vec::new(), fastrand::Rng::with_seed(seed));
        loop {
            let next = state["next"].as_str().unwrap().to_owned();
            steps.push(next.clone());
            let step = match next.as_str() {
                "plan" | "wait" => "plan",
                "write" => {
                    let mut caught = Ok(());
                    for phase in ["archive", "assets", "pages"] {
                        caught = self.phase(&state, phase, &mut random).await;
                        if caught.is_err() {
                            break;
                        }
                    }
                    match caught {
                        Ok(()) => "finish",
                        Err(error) => {
                            state["error"] = error;
                            "give-up"
                        }
                    }
                }
                "finish" => "finish",
                "done" | "failed" => return (state, steps),
                other => panic!("{other}"),
            };
            if step == "finish" {
                // No worker runs any more. Otherwise the task would wait until none can write.
                expire_lease(&self.function.world).await;
            }
            let answer = self.task(json!({ "step": step, "execution": execution.as_str(), "state": state })).await;
            state = match answer {
                Ok(next) => next,
                Err((name, message)) => {
                    state["error"] = json!({ "Error": name, "Cause": message });
                    let task = json!({ "step": "give-up", "execution": execution.as_str(), "state": state });
                    self.task(task).await.unwrap()
                }
            };
            assert!(steps.len() < 50, "{steps:?}");
        }
    }
}
