//! Acting on what starts a run: events that say that a build is there, webhooks that announce one, runs handed on.
//!
//! Owns the order: find what is published, publish within the time there is, remember what became of it, hand on what is
//! left. What an event or a webhook means is `tidegate_host`'s to say; publishing is [`tidegate_publish::publish`]'s.

mod active_run;
mod event;
mod github_artifact;
mod idempotency;
mod resolve;
mod response;
mod result;
mod run;
mod self_invoke;
mod status;
mod webhook;

use std::sync::Arc;

use tidegate_core::config::Config;
use tidegate_publish::publish::Publisher;

pub use event::EventError;
pub use github_artifact::GithubArtifactError;
pub use resolve::ResolveError;
pub use result::{MAX_CONTINUATIONS, RunError, RunResult};
pub use self_invoke::{LambdaSelfInvoke, SelfInvoke};
pub use webhook::{StartedRun, WebhookResponse};

use crate::run_log::RunLog;
use crate::secrets::SecretStore;

/// What acts.
#[derive(Clone)]
pub struct EventHandler {
    /// The configuration, as it was deployed.
    pub config: Arc<Config>,
    /// Who publishes.
    pub publisher: Publisher,
    /// Where secrets are.
    pub secrets: Arc<dyn SecretStore>,
    /// How a run gets into another invocation.
    pub self_invoke: Arc<dyn SelfInvoke>,
    /// Who is told of every run.
    pub run_log: Arc<dyn RunLog>,
}
