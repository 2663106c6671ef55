//! Runs CloudFront functions, with QuickJS, as their runtime `cloudfront-js-2.0` would.
//!
//! [`EdgeFunction`] is a function that is ready to run. It needs no account:
//!
//! ```
//! use tidegate_emulator::function::{EdgeFunction, request_event};
//!
//! let code = "import cf from 'cloudfront';
//!     async function handler(event) {
//!         event.request.uri = await cf.kvs().get('prefix') + event.request.uri;
//!         return event.request;
//!     }";
//! let function = EdgeFunction::new(code, |key| (key == "prefix").then(|| "/live".to_owned()))?;
//! assert_eq!(function.request(&request_event("example.com", "/a?b=1"))?["uri"], "/live/a");
//! # Ok::<(), tidegate_emulator::function::EdgeFunctionError>(())
//! ```
//!
//! The modules, in the order in which data meets them: `tokens` and `lint` (syntax that the real runtime does not have),
//! `engine` (QuickJS and the objects that the runtime provides), `event` (what a function gets), `outcome` (what it may
//! return).

mod bytes;
mod engine;
mod event;
mod lint;
mod outcome;
mod tokens;

use serde_json::Value;
use thiserror::Error;

pub use engine::StoreView;
pub(crate) use event::is_hidden;
pub use event::{EventContext, ViewerRequest, ViewerResponse, request_event};
pub use lint::{SyntaxProblem, lint};
pub use outcome::{check_request, check_response};

use engine::QuickJs;

/// The bytes that text encodes; `None` if it does not.
pub(crate) fn encoded_bytes(text: &str, encoding: &str) -> Option<Vec<u8>> {
    bytes::parse(text, encoding).ok()
}

/// Largest code, in bytes, with its comments. Source: CloudFront Developer Guide, "Quotas on CloudFront Functions".
pub const MAX_CODE: usize = 10_240;

/// Why a function did not produce a usable result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EdgeFunctionError {
    /// The code is too large.
    #[error("the code has {0} bytes, and at most {MAX_CODE} are allowed")]
    TooLarge(usize),
    /// The code has syntax that the real runtime does not have.
    #[error("SyntaxError: {0}")]
    Syntax(SyntaxProblem),
    /// The code cannot be compiled, threw an exception, or did not finish.
    #[error("{0}")]
    Execution(String),
    /// The function used too much time.
    #[error("the function exceeded the compute limit")]
    Compute,
    /// CloudFront does not accept the result.
    #[error("{0}")]
    Validation(String),
}

impl EdgeFunctionError {
    /// The name that CloudFront gives to the failure.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Validation(_) => "FunctionValidationError",
            _ => "FunctionExecutionError",
        }
    }

    /// The status that viewers get. Source: CloudFront Developer Guide, "Restrictions on all edge functions" (502) and
    /// "HTTP 503 status code", "CloudFront function execution error".
    #[must_use]
    pub fn status(&self) -> http::StatusCode {
        match self {
            Self::Validation(_) => http::StatusCode::BAD_GATEWAY,
            _ => http::StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// One run of a function.
#[derive(Debug, Clone)]
pub struct FunctionRun {
    /// What the function returned, not checked yet.
    pub result: Result<Value, EdgeFunctionError>,
    /// What it logged with `console.log`.
    pub logs: Vec<String>,
    /// The used part of the compute limit, in percent. The real limit is not published, so this is no measurement.
    pub utilization: u8,
}

/// A function that is ready to run. Its global state stays from one run to the next.
pub struct EdgeFunction {
    engine: QuickJs,
}

impl std::fmt::Debug for EdgeFunction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EdgeFunction").finish_non_exhaustive()
    }
}

impl EdgeFunction {
    /// Prepares a function. `store` returns the value of a key of its key value store.
    ///
    /// # Errors
    /// The code is too large, has syntax that the real runtime does not have, or cannot be compiled.
    pub fn new(code: &str, store: impl Fn(&str) -> Option<String> + 'static) -> Result<Self, EdgeFunctionError> {
        Self::with_store(code, store)
    }

    /// Prepares a function with a store that also has an ID and metadata.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_store(code: &str, store: impl StoreView + 'static) -> Result<Self, EdgeFunctionError> {
        if code.len() > MAX_CODE {
            return Err(EdgeFunctionError::TooLarge(code.len()));
        }
        if let Some(problem) = lint(code).into_iter().next() {
            return Err(EdgeFunctionError::Syntax(problem));
        }
        Ok(Self { engine: QuickJs::new(code, std::rc::Rc::new(store))? })
    }

    /// Runs the function for an event, without checking the result.
    #[must_use]
    pub fn run(&self, event: &Value) -> FunctionRun {
        self.engine.run(event)
    }

    /// Runs the function for a viewer request event. Returns the request, or the response that has a `statusCode`.
    ///
    /// # Errors
    /// The function failed, or CloudFront does not accept what it returned.
    pub fn request(&self, event: &Value) -> Result<Value, EdgeFunctionError> {
        check_request(event, self.run(event).result?)
    }

    /// Runs the function for a viewer response event, and returns the response.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub fn response(&self, event: &Value) -> Result<Value, EdgeFunctionError> {
        check_response(event, self.run(event).result?)
    }
}
