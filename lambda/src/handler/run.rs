//! One run: resolves the artifact, publishes it, and continues elsewhere if the time of the invocation is too short.

use std::time::Duration;

use tidegate_core::approval::Approval;
use tidegate_core::config::{FunctionEngine, Site};
use tidegate_core::lease::ExecutionName;
use tidegate_core::location::ObjectLocation;
use tidegate_core::plan::DistributeWhen;
use tidegate_core::request::PublishRequest;
use tidegate_publish::CancellationToken;
use tidegate_publish::publish::{DistributedStart, ExecutionChoice, PublishError, Publisher};
use tidegate_publish::state::StateError;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument as _;

use super::active_run::ActiveRun;
use super::resolve::{ResolveError, ResolvedSource, resolve};
use super::result::{MAX_CONTINUATIONS, RunError, RunResult};
use super::start_execution::StartExecution;
use super::{EventHandler, idempotency};
use crate::context::{CONTINUATION_MARGIN, InvocationContext};
use crate::run_log::{RunEnding, RunLogEntry};
use crate::trigger::{CONTINUATION_FORMAT, Continuation, ExecutionState, Invocation, RunId, Trigger};

/// Longest time to release the lease of a run that is continued, within [`CONTINUATION_MARGIN`].
const RELEASE_TIME: Duration = Duration::from_secs(5);

/// What an artifact was resolved to.
pub(super) enum PreparedRun {
    /// A request, with the file that was copied from GitHub.
    Request(Box<PublishRequest>, Option<ObjectLocation>),
    /// A newer event follows, or came before. Contains the reason.
    Superseded(String),
    /// The artifact is still being uploaded.
    Early(ResolveError),
}

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
        self.record_run(&run, &result, started).await;
        result
    }

    /// Records how a run ended, and reports it unless the run continues elsewhere.
    pub(super) async fn record_run(&self, run: &ActiveRun<'_>, result: &Result<RunResult, RunError>, started: Instant) {
        let ActiveRun { site, trigger, id, context } = *run;
        let entry = RunLogEntry::new(trigger, id, RunEnding::from(result), context.now, started.elapsed());
        self.run_log.write(&entry);
        let continued = result.as_ref().is_ok_and(RunResult::continues);
        if let Some(digest) = trigger.delivery.as_ref().filter(|_| !continued) {
            let succeeded = result.as_ref().is_ok_and(|result| !result.failed());
            if let Err(error) = idempotency::end(&self.publisher, site, digest, &id.id, succeeded).await {
                tracing::warn!(run = id.id, %error, "the result of the delivery could not be stored");
            }
            if let Err(error) = idempotency::prune(&self.publisher, site, context.now).await {
                tracing::warn!(run = id.id, %error, "records of old deliveries could not be deleted");
            }
        }
        self.report_end(run, result).await;
    }

    async fn publish(&self, run: &ActiveRun<'_>) -> Result<RunResult, RunError> {
        let ActiveRun { site, context, .. } = *run;
        let state_machine = self.state_machine(site);
        if let (Some(starter), FunctionEngine::StepFunctions) = (state_machine, self.config.function.engine) {
            return self.start_planning(run, starter).await;
        }
        let (request, fetched) = match self.prepare(run).await? {
            PreparedRun::Request(request, fetched) => (request, fetched),
            PreparedRun::Superseded(reason) => return Ok(RunResult::Superseded(reason)),
            PreparedRun::Early(_) if run.id.continuations < MAX_CONTINUATIONS => return self.continue_run(run).await,
            PreparedRun::Early(error) => return Err(error.into()),
        };
        let publisher = self.publisher_until(context);
        let execution = state_machine.map(|starter| starter.name(run.id, &site.name));
        let when = self.config.function.distribute_when(context.time_left());
        // On the heap: with everything that a publish awaits, it would take much of the stack.
        let publishing = Box::pin(publish(&publisher, &request, site, execution.as_ref().zip(when)));
        let ended = until_deadline(&publisher, context, publishing).await;
        let (started, starter) = match (ended, state_machine) {
            // What was written stays: the next invocation finds it by the stored plan and by the site itself.
            (Ok(None), None) => return self.continue_run(run).await,
            (Ok(None), Some(starter)) => return self.start_planning(run, starter).await,
            // An execution waits without costs.
            (Err(error), Some(starter)) if is_locked(&error) => return self.start_planning(run, starter).await,
            (Err(error), _) => return Err(error.into()),
            (Ok(Some(started)), starter) => (started, starter.zip(execution.as_ref())),
        };
        match (started, starter) {
            (DistributedStart::Finished(report), _) => {
                let result = RunResult::Report(report);
                self.delete_unless_failed(site, fetched.as_ref(), &result).await;
                Ok(result)
            }
            (DistributedStart::Started(distributed), Some((starter, execution))) => {
                let (lease, estimate) = (distributed.lease.clone(), distributed.estimate);
                let state = ExecutionState::writing(continuation(run), *request, fetched, distributed);
                if let Err(error) = starter.start(execution, &state).await {
                    if error.status.is_some()
                        && let Err(error) = self.publisher.withdraw(site, &lease).await
                    {
                        tracing::warn!(%error, "the lease of the execution could not be released");
                    }
                    return Err(RunError::StartExecution(error));
                }
                Ok(RunResult::Distributed { execution: execution.clone(), estimate: Some(estimate) })
            }
            (DistributedStart::Started(_), None) => Err(RunError::NoStateMachine),
        }
    }

    /// The state machine, for a site whose publishes can be distributed.
    fn state_machine(&self, site: &Site) -> Option<&dyn StartExecution> {
        let distributes = self.config.function.engine.has_state_machine() && site.state.is_some();
        self.executions.as_deref().filter(|_| distributes)
    }

    /// Starts an execution that plans the run.
    async fn start_planning(&self, run: &ActiveRun<'_>, starter: &dyn StartExecution) -> Result<RunResult, RunError> {
        let execution = starter.name(run.id, &run.site.name);
        let state = ExecutionState::Plan { run: continuation(run) };
        starter.start(&execution, &state).await.map_err(RunError::StartExecution)?;
        Ok(RunResult::Distributed { execution, estimate: None })
    }

    /// Resolves the artifact of a run to a request.
    pub(super) async fn prepare(&self, run: &ActiveRun<'_>) -> Result<PreparedRun, RunError> {
        let ActiveRun { site, trigger, context, .. } = *run;
        let ResolvedSource { source, release, fetched } = match resolve(self, site, trigger, context).await {
            Ok(resolved) => resolved,
            // The event of the newer object follows, or came before.
            Err(error) if error.is_replaced() => return Ok(PreparedRun::Superseded(error.to_string())),
            // Its assets are still being uploaded.
            Err(error) if error.is_early() => return Ok(PreparedRun::Early(error)),
            Err(error) => return Err(error.into()),
        };
        let mut request = trigger.request(source, context.now.milliseconds());
        if let Some(release) = release {
            request.release = release.into();
        }
        Ok(PreparedRun::Request(Box::new(request), fetched))
    }

    /// Deletes the file that was copied from GitHub. A retry of a failed run uses it again.
    pub(super) async fn delete_unless_failed(&self, site: &Site, fetched: Option<&ObjectLocation>, result: &RunResult) {
        if let Some(fetched) = fetched.filter(|_| !result.failed()) {
            self.delete_fetched(site, fetched).await;
        }
    }

    /// A publisher of one invocation. Waiting for the lock of another run may take half of the time, so that the other half
    /// is left to publish.
    pub(super) fn publisher_until(&self, context: InvocationContext) -> Publisher {
        let mut publisher = self.publisher.clone();
        publisher.lock_timeout = publisher.lock_timeout.min(context.time_left() / 2);
        publisher.cancel = CancellationToken::new();
        publisher
    }

    /// Continues a run in another invocation.
    async fn continue_run(&self, run: &ActiveRun<'_>) -> Result<RunResult, RunError> {
        let continuations = run.id.continuations;
        if continuations >= MAX_CONTINUATIONS {
            return Err(RunError::TooManyContinuations);
        }
        let next = Continuation { run: run.id.next(), ..continuation(run) };
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

/// Publishes a site. With an execution, a large plan is only stored, for its workers.
async fn publish(
    publisher: &Publisher,
    request: &PublishRequest,
    site: &Site,
    execution: Option<(&ExecutionName, DistributeWhen)>,
) -> Result<DistributedStart, PublishError> {
    let Some((execution, when)) = execution else {
        let report = publisher.publish(request, site, Approval::Policies, None, |_| ()).await?;
        return Ok(DistributedStart::Finished(Box::new(report)));
    };
    let distribution = ExecutionChoice { execution, within: false, when };
    publisher.start_distributed(distribution, request, site, Approval::Policies, |_| ()).await
}

/// Does the work of a publisher; returns nothing if the time of the invocation runs out.
pub(super) async fn until_deadline<T>(
    publisher: &Publisher,
    context: InvocationContext,
    mut work: impl Future<Output = Result<T, PublishError>> + Unpin,
) -> Result<Option<T>, PublishError> {
    let mut ended = timeout_at(context.continue_at(), &mut work).await;
    if ended.is_err() {
        // Drops the requests in flight and releases the lease, so that the next invocation need not wait.
        publisher.cancel.cancel();
        ended = timeout(RELEASE_TIME, work).await;
    }
    match ended {
        Ok(Err(PublishError::Interrupted)) | Err(_) => Ok(None),
        Ok(result) => result.map(Some),
    }
}

/// Whether another run publishes the site.
pub(super) fn is_locked(error: &PublishError) -> bool {
    matches!(error, PublishError::State(StateError::Locked(..) | StateError::Executing { .. }))
}

fn continuation(run: &ActiveRun<'_>) -> Continuation {
    Continuation { format: CONTINUATION_FORMAT, run: run.id.clone(), trigger: run.trigger.clone() }
}
