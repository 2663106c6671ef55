//! `tidegate invoke`: handles an event as the Lambda function does, with substitutes for its queue and its log.

mod emulator;
mod event;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tidegate_core::report::Outcome;
use tidegate_lambda::context::InvocationContext;
use tidegate_lambda::github::OfflineGithub;
use tidegate_lambda::handler::{EventError, EventHandler, EventResponse, SelfInvoke};
use tidegate_lambda::run_log::{RunEnding, RunLog, RunLogEntry};
use tidegate_lambda::secrets::{AwsSecrets, SecretStore};
use tidegate_lambda::trigger::Continuation;
use tidegate_publish::AwsError;
use tokio::time::Instant;

use crate::arguments::{CommonArguments, InvokeArguments, PutTarget};
use crate::configuration::Configuration;
use crate::context::{AwsContext, now};
use crate::credentials::read_text;
use crate::error::{CliError, ExitStatus};
use crate::output::{RED_BOLD, print_json};
use emulator::LocalSecrets;

/// Keeps continuations until the invocation ends, as Lambda's queue does.
#[derive(Default)]
struct InvocationQueue(Mutex<Vec<Continuation>>);

#[async_trait]
impl SelfInvoke for InvocationQueue {
    async fn continue_run(&self, run: &Continuation) -> Result<(), AwsError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(run.clone());
        Ok(())
    }
}

impl InvocationQueue {
    fn next(&self) -> Option<Continuation> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.is_empty() { None } else { Some(runs.remove(0)) }
    }
}

/// The log entries of all runs.
#[derive(Default)]
struct InvokedRuns(Mutex<Vec<RunLogEntry>>);

impl RunLog for InvokedRuns {
    fn write(&self, entry: &RunLogEntry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry.clone());
    }
}

/// Handles an event and its continuations.
pub(crate) async fn invoke(common: &CommonArguments, arguments: &InvokeArguments) -> Result<ExitStatus, CliError> {
    if !arguments.put.is_empty() && common.local.is_none() {
        return Err(CliError::Usage("`--put` requires `--local`; upload to AWS with `aws s3 cp`".to_owned()));
    }
    let configuration = Configuration::load(&common.config)?;
    let mut event = event::parse(&read_text("event", &arguments.event)?, arguments.github.as_deref())?;
    let context = AwsContext::open(common).await?;
    let (mut config, mut offline_github) = (configuration.config, OfflineGithub::default());
    let secrets: Arc<dyn SecretStore> = match &context.emulator {
        Some(emulator) => {
            for site in &mut config.sites {
                *site = emulator.prepare(site, None).await?;
            }
            for put in &arguments.put {
                let bytes = std::fs::read(&put.file).map_err(CliError::read("file", &put.file))?;
                match &put.target {
                    PutTarget::Object(object) => {
                        let written = emulator::put(emulator, object, bytes).await?;
                        event::set_object(&mut event, &written);
                    }
                    PutTarget::Github(name) => drop(offline_github.files.insert(name.clone(), bytes.into())),
                }
            }
            let secrets = LocalSecrets::default();
            event::sign(&mut event, &secrets, now());
            Arc::new(secrets)
        }
        None => Arc::new(AwsSecrets::new(&context.connection)),
    };
    let (queue, runs) = (Arc::new(InvocationQueue::default()), Arc::new(InvokedRuns::default()));
    let publisher = context.publisher(common, &configuration.directory)?;
    let self_invoke: Arc<dyn SelfInvoke> = queue.clone();
    let offline_github = context.emulator.is_some().then(|| Arc::new(offline_github));
    let (config, run_log) = (Arc::new(config), runs.clone());
    let handler = EventHandler { config, publisher, secrets, offline_github, self_invoke, executions: None, run_log };
    let invocation =
        || InvocationContext { now: now(), deadline: Instant::now() + Duration::from_secs(arguments.seconds) };
    let response = handler.respond(&event, "local", invocation()).await;
    while let Some(run) = queue.next() {
        // The run log has its result.
        let _ = handler.resume(&run, invocation()).await;
    }
    drop(handler);
    let runs = runs.0.lock().unwrap_or_else(PoisonError::into_inner);
    if common.json {
        print_json(&match &response {
            Ok(response) => json!({ "runs": &*runs, "answer": &response.answer }),
            Err(error) => {
                let error = json!({ "type": error.kind().error_type(), "message": error.to_string() });
                json!({ "runs": &*runs, "error": error })
            }
        })?;
    } else {
        print(&response, &runs);
    }
    let statuses = runs.iter().map(run_status).chain([response_status(&response)]);
    Ok(statuses.max().unwrap_or(ExitStatus::Success))
}

fn print(response: &Result<EventResponse, EventError>, runs: &[RunLogEntry]) {
    if let Ok(EventResponse { answer, .. }) = response
        && let (Some(status), Some(body)) = (answer["statusCode"].as_u64(), answer["body"].as_str())
    {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
        outln!("response {status}: {message}");
    }
    for RunLogEntry { site, ending, .. } in runs {
        match ending {
            RunEnding::Report(report) => out!("{report}"),
            RunEnding::Superseded(why) => outln!("{site}: superseded: {why}"),
            RunEnding::Distributed { execution, .. } => outln!("{site}: continued by the execution `{execution}`"),
            RunEnding::Continued => outln!("{site}: time limit reached; continued by another invocation"),
            RunEnding::Failed { kind, reason } => {
                outln!("{site}: {} ({})\n  {reason}", Outcome::Failed, kind.error_type());
            }
        }
    }
    match response {
        Err(error) if runs.is_empty() || error.is_before_run() => {
            errln!("{RED_BOLD}error{RED_BOLD:#}: {error} ({})", error.kind().error_type());
        }
        Ok(EventResponse { answer, failures }) => {
            for error in failures.iter().filter(|error| error.is_before_run()) {
                errln!("{RED_BOLD}error{RED_BOLD:#}: {error} ({})", error.kind().error_type());
            }
            if runs.is_empty() && failures.is_empty() && answer["statusCode"].is_null() {
                outln!("the event publishes nothing; use `-v` to see why");
            }
        }
        Err(_) => {}
    }
}

fn run_status(entry: &RunLogEntry) -> ExitStatus {
    match &entry.ending {
        RunEnding::Report(report) => report.outcome.into(),
        RunEnding::Superseded(_) | RunEnding::Continued | RunEnding::Distributed { .. } => ExitStatus::Success,
        RunEnding::Failed { kind, .. } => (*kind).into(),
    }
}

/// The status of the answer, and of the messages that it reports as failed.
fn response_status(response: &Result<EventResponse, EventError>) -> ExitStatus {
    match response {
        Err(error) => error.kind().into(),
        Ok(EventResponse { answer, failures }) => {
            let answered = match answer["statusCode"].as_u64() {
                Some(400..500) => ExitStatus::Usage,
                Some(500..) => ExitStatus::Failure,
                Some(_) | None => ExitStatus::Success,
            };
            failures.iter().map(|error| error.kind().into()).fold(answered, ExitStatus::max)
        }
    }
}
