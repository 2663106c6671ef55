//! How a run ends, and why it fails.

use serde::Serialize;
use tidegate_core::config::ConfigError;
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::lease::ExecutionName;
use tidegate_core::plan::WriteEstimate;
use tidegate_core::plugin_failure::PluginFailure;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_publish::aws_error::AwsError;
use tidegate_publish::publish::{PublishError, ShardSummary};

use super::resolve::ResolveError;
use crate::run_log::RunEnding;
use crate::trigger::InvocationError;

/// Most continuations of a run. Each invocation works for up to 15 minutes.
///
/// A run ends here, with a report, rather than in Lambda, which silently drops an event once a function has invoked itself
/// about 16 times. The templates and `install` turn that off, but a function may be deployed in another way.
/// Source: AWS Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops".
pub const MAX_CONTINUATIONS: u32 = 12;

/// Most attempts of an execution to plan a site, each of up to 15 minutes. An execution has a history of at most 25,000
/// events, of which an attempt takes about 10. Source: AWS Step Functions developer guide, "Service quotas".
pub const MAX_PLANS: u32 = 1_000;

/// The name of an error after which the state machine repeats a task.
pub const THROTTLED: &str = "Throttled";

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
    /// An execution of the state machine continues the run.
    Distributed {
        /// The execution.
        execution: ExecutionName,
        /// How long one process would take, if the plan is made.
        estimate: Option<WriteEstimate>,
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
    /// The execution of the state machine could not be started.
    #[error(
        "the run could not be continued by the state machine: {0}; run `tidegate install`, or set `engine = \"lambda\"` in \
         `[function]`"
    )]
    StartExecution(AwsError),
    /// A plan was stored for workers, but there is no state machine. This is a bug.
    #[error("the plan was stored for workers, but there is no state machine, which is a bug in Tidegate")]
    NoStateMachine,
    /// An execution of the state machine failed. Contains what Step Functions caught.
    #[error("the execution failed: {0}")]
    Execution(String),
    /// An execution planned the site too often.
    #[error("the site was not planned after {MAX_PLANS} attempts; give the function more memory, or split the site")]
    TooManyPlans,
    /// A worker could not carry out all of its shard.
    #[error("{0}")]
    Shard(Box<ShardSummary>),
    /// A task of the state machine got a state that belongs to another one. This is a bug.
    #[error("a task of the state machine got the state of another one, which is a bug in Tidegate")]
    WrongTask,
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
            Self::Resolve(ResolveError::Cloud(_))
            | Self::SelfInvoke(_)
            | Self::StartExecution(_)
            | Self::Execution(_)
            | Self::Shard(_) => ErrorKind::Cloud,
            Self::Config(_)
            | Self::Resolve(_)
            | Self::TooManyContinuations
            | Self::TooManyPlans
            | Self::Invocation(_) => ErrorKind::Configuration,
            Self::NoStateMachine | Self::WrongTask => ErrorKind::Bug,
        }
    }

    /// The name of the error, by which the state machine decides on retries.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        let throttled = match self {
            Self::Shard(summary) => summary.throttled,
            Self::Publish(error) => error.is_throttled(),
            _ => false,
        };
        if throttled { THROTTLED } else { self.kind().error_type() }
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
    /// Whether the run continues elsewhere.
    #[must_use]
    pub fn continues(&self) -> bool {
        matches!(self, Self::Continued { .. } | Self::Distributed { .. })
    }

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
            Ok(RunResult::Distributed { execution, estimate }) => {
                Self::Distributed { execution: execution.as_str().to_owned(), estimate: *estimate }
            }
            Err(error) => Self::Failed { kind: error.kind(), reason: error.reason() },
        }
    }
}
