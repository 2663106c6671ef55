//! Reports the state of a run to GitHub. A report that fails never fails the run.

use std::time::Duration;

use tokio::time::Instant;

use super::EventHandler;
use super::active_run::ActiveRun;
use super::github_artifact::GithubArtifactError;
use super::result::{RunError, RunResult};
use crate::context::InvocationContext;
use crate::github::{Github, RunState, StatusSubject, summary};

/// How long one report may take, with its retries.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The description while the run is active.
const PUBLISHING: &str = "publishing";

impl EventHandler {
    /// Reports that a run started. A deployment is `in_progress` already, and another status would be another webhook.
    pub(super) async fn report_start(&self, run: &ActiveRun<'_>) {
        if run.trigger.status.as_ref().is_some_and(|status| matches!(status.subject, StatusSubject::Deployment(_))) {
            return;
        }
        self.report(run, RunState::Pending, PUBLISHING).await;
    }

    /// Reports how a run ended. A continued run stays pending.
    pub(super) async fn report_end(&self, run: &ActiveRun<'_>, result: &Result<RunResult, RunError>) {
        let (state, description) = match result {
            Ok(RunResult::Continued { .. } | RunResult::Distributed { .. }) => return,
            Ok(RunResult::Report(report)) => summary(report),
            Ok(RunResult::Superseded(_)) => (RunState::Success, "superseded by a newer release".to_owned()),
            // An error may name buckets and roles, and a status is as public as its repository.
            Err(_) => (RunState::Failure, format!("failed; see the log of the run {}", run.id.id)),
        };
        self.report(run, state, &description).await;
    }

    async fn report(&self, run: &ActiveRun<'_>, state: RunState, description: &str) {
        let ActiveRun { site, trigger, id, context } = *run;
        let Some(status) = &trigger.status else { return };
        if self.offline_github.is_some() {
            tracing::info!(run = id.id, subject = %status.subject, ?state, description, "the status is not reported to GitHub");
            return;
        }
        let post = async {
            if !site.github_rules().any(|rule| status.is_configured_by(rule)) {
                return Err(GithubArtifactError::NoRule(site.name.clone()));
            }
            let token = self.secrets.secret(&status.access.token).await?;
            let deadline = context.deadline.min(Instant::now() + TIMEOUT);
            let github = Github::new(&status.access, &token, InvocationContext { deadline, ..context })?;
            Ok(github.post_status(&status.post(&site.name, state, description)).await?)
        };
        if let Err(error) = post.await {
            tracing::warn!(run = id.id, subject = %status.subject, %error, "the status could not be reported to GitHub");
        }
    }
}
