//! The values that pass between the state machine `tidegate-publish` and the function: the state of an execution, and the
//! tasks that the state machine gives to the function.
//!
//! The state machine only moves them: a task gets the whole state, and its answer is the next one. A state is at most 256
//! KiB, so what grows with the site is in S3. Source: AWS Step Functions developer guide, "Service quotas".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_core::config::SiteName;
use tidegate_core::lease::{ExecutionName, LeaseTerm};
use tidegate_core::location::ObjectLocation;
use tidegate_core::plan::shards::{ShardList, ShardPhase};
use tidegate_core::release::ReleaseId;
use tidegate_core::report::Outcome;
use tidegate_core::request::PublishRequest;
use tidegate_core::sanitize::sanitize_name;
use tidegate_publish::publish::DistributedRun;

use super::invocation::Continuation;

/// The state of an execution. The state machine chooses its next step by `next`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "next", rename_all = "kebab-case")]
pub enum ExecutionState {
    /// The site is planned next.
    Plan {
        /// The run.
        run: Continuation,
    },
    /// Another run publishes the site, or the artifact is still being uploaded.
    Wait {
        /// The run.
        run: Continuation,
        /// How long to wait, in seconds.
        seconds: u64,
    },
    /// The plan is stored. Workers carry out its shards next, phase after phase.
    Write {
        /// What is published.
        #[serde(flatten)]
        publish: DistributedPublish,
        /// What every worker needs.
        work: DistributedWork,
        /// Where the lists of the phases' shards are. A phase without shards has none.
        lists: BTreeMap<ShardPhase, ShardList>,
    },
    /// All shards are done. The release is committed next, caches are invalidated, and the state is pruned.
    Finish {
        /// What is published.
        #[serde(flatten)]
        publish: DistributedPublish,
    },
    /// The run succeeded, or was denied.
    Done {
        /// The run.
        run: Continuation,
        /// How it ended.
        outcome: Outcome,
        /// Why it ended so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// The run failed.
    Failed {
        /// The run.
        run: Continuation,
        /// The cause, with which the execution fails.
        error: CaughtError,
    },
}

/// A publish whose source is resolved, so that every task of the execution has the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistributedPublish {
    /// The run.
    pub run: Continuation,
    /// The request.
    pub request: PublishRequest,
    /// The file that was copied from GitHub, to delete after the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<ObjectLocation>,
}

/// What every worker of an execution needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistributedWork {
    /// The site.
    pub site: SiteName,
    /// The release that is made.
    pub release: ReleaseId,
    /// The lease that workers share.
    pub lease: LeaseTerm,
}

/// A task of the state machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum ExecutionTask {
    /// Plans the site.
    Plan {
        /// The execution.
        execution: ExecutionName,
        /// Its state.
        state: ExecutionState,
    },
    /// Carries out one shard.
    Write {
        /// The number of the shard.
        shard: u32,
        /// What every worker needs.
        work: DistributedWork,
    },
    /// Commits the release, invalidates caches and prunes the state.
    Finish {
        /// The execution.
        execution: ExecutionName,
        /// Its state.
        state: ExecutionState,
    },
    /// Reports a failure. The state machine fails afterwards.
    GiveUp {
        /// The execution.
        execution: ExecutionName,
        /// Its state.
        state: FailedState,
    },
}

/// The state of an execution whose last step failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedState {
    /// The state before that step.
    #[serde(flatten)]
    pub state: ExecutionState,
    /// What Step Functions caught.
    pub error: CaughtError,
}

/// A caught error. Source: AWS Step Functions developer guide, "Handling errors in Step Functions workflows".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CaughtError {
    /// Its name, such as `Tidegate.Cloud` or `Lambda.TooManyRequestsException`.
    #[serde(default)]
    pub error: String,
    /// Its details: the error of the function as JSON, or a text.
    #[serde(default)]
    pub cause: String,
}

impl ExecutionState {
    /// The state of an execution whose plan is stored.
    #[must_use]
    pub fn writing(
        run: Continuation,
        request: PublishRequest,
        fetched: Option<ObjectLocation>,
        distributed: DistributedRun,
    ) -> Self {
        let DistributedRun { release, lease, lists, .. } = distributed;
        let work = DistributedWork { site: run.trigger.site.clone(), release, lease };
        Self::Write { publish: DistributedPublish { run, request, fetched }, work, lists }
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &Continuation {
        match self {
            Self::Plan { run } | Self::Wait { run, .. } | Self::Done { run, .. } | Self::Failed { run, .. } => run,
            Self::Write { publish, .. } | Self::Finish { publish } => &publish.run,
        }
    }
}

impl ExecutionTask {
    /// The field of an event that holds a task.
    pub const FIELD: &'static str = "tidegate-task";

    pub(super) fn read(task: &Value) -> Result<Self, String> {
        let task = Self::deserialize(task).map_err(|error| sanitize_name(&error.to_string()))?;
        let state = match &task {
            Self::Plan { state, .. }
            | Self::Finish { state, .. }
            | Self::GiveUp { state: FailedState { state, .. }, .. } => state,
            Self::Write { .. } => return Ok(task),
        };
        state.run().check_format()?;
        match state {
            // The right to invoke the function is not the right to publish its files.
            ExecutionState::Write { publish, .. } | ExecutionState::Finish { publish }
                if publish.request.source.is_local() =>
            {
                Err(format!("its source is `{}`, which is a local path", publish.request.source))
            }
            _ => Ok(task),
        }
    }
}

impl CaughtError {
    /// What failed, for people.
    #[must_use]
    pub fn message(&self) -> String {
        let cause: Option<Value> = serde_json::from_str(&self.cause).ok();
        let message = cause.as_ref().and_then(|cause| cause.get("errorMessage")).and_then(Value::as_str);
        let cause = message.unwrap_or(&self.cause);
        if cause.is_empty() { self.error.clone() } else { format!("{}: {cause}", self.error) }
    }
}
