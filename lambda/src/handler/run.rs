//! One run: resolves the artifact, publishes it, and continues in another invocation if the time runs out.

use std::time::Duration;

use tidegate_core::approval::Approval;
use tidegate_publish::CancellationToken;
use tidegate_publish::publish::PublishError;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument as _;

use super::active_run::ActiveRun;
use super::resolve::{ResolvedSource, resolve};
use super::result::{MAX_CONTINUATIONS, RunError, RunResult};
use super::{EventHandler, idempotency};
use crate::context::{CONTINUATION_MARGIN, InvocationContext};
use crate::run_log::{RunEnding, RunLogEntry};
use crate::trigger::{CONTINUATION_FORMAT, Continuation, Invocation, RunId, Trigger};

/// Longest time to release the lease of a run that is continued, within [`CONTINUATION_MARGIN`].
const RELEASE_TIME: Duration = Duration::from_secs(5);

impl EventHandler {
    /// Runs a trigger, and records and reports the result.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn run(&self, trigger: &Trigger, id: &RunId, context: InvocationContext) -> Result<RunResult, RunError> {
        let site = self.config.site(trigger.site.as_str())?;
        let run = ActiveRun { site, trigger, id, context };
        let started = Instant::now();
        let span = tracing::info_span!("run", run = id.id, site = %site.name);
        if id.continuations == 0 {
            self.report_start(&run).instrument(span.clone()).await;
        }
        let result = self.publish(&run).instrument(span).await;
        let entry = RunLogEntry::new(trigger, id, RunEnding::from(&result), context.now, started.elapsed());
        self.run_log.write(&entry);
        let continued = matches!(result, Ok(RunResult::Continued { .. }));
        if let Some(digest) = trigger.delivery.as_ref().filter(|_| !continued) {
            let succeeded = result.as_ref().is_ok_and(|result| !result.failed());
            if let Err(error) = idempotency::end(&self.publisher, site, digest, &id.id, succeeded).await {
                tracing::warn!(run = id.id, %error, "the result of the delivery could not be stored");
            }
            if let Err(error) = idempotency::prune(&self.publisher, site, context.now).await {
                tracing::warn!(run = id.id, %error, "records of old deliveries could not be deleted");
            }
        }
        self.report_end(&run, &result).await;
        result
    }

    async fn publish(&self, run: &ActiveRun<'_>) -> Result<RunResult, RunError> {
        let ActiveRun { site, trigger, id, context } = *run;
        let resolved = match resolve(self, site, trigger, context).await {
            Ok(resolved) => resolved,
            // The event of the newer object follows, or came before.
            Err(error) if error.is_replaced() => return Ok(RunResult::Superseded(error.to_string())),
            // Its assets are still being uploaded.
            Err(error) if error.is_early() && id.continuations < MAX_CONTINUATIONS => {
                return self.continue_run(run).await;
            }
            Err(error) => return Err(error.into()),
        };
        let ResolvedSource { source, release, fetched } = resolved;
        let mut request = trigger.request(source, context.now.milliseconds());
        if let Some(release) = release {
            request.release = release.into();
        }
        let mut publisher = self.publisher.clone();
        // Waiting for the lock of another run may take half of the time, so that the other half is left to publish.
        let remaining = context.continue_at().saturating_duration_since(Instant::now());
        publisher.lock_timeout = publisher.lock_timeout.min(remaining / 2);
        publisher.cancel = CancellationToken::new();
        // On the heap: with everything that a publish awaits, it would take much of the stack.
        let mut publishing = Box::pin(publisher.publish(&request, site, Approval::Policies, None, |_| ()));
        let mut ended = timeout_at(context.continue_at(), &mut publishing).await;
        if ended.is_err() {
            // Drops the requests in flight and releases the lease, so that the next invocation need not wait.
            publisher.cancel.cancel();
            ended = timeout(RELEASE_TIME, publishing).await;
        }
        match ended {
            Ok(Err(PublishError::Interrupted)) | Err(_) if id.continuations >= MAX_CONTINUATIONS => {
                Err(RunError::TooManyContinuations)
            }
            // What was written stays: the next invocation finds it by the stored plan and by the site itself.
            Ok(Err(PublishError::Interrupted)) | Err(_) => self.continue_run(run).await,
            Ok(report) => {
                let result = RunResult::Report(Box::new(report?));
                // A retry of a failed run uses the fetched file again.
                if let Some(fetched) = fetched.filter(|_| !result.failed()) {
                    self.delete_fetched(site, &fetched).await;
                }
                Ok(result)
            }
        }
    }

    /// Continues a run in another invocation.
    async fn continue_run(&self, run: &ActiveRun<'_>) -> Result<RunResult, RunError> {
        let continuations = run.id.continuations;
        let next = Continuation { format: CONTINUATION_FORMAT, run: run.id.next(), trigger: run.trigger.clone() };
        self.self_invoke.continue_run(&next).await.map_err(RunError::SelfInvoke)?;
        tracing::info!(run = run.id.id, continuations, margin = ?CONTINUATION_MARGIN, "the run is continued");
        Ok(RunResult::Continued { continuations })
    }

    /// Runs a direct invocation.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn invoke(
        &self,
        invocation: &Invocation,
        id: &RunId,
        context: InvocationContext,
    ) -> Result<RunResult, RunError> {
        let trigger = invocation.trigger(self.config.site(&invocation.site)?)?;
        self.run(&trigger, id, context).await
    }
}
