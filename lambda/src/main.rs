//! `bootstrap`: Tidegate's entry in AWS Lambda.
//!
//! Owns turning an invocation into a request. So far it takes one kind of event, a direct invocation with a request as
//! JSON; S3 events and webhooks are still to come. Decides nothing: `tidegate-host` decides, `tidegate-deploy` acts.

mod package;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::future::LocalBoxFuture;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Deserialize;
use tidegate_deploy::progress::Silent;
use tidegate_deploy::publish::{Fault, PublishError, Publisher};
use tidegate_deploy::{Connection, Library, Workshop};
use tidegate_host::config::{Config, ConfigError};
use tidegate_host::location::Source;
use tidegate_host::plugin::{Engine, EngineError, PackageError};
use tidegate_host::report::{Outcome, Report};
use tidegate_host::request::Request;
use tidegate_host::verdict::Approval;

/// The configuration, beside the binary in the deployment package.
const CONFIGURATION: &str = "tidegate.toml";

/// A direct invocation: what to publish. Everything else is the configuration's, never the caller's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Invocation {
    site: String,
    #[serde(default)]
    source: Option<Source>,
    #[serde(default)]
    release: Option<String>,
}

/// Why an invocation failed.
#[derive(Debug, thiserror::Error)]
enum InvocationError {
    #[error("the event is no request: {0}")]
    Event(#[from] serde_json::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the site `{0}` has no `staged`, name a `source` in the request")]
    NoSource(String),
    #[error("the source `{0}` is a path of a machine, a function reads `s3://…` only")]
    LocalSource(Source),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("the run did not end well: {}", .0.why.as_deref().unwrap_or(.0.outcome.sentence()))]
    Run(Box<Report>),
}

impl From<InvocationError> for Diagnostic {
    /// A stable name, so that alarms and retries can tell what may change by itself.
    fn from(error: InvocationError) -> Self {
        let kind = match &error {
            InvocationError::Publish(cause) => match cause.fault() {
                Fault::Configuration => "Tidegate.Configuration",
                Fault::Plugin => "Tidegate.Plugin",
                Fault::Cloud => "Tidegate.Cloud",
                Fault::Defect => "Tidegate.Defect",
            },
            InvocationError::Run(_) => "Tidegate.Cloud",
            _ => "Tidegate.Configuration",
        };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}

/// Why the function could not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("the configuration `{0}` cannot be read: {1}")]
    Read(PathBuf, std::io::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error("the runtime failed: {0}")]
    Runtime(lambda_runtime::Error),
}

/// Components in the deployment package.
struct Package {
    root: PathBuf,
}

impl Library for Package {
    fn bundled(&self, name: &str) -> Option<&'static [u8]> {
        tidegate_bundle::find(name).map(|plugin| plugin.bytes)
    }

    fn names(&self) -> Vec<&'static str> {
        tidegate_bundle::PLUGINS.iter().map(|plugin| plugin.name).collect()
    }

    fn file(&self, path: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.root.join(path))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The sentence alone: what `main` returns would be shown as the compiler spells it.
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<(), StartError> {
    tracing_subscriber::fmt().json().with_max_level(tracing::Level::INFO).init();
    let root = std::env::var_os("LAMBDA_TASK_ROOT").map(PathBuf::from).unwrap_or_default();
    let path = root.join(CONFIGURATION);
    let text = std::fs::read_to_string(&path).map_err(|error| StartError::Read(path, error))?;
    let config = Config::parse(&text)?;
    let connection = Connection::new(Connection::defaults().load().await, false);
    let cache = Some(package::compiled(&root)?);
    let workshop = Workshop { engine: Engine::new()?, cache, library: Arc::new(Package { root }) };
    let publisher = Publisher::new(connection, workshop, Arc::new(Silent));
    let (config, publisher) = (&config, &publisher);
    // Boxed and without its type: the publish's future is deeper than the compiler follows through the runtime's layers.
    lambda_runtime::run(service_fn(move |event: LambdaEvent<serde_json::Value>| -> LocalBoxFuture<'_, _> {
        Box::pin(async move { invoke(config, publisher, event.payload).await.map_err(Diagnostic::from) })
    }))
    .await
    .map_err(StartError::Runtime)
}

/// One invocation. A denial is a report, not an error: asking again would be denied again.
async fn invoke(
    config: &Config,
    publisher: &Publisher,
    event: serde_json::Value,
) -> Result<serde_json::Value, InvocationError> {
    let invocation: Invocation = serde_json::from_value(event)?;
    let site = config.site(&invocation.site)?;
    let source = invocation
        .source
        .or_else(|| site.staged.clone())
        .ok_or_else(|| InvocationError::NoSource(invocation.site.clone()))?;
    if matches!(source, Source::Directory(_) | Source::Archive(_)) {
        return Err(InvocationError::LocalSource(source));
    }
    let instant = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let request = Request {
        site: invocation.site,
        release: invocation.release.unwrap_or_else(|| source.to_string()),
        source,
        instant: u64::try_from(instant).unwrap_or(u64::MAX),
        cause: "invocation".to_owned(),
        order: None,
    };
    let report = publisher.publish(&request, site, Approval::Policies, None, |_| ()).await?;
    let told = serde_json::to_value(&report)?;
    tracing::info!(report = %told, "run");
    match report.outcome {
        Outcome::Live
        | Outcome::Unchanged
        | Outcome::Superseded
        | Outcome::Denied
        | Outcome::Held
        | Outcome::LiveNotInvalidated => Ok(told),
        Outcome::Partial | Outcome::Failed => Err(InvocationError::Run(Box::new(report))),
    }
}
