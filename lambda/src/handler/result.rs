//! How a run ended.

use serde::Serialize;
use tidegate_core::config::ConfigError;
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_publish::aws_error::AwsError;
use tidegate_publish::publish::PublishError;

use super::resolve::ResolveError;
use crate::run_log::RunEnding;
use crate::trigger::InvocationError;

/// How often a run is handed on at the most. Each time has fourteen minutes.
pub const MAX_CONTINUATIONS: u32 = 20;

/// How a run ended.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// It came to an end.
    Report(Box<PublishReport>),
    /// Nothing had to be done; a success.
    Superseded(String),
    /// The time was too short: another invocation goes on, with what was written so far.
    Continued {
        /// How often that happened before.
        continuations: u32,
    },
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A site that the configuration does not have.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nothing to publish.
    #[error(transparent)]
    Found(#[from] ResolveError),
    /// No plan came about.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The run could not be handed on.
    #[error("the run ran out of time and could not be handed on: {0}")]
    Relay(AwsError),
    /// It was handed on too often.
    #[error(
        "the run was handed on {MAX_CONTINUATIONS} times and still has no end: give the function more memory, or split the site"
    )]
    Endless,
    /// A request by hand without a source.
    #[error(transparent)]
    Invocation(#[from] InvocationError),
}

impl RunError {
    /// Whose fault it is: only what is the cloud's may go well another time.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Publish(error) => error.kind(),
            Self::Found(ResolveError::Provided(error)) => error.kind(),
            Self::Found(ResolveError::Cloud(_)) | Self::Relay(_) => ErrorKind::Cloud,
            Self::Config(_) | Self::Found(_) | Self::Endless | Self::Invocation(_) => ErrorKind::Configuration,
        }
    }
}

impl RunResult {
    /// Whether asking again would be right: what failed, and what is half done.
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(self, Self::Report(report) if matches!(report.outcome, Outcome::Partial | Outcome::Failed))
    }
}

impl From<&Result<RunResult, RunError>> for RunEnding {
    fn from(ended: &Result<RunResult, RunError>) -> Self {
        match ended {
            Ok(RunResult::Report(report)) => Self::Report(report.clone()),
            Ok(RunResult::Superseded(why)) => Self::Superseded(why.clone()),
            Ok(RunResult::Continued { .. }) => Self::Continued,
            Err(error) => Self::Failed { kind: error.kind(), reason: error.to_string() },
        }
    }
}
