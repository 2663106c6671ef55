//! One run: what was asked for is found, published within the time there is, and handed on where that is too short.

use serde::Serialize;
use tidegate_core::approval::Approval;
use tidegate_core::config::{ConfigError, Site};
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_publish::aws_error::AwsError;
use tidegate_publish::publish::PublishError;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::journal::log_entry;
use super::resolve::{ResolveError, ResolvedSource, find};
use super::{CONTINUATION_MARGIN, EventHandler, InvocationContext, MAX_CONTINUATIONS, idempotency};
use crate::trigger::{CONTINUATION_FORMAT, Continuation, Invocation, InvocationError, Trigger};

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
        times: u32,
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

impl EventHandler {
    /// What a trigger asks for. `run` is the run's id, the same however often it is handed on, and `times` how often it was.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn act(
        &self,
        trigger: &Trigger,
        run: &str,
        times: u32,
        moment: InvocationContext,
    ) -> Result<RunResult, RunError> {
        let site = self.config.site(trigger.site.as_str())?;
        let since = Instant::now();
        let span = tracing::info_span!("run", run, site = %site.name);
        if times == 0 {
            self.report_begin(site, trigger, run, moment).instrument(span.clone()).await;
        }
        let ended = self.within(site, trigger, run, times, moment).instrument(span).await;
        self.run_log.write(&log_entry(trigger, (run, times), &ended, moment.now, since.elapsed()));
        let open = matches!(ended, Ok(RunResult::Continued { .. }));
        if let Some(identity) = trigger.delivery.as_ref().filter(|_| !open) {
            let well = ended.as_ref().is_ok_and(|ended| !ended.failed());
            if let Err(error) = idempotency::end(&self.publisher, site, identity, run, well).await {
                tracing::warn!(run, %error, "how the delivery ended could not be remembered");
            }
        }
        self.report_end(site, trigger, run, moment, &ended).await;
        ended
    }

    async fn within(
        &self,
        site: &Site,
        trigger: &Trigger,
        run: &str,
        times: u32,
        moment: InvocationContext,
    ) -> Result<RunResult, RunError> {
        let found = match find(self, site, trigger, moment).await {
            Ok(found) => found,
            // A newer event is on its way, or was here already.
            Err(error @ ResolveError::Replaced(_)) => return Ok(RunResult::Superseded(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        let ResolvedSource { source, release, fetched } = found;
        let mut request = trigger.request(source, moment.now.milliseconds());
        if let Some(release) = release {
            request.release = release;
        }
        let mut publisher = self.publisher.clone();
        // Whoever waits for another run leaves time for its own.
        let left = moment.continue_at().saturating_duration_since(Instant::now());
        publisher.lock_timeout = publisher.lock_timeout.min(left / 2);
        let publishing = publisher.publish(&request, site, Approval::Policies, None, |_| ());
        match tokio::time::timeout_at(moment.continue_at(), publishing).await {
            Ok(report) => {
                let ended = RunResult::Report(Box::new(report?));
                // A run that comes again finds what was fetched; one that has ended needs it no more.
                if let Some(fetched) = fetched.filter(|_| !ended.failed()) {
                    self.forget(site, &fetched).await;
                }
                Ok(ended)
            }
            // What was written stays, and is known to the next invocation by the plan that is stored and by the site itself.
            Err(_) if times >= MAX_CONTINUATIONS => Err(RunError::Endless),
            Err(_) => {
                let next = Continuation {
                    format: CONTINUATION_FORMAT,
                    run: run.to_owned(),
                    times: times + 1,
                    trigger: trigger.clone(),
                };
                self.self_invoke.continue_run(&next).await.map_err(RunError::Relay)?;
                tracing::info!(run, times, margin = ?CONTINUATION_MARGIN, "the time is too short, another invocation goes on");
                Ok(RunResult::Continued { times })
            }
        }
    }

    /// What somebody asks for who may invoke the function.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn invoke(
        &self,
        asked: &Invocation,
        run: &str,
        moment: InvocationContext,
    ) -> Result<RunResult, RunError> {
        let trigger = asked.trigger(self.config.site(&asked.site)?)?;
        self.act(&trigger, run, 0, moment).await
    }
}
