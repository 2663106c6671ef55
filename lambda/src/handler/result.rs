//! How a run ends, and why it fails.

use serde::Serialize;
use tidegate_core::config::ConfigError;
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::plugin_failure::PluginFailure;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_publish::aws_error::AwsError;
use tidegate_publish::publish::PublishError;

use super::resolve::ResolveError;
use crate::run_log::RunEnding;
use crate::trigger::InvocationError;

/// Most continuations of a run. Each invocation works for up to 15 minutes.
///
/// A run ends here, with a report, rather than in Lambda, which silently drops an event once a function has invoked itself
/// about 16 times. The templates and `install` turn that off, but a function may be deployed in another way.
/// Source: AWS Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops".
pub const MAX_CONTINUATIONS: u32 = 12;

/// How a run ended.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// The run has a report.
    Report(Box<PublishReport>),
    /// A newer event follows, which is a success. Contains the reason.
    Superseded(String),
    /// The time ran out, and another invocation continues the run. What was written so far stays.
    Continued {
        /// How many times the run was continued before.
        continuations: u32,
    },
}

/// Why a run failed before it had a plan, or could not be continued.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration does not have the site.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The artifact could not be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The plan could not be made.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The run could not be continued.
    #[error("the run ran out of time and could not be continued: {0}")]
    SelfInvoke(AwsError),
    /// The run was continued too often.
    #[error(
        "the run did not finish after {MAX_CONTINUATIONS} continuations; give the function more memory, or split the site"
    )]
    TooManyContinuations,
    /// A direct invocation has no source.
    #[error(transparent)]
    Invocation(#[from] InvocationError),
}

impl RunError {
    /// The kind of the error. Only a run that failed with kind cloud may succeed later without a change.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Publish(error) => error.kind(),
            Self::Resolve(ResolveError::GithubArtifact(error)) => error.kind(),
            Self::Resolve(ResolveError::Cloud(_)) | Self::SelfInvoke(_) => ErrorKind::Cloud,
            Self::Config(_) | Self::Resolve(_) | Self::TooManyContinuations | Self::Invocation(_) => {
                ErrorKind::Configuration
            }
        }
    }

    /// The message, with the backtrace and the last log records of a plugin that failed.
    fn reason(&self) -> String {
        let failure = match self {
            Self::Publish(error) => error.plugin_failure(),
            _ => None,
        };
        let details = failure.into_iter().flat_map(PluginFailure::details);
        details.fold(self.to_string(), |reason, detail| format!("{reason}; {detail}"))
    }
}

impl RunResult {
    /// Whether the run failed, wholly or in part, so that a retry may help.
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(self, Self::Report(report) if matches!(report.outcome, Outcome::Partial | Outcome::Failed))
    }
}

impl From<&Result<RunResult, RunError>> for RunEnding {
    fn from(result: &Result<RunResult, RunError>) -> Self {
        match result {
            Ok(RunResult::Report(report)) => Self::Report(report.clone()),
            Ok(RunResult::Superseded(reason)) => Self::Superseded(reason.clone()),
            Ok(RunResult::Continued { .. }) => Self::Continued,
            Err(error) => Self::Failed { kind: error.kind(), reason: error.reason() },
        }
    }
}
