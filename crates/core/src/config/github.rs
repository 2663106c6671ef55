//! Names of GitHub in a configuration: repositories, kinds of events, where its API answers and to whom.
//!
//! Owns their grammar. Never knows a rule.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ValueError;
use super::secret::SecretReference;
use crate::sanitize::sanitize_name;

/// Where GitHub answers.
const GITHUB_API: &str = "https://api.github.com";

/// Longest address of a page, in bytes: what browsers and GitHub's columns take without doubt.
const MAX_PAGE_BYTES: usize = 1024;

/// A kind of event of GitHub that can publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GithubEvent {
    /// Commits or a tag were pushed.
    Push,
    /// A release was published.
    Release,
    /// A run of a workflow ended well.
    WorkflowRun,
    /// A deployment was asked for.
    Deployment,
}

/// A repository: `owner/name`. GitHub tells no case apart.
#[derive(Debug, Clone, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository(String);

/// Where an API answers: `https://…`, or `http://` for this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiUrl(String);

/// How GitHub is asked: where it answers, and by whose right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GithubAccess {
    /// Where it answers.
    pub api: ApiUrl,
    /// The token.
    pub token: SecretReference,
}

/// What a rule reports to GitHub of its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRule {
    /// Of what.
    pub kind: StatusKind,
    /// How GitHub is asked.
    pub access: GithubAccess,
    /// Where the site is seen, which statuses link to.
    pub url: Option<SiteUrl>,
}

/// What a status is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusKind {
    /// The commit.
    Commit,
    /// The deployment.
    Deployment,
}

/// The address of a page, `https://…` or `http://…`, for people to follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SiteUrl(String);

impl Repository {
    /// The repository as it was written.
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
        let fine = text.split_once('/').is_some_and(|(owner, name)| segment(owner) && segment(name));
        if fine { Ok(Self(text)) } else { Err(ValueError::Repository(sanitize_name(&text))) }
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.0
    }
}

impl ApiUrl {
    /// The address, without a final `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ApiUrl {
    /// Host, and port where it has one.
    #[must_use]
    pub fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or(self.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }
}

impl SiteUrl {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SiteUrl {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let fine = rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '['));
        if fine && text.len() <= MAX_PAGE_BYTES && text.chars().all(|c| c.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(ValueError::Page(sanitize_name(&text)))
        }
    }
}

impl From<SiteUrl> for String {
    fn from(address: SiteUrl) -> Self {
        address.0
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
        let refused = || ValueError::Address(sanitize_name(&text));
        let (scheme, rest) = text.split_once("://").ok_or_else(refused)?;
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        // A token must not travel in the clear, and a name with a user in it shows another host than it asks.
        let safe = scheme == "https" || (scheme == "http" && matches!(host, "127.0.0.1" | "localhost" | "[::1]"));
        let plain = !host.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/:[]".contains(c));
        if safe && plain { Ok(Self(text.trim_end_matches('/').to_owned())) } else { Err(refused()) }
    }
}

impl From<ApiUrl> for String {
    fn from(address: ApiUrl) -> Self {
        address.0
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
            Self::Deployment => "deployment",
        })
    }
}
