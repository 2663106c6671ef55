//! A function that cannot start, and how Lambda is told.
//!
//! Owns the sentences. Source: AWS Lambda developer guide, "Using the Lambda runtime API" (initialization error).

use std::path::PathBuf;

use http::Method;
use lambda_runtime_api_client::Client;
use lambda_runtime_api_client::body::Body;
use tidegate_core::config::ConfigError;
use tidegate_core::error_kind::ErrorKind;
use tidegate_host::{CodePackageError, EngineError};
use tidegate_lambda::run_log::one_line;

/// Where Lambda's runtime API is.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// The name of the function.
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// Why the function could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("this program is started by AWS Lambda; `tidegate invoke` tries an event on any machine")]
    NotInLambda,
    #[error("the environment variable `{FUNCTION_NAME}` is empty: the function needs its own name to continue runs")]
    NoFunctionName,
    #[error("cannot make ids of runs: the operating system has no random numbers: {0}")]
    NoRandomNumbers(getrandom::Error),
    #[error("the configuration `{0}` cannot be read: {1}")]
    Read(PathBuf, std::io::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Package(#[from] CodePackageError),
    #[error("the runtime failed: {0}")]
    Runtime(lambda_runtime::Error),
}

impl StartError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotInLambda | Self::NoFunctionName | Self::Read(..) | Self::Config(_) | Self::Package(_) => {
                ErrorKind::Configuration
            }
            Self::Engine(_) => ErrorKind::Bug,
            Self::NoRandomNumbers(_) | Self::Runtime(_) => ErrorKind::Cloud,
        }
    }
}

/// Refuses to start where nothing asks for events.
pub(crate) fn in_lambda() -> Result<(), StartError> {
    std::env::var_os(RUNTIME_API).map(|_| ()).ok_or(StartError::NotInLambda)
}

/// The name of this function.
pub(crate) fn function_name() -> Result<String, StartError> {
    std::env::var(FUNCTION_NAME).ok().filter(|name| !name.is_empty()).ok_or(StartError::NoFunctionName)
}

/// Tells whoever reads the log, and Lambda, which shows it to whoever invoked the function.
pub(crate) async fn refuse(error: &StartError) {
    // The sentence alone: what `main` returns would be shown as the compiler spells it. A configuration is shown with the
    // line that is wrong.
    error.to_string().lines().for_each(|line| eprintln!("{}", one_line(line)));
    if matches!(error, StartError::NotInLambda | StartError::Runtime(_)) {
        return;
    }
    let kind = error.kind().error_type();
    let told = serde_json::json!({ "errorType": kind, "errorMessage": error.to_string(), "stackTrace": [] });
    let request = lambda_runtime_api_client::build_request()
        .method(Method::POST)
        .uri("/2018-06-01/runtime/init/error")
        .header("content-type", "application/json")
        .header("lambda-runtime-function-error-type", kind)
        .body(Body::from(told.to_string()));
    if let (Ok(client), Ok(request)) = (Client::builder().build(), request) {
        // Lambda sees that the process ends in any case.
        let _ = client.call(request).await;
    }
}
