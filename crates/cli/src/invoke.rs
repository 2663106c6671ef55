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
use tidegate_lambda::run_log::{Ending as RunEnding, Entry};
use tidegate_lambda::trigger::{AwsSecrets, EventError, HandedOn, Journal, Moment, Reactor, Relay, Vault};
use tidegate_publish::CloudError;
use tokio::time::Instant;

use crate::arguments::{Common, InvokeArguments};
use crate::configuration::Configuration;
use crate::context::{Session, now};
use crate::error::{Ending, Trouble};
use emulator::LocalSecrets;

/// Keeps runs that are handed on until the invocation ended, as Lambda's queue does.
#[derive(Default)]
struct Queue(Mutex<Vec<HandedOn>>);

#[async_trait]
impl Relay for Queue {
    async fn hand_on(&self, run: &HandedOn) -> Result<(), CloudError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(run.clone());
        Ok(())
    }
}

impl Queue {
    fn next(&self) -> Option<HandedOn> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.is_empty() { None } else { Some(runs.remove(0)) }
    }
}

/// Runs as they ended.
#[derive(Default)]
struct Runs(Mutex<Vec<Entry>>);

impl Journal for Runs {
    fn enter(&self, entry: &Entry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry.clone());
    }
}

/// Acts on an event, and on the runs that it leaves behind.
pub(crate) async fn invoke(common: &Common, wanted: &InvokeArguments) -> Result<Ending, Trouble> {
    if !wanted.put.is_empty() && common.local.is_none() {
        return Err(Trouble::Usage("`--put` goes with `--local`; upload to AWS with `aws s3 cp`".to_owned()));
    }
    let configuration = Configuration::load(&common.config)?;
    let mut event = event::read(&text(wanted)?, wanted.github.as_deref())?;
    let session = Session::open(common).await?;
    let connection = session.connection.clone();
    let (config, vault): (Config, Arc<dyn Vault>) = match &session.embedded {
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
    let (queue, runs) = (Arc::new(Queue::default()), Arc::new(Runs::default()));
    let publisher = session.publisher(common, &configuration.directory)?;
    let relay: Arc<dyn Relay> = queue.clone();
    let reactor = Reactor { config: Arc::new(config), publisher, vault, relay, journal: runs.clone() };
    let moment = || Moment { now: now(), deadline: Instant::now() + Duration::from_secs(wanted.seconds) };
    let answer = reactor.event(&event, "local", moment()).await;
    while let Some(run) = queue.next() {
        // It is told by the journal, as everything that becomes of a run.
        let _ = reactor.handed_on(&run, moment()).await;
    }
    drop(reactor);
    let runs = runs.0.lock().unwrap_or_else(PoisonError::into_inner);
    tell(common, &answer, &runs)
}

fn text(wanted: &InvokeArguments) -> Result<String, Trouble> {
    let told = |error: std::io::Error| {
        Trouble::Usage(format!("the event `{}` cannot be read: {error}", wanted.event.display()))
    };
    if wanted.event.as_os_str() != "-" {
        return std::fs::read_to_string(&wanted.event).map_err(told);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(told)?;
    Ok(text)
}

fn tell(common: &Common, answer: &Result<Value, EventError>, runs: &[Entry]) -> Result<Ending, Trouble> {
    if common.json {
        let told = match answer {
            Ok(answer) => serde_json::json!({ "runs": runs, "answer": answer }),
            Err(error) => {
                let told = serde_json::json!({ "type": error.fault().error_type(), "message": error.to_string() });
                serde_json::json!({ "runs": runs, "error": told })
            }
        };
        println!("{}", crate::publish::json(&told)?);
    } else {
        people(answer, runs);
    }
    let ends = runs.iter().map(of).chain([answered(answer)]);
    Ok(ends.max().unwrap_or(Ending::Done))
}

fn people(answer: &Result<Value, EventError>, runs: &[Entry]) {
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
            RunEnding::HandedOn => anstream::println!("{}: out of time, another invocation goes on", entry.site),
            RunEnding::Failed { fault, why } => {
                anstream::println!("{}: failed ({}), the site is as it was\n  {why}", entry.site, fault.error_type());
            }
        }
    }
    match answer {
        Err(error) if runs.is_empty() => {
            let red = anstyle::AnsiColor::Red.on_default().bold();
            anstream::eprintln!("{red}error{red:#}: {error} ({})", error.fault().error_type());
        }
        Ok(answer) if runs.is_empty() && answer["statusCode"].is_null() => {
            anstream::println!("nothing is published by this event; `-v` says why");
        }
        _ => {}
    }
}

fn of(entry: &Entry) -> Ending {
    match &entry.ending {
        RunEnding::Report(report) => Ending::of(report.outcome),
        RunEnding::Superseded(_) | RunEnding::HandedOn => Ending::Done,
        RunEnding::Failed { fault, .. } => (*fault).into(),
    }
}

fn answered(answer: &Result<Value, EventError>) -> Ending {
    match answer {
        Err(error) => error.fault().into(),
        Ok(answer) => match answer["statusCode"].as_u64() {
            Some(400..500) => Ending::Usage,
            Some(500..) => Ending::Failed,
            Some(_) | None => Ending::Done,
        },
    }
}
