//! GitHub's names in a configuration: repositories, events, API URLs and access.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::secret::SecretReference;
use super::value::ValueError;
use crate::sanitize::sanitize_name;

/// The API of github.com.
const GITHUB_API: &str = "https://api.github.com";

/// Longest page URL, in bytes: short enough for every browser, and for GitHub's statuses.
const MAX_PAGE_BYTES: usize = 1024;

/// A GitHub event that can publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GithubEvent {
    /// A push of commits or a tag.
    Push,
    /// A published release.
    Release,
    /// A successful workflow run.
    WorkflowRun,
    /// A status of a deployment, which is reported after the approval of a protected environment.
    DeploymentStatus,
}

/// Events that start workflow runs and that only people and programs with write access to the repository can cause.
const TRUSTED_RUN_EVENTS: [&str; 5] = ["push", "release", "repository_dispatch", "schedule", "workflow_dispatch"];

/// The events that may start a workflow run that publishes, by the names that `on:` of a workflow has.
///
/// Other events run on the default branch with the code of the repository, even for a comment, or a workflow
/// run for a fork.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct RunEvents(Vec<String>);

/// A repository: `owner/name`. GitHub ignores case.
#[derive(Debug, Clone, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository(String);

/// The URL of an API: `https://…`, or `http://` for this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiUrl(String);

/// Access to GitHub's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GithubAccess {
    /// The URL.
    pub api: ApiUrl,
    /// The token.
    pub token: SecretReference,
}

/// Statuses that a rule reports to GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRule {
    /// What the status is of.
    pub kind: StatusKind,
    /// Access to GitHub's API.
    pub access: GithubAccess,
    /// The site's URL, which statuses link to.
    pub url: Option<SiteUrl>,
}

/// What a status belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusKind {
    /// A commit.
    Commit,
    /// A deployment.
    Deployment,
}

/// The URL of a page, `https://…` or `http://…`, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SiteUrl(String);

impl RunEvents {
    /// Whether a run that this event started may publish.
    #[must_use]
    pub fn contains(&self, event: &str) -> bool {
        self.0.iter().any(|listed| listed == event)
    }
}

impl Default for RunEvents {
    fn default() -> Self {
        Self(TRUSTED_RUN_EVENTS.map(str::to_owned).into())
    }
}

impl TryFrom<Vec<String>> for RunEvents {
    type Error = ValueError;
    fn try_from(events: Vec<String>) -> Result<Self, ValueError> {
        let is_name = |event: &str| {
            let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            !event.is_empty() && event.bytes().all(is_letter) && !event.starts_with("pull_request")
        };
        match events.iter().find(|event| !is_name(event)) {
            Some(event) => Err(ValueError::RunEvent(sanitize_name(event))),
            None if events.is_empty() => Err(ValueError::RunEvent(String::new())),
            None => Ok(Self(events)),
        }
    }
}

impl Repository {
    /// The repository as configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The owner.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

impl PartialEq for Repository {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl TryFrom<String> for Repository {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let segment = |name: &str| {
            (1..=100).contains(&name.len())
                && !matches!(name, "." | "..")
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        let valid = text.split_once('/').is_some_and(|(owner, name)| segment(owner) && segment(name));
        if valid { Ok(Self(text)) } else { Err(ValueError::Repository(sanitize_name(&text))) }
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.0
    }
}

impl ApiUrl {
    /// The URL, without a final `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, and the port if there is one.
    #[must_use]
    pub fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or(self.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }
}

impl SiteUrl {
    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SiteUrl {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let has_host = rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '['));
        if has_host && text.len() <= MAX_PAGE_BYTES && text.chars().all(|c| c.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(ValueError::PageUrl(sanitize_name(&text)))
        }
    }
}

impl From<SiteUrl> for String {
    fn from(url: SiteUrl) -> Self {
        url.0
    }
}

impl Default for ApiUrl {
    fn default() -> Self {
        Self(GITHUB_API.to_owned())
    }
}

impl TryFrom<String> for ApiUrl {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let invalid = || ValueError::ApiUrl(sanitize_name(&text));
        let (scheme, rest) = text.split_once("://").ok_or_else(invalid)?;
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        // A token must not be sent unencrypted, and a URL with a user name shows another host than it connects to.
        let safe = scheme == "https" || (scheme == "http" && matches!(host, "127.0.0.1" | "localhost" | "[::1]"));
        let plain = !host.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/:[]".contains(c));
        if safe && plain { Ok(Self(text.trim_end_matches('/').to_owned())) } else { Err(invalid()) }
    }
}

impl From<ApiUrl> for String {
    fn from(url: ApiUrl) -> Self {
        url.0
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for GithubEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Push => "push",
            Self::Release => "release",
            Self::WorkflowRun => "workflow_run",
            Self::DeploymentStatus => "deployment_status",
        })
    }
}
