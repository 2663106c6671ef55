//! The decision about a webhook, with the HTTP status and the message for its sender.
//!
//! No message contains anything that an unverified sender does not know from its own request.

use std::fmt;

use tidegate_core::config::{GithubEvent, SiteName};
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::staged_build::StagedBuildError;

use super::event::WorkflowName;
use super::generic::GenericError;
use super::github::{IgnoredEvent, PayloadError};
use super::signature::{TOLERANCE_SECONDS, WebhookSignatureError};
use crate::trigger::Trigger;

/// The decision about a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookDecision {
    /// Publish these sites. Answer first: GitHub waits for 10 seconds only.
    Publish(Vec<Trigger>),
    /// The webhook is verified and publishes nothing.
    NoOp(NoOp),
    /// The webhook is refused.
    Refused(WebhookRefusal),
}

/// Why a verified webhook publishes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoOp {
    /// GitHub's test of a new webhook.
    Ping,
    /// An event that no rule publishes.
    Event(IgnoredEvent),
    /// No rule matches.
    Rules(Vec<(SiteName, UnmatchedRule)>),
}

/// Why a rule does not match an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnmatchedRule {
    /// The rule is for other events.
    #[error("the rule does not list `{0}` in `events`")]
    Event(GithubEvent),
    /// The code comes from a fork.
    #[error("the code comes from a fork, and the rule does not set `forks = true`")]
    Fork,
    /// The run is for a pull request.
    #[error("the run is for a pull request, and the rule does not set `pull-requests = true`")]
    PullRequest,
    /// The run was started by an event that the rule does not list.
    #[error("the run was started by `{0}`, which the rule does not list in `run-events`")]
    RunEvent(String),
    /// The release is a pre-release.
    #[error("the release is a pre-release, and the rule does not set `pre-releases = true`")]
    PreRelease,
    /// The branch belongs to a merge queue.
    #[error("the branch belongs to a merge queue, whose pull requests are not merged yet")]
    MergeQueue,
    /// The rule is for another environment.
    #[error("the rule is not for the environment `{0}`")]
    Environment(String),
    /// The rule is for another workflow.
    #[error("the rule is not for the workflow `{0}`")]
    Workflow(String),
    /// The rule is for another branch or tag.
    #[error("the rule is not for {0}")]
    Reference(String),
    /// The rule publishes tags, and the event is about a branch.
    #[error("the rule publishes tags, and the event is about a branch")]
    NotATag,
    /// The name cannot be the name of a build.
    #[error(transparent)]
    Build(#[from] StagedBuildError),
    /// The event has no commit.
    #[error("the event has no commit")]
    NoCommit,
    /// The site has no `builds` or `staged`.
    #[error("the site has no location in S3 to publish from; set `builds` or `staged`")]
    NoLocation,
    /// The event has no files.
    #[error("GitHub stores no files for this event")]
    NoFiles,
}

/// Why a webhook is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefusal {
    /// The request is not a `POST`.
    #[error("the method must be POST")]
    Method,
    /// The body is longer than a function accepts.
    #[error("the body is longer than 6 MB")]
    Length,
    /// The body is a form.
    #[error("the body is a form; set the content type of the webhook to `application/json`")]
    ContentType,
    /// The request is neither from GitHub nor a generic webhook.
    #[error("not a webhook: it has neither `x-github-event` nor `x-tidegate-signature-256`")]
    NotAWebhook,
    /// There is no usable signature.
    #[error(transparent)]
    Signature(#[from] WebhookSignatureError),
    /// A generic webhook was signed too long ago, or in the future.
    #[error(
        "the webhook was signed more than {TOLERANCE_SECONDS} seconds before or after now; check the sender's clock"
    )]
    Stale,
    /// No rule has a secret that made the signature. A repository or site without a rule gets the same answer.
    #[error("no rule accepts this signature")]
    Unauthentic,
    /// The verified payload cannot be read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The verified payload cannot be published.
    #[error(transparent)]
    Generic(#[from] GenericError),
}

impl WebhookDecision {
    /// The HTTP status: 202 for a run that follows, 200 for a webhook that publishes nothing.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Publish(_) => 202,
            Self::NoOp(_) => 200,
            Self::Refused(refusal) => refusal.status(),
        }
    }
}

impl WebhookRefusal {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Length => 413,
            Self::ContentType => 415,
            Self::NotAWebhook | Self::Payload(_) | Self::Generic(_) => 400,
            Self::Signature(_) | Self::Stale | Self::Unauthentic => 401,
        }
    }
}

impl UnmatchedRule {
    pub(super) fn environment(name: &str) -> Self {
        Self::Environment(sanitize_name(name))
    }

    pub(super) fn run_event(name: &str) -> Self {
        Self::RunEvent(sanitize_name(name))
    }

    pub(super) fn workflow(workflow: &WorkflowName) -> Self {
        Self::Workflow(sanitize_name(if workflow.name.is_empty() { &workflow.file } else { &workflow.name }))
    }
}

impl fmt::Display for NoOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => f.write_str("the webhook works"),
            Self::Event(ignored) => ignored.fmt(f),
            Self::Rules(reasons) => {
                for (index, (site, reason)) in reasons.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(f, "{separator}`{site}`: {reason}")?;
                }
                Ok(())
            }
        }
    }
}
