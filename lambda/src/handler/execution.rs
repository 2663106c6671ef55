//! The tasks of an execution of the state machine: plan, carry out a shard, finish, give up.
//!
//! A task that fails changes nothing that its repetition or the next run does not find: what was written is in the state of
//! the site. Only the last task of an execution records the run.

use std::time::Duration;

use serde_json::Value;
use tidegate_core::approval::Approval;
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::lease::ExecutionName;
use tidegate_core::location::ObjectLocation;
use tidegate_core::plan::DistributeWhen;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_publish::publish::{DistributedStart, ExecutionChoice, PublishError, ShardTask};
use tokio::time::Instant;

use super::EventHandler;
use super::active_run::ActiveRun;
use super::event::EventError;
use super::result::{MAX_PLANS, RunError, RunResult};
use super::run::{PreparedRun, is_locked, until_deadline};
use crate::context::InvocationContext;
use crate::trigger::{
    CaughtError, Continuation, DistributedPublish, DistributedWork, ExecutionState, ExecutionTask, FailedState,
};

/// How long an execution waits before it looks again whether another run has ended, or the artifact is complete.
const WAIT: Duration = Duration::from_secs(30);

/// How much longer than a lease a task waits for it: it has to see it unchanged for that long.
const LEASE_MARGIN: Duration = Duration::from_secs(15);

impl EventHandler {
    /// Does a task of the state machine. Returns the next state of the execution.
    ///
    /// # Errors
    /// [`EventError`]. The state machine repeats a task only after the error [`THROTTLED`](super::THROTTLED).
    pub async fn task(&self, task: ExecutionTask, context: InvocationContext) -> Result<Value, EventError> {
        let next = match task {
            ExecutionTask::Plan {
                execution,
                state: ExecutionState::Plan { run } | ExecutionState::Wait { run, .. },
            } => self.plan_task(&execution, run, context).await?,
            ExecutionTask::Write { shard, work } => return Ok(self.write_task(shard, work, context).await?),
            // After the last shard, the state machine has the state that the shards began with.
            ExecutionTask::Finish {
                execution,
                state: ExecutionState::Write { publish, .. } | ExecutionState::Finish { publish },
            } => self.finish_task(&execution, publish, context).await?,
            ExecutionTask::GiveUp { state, .. } => self.give_up(state, context).await?,
            ExecutionTask::Plan { .. } | ExecutionTask::Finish { .. } => return Err(RunError::WrongTask.into()),
        };
        serde_json::to_value(next).map_err(|error| RunError::Publish(PublishError::Json(error)).into())
    }

    async fn plan_task(
        &self,
        execution: &ExecutionName,
        continuation: Continuation,
        context: InvocationContext,
    ) -> Result<ExecutionState, RunError> {
        let started = Instant::now();
        let Continuation { run: id, trigger, .. } = &continuation;
        if id.continuations >= MAX_PLANS {
            return Err(RunError::TooManyPlans);
        }
        let site = self.config.site(trigger.site.as_str())?;
        let run = ActiveRun { site, trigger, id, context };
        let wait = |run| ExecutionState::Wait { run, seconds: WAIT.as_secs() };
        let again = Continuation { run: id.next(), ..continuation.clone() };
        let (request, fetched) = match self.prepare(&run).await? {
            PreparedRun::Request(request, fetched) => (request, fetched),
            PreparedRun::Superseded(reason) => {
                self.record_run(&run, &Ok(RunResult::Superseded(reason.clone())), started).await;
                return Ok(ExecutionState::Done { run: continuation, outcome: Outcome::Superseded, why: Some(reason) });
            }
            PreparedRun::Early(_) => return Ok(wait(again)),
        };
        let mut publisher = self.publisher_until(context);
        let lock_timeout = Duration::from_secs(u16::from(site.lease_seconds).into()) + LEASE_MARGIN;
        publisher.lock_timeout = publisher.lock_timeout.min(lock_timeout);
        // The configuration may have changed since the execution was started.
        let half = DistributeWhen::Takes(context.time_left() / 2);
        let when = self.config.function.distribute_when(context.time_left()).unwrap_or(half);
        let distribution = ExecutionChoice { execution, within: true, when };
        let planning = Box::pin(publisher.start_distributed(distribution, &request, site, Approval::Policies, |_| ()));
        match until_deadline(&publisher, context, planning).await {
            Ok(Some(DistributedStart::Started(distributed))) => {
                tracing::info!(estimate = %distributed.estimate, shards = distributed.shards.len(), "the plan is stored");
                Ok(ExecutionState::writing(continuation, *request, fetched, distributed))
            }
            Ok(Some(DistributedStart::Finished(report))) => {
                Ok(self.end(&run, &continuation, report, fetched.as_ref(), started).await)
            }
            Ok(None) => Ok(ExecutionState::Plan { run: again }),
            Err(error) if is_locked(&error) => Ok(wait(again)),
            Err(error) => Err(error.into()),
        }
    }

    async fn write_task(
        &self,
        shard: u32,
        work: DistributedWork,
        context: InvocationContext,
    ) -> Result<Value, RunError> {
        let site = self.config.site(work.site.as_str())?;
        let publisher = self.publisher_until(context);
        let task = ShardTask { release: work.release, shard, lease: work.lease };
        let executing = Box::pin(publisher.execute_shard(site, &task));
        let summary = until_deadline(&publisher, context, executing).await?.ok_or(PublishError::Interrupted)?;
        tracing::info!(?summary, "a shard ended");
        if summary.is_done() {
            return Ok(serde_json::to_value(summary).map_err(PublishError::Json)?);
        }
        Err(RunError::Shard(Box::new(summary)))
    }

    async fn finish_task(
        &self,
        execution: &ExecutionName,
        publish: DistributedPublish,
        context: InvocationContext,
    ) -> Result<ExecutionState, RunError> {
        let started = Instant::now();
        let DistributedPublish { run: continuation, request, fetched } = &publish;
        let Continuation { run: id, trigger, .. } = continuation;
        let site = self.config.site(trigger.site.as_str())?;
        let run = ActiveRun { site, trigger, id, context };
        let publisher = self.publisher_until(context);
        let finishing = Box::pin(publisher.finish_distributed(execution, request, site, Approval::Policies, |_| ()));
        let Some(report) = until_deadline(&publisher, context, finishing).await? else {
            let run = Continuation { run: id.next(), ..continuation.clone() };
            return Ok(ExecutionState::Finish { publish: DistributedPublish { run, ..publish } });
        };
        Ok(self.end(&run, continuation, Box::new(report), fetched.as_ref(), started).await)
    }

    /// Reports a failure. The lease stays: workers may still write under it until it expires.
    async fn give_up(&self, failed: FailedState, context: InvocationContext) -> Result<ExecutionState, RunError> {
        let started = Instant::now();
        let FailedState { state, error } = failed;
        let continuation = state.run();
        let Continuation { run: id, trigger, .. } = continuation;
        let run = ActiveRun { site: self.config.site(trigger.site.as_str())?, trigger, id, context };
        let mut why = error.message();
        if let ExecutionState::Write { work, .. } = &state {
            // The state machine knows only that a shard failed.
            match self.publisher.shard_failures(run.site, work.release).await {
                Ok(failures) => {
                    failures.iter().for_each(|failed| why.push_str(&format!("; {failed}")));
                }
                Err(error) => tracing::warn!(%error, "cannot read what failed in the shards"),
            }
        }
        self.record_run(&run, &Err(RunError::Execution(why.clone())), started).await;
        Ok(ExecutionState::Failed { run: continuation.clone(), error: CaughtError { cause: why, ..error } })
    }

    /// Records how the execution ended. Returns its last state.
    async fn end(
        &self,
        run: &ActiveRun<'_>,
        continuation: &Continuation,
        report: Box<PublishReport>,
        fetched: Option<&ObjectLocation>,
        started: Instant,
    ) -> ExecutionState {
        let (outcome, why) = (report.outcome, report.why.clone());
        let result = RunResult::Report(report);
        let failed = result.failed();
        self.delete_unless_failed(run.site, fetched, &result).await;
        self.record_run(run, &Ok(result), started).await;
        let run = continuation.clone();
        if failed {
            let error = ErrorKind::Cloud.error_type().to_owned();
            ExecutionState::Failed {
                run,
                error: CaughtError { error, cause: why.unwrap_or_else(|| outcome.to_string()) },
            }
        } else {
            ExecutionState::Done { run, outcome, why }
        }
    }
}
