//! What GitHub shows of a run: the status of a commit, or of a deployment.
//!
//! Owns words and forms. A status is as public as its repository, so it says how a run ended and how much it did, and never a
//! bucket, a role, a key or the text of an error.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidegate_core::config::{GithubAccess, GithubRule, Repository, SiteName, SiteUrl, StatusKind, StatusRule};
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_core::sanitize::sanitize;

use super::commit::CommitId;

/// Longest description, in characters. Source: GitHub documentation, "Create a deployment status"; for the status of a commit
/// GitHub answers a longer one with 422.
pub const MAX_DESCRIPTION: usize = 140;

/// A run reports how it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusSpec {
    /// How GitHub is asked.
    pub access: GithubAccess,
    /// The repository.
    pub repository: Repository,
    /// What the status is of.
    pub subject: StatusSubject,
    /// Where the site is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<SiteUrl>,
}

/// What a status is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusSubject {
    /// A commit.
    Commit(CommitId),
    /// A deployment, by its id.
    Deployment(u64),
}

/// How a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It is under way.
    Pending,
    /// It ended well.
    Success,
    /// It did not.
    Failure,
}

/// One status, as it is sent with POST.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusPost {
    /// The path.
    pub path: String,
    /// The body.
    pub body: Value,
}

impl StatusSpec {
    /// Whether a rule reports this very status.
    #[must_use]
    pub fn is_configured_by(&self, rule: &GithubRule) -> bool {
        let kind = match self.subject {
            StatusSubject::Commit(_) => StatusKind::Commit,
            StatusSubject::Deployment(_) => StatusKind::Deployment,
        };
        let same = |status: &StatusRule| status.kind == kind && status.access == self.access && status.url == self.url;
        rule.status.as_ref().is_some_and(same) && rule.repository == self.repository
    }

    /// The status of a run of a site.
    #[must_use]
    pub fn note(&self, site: &SiteName, state: RunState, description: &str) -> StatusPost {
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
                // A link to what is not there yet would lead to what is there.
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

/// How a run ended and in which words.
#[must_use]
pub fn summary(report: &PublishReport) -> (RunState, String) {
    let state = match report.outcome {
        Outcome::Live | Outcome::Unchanged | Outcome::LiveNotInvalidated | Outcome::Superseded => RunState::Success,
        Outcome::Partial | Outcome::Denied | Outcome::Held | Outcome::Failed => RunState::Failure,
    };
    let sentence = report.outcome.sentence();
    let done = &report.done;
    let told = match report.outcome {
        Outcome::Live | Outcome::LiveNotInvalidated | Outcome::Partial => {
            format!("{sentence}: {} written, {} deleted", done.written + done.headers, done.deleted)
        }
        Outcome::Denied | Outcome::Held => {
            let judged = report.judgements.iter();
            let findings = judged.clone().map(|judgement| judgement.findings.len()).sum::<usize>();
            let failures = judged.filter(|judgement| judgement.failure.is_some()).count();
            let failed = if failures > 0 {
                format!(", {} failed", counted(failures, "policy", "policies"))
            } else {
                String::new()
            };
            format!("{sentence}: {}{failed}", counted(findings, "finding", "findings"))
        }
        Outcome::Unchanged | Outcome::Superseded | Outcome::Failed => sentence.to_owned(),
    };
    (state, told)
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
