//! One run: what was asked for is found, published within the time there is, and handed on where that is too short.

use tidegate_core::approval::Approval;
use tidegate_core::config::Site;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::resolve::{ResolveError, ResolvedSource, find};
use super::{EventHandler, MAX_CONTINUATIONS, RunError, RunResult, idempotency};
use crate::context::{CONTINUATION_MARGIN, InvocationContext};
use crate::run_log::{RunEnding, RunLogEntry};
use crate::trigger::{CONTINUATION_FORMAT, Continuation, Invocation, Trigger};

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
        let entry = RunLogEntry::new(trigger, (run, times), RunEnding::from(&ended), moment.now, since.elapsed());
        self.run_log.write(&entry);
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
