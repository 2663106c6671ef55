//! What becomes of a webhook, in words for its sender and for people.
//!
//! Owns statuses and sentences. No sentence tells a stranger anything that is not in the stranger's own request.

use std::fmt;

use tidegate_core::config::{GithubEvent, SiteName};
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::staged_build::StagedBuildError;

use super::event::WorkflowName;
use super::generic::GenericError;
use super::github::{IgnoredEvent, PayloadError};
use super::signature::{SignatureError, TOLERANCE_SECONDS};
use crate::trigger::Trigger;

/// What becomes of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookDecision {
    /// These sites are published. Answer at once, then work: the sender waits 10 seconds.
    Publish(Vec<Trigger>),
    /// It is authentic, and asks for nothing.
    Nothing(NoOp),
    /// It is not obeyed.
    Refused(WebhookRefusal),
}

/// Why an authentic webhook publishes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoOp {
    /// GitHub tries out a new webhook: it works.
    Ping,
    /// An event that publishes nothing, whatever the rules.
    Event(IgnoredEvent),
    /// No rule fits, site by site.
    Rules(Vec<(SiteName, UnmatchedRule)>),
}

/// Why a rule does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnmatchedRule {
    /// Another event.
    #[error("the rule has no `{0}` among its `events`")]
    Event(GithubEvent),
    /// A fork's code.
    #[error("code of a fork publishes nothing unless the rule has `forks = true`")]
    Fork,
    /// A pull request.
    #[error("a pull request publishes nothing unless the rule has `pull-requests = true`")]
    PullRequest,
    /// Another environment.
    #[error("the rule is for another environment than `{0}`")]
    Environment(String),
    /// Another workflow.
    #[error("the rule is for another workflow than `{0}`")]
    Workflow(String),
    /// Another branch or tag.
    #[error("the rule is not for {0}")]
    Reference(String),
    /// A branch where a tag is to be published.
    #[error("the rule publishes tags, and this is a branch")]
    Tag,
    /// A name that is not a build's.
    #[error(transparent)]
    Build(#[from] StagedBuildError),
    /// The announcement names no commit.
    #[error("the event names no commit")]
    Commit,
    /// There is no place to look for it.
    #[error("the site has no place in S3 that this could be published from, name `builds` or `staged`")]
    Builds,
    /// There are no files.
    #[error("GitHub keeps no files of this event")]
    Artifact,
}

/// Why a webhook is not obeyed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefusal {
    /// Not a `POST`.
    #[error("webhooks are sent with POST")]
    Method,
    /// Longer than a function takes.
    #[error("the body is longer than 6 MB")]
    Length,
    /// A form.
    #[error("the body is a form, set the webhook's content type to `application/json`")]
    ContentType,
    /// Neither GitHub's nor a generic one.
    #[error("this is no webhook of GitHub, and it has no `x-tidegate-signature-256`")]
    NoWebhook,
    /// No usable signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Signed long ago, or in the future.
    #[error(
        "the webhook was signed more than {TOLERANCE_SECONDS} seconds before or after now, check the sender's clock"
    )]
    Stale,
    /// No rule has a secret that made the signature. Also what anybody gets for a repository or site that has no rule.
    #[error("no rule accepts this signature")]
    Unauthentic,
    /// Authentic, and unreadable.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// Authentic, and asking for what it may not have.
    #[error(transparent)]
    Generic(#[from] GenericError),
}

impl WebhookDecision {
    /// The status of the answer: 202 for what is carried out later, 200 for nothing to do.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Publish(_) => 202,
            Self::Nothing(_) => 200,
            Self::Refused(refusal) => refusal.status(),
        }
    }
}

impl WebhookRefusal {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Length => 413,
            Self::ContentType => 415,
            Self::NoWebhook | Self::Payload(_) | Self::Generic(_) => 400,
            Self::Signature(_) | Self::Stale | Self::Unauthentic => 401,
        }
    }
}

impl UnmatchedRule {
    pub(super) fn environment(name: &str) -> Self {
        Self::Environment(sanitize_name(name))
    }

    pub(super) fn workflow(workflow: &WorkflowName) -> Self {
        Self::Workflow(sanitize_name(if workflow.name.is_empty() { &workflow.file } else { &workflow.name }))
    }
}

impl fmt::Display for NoOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => f.write_str("the webhook works"),
            Self::Event(quiet) => quiet.fmt(f),
            Self::Rules(reasons) => {
                for (at, (site, why)) in reasons.iter().enumerate() {
                    let separator = if at == 0 { "" } else { "; " };
                    write!(f, "{separator}`{site}`: {why}")?;
                }
                Ok(())
            }
        }
    }
}
