//! `[[site.webhook]]`: rules that say which webhooks publish a site, and what they publish.

use std::fmt;

use serde::Deserialize;

use super::github::{ApiUrl, GithubAccess, GithubEvent, Repository, RunEvents, SiteUrl, StatusKind, StatusRule};
use super::pattern::NamePattern;
use super::secret::{SecretReference, SecretReferences};

/// One webhook rule of a site.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WebhookFields")]
pub enum Webhook {
    /// Webhooks of one GitHub repository.
    Github(Box<GithubRule>),
    /// Webhooks of other senders, signed in Tidegate's own format.
    Generic(GenericRule),
}

/// A rule for GitHub webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubRule {
    /// The repository.
    pub repository: Repository,
    /// The events that may publish.
    pub events: Vec<GithubEvent>,
    /// Accepted branches.
    pub branch: Option<NamePattern>,
    /// Accepted tags.
    pub tag: Option<NamePattern>,
    /// Accepted environments of deployments.
    pub environment: Option<NamePattern>,
    /// Accepted names or files of workflows.
    pub workflow: Option<NamePattern>,
    /// Accepted events that start workflow runs.
    pub run_events: RunEvents,
    /// Whether to accept pre-releases.
    pub pre_releases: bool,
    /// Whether to accept workflow runs for forks.
    pub forks: bool,
    /// Whether to accept workflow runs for pull requests.
    pub pull_requests: bool,
    /// What is published.
    pub publish: WebhookPublish,
    /// The status that is reported to GitHub.
    pub status: Option<StatusRule>,
    /// The secrets that may sign a webhook.
    pub secrets: SecretReferences,
}

/// A rule for generic webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenericRule {
    /// The secrets that may sign a webhook.
    pub secrets: SecretReferences,
}

/// What a webhook publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookPublish {
    /// The build named after the event's tag, or after its commit if there is no tag.
    Named,
    /// The build named after the commit.
    Commit,
    /// The build named after the tag.
    Tag,
    /// The newest build.
    Newest,
    /// The site's `staged`.
    Staged,
    /// A file stored by GitHub: an artifact of the workflow run, or an asset of the release.
    Artifact {
        /// Its name.
        name: NamePattern,
        /// Access to GitHub's API, with a token that may read the file.
        access: GithubAccess,
    },
}

/// Where a site can be published from, for the rules that need it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SiteSources {
    /// The site has `builds`.
    pub(super) builds: bool,
    /// The site has a `staged` in S3.
    pub(super) staged: bool,
    /// The configuration has a `state`.
    pub(super) state: bool,
}

/// Why a rule is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// A required field.
    #[error("a `{provider}` webhook needs `{field}`: {reason}")]
    Missing {
        /// `github` or `generic`.
        provider: WebhookProvider,
        /// The field.
        field: &'static str,
        /// Why it is required.
        reason: &'static str,
    },
    /// A field without effect.
    #[error("`{field}` has no effect: {reason}; remove it")]
    NoEffect {
        /// The field.
        field: &'static str,
        /// Why it has no effect.
        reason: &'static str,
    },
    /// No event.
    #[error("empty `events`; use at least one of `push`, `release`, `workflow_run`, `deployment_status`")]
    NoEvents,
    /// The event of a release has no commit.
    #[error("`publish = \"commit\"` does not work with `release` events: they have no commit; use `publish = \"tag\"`")]
    CommitOfRelease,
    /// Only workflow runs and releases have files.
    #[error("`publish = \"artifact\"` works with `release` and `workflow_run` events only; remove the other events")]
    ArtifactOf,
    /// Only deployments have a deployment status.
    #[error(
        "`status = \"deployment\"` works with `deployment_status` events only; remove the other events or use `status = \"commit\"`"
    )]
    StatusOf,
    /// The event of a release has no commit.
    #[error(
        "`status = \"commit\"` does not work with `release` events: they have no commit; give releases their own rule"
    )]
    StatusOfRelease,
    /// The state keeps which deliveries were handled and which revision is live, so that a replayed delivery does not publish
    /// an old build. Files from GitHub are downloaded into it.
    #[error("a webhook needs the configuration's `state`: it records deliveries, so that a replay publishes nothing")]
    NoState,
    /// What is published is not configured.
    #[error("{what} needs the site's `{field}`{hint}")]
    MissingSource {
        /// What is published.
        what: &'static str,
        /// `builds` or `staged`.
        field: &'static str,
        /// A remedy or a restriction.
        hint: &'static str,
    },
    /// A generic webhook has no builds to publish.
    #[error("a generic webhook needs the site's `builds`, or its `staged` in S3")]
    NoSource,
}

/// The sender of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookProvider {
    /// github.com or GitHub Enterprise Server.
    Github,
    /// Any other sender.
    Generic,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PublishKeyword {
    Commit,
    Tag,
    Newest,
    Staged,
    Artifact,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WebhookFields {
    provider: WebhookProvider,
    repository: Option<Repository>,
    branch: Option<NamePattern>,
    tag: Option<NamePattern>,
    events: Option<Vec<GithubEvent>>,
    environment: Option<NamePattern>,
    workflow: Option<NamePattern>,
    run_events: Option<RunEvents>,
    pre_releases: Option<bool>,
    forks: Option<bool>,
    pull_requests: Option<bool>,
    publish: Option<PublishKeyword>,
    artifact: Option<NamePattern>,
    token: Option<SecretReference>,
    api_url: Option<ApiUrl>,
    status: Option<StatusKind>,
    site_url: Option<SiteUrl>,
    secrets: Option<SecretReferences>,
}

impl TryFrom<WebhookFields> for Webhook {
    type Error = WebhookError;
    fn try_from(fields: WebhookFields) -> Result<Self, WebhookError> {
        let provider = fields.provider;
        let missing = |field, reason| WebhookError::Missing { provider, field, reason };
        let secrets =
            fields.secrets.clone().ok_or_else(|| missing("secrets", "only a signature authenticates the sender"))?;
        match provider {
            WebhookProvider::Github => Ok(Self::Github(Box::new(fields.github(secrets)?))),
            WebhookProvider::Generic => fields.generic(secrets).map(Self::Generic),
        }
    }
}

impl WebhookFields {
    fn github(self, secrets: SecretReferences) -> Result<GithubRule, WebhookError> {
        let missing = |field, reason| WebhookError::Missing { provider: WebhookProvider::Github, field, reason };
        let no_effect = |field, reason| WebhookError::NoEffect { field, reason };
        let events = self.events.unwrap_or_else(|| vec![GithubEvent::Push]);
        let has = |kind: GithubEvent| events.contains(&kind);
        let (runs, deployments) = (has(GithubEvent::WorkflowRun), has(GithubEvent::DeploymentStatus));
        if events.is_empty() {
            return Err(WebhookError::NoEvents);
        }
        let has_reference = self.branch.is_some() || self.tag.is_some();
        // Publishing every branch must be explicit.
        if (has(GithubEvent::Push) || runs) && !has_reference {
            return Err(missing(
                "branch` or `tag",
                "a push to any branch would publish; use `branch = \"**\"` to allow that",
            ));
        }
        if self.branch.is_some() && events.iter().all(|kind| *kind == GithubEvent::Release) {
            return Err(no_effect("branch", "a release belongs to a tag"));
        }
        if deployments && self.environment.is_none() {
            return Err(missing("environment", "there can be deployments to previews and to production"));
        }
        if self.environment.is_some() && !deployments {
            return Err(no_effect("environment", "`events` has no `deployment_status`"));
        }
        if self.workflow.is_some() && !runs {
            return Err(no_effect("workflow", "`events` has no `workflow_run`"));
        }
        let of_runs = self.forks.is_some() || self.pull_requests.is_some() || self.run_events.is_some();
        if of_runs && !runs && !deployments {
            return Err(no_effect(
                "forks`, `pull-requests` or `run-events",
                "`events` has no `workflow_run` and no `deployment_status`",
            ));
        }
        if self.pre_releases.is_some() && !has(GithubEvent::Release) {
            return Err(no_effect("pre-releases", "`events` has no `release`"));
        }
        if self.branch.as_ref().is_some_and(NamePattern::is_of_merge_queue) {
            return Err(no_effect("branch", "the branches of a merge queue are not merged yet and never publish"));
        }
        let artifact = matches!(self.publish, Some(PublishKeyword::Artifact));
        if artifact && runs && self.workflow.is_none() {
            return Err(missing("workflow", "any workflow with an artifact of this name would publish"));
        }
        let uses_api = artifact || self.status.is_some();
        let (needs_artifact, needs_either) =
            ("it needs `publish = \"artifact\"`", "it needs `publish = \"artifact\"` or `status`");
        for (field, given, has_effect, reason) in [
            ("artifact", self.artifact.is_some(), artifact, needs_artifact),
            ("token", self.token.is_some(), uses_api, needs_either),
            ("api-url", self.api_url.is_some(), uses_api, needs_either),
            ("site-url", self.site_url.is_some(), self.status.is_some(), "it needs `status`"),
        ] {
            if given && !has_effect {
                return Err(no_effect(field, reason));
            }
        }
        match self.status {
            Some(StatusKind::Commit) if has(GithubEvent::Release) => return Err(WebhookError::StatusOfRelease),
            Some(StatusKind::Deployment) if events.iter().any(|kind| *kind != GithubEvent::DeploymentStatus) => {
                return Err(WebhookError::StatusOf);
            }
            Some(_) | None => {}
        }
        let api = self.api_url.unwrap_or_default();
        let access = self.token.map(|token| GithubAccess { api, token });
        let publish = match self.publish {
            None => WebhookPublish::Named,
            Some(PublishKeyword::Commit) if has(GithubEvent::Release) => return Err(WebhookError::CommitOfRelease),
            Some(PublishKeyword::Commit) => WebhookPublish::Commit,
            Some(PublishKeyword::Tag) => WebhookPublish::Tag,
            Some(PublishKeyword::Newest) => WebhookPublish::Newest,
            Some(PublishKeyword::Staged) => WebhookPublish::Staged,
            Some(PublishKeyword::Artifact) if has(GithubEvent::Push) || deployments => {
                return Err(WebhookError::ArtifactOf);
            }
            Some(PublishKeyword::Artifact) => WebhookPublish::Artifact {
                name: self.artifact.ok_or_else(|| missing("artifact", "the name of the file to publish"))?,
                access: access.clone().ok_or_else(|| missing("token", "GitHub requires it to download artifacts"))?,
            },
        };
        let status = match (self.status, access) {
            (None, _) => None,
            (Some(_), None) => return Err(missing("token", "GitHub requires it to set statuses")),
            (Some(kind), Some(access)) => Some(StatusRule { kind, access, url: self.site_url }),
        };
        Ok(GithubRule {
            repository: self.repository.ok_or_else(|| missing("repository", "the sender as `owner/name`"))?,
            events,
            branch: self.branch,
            tag: self.tag,
            environment: self.environment,
            workflow: self.workflow,
            run_events: self.run_events.unwrap_or_default(),
            pre_releases: self.pre_releases.unwrap_or_default(),
            forks: self.forks.unwrap_or_default(),
            pull_requests: self.pull_requests.unwrap_or_default(),
            publish,
            status,
            secrets,
        })
    }

    fn generic(self, secrets: SecretReferences) -> Result<GenericRule, WebhookError> {
        for (field, given) in [
            ("repository", self.repository.is_some()),
            ("branch", self.branch.is_some()),
            ("tag", self.tag.is_some()),
            ("events", self.events.is_some()),
            ("environment", self.environment.is_some()),
            ("workflow", self.workflow.is_some()),
            ("run-events", self.run_events.is_some()),
            ("pre-releases", self.pre_releases.is_some()),
            ("forks", self.forks.is_some()),
            ("pull-requests", self.pull_requests.is_some()),
            ("publish", self.publish.is_some()),
            ("artifact", self.artifact.is_some()),
            ("token", self.token.is_some()),
            ("api-url", self.api_url.is_some()),
            ("status", self.status.is_some()),
            ("site-url", self.site_url.is_some()),
        ] {
            if given {
                let reason = "the body of a generic webhook names the source";
                return Err(WebhookError::NoEffect { field, reason });
            }
        }
        Ok(GenericRule { secrets })
    }
}

impl Webhook {
    /// The secrets that may sign it.
    #[must_use]
    pub fn secrets(&self) -> &SecretReferences {
        match self {
            Self::Github(rule) => &rule.secrets,
            Self::Generic(rule) => &rule.secrets,
        }
    }

    /// Every secret that it needs: those that may sign it, and the tokens for GitHub's API.
    pub fn references(&self) -> impl Iterator<Item = &SecretReference> {
        let accesses = match self {
            Self::Github(rule) => [rule.provider(), rule.status.as_ref().map(|status| &status.access)],
            Self::Generic(_) => [None, None],
        };
        self.secrets().as_slice().iter().chain(accesses.into_iter().flatten().map(|access| &access.token))
    }

    /// Checks that the site has what the rule publishes.
    pub(super) fn check(&self, sources: SiteSources) -> Result<(), WebhookError> {
        if !sources.state {
            return Err(WebhookError::NoState);
        }
        let publish = match self {
            Self::Generic(_) if !sources.builds && !sources.staged => return Err(WebhookError::NoSource),
            Self::Generic(_) => return Ok(()),
            Self::Github(rule) => &rule.publish,
        };
        let builds = |what, hint| {
            if sources.builds { Ok(()) } else { Err(WebhookError::MissingSource { what, field: "builds", hint }) }
        };
        match publish {
            WebhookPublish::Artifact { .. } => Ok(()),
            WebhookPublish::Staged if sources.staged => Ok(()),
            WebhookPublish::Staged => {
                Err(WebhookError::MissingSource { what: "`publish = \"staged\"`", field: "staged", hint: " in S3" })
            }
            WebhookPublish::Named => builds("a webhook without `publish`", ", or use `publish = \"staged\"`"),
            WebhookPublish::Commit => builds("`publish = \"commit\"`", ""),
            WebhookPublish::Tag => builds("`publish = \"tag\"`", ""),
            WebhookPublish::Newest => builds("`publish = \"newest\"`", ""),
        }
    }
}

impl GithubRule {
    /// Access to GitHub's API for downloading files.
    #[must_use]
    pub fn provider(&self) -> Option<&GithubAccess> {
        match &self.publish {
            WebhookPublish::Artifact { access, .. } => Some(access),
            _ => None,
        }
    }
}

impl fmt::Display for WebhookProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Github => "github",
            Self::Generic => "generic",
        })
    }
}
