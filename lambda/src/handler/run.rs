//! One run: what was asked for is found, published within the time there is, and handed on where that is too short.

use tidegate_core::approval::Approval;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::active_run::ActiveRun;
use super::resolve::{ResolveError, ResolvedSource, find};
use super::{EventHandler, MAX_CONTINUATIONS, RunError, RunResult, idempotency};
use crate::context::{CONTINUATION_MARGIN, InvocationContext};
use crate::run_log::{RunEnding, RunLogEntry};
use crate::trigger::{CONTINUATION_FORMAT, Continuation, Invocation, RunId, Trigger};

impl EventHandler {
    /// What a trigger asks for.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn act(&self, trigger: &Trigger, id: &RunId, context: InvocationContext) -> Result<RunResult, RunError> {
        let site = self.config.site(trigger.site.as_str())?;
        let run = ActiveRun { site, trigger, id, context };
        let since = Instant::now();
        let span = tracing::info_span!("run", run = id.id, site = %site.name);
        if id.continuations == 0 {
            self.report_begin(&run).instrument(span.clone()).await;
        }
        let ended = self.within(&run).instrument(span).await;
        let entry = RunLogEntry::new(trigger, id, RunEnding::from(&ended), context.now, since.elapsed());
        self.run_log.write(&entry);
        let open = matches!(ended, Ok(RunResult::Continued { .. }));
        if let Some(identity) = trigger.delivery.as_ref().filter(|_| !open) {
            let well = ended.as_ref().is_ok_and(|ended| !ended.failed());
            if let Err(error) = idempotency::end(&self.publisher, site, identity, &id.id, well).await {
                tracing::warn!(run = id.id, %error, "how the delivery ended could not be remembered");
            }
        }
        self.report_end(&run, &ended).await;
        ended
    }

    async fn within(&self, run: &ActiveRun<'_>) -> Result<RunResult, RunError> {
        let ActiveRun { site, trigger, id, context } = *run;
        let found = match find(self, site, trigger, context).await {
            Ok(found) => found,
            // A newer event is on its way, or was here already.
            Err(error @ ResolveError::Replaced(_)) => return Ok(RunResult::Superseded(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        let ResolvedSource { source, release, fetched } = found;
        let mut request = trigger.request(source, context.now.milliseconds());
        if let Some(release) = release {
            request.release = release;
        }
        let mut publisher = self.publisher.clone();
        // Whoever waits for another run leaves time for its own.
        let left = context.continue_at().saturating_duration_since(Instant::now());
        publisher.lock_timeout = publisher.lock_timeout.min(left / 2);
        let publishing = publisher.publish(&request, site, Approval::Policies, None, |_| ());
        match tokio::time::timeout_at(context.continue_at(), publishing).await {
            Ok(report) => {
                let ended = RunResult::Report(Box::new(report?));
                // A run that comes again finds what was fetched; one that has ended needs it no more.
                if let Some(fetched) = fetched.filter(|_| !ended.failed()) {
                    self.forget(site, &fetched).await;
                }
                Ok(ended)
            }
            // What was written stays, and is known to the next invocation by the plan that is stored and by the site itself.
            Err(_) if id.continuations >= MAX_CONTINUATIONS => Err(RunError::Endless),
            Err(_) => {
                let next = Continuation { format: CONTINUATION_FORMAT, run: id.next(), trigger: trigger.clone() };
                self.self_invoke.continue_run(&next).await.map_err(RunError::Relay)?;
                tracing::info!(run = id.id, continuations = id.continuations, margin = ?CONTINUATION_MARGIN, "the time is too short, another invocation goes on");
                Ok(RunResult::Continued { continuations: id.continuations })
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
        run: &RunId,
        context: InvocationContext,
    ) -> Result<RunResult, RunError> {
        let trigger = asked.trigger(self.config.site(&asked.site)?)?;
        self.act(&trigger, run, context).await
    }
}
