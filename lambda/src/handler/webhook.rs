//! Webhooks: answered at once, carried out by another invocation.
//!
//! Owns the order: who may be meant, their secrets, whether it is authentic, whether it was here before, and only then a
//! promise. GitHub waits ten seconds and asks no second time.

use serde::Serialize;
use tidegate_core::config::{ConfigError, SiteName};
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::webhook_delivery::DeliveryState;
use tidegate_publish::aws_error::AwsError;
use tidegate_publish::publish::PublishError;
use tidegate_publish::state::StateError;

use super::EventHandler;
use super::idempotency::{self, NewDelivery};
use crate::context::InvocationContext;
use crate::trigger::{CONTINUATION_FORMAT, Continuation, HttpRequest, RunId, Trigger};
use crate::webhook::{CandidateRules, Fetched, WebhookDecision, WebhookRefusal, candidates};

/// What the sender of a webhook is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WebhookResponse {
    /// The HTTP status.
    #[serde(skip)]
    pub status: u16,
    /// One sentence.
    pub message: String,
    /// The runs that follow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<StartedRun>,
}

/// A run that follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StartedRun {
    /// The site.
    pub site: SiteName,
    /// The run's id.
    pub run: String,
}

impl WebhookResponse {
    fn plain(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), runs: Vec::new() }
    }

    fn refused(refusal: &WebhookRefusal) -> Self {
        Self::plain(refusal.status(), refusal.to_string())
    }
}

/// Why a run could not be started.
#[derive(Debug, thiserror::Error)]
enum DispatchError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The record of the delivery could not be read or written.
    #[error(transparent)]
    State(PublishError),
    /// The run has no id.
    #[error("cannot make the id of a run: the operating system has no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// The invocation could not be queued.
    #[error(transparent)]
    Invoke(#[from] AwsError),
}

impl DispatchError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_) => ErrorKind::Configuration,
            Self::State(error) => error.kind(),
            Self::Random(_) | Self::Invoke(_) => ErrorKind::Cloud,
        }
    }
}

impl From<StateError> for DispatchError {
    fn from(error: StateError) -> Self {
        Self::State(error.into())
    }
}

impl EventHandler {
    /// Answers a webhook. Nothing is published yet: what it asks for is on its way to another invocation once this returns.
    pub async fn answer(&self, call: &HttpRequest, moment: InvocationContext) -> WebhookResponse {
        let candidates = match candidates(call, &self.config) {
            Ok(candidates) => candidates,
            Err(refusal) => return WebhookResponse::refused(&refusal),
        };
        let (secrets, missing) = self.fetch(&candidates).await;
        match candidates.authorize(call, &secrets, moment.now) {
            // Nobody can tell a wrong signature from a missing secret: the sender may send it again.
            WebhookDecision::Refused(WebhookRefusal::Unauthentic) if missing => {
                WebhookResponse::plain(503, "the secrets of this webhook cannot be read now, send it again")
            }
            WebhookDecision::Refused(refusal) => WebhookResponse::refused(&refusal),
            WebhookDecision::Nothing(why) => WebhookResponse::plain(200, why.to_string()),
            WebhookDecision::Publish(triggers) => self.promise(&candidates, triggers, moment).await,
        }
    }

    /// The secrets that there are, and whether one could not be had.
    async fn fetch(&self, candidates: &CandidateRules<'_>) -> (Fetched, bool) {
        let (mut fetched, mut missing) = (Fetched::new(), false);
        for reference in candidates.secrets() {
            match self.secrets.secret(reference).await {
                Ok(secret) => drop(fetched.insert(reference.clone(), secret)),
                Err(error) => {
                    tracing::error!(%reference, %error, "a webhook's secret cannot be read");
                    missing = true;
                }
            }
        }
        (fetched, missing)
    }

    async fn promise(
        &self,
        candidates: &CandidateRules<'_>,
        triggers: Vec<Trigger>,
        moment: InvocationContext,
    ) -> WebhookResponse {
        let (mut runs, mut known, mut failed) = (Vec::new(), Vec::new(), false);
        for trigger in triggers {
            match self.pass_on(candidates, trigger, moment).await {
                Ok(DispatchedRun::New(promised)) => runs.push(promised),
                Ok(DispatchedRun::Known(told)) => known.push(told),
                Err(error) => {
                    let error_type = error.kind().error_type();
                    tracing::error!(%error, error_type, "the run of a webhook could not be started");
                    failed = true;
                }
            }
        }
        if failed {
            // What was passed on is not passed on twice: a delivery that comes again finds its run.
            return WebhookResponse {
                runs,
                ..WebhookResponse::plain(503, "not every site could be reached, send it again")
            };
        }
        match (runs.is_empty(), known.as_slice()) {
            (true, [told, ..]) => WebhookResponse::plain(200, told.clone()),
            _ => WebhookResponse { runs, ..WebhookResponse::plain(202, "accepted") },
        }
    }

    async fn pass_on(
        &self,
        candidates: &CandidateRules<'_>,
        trigger: Trigger,
        moment: InvocationContext,
    ) -> Result<DispatchedRun, DispatchError> {
        let site = self.config.site(trigger.site.as_str())?;
        let (publisher, run) = (&self.publisher, RunId::random()?);
        let name = trigger.site.clone();
        if let Some(identity) = &trigger.delivery {
            let new = NewDelivery { digest: identity, id: candidates.delivery(), run: &run.id };
            let turn = idempotency::begin(publisher, site, &new, moment.now).await;
            match turn? {
                Some(DeliveryState::AlreadyRunning(run)) => {
                    return Ok(DispatchedRun::Known(format!("`{name}`: the run {run} is at it")));
                }
                Some(DeliveryState::AlreadyDone(run)) => {
                    return Ok(DispatchedRun::Known(format!("`{name}`: the run {run} has done it")));
                }
                Some(DeliveryState::Run(_)) | None => {}
            }
        }
        let handed = Continuation { format: CONTINUATION_FORMAT, run: run.clone(), trigger };
        if let Err(error) = self.self_invoke.continue_run(&handed).await {
            if let Some(identity) = &handed.trigger.delivery
                && let Err(error) = idempotency::end(publisher, site, identity, &run.id, false).await
            {
                tracing::warn!(run = run.id, %error, "how the delivery ended could not be remembered");
            }
            return Err(error.into());
        }
        Ok(DispatchedRun::New(StartedRun { site: name, run: run.id }))
    }
}

/// What became of one trigger.
enum DispatchedRun {
    New(StartedRun),
    Known(String),
}
