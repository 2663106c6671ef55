//! `bootstrap`: Tidegate's entry in AWS Lambda.
//!
//! Owns turning an invocation into calls of `tidegate-publish`, and its answers into what each carrier of events wants back.
//! Reads the environment and the clock. Decides nothing: `tidegate-host` decides, `tidegate-publish` acts.

mod log;
mod start;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::LocalBoxFuture;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use tidegate_core::config::Config;
use tidegate_core::lambda_package::{COMPILED, CONFIGURATION};
use tidegate_core::timestamp::Timestamp;
use tidegate_host::{CodePackage, Engine};
use tidegate_lambda::context::InvocationContext;
use tidegate_lambda::handler::{EventHandler, LambdaSelfInvoke};
use tidegate_lambda::secrets::AwsSecrets;
use tidegate_lambda::trigger::RunId;
use tidegate_publish::progress::NoProgress;
use tidegate_publish::publish::Publisher;
use tidegate_publish::{Connection, PluginLoader};
use tokio::time::Instant;

use log::StdoutLog;
use start::StartError;

#[tokio::main]
async fn main() -> ExitCode {
    log::init();
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            start::refuse(&error).await;
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<(), StartError> {
    start::in_lambda()?;
    let function = start::function_name()?;
    // A webhook's run needs a random id. Fail here rather than at the first webhook.
    RunId::random().map_err(StartError::NoRandomNumbers)?;
    let root = std::env::var_os("LAMBDA_TASK_ROOT").map(PathBuf::from).unwrap_or_default();
    let path = root.join(CONFIGURATION);
    let text = std::fs::read_to_string(&path).map_err(|error| StartError::Read(path, error))?;
    let config = Arc::new(Config::parse(&text)?);
    let connection = Connection::new(Connection::defaults().load().await, false);
    let package = CodePackage::open(&root.join(COMPILED))?;
    let workshop = PluginLoader::Packaged(Engine::new()?, package);
    let reactor = EventHandler {
        config,
        secrets: Arc::new(AwsSecrets::new(&connection)),
        self_invoke: Arc::new(LambdaSelfInvoke::new(&connection, &function)),
        run_log: Arc::new(StdoutLog),
        publisher: Publisher::new(connection, workshop, Arc::new(NoProgress)),
    };
    let reactor = &reactor;
    // Boxed and without its type: the publish's future is deeper than the compiler follows through the runtime's layers.
    lambda_runtime::run(service_fn(move |event: LambdaEvent<serde_json::Value>| -> LocalBoxFuture<'_, _> {
        Box::pin(async move {
            let (moment, request) = (moment(event.context.deadline), event.context.request_id.clone());
            reactor.event(&event.payload, &request, moment).await.map_err(|error| {
                let error_type = error.kind().error_type().to_owned();
                Diagnostic { error_type, error_message: error.to_string() }
            })
        })
    }))
    .await
    .map_err(StartError::Runtime)
}

/// Now, and until when, from a deadline in milliseconds since 1970.
fn moment(deadline: u64) -> InvocationContext {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let left = Duration::from_millis(deadline.saturating_sub(now));
    InvocationContext { now: Timestamp::from_milliseconds(now), deadline: Instant::now() + left }
}
