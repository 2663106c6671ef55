//! How a run goes, reported to GitHub.
//!
//! Owns that nothing of it fails a run or holds it up for long.

use std::time::Duration;

use tokio::time::Instant;

use super::active_run::ActiveRun;
use super::result::{RunError, RunResult};
use super::{EventHandler, GithubArtifactError};
use crate::context::InvocationContext;
use crate::github::{Github, RunState, summary};

/// How long one status may take, its repetitions included.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the status says while a run is under way.
const UNDER_WAY: &str = "publishing";

impl EventHandler {
    /// Reports that a run has begun.
    pub(super) async fn report_begin(&self, run: &ActiveRun<'_>) {
        self.report(run, RunState::Pending, UNDER_WAY).await;
    }

    /// Reports how a run ended. One that was handed on is still under way.
    pub(super) async fn report_end(&self, run: &ActiveRun<'_>, ended: &Result<RunResult, RunError>) {
        let (state, told) = match ended {
            Ok(RunResult::Continued { .. }) => return,
            Ok(RunResult::Report(report)) => summary(report),
            Ok(RunResult::Superseded(_)) => (RunState::Success, "superseded, something newer is on its way".to_owned()),
            // An error names buckets and roles, and who may see the repository may see its statuses.
            Err(_) => (RunState::Failure, format!("failed, the log of the run {} says why", run.id.id)),
        };
        self.report(run, state, &told).await;
    }

    async fn report(&self, run: &ActiveRun<'_>, state: RunState, description: &str) {
        let ActiveRun { site, trigger, id, context } = *run;
        let Some(wish) = &trigger.status else { return };
        let tell = async {
            if !site.github_rules().any(|rule| wish.is_configured_by(rule)) {
                return Err(GithubArtifactError::NoRule(site.name.clone()));
            }
            let token = self.secrets.secret(&wish.access.token).await?;
            let deadline = context.deadline.min(Instant::now() + PATIENCE);
            let github = Github::new(&wish.access, &token, InvocationContext { deadline, ..context })?;
            Ok(github.post_status(&wish.note(&site.name, state, description)).await?)
        };
        if let Err(error) = tell.await {
            tracing::warn!(run = id.id, subject = %wish.subject, %error, "GitHub was not told how the run goes");
        }
    }
}
