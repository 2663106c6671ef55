//! Why the function cannot start, and how it reports that to Lambda.
//!
//! Source: AWS Lambda developer guide, "Using the Lambda runtime API" (initialization error).

use std::path::PathBuf;

use http::Method;
use lambda_runtime_api_client::Client;
use lambda_runtime_api_client::body::Body;
use tidegate_core::config::ConfigError;
use tidegate_core::error_kind::ErrorKind;
use tidegate_host::{CodePackageError, EngineError};
use tidegate_lambda::run_log::one_line;

/// The variable with the address of Lambda's runtime API.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// The variable with the name of the function.
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// Why the function cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("this program only runs in AWS Lambda; use `tidegate invoke` to try an event locally")]
    NotInLambda,
    #[error("the environment variable `{FUNCTION_NAME}` is empty; the function needs its own name to continue runs")]
    NoFunctionName,
    #[error("cannot make ids of runs: the operating system has no random numbers: {0}")]
    NoRandomNumbers(getrandom::Error),
    #[error("cannot read the configuration `{0}`: {1}")]
    Read(PathBuf, std::io::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Package(#[from] CodePackageError),
    #[error("the Lambda runtime failed: {0}")]
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

/// Refuses to start outside of Lambda.
pub(crate) fn require_lambda() -> Result<(), StartError> {
    std::env::var_os(RUNTIME_API).map(|_| ()).ok_or(StartError::NotInLambda)
}

/// The name of this function.
pub(crate) fn function_name() -> Result<String, StartError> {
    std::env::var(FUNCTION_NAME).ok().filter(|name| !name.is_empty()).ok_or(StartError::NoFunctionName)
}

/// Reports the error to the log, and to Lambda, which passes it on to the caller.
pub(crate) async fn report(error: &StartError) {
    // Not by the return value of `main`, which is printed in `Debug` form. A configuration error has several lines,
    // since it quotes the configuration.
    error.to_string().lines().for_each(|line| eprintln!("{}", one_line(line)));
    if matches!(error, StartError::NotInLambda | StartError::Runtime(_)) {
        return;
    }
    let error_type = error.kind().error_type();
    let body = serde_json::json!({ "errorType": error_type, "errorMessage": error.to_string(), "stackTrace": [] });
    let request = lambda_runtime_api_client::build_request()
        .method(Method::POST)
        .uri("/2018-06-01/runtime/init/error")
        .header("content-type", "application/json")
        .header("lambda-runtime-function-error-type", error_type)
        .body(Body::from(body.to_string()));
    if let (Ok(client), Ok(request)) = (Client::builder().build(), request) {
        // If the report fails, Lambda still sees that the process exited.
        let _ = client.call(request).await;
    }
}
