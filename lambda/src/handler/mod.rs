//! Acts on what starts a run: resolves the artifact, publishes it in the time that the invocation has, and reports the
//! result.
//!
//! [`crate::trigger`] and [`crate::webhook`] say what an event means, and [`tidegate_publish::publish`] publishes. An
//! event passes through the files in this order:
//!
//! | File | Step |
//! |---|---|
//! | `event` | [`EventHandler::handle`]: dispatches one event |
//! | `webhook` | fetches secrets, answers a webhook, and starts its runs in another invocation |
//! | `idempotency` | recognizes a delivery of a webhook that came before |
//! | `run` | [`EventHandler::run`]: one run |
//! | `resolve`, `github_artifact` | resolve the artifact to a source, and copy a file from GitHub to S3 |
//! | `self_invoke` | continues a run in another invocation |
//! | `start_execution`, `execution` | continues a run as an execution of the state machine, and does the tasks of that |
//! | `status` | reports the state of the run to GitHub |
//! | `result`, `response` | how the run ended, and the answer for the source of the event |

mod active_run;
mod event;
mod execution;
mod github_artifact;
mod idempotency;
mod resolve;
mod response;
mod result;
mod run;
mod self_invoke;
mod start_execution;
mod status;
mod webhook;

use std::sync::Arc;

use tidegate_core::config::Config;
use tidegate_publish::publish::Publisher;

pub use event::{EventError, EventResponse};
pub use github_artifact::GithubArtifactError;
pub use resolve::ResolveError;
pub use result::{MAX_CONTINUATIONS, MAX_PLANS, RunError, RunResult, THROTTLED};
pub use self_invoke::{LambdaSelfInvoke, SelfInvoke};
pub use start_execution::{ExecutionStarter, StartExecution};
pub use webhook::{StartedRun, WebhookResponse};

use crate::github::OfflineGithub;
use crate::run_log::RunLog;
use crate::secrets::SecretStore;

/// Handles events with one configuration.
#[derive(Clone)]
pub struct EventHandler {
    /// The deployed configuration.
    pub config: Arc<Config>,
    /// Publishes sites.
    pub publisher: Publisher,
    /// The store of webhook secrets and tokens.
    pub secrets: Arc<dyn SecretStore>,
    /// Takes the place of GitHub, to try an event locally.
    pub offline_github: Option<Arc<OfflineGithub>>,
    /// Continues runs in other invocations.
    pub self_invoke: Arc<dyn SelfInvoke>,
    /// Starts executions of the state machine. Without it, one invocation after another publishes.
    pub executions: Option<Arc<dyn StartExecution>>,
    /// Records every run.
    pub run_log: Arc<dyn RunLog>,
}
