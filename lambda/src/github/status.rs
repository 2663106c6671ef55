//! The status that GitHub shows of a run: on a commit, or on a deployment.
//!
//! A status is as public as its repository. So it says how a run ended and how much it changed, and never names a
//! bucket, a role or a key, and never repeats the text of an error.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidegate_core::config::{GithubAccess, GithubRule, Repository, SiteName, SiteUrl, StatusKind, StatusRule};
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_core::sanitize::sanitize;

use super::commit::CommitId;

/// Longest description, in characters. Source: GitHub documentation, "Create a deployment status". For the status of a
/// commit the limit is the same: GitHub answers a longer description with 422.
pub const MAX_DESCRIPTION: usize = 140;

/// Where the status of a run is reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusSpec {
    /// The address of the API, and where the token is stored.
    pub access: GithubAccess,
    /// The repository.
    pub repository: Repository,
    /// What gets the status.
    pub subject: StatusSubject,
    /// The address of the site, which the status links to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<SiteUrl>,
}

/// What gets a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusSubject {
    /// A commit.
    Commit(CommitId),
    /// A deployment, by its id.
    Deployment(u64),
}

/// The state of a run, as GitHub shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// The run is active.
    Pending,
    /// The run succeeded.
    Success,
    /// The run failed or was denied.
    Failure,
}

/// A `POST` request that reports one status.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusPost {
    /// The path.
    pub path: String,
    /// The body.
    pub body: Value,
}

impl StatusSpec {
    /// Whether a rule reports this very status. A continuation carries the spec, so it is checked against the deployed
    /// configuration before the token is used.
    #[must_use]
    pub fn is_configured_by(&self, rule: &GithubRule) -> bool {
        let kind = match self.subject {
            StatusSubject::Commit(_) => StatusKind::Commit,
            StatusSubject::Deployment(_) => StatusKind::Deployment,
        };
        let same = |status: &StatusRule| status.kind == kind && status.access == self.access && status.url == self.url;
        rule.status.as_ref().is_some_and(same) && rule.repository == self.repository
    }

    /// The request that reports the state of a site's run.
    #[must_use]
    pub fn post(&self, site: &SiteName, state: RunState, description: &str) -> StatusPost {
        let repository = &self.repository;
        let description: String = sanitize(description, MAX_DESCRIPTION).chars().take(MAX_DESCRIPTION).collect();
        let mut body = json!({ "state": self.state_name(state), "description": description });
        let mut add = |name: &str, value: &str| {
            if let Some(fields) = body.as_object_mut() {
                fields.insert(name.to_owned(), value.into());
            }
        };
        let path = match &self.subject {
            StatusSubject::Commit(commit) => {
                add("context", &format!("tidegate/{site}"));
                if let Some(url) = &self.url {
                    add("target_url", url.as_str());
                }
                format!("/repos/{repository}/statuses/{}", commit.as_str())
            }
            StatusSubject::Deployment(id) => {
                // Before the run succeeds, the link would show the previous release.
                if let Some(url) = self.url.as_ref().filter(|_| state == RunState::Success) {
                    add("environment_url", url.as_str());
                }
                format!("/repos/{repository}/deployments/{id}/statuses")
            }
        };
        StatusPost { path, body }
    }

    fn state_name(&self, state: RunState) -> &'static str {
        match (state, &self.subject) {
            (RunState::Pending, StatusSubject::Commit(_)) => "pending",
            (RunState::Pending, StatusSubject::Deployment(_)) => "in_progress",
            (RunState::Success, _) => "success",
            (RunState::Failure, _) => "failure",
        }
    }
}

/// The state and the description for the report of a run.
#[must_use]
pub fn summary(report: &PublishReport) -> (RunState, String) {
    let state = match report.outcome {
        Outcome::Live | Outcome::Unchanged | Outcome::LiveInvalidationPending | Outcome::Superseded => {
            RunState::Success
        }
        Outcome::LiveSwitchPending | Outcome::Partial | Outcome::Denied | Outcome::Held | Outcome::Failed => {
            RunState::Failure
        }
    };
    let sentence = report.outcome;
    let done = &report.done;
    let description = match report.outcome {
        Outcome::Live | Outcome::LiveInvalidationPending | Outcome::LiveSwitchPending | Outcome::Partial => {
            format!("{sentence}: {} written, {} deleted", done.written + done.headers, done.deleted)
        }
        Outcome::Denied | Outcome::Held => {
            let judgements = report.judgements.iter();
            let findings = judgements.clone().map(|judgement| judgement.findings.len()).sum::<usize>();
            let failures = judgements.filter(|judgement| judgement.failure.is_some()).count();
            let failed = if failures > 0 {
                format!(", {} failed", counted(failures, "policy", "policies"))
            } else {
                String::new()
            };
            format!("{sentence}: {}{failed}", counted(findings, "finding", "findings"))
        }
        Outcome::Unchanged | Outcome::Superseded | Outcome::Failed => sentence.to_string(),
    };
    (state, description)
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

impl fmt::Display for StatusSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(commit) => write!(f, "commit {}", commit.as_str()),
            Self::Deployment(id) => write!(f, "deployment {id}"),
        }
    }
}
