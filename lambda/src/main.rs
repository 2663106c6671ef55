//! `bootstrap`: the program of the Lambda function.
//!
//! Loads the deployment package, and passes every event to [`tidegate_lambda::handler`]. Only this program reads the
//! environment and the clock.

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
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            start::report(&error).await;
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), StartError> {
    start::require_lambda()?;
    let function = start::function_name()?;
    // The run of a webhook needs a random id. Fail here rather than at the first webhook.
    RunId::random().map_err(StartError::NoRandomNumbers)?;
    let root = std::env::var_os("LAMBDA_TASK_ROOT").map(PathBuf::from).unwrap_or_default();
    let path = root.join(CONFIGURATION);
    let text = std::fs::read_to_string(&path).map_err(|error| StartError::Read(path, error))?;
    let config = Arc::new(Config::parse(&text)?);
    let connection = Connection::new(Connection::defaults().load().await, false);
    let package = CodePackage::open(&root.join(COMPILED))?;
    let plugins = PluginLoader::Packaged(Engine::new()?, package);
    let mut publisher = Publisher::new(connection.clone(), plugins, Arc::new(NoProgress));
    publisher.shard_operations = config.function.shard_size.get().into();
    let handler = EventHandler {
        config,
        secrets: Arc::new(AwsSecrets::new(&connection)),
        offline_github: None,
        self_invoke: Arc::new(LambdaSelfInvoke::new(&connection, &function)),
        executions: None,
        run_log: Arc::new(StdoutLog),
        publisher,
    };
    let handler = &handler;
    // The future is boxed as a trait object: its type is nested too deeply for the compiler to follow through the
    // layers of the runtime.
    lambda_runtime::run(service_fn(move |event: LambdaEvent<serde_json::Value>| -> LocalBoxFuture<'_, _> {
        Box::pin(async move {
            let context = invocation_context(event.context.deadline);
            let handler = handler.in_function(&event.context.invoked_function_arn);
            handler.handle(&event.payload, &event.context.request_id, context).await.map_err(|error| {
                let error_type = error.error_type().to_owned();
                Diagnostic { error_type, error_message: error.to_string() }
            })
        })
    }))
    .await
    .map_err(StartError::Runtime)
}

/// The context of an invocation that ends at a deadline in milliseconds since 1970.
fn invocation_context(deadline: u64) -> InvocationContext {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let remaining = Duration::from_millis(deadline.saturating_sub(now));
    InvocationContext { now: Timestamp::from_milliseconds(now), deadline: Instant::now() + remaining }
}
