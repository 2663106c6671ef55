//! The content of a GitHub webhook, reduced to the values that the rules use.
//!
//! Nothing else of a payload is ever used. In particular, no configuration comes from a pushed branch: a
//! [`WebhookEvent`] has no field that could carry one.

use std::fmt;

use tidegate_core::config::{GithubEvent, is_merge_queue};
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::timestamp::Timestamp;
use tidegate_core::webhook_delivery::DeliveryDigest;

use crate::github::{CommitId, FileOrigin};

/// An event that may publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// The type of the event.
    pub event: GithubEvent,
    /// The branch or tag.
    pub reference: GitReference,
    /// The commit; a release has none.
    pub commit: Option<CommitId>,
    /// When the commit or release was made, or the job that deploys started. It orders releases.
    pub time: Timestamp,
    /// What several deliveries announce: a release, or a state of a deployment. `None` if every delivery is an event of its own.
    pub subject: Option<DeliveryDigest>,
    /// Whether the code may come from a fork.
    pub fork: bool,
    /// Whether the event is about a pull request.
    pub pull_request: bool,
    /// The event that started the workflow run.
    pub run_event: Option<String>,
    /// Whether the release is a pre-release.
    pub pre_release: bool,
    /// The environment of a deployment.
    pub environment: Option<String>,
    /// The workflow of a run.
    pub workflow: Option<WorkflowName>,
    /// The id of a deployment.
    pub deployment: Option<u64>,
    /// The run or release whose files can be published.
    pub origin: Option<FileOrigin>,
}

/// A branch or a tag, by its short name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitReference {
    /// A branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// A branch or a tag: the payloads of workflow runs and deployments do not say which.
    BranchOrTag(String),
}

/// The two names of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowName {
    /// The `name` in its file.
    pub name: String,
    /// The name of its file, without folders.
    pub file: String,
}

impl GitReference {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) | Self::BranchOrTag(name) => name,
        }
    }

    /// Whether it is a branch of a merge queue.
    #[must_use]
    pub fn is_merge_queue(&self) -> bool {
        match self {
            Self::Branch(name) | Self::BranchOrTag(name) => is_merge_queue(name),
            Self::Tag(_) => false,
        }
    }

    /// Parses `refs/heads/main` and `refs/tags/v1`.
    #[must_use]
    pub fn from_full(text: &str) -> Option<Self> {
        let branch = text.strip_prefix("refs/heads/").map(|name| Self::Branch(name.to_owned()));
        branch.or_else(|| text.strip_prefix("refs/tags/").map(|name| Self::Tag(name.to_owned())))
    }
}

/// Whether a commit message skips publishing, by the markers that GitHub's own workflows support.
/// Source: GitHub documentation, "Skipping workflow runs".
///
/// GitHub documents two empty lines before the trailer. One is enough here, since git folds empty lines by default.
#[must_use]
pub fn asks_to_skip(message: &str) -> bool {
    const MARKERS: [&str; 5] = ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"];
    let message = message.to_ascii_lowercase();
    if MARKERS.iter().any(|marker| message.contains(marker)) {
        return true;
    }
    let mut lines = message.trim_end().lines().rev();
    let trailer = lines.next().and_then(|last| last.strip_prefix("skip-checks:"));
    trailer.is_some_and(|value| value.trim() == "true") && lines.any(|line| line.trim().is_empty())
}

impl fmt::Display for GitReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Branch(_) => "branch",
            Self::Tag(_) => "tag",
            Self::BranchOrTag(_) => "branch or tag",
        };
        write!(f, "the {kind} `{}`", sanitize_name(self.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_skip_markers() {
        for message in [
            "typo [skip ci]",
            "[ci skip] typo",
            "a\n\nb [no ci] c",
            "[SKIP ACTIONS]",
            "x [actions skip]",
            "a\n\n\nskip-checks: true",
            "a\n\n\nskip-checks:true\n",
            "a\n\nReviewed-by: A\nskip-checks: true",
        ] {
            assert!(asks_to_skip(message), "{message:?}");
        }
        for message in [
            "",
            "skip ci",
            "[skip-ci]",
            "skip-checks: true",
            "a\nskip-checks: true",
            "a\n\n\nskip-checks: false",
            "a\n\n\nskip-checks: true\n\nbut not really",
        ] {
            assert!(!asks_to_skip(message), "{message:?}");
        }
    }
}
