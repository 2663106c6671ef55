//! Answers webhooks, and starts their runs in another invocation.
//!
//! GitHub waits 10 seconds for an answer and never retries. So the answer promises a run only after the signature was
//! verified, the delivery was stored, and the invocation was queued.
//! Source: GitHub documentation, "Best practices for using webhooks" and "Handling failed webhook deliveries".

use std::time::Duration;

use serde::Serialize;
use tidegate_core::config::{ConfigError, SiteName};
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::webhook_delivery::DeliveryState;
use tidegate_publish::aws_error::AwsError;
use tidegate_publish::publish::PublishError;
use tidegate_publish::state::StateError;
use tokio::time::{Instant, sleep_until};

use super::EventHandler;
use super::idempotency::{self, NewDelivery};
use crate::context::InvocationContext;
use crate::trigger::{CONTINUATION_FORMAT, Continuation, HttpRequest, RunId, Trigger};
use crate::webhook::{CandidateRules, FetchedSecrets, WebhookDecision, WebhookRefusal, candidates};

/// When a refusal is sent, at the earliest: if a rule exists, its secrets may have been fetched first, which takes longer.
const REFUSAL_TIME: Duration = Duration::from_millis(250);

/// The answer to the sender of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WebhookResponse {
    /// The HTTP status.
    #[serde(skip)]
    pub status: u16,
    /// The message.
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
    /// The id of the run.
    pub run: String,
}

impl WebhookResponse {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), runs: Vec::new() }
    }

    fn refused(refusal: &WebhookRefusal) -> Self {
        Self::new(refusal.status(), refusal.to_string())
    }
}

/// What became of one trigger of a webhook.
enum Dispatch {
    /// A run follows.
    Started(StartedRun),
    /// The delivery came before. Contains the message for the sender.
    Duplicate(String),
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
    RandomNumbers(#[from] getrandom::Error),
    /// The invocation could not be queued.
    #[error(transparent)]
    SelfInvoke(#[from] AwsError),
}

impl DispatchError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_) => ErrorKind::Configuration,
            Self::State(error) => error.kind(),
            Self::RandomNumbers(_) | Self::SelfInvoke(_) => ErrorKind::Cloud,
        }
    }
}

impl From<StateError> for DispatchError {
    fn from(error: StateError) -> Self {
        Self::State(error.into())
    }
}

impl EventHandler {
    /// Answers a webhook. Publishes nothing yet: another invocation does, which is queued once this returns.
    pub async fn answer_webhook(&self, request: &HttpRequest, context: InvocationContext) -> WebhookResponse {
        let received = Instant::now();
        let response = self.decide(request, context).await;
        if response.status == 401 {
            sleep_until(received + REFUSAL_TIME).await;
        }
        response
    }

    async fn decide(&self, request: &HttpRequest, context: InvocationContext) -> WebhookResponse {
        let candidates = match candidates(request, &self.config) {
            Ok(candidates) => candidates,
            Err(refusal) => return WebhookResponse::refused(&refusal),
        };
        let secrets = self.fetch_secrets(&candidates).await;
        match candidates.authorize(request, &secrets, context.now) {
            WebhookDecision::Refused(refusal) => WebhookResponse::refused(&refusal),
            WebhookDecision::NoOp(reason) => WebhookResponse::new(200, reason.to_string()),
            WebhookDecision::Publish(triggers) => self.dispatch_all(&candidates, triggers, context).await,
        }
    }

    /// The secrets of the rules. One that cannot be read matches no signature: another answer would show strangers that
    /// there is a rule.
    async fn fetch_secrets(&self, candidates: &CandidateRules<'_>) -> FetchedSecrets {
        let mut secrets = FetchedSecrets::new();
        for reference in candidates.secrets() {
            match self.secrets.secret(reference).await {
                Ok(secret) => drop(secrets.insert(reference.clone(), secret)),
                Err(error) => {
                    tracing::error!(%reference, %error, "the secret of a webhook could not be read, so it accepts none");
                }
            }
        }
        secrets
    }

    async fn dispatch_all(
        &self,
        candidates: &CandidateRules<'_>,
        triggers: Vec<Trigger>,
        context: InvocationContext,
    ) -> WebhookResponse {
        let (mut runs, mut duplicates, mut failed) = (Vec::new(), Vec::new(), false);
        for trigger in triggers {
            match self.dispatch(candidates, trigger, context).await {
                Ok(Dispatch::Started(run)) => runs.push(run),
                Ok(Dispatch::Duplicate(message)) => duplicates.push(message),
                Err(error) => {
                    let error_type = error.kind().error_type();
                    tracing::error!(%error, error_type, "the run of a webhook could not be started");
                    failed = true;
                }
            }
        }
        if failed {
            // Sending it again does not start a run twice: its delivery is stored.
            let message = "not every site could be started; send the webhook again";
            return WebhookResponse { runs, ..WebhookResponse::new(503, message) };
        }
        match (runs.is_empty(), duplicates.as_slice()) {
            (true, [message, ..]) => WebhookResponse::new(200, message.clone()),
            _ => WebhookResponse { runs, ..WebhookResponse::new(202, "accepted") },
        }
    }

    async fn dispatch(
        &self,
        candidates: &CandidateRules<'_>,
        trigger: Trigger,
        context: InvocationContext,
    ) -> Result<Dispatch, DispatchError> {
        let site = self.config.site(trigger.site.as_str())?;
        let (publisher, run) = (&self.publisher, RunId::random()?);
        let name = trigger.site.clone();
        if let Some(digest) = &trigger.delivery {
            let new = NewDelivery { digest, id: candidates.delivery_id(), run: &run.id };
            match idempotency::begin(publisher, site, &new, context.now).await? {
                Some(DeliveryState::AlreadyRunning(run)) => {
                    return Ok(Dispatch::Duplicate(format!("`{name}`: the run {run} is publishing this delivery")));
                }
                Some(DeliveryState::AlreadyDone(run)) => {
                    return Ok(Dispatch::Duplicate(format!("`{name}`: the run {run} has finished this delivery")));
                }
                Some(DeliveryState::Run(_)) | None => {}
            }
        }
        let first = Continuation { format: CONTINUATION_FORMAT, run: run.clone(), trigger };
        if let Err(error) = self.self_invoke.continue_run(&first).await {
            if let Some(digest) = &first.trigger.delivery
                && let Err(error) = idempotency::end(publisher, site, digest, &run.id, false).await
            {
                tracing::warn!(run = run.id, %error, "the result of the delivery could not be stored");
            }
            return Err(error.into());
        }
        Ok(Dispatch::Started(StartedRun { site: name, run: run.id }))
    }
}
