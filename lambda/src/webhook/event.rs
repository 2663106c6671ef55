//! What a webhook of GitHub announces, reduced to the values that decide something.
//!
//! Owns these values and the rule of `[skip ci]`. Nothing else of a payload is ever used, and no configuration comes from the
//! branch that was pushed: an [`WebhookEvent`] has no field that could carry one.

use std::fmt;

use tidegate_core::config::{GithubEvent, Repository};
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::timestamp::Timestamp;

use crate::github::{CommitId, FileOrigin};

/// What is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// By which event.
    pub event: GithubEvent,
    /// Of which repository.
    pub repository: Repository,
    /// Of which branch or tag.
    pub reference: GitReference,
    /// Of which commit; a release does not say.
    pub commit: Option<CommitId>,
    /// Its place in time.
    pub time: Timestamp,
    /// Whether code of a fork had to do with it.
    pub fork: bool,
    /// Whether it was made for a pull request.
    pub pull_request: bool,
    /// The environment of a deployment.
    pub environment: Option<String>,
    /// The workflow of a run.
    pub workflow: Option<WorkflowName>,
    /// The deployment, by its id.
    pub deployment: Option<u64>,
    /// What files may hang on it.
    pub origin: Option<FileOrigin>,
}

/// A branch or a tag, by its short name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitReference {
    /// A branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// One or the other: payloads of runs and of deployments do not say.
    Either(String),
}

/// A workflow, by the names that people know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowName {
    /// What it calls itself.
    pub name: String,
    /// Its file, without folders.
    pub file: String,
}

impl GitReference {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) | Self::Either(name) => name,
        }
    }

    /// `refs/heads/main` and `refs/tags/v1`.
    #[must_use]
    pub fn full(text: &str) -> Option<Self> {
        let branch = text.strip_prefix("refs/heads/").map(|name| Self::Branch(name.to_owned()));
        branch.or_else(|| text.strip_prefix("refs/tags/").map(|name| Self::Tag(name.to_owned())))
    }
}

/// Whether a commit asks that nothing be made of it, in the words that GitHub's own workflows understand.
/// Source: GitHub documentation, "Skipping workflow runs".
///
/// The trailer stands behind two empty lines there. One is enough here: git folds them unless it is told otherwise, and whoever
/// wrote the trailer meant it.
#[must_use]
pub fn asks_to_skip(message: &str) -> bool {
    const WORDS: [&str; 5] = ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"];
    let small = message.to_ascii_lowercase();
    if WORDS.iter().any(|word| small.contains(word)) {
        return true;
    }
    let mut lines = small.trim_end().lines().rev();
    let trailer = lines.next().and_then(|last| last.strip_prefix("skip-checks:"));
    trailer.is_some_and(|value| value.trim() == "true") && lines.any(|line| line.trim().is_empty())
}

impl fmt::Display for GitReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Branch(_) => "branch",
            Self::Tag(_) => "tag",
            Self::Either(_) => "branch or tag",
        };
        write!(f, "{kind} `{}`", sanitize_name(self.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_that_ask_for_nothing_get_nothing() {
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
