//! `tidegate invoke`: an event, acted on here as the function would act on it.
//!
//! Owns what stands in for Lambda: who gets runs that are handed on, who is told, and, with `--local`, what stands in for
//! secrets, signatures and uploads. What an event means and what is done is decided elsewhere.

mod event;
mod emulator;

use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tidegate_core::config::Config;
use tidegate_lambda::context::InvocationContext;
use tidegate_lambda::handler::{EventError, EventHandler, SelfInvoke};
use tidegate_lambda::run_log::{RunEnding, RunLog, RunLogEntry};
use tidegate_lambda::secrets::{AwsSecrets, SecretStore};
use tidegate_lambda::trigger::Continuation;
use tidegate_publish::AwsError;
use tokio::time::Instant;

use crate::arguments::{CommonArguments, InvokeArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, now};
use crate::error::{CliError, ExitStatus};
use emulator::LocalSecrets;

/// Keeps runs that are handed on until the invocation ended, as Lambda's queue does.
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

/// Runs as they ended.
#[derive(Default)]
struct InvokedRuns(Mutex<Vec<RunLogEntry>>);

impl RunLog for InvokedRuns {
    fn write(&self, entry: &RunLogEntry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry.clone());
    }
}

/// Acts on an event, and on the runs that it leaves behind.
pub(crate) async fn invoke(common: &CommonArguments, wanted: &InvokeArguments) -> Result<ExitStatus, CliError> {
    if !wanted.put.is_empty() && common.local.is_none() {
        return Err(CliError::Usage("`--put` goes with `--local`; upload to AWS with `aws s3 cp`".to_owned()));
    }
    let configuration = Configuration::load(&common.config)?;
    let mut event = event::read(&text(wanted)?, wanted.github.as_deref())?;
    let session = AwsContext::open(common).await?;
    let connection = session.connection.clone();
    let (config, vault): (Config, Arc<dyn SecretStore>) = match &session.embedded {
        Some(embedded) => {
            let config = emulator::prepare(embedded, &configuration.config).await?;
            for put in &wanted.put {
                let etag = emulator::put(embedded, put).await?;
                event::pin(&mut event, put.object.key.as_str(), &etag);
            }
            let secrets = LocalSecrets::default();
            event::sign(&mut event, &secrets, now());
            (config, Arc::new(secrets))
        }
        None => (configuration.config.clone(), Arc::new(AwsSecrets::new(&connection))),
    };
    let (queue, runs) = (Arc::new(InvocationQueue::default()), Arc::new(InvokedRuns::default()));
    let publisher = session.publisher(common, &configuration.directory)?;
    let relay: Arc<dyn SelfInvoke> = queue.clone();
    let reactor =
        EventHandler { config: Arc::new(config), publisher, secrets: vault, self_invoke: relay, run_log: runs.clone() };
    let moment = || InvocationContext { now: now(), deadline: Instant::now() + Duration::from_secs(wanted.seconds) };
    let answer = reactor.event(&event, "local", moment()).await;
    while let Some(run) = queue.next() {
        // It is told by the journal, as everything that becomes of a run.
        let _ = reactor.continued(&run, moment()).await;
    }
    drop(reactor);
    let runs = runs.0.lock().unwrap_or_else(PoisonError::into_inner);
    print(common, &answer, &runs)
}

fn text(wanted: &InvokeArguments) -> Result<String, CliError> {
    let told = |error: std::io::Error| {
        CliError::Usage(format!("the event `{}` cannot be read: {error}", wanted.event.display()))
    };
    if wanted.event.as_os_str() != "-" {
        return std::fs::read_to_string(&wanted.event).map_err(told);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(told)?;
    Ok(text)
}

fn print(
    common: &CommonArguments,
    answer: &Result<Value, EventError>,
    runs: &[RunLogEntry],
) -> Result<ExitStatus, CliError> {
    if common.json {
        let told = match answer {
            Ok(answer) => serde_json::json!({ "runs": runs, "answer": answer }),
            Err(error) => {
                let told = serde_json::json!({ "type": error.kind().error_type(), "message": error.to_string() });
                serde_json::json!({ "runs": runs, "error": told })
            }
        };
        println!("{}", crate::publish::json(&told)?);
    } else {
        people(answer, runs);
    }
    let ends = runs.iter().map(of).chain([answered(answer)]);
    Ok(ends.max().unwrap_or(ExitStatus::Done))
}

fn people(answer: &Result<Value, EventError>, runs: &[RunLogEntry]) {
    if let Ok(answer) = answer
        && let (Some(status), Some(body)) = (answer["statusCode"].as_u64(), answer["body"].as_str())
    {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
        anstream::println!("answered {status}: {message}");
    }
    for entry in runs {
        match &entry.ending {
            RunEnding::Report(report) => anstream::print!("{report}"),
            RunEnding::Superseded(why) => anstream::println!("{}: superseded, {why}", entry.site),
            RunEnding::Continued => anstream::println!("{}: out of time, another invocation goes on", entry.site),
            RunEnding::Failed { kind: fault, reason: why } => {
                anstream::println!("{}: failed ({}), the site is as it was\n  {why}", entry.site, fault.error_type());
            }
        }
    }
    match answer {
        Err(error) if runs.is_empty() => {
            let red = anstyle::AnsiColor::Red.on_default().bold();
            anstream::eprintln!("{red}error{red:#}: {error} ({})", error.kind().error_type());
        }
        Ok(answer) if runs.is_empty() && answer["statusCode"].is_null() => {
            anstream::println!("nothing is published by this event; `-v` says why");
        }
        _ => {}
    }
}

fn of(entry: &RunLogEntry) -> ExitStatus {
    match &entry.ending {
        RunEnding::Report(report) => ExitStatus::of(report.outcome),
        RunEnding::Superseded(_) | RunEnding::Continued => ExitStatus::Done,
        RunEnding::Failed { kind: fault, .. } => (*fault).into(),
    }
}

fn answered(answer: &Result<Value, EventError>) -> ExitStatus {
    match answer {
        Err(error) => error.kind().into(),
        Ok(answer) => match answer["statusCode"].as_u64() {
            Some(400..500) => ExitStatus::Usage,
            Some(500..) => ExitStatus::Failed,
            Some(_) | None => ExitStatus::Done,
        },
    }
}
