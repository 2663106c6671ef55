//! `[[site.webhook]]`: whose announcements publish a site, and what they publish.
//!
//! Owns the form of a rule and what of it belongs together. Never sees a webhook.

use std::fmt;

use serde::Deserialize;

use super::Site;
use super::github::{ApiUrl, GithubAccess, GithubEvent, Repository, SiteUrl, StatusKind, StatusRule};
use super::pattern::NamePattern;
use super::secret::{SecretReference, SecretReferences};
use crate::location::Source;

/// One rule of a site.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WebhookFields")]
pub enum Webhook {
    /// Webhooks of one repository of GitHub.
    Github(Box<GithubRule>),
    /// Webhooks of anybody who signs as Tidegate documents.
    Generic(GenericRule),
}

/// A rule for webhooks of GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubRule {
    /// The repository.
    pub repository: Repository,
    /// The events that may publish.
    pub events: Vec<GithubEvent>,
    /// Branches.
    pub branch: Option<NamePattern>,
    /// Tags.
    pub tag: Option<NamePattern>,
    /// Environments, for deployments.
    pub environment: Option<NamePattern>,
    /// Names or files of workflows, for runs of them.
    pub workflow: Option<NamePattern>,
    /// Whether runs of workflows on behalf of a fork count.
    pub forks: bool,
    /// Whether runs of workflows on behalf of a pull request count.
    pub pull_requests: bool,
    /// What is published.
    pub publish: WebhookPublish,
    /// What is reported to GitHub.
    pub status: Option<StatusRule>,
    /// Where the secrets are that sign them.
    pub secrets: SecretReferences,
}

/// A rule for signed webhooks of anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenericRule {
    /// Where the secrets are that sign them.
    pub secrets: SecretReferences,
}

/// What an announcement publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookPublish {
    /// The build with the name of the tag, where the event is of one, else with that of the commit.
    Named,
    /// The build with the name of the commit.
    Commit,
    /// The build with the name of the tag.
    Tag,
    /// The newest build.
    Newest,
    /// What the site's `staged` names.
    Staged,
    /// A file that GitHub keeps: an artifact of the workflow's run, or an asset of the release.
    Artifact {
        /// Its name.
        name: NamePattern,
        /// How GitHub is asked; the token may read it.
        access: GithubAccess,
    },
}

/// Why a rule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// A field that the rule needs.
    #[error("a webhook of `{provider}` needs `{field}`: {why}")]
    Missing {
        /// `github`, `generic`.
        provider: WebhookProvider,
        /// The field.
        field: &'static str,
        /// What it is for.
        why: &'static str,
    },
    /// A field that means nothing here.
    #[error("`{field}` means nothing here: {why}, remove it")]
    Useless {
        /// The field.
        field: &'static str,
        /// What it would need.
        why: &'static str,
    },
    /// No event at all.
    #[error("`events` is empty, name at least one of `push`, `release`, `workflow_run`, `deployment`")]
    NoEvents,
    /// A release does not say which commit it is of.
    #[error("`publish = \"commit\"` cannot be had of a `release`, which names a tag only, write `publish = \"tag\"`")]
    CommitOfRelease,
    /// Only runs and releases have files.
    #[error("`publish = \"artifact\"` can be had of `release` and `workflow_run` only, remove the other events")]
    ArtifactOf,
    /// Statuses of a deployment need one.
    #[error(
        "`status = \"deployment\"` can be had of `deployment` only, remove the other events or write `status = \"commit\"`"
    )]
    StatusOf,
    /// A release does not say which commit it is of.
    #[error(
        "`status = \"commit\"` cannot be had of a `release`, which names no commit, give releases a rule of their own"
    )]
    StatusOfRelease,
    /// A file that GitHub keeps is fetched into the state.
    #[error("`publish = \"artifact\"` needs the configuration's `state`, into which the file is fetched")]
    NoState,
    /// What is published is not in the configuration.
    #[error("{what} needs the site's `{field}`{hint}")]
    Place {
        /// What is published.
        what: &'static str,
        /// `builds`, `staged`.
        field: &'static str,
        /// What else could be meant.
        hint: &'static str,
    },
    /// A signed webhook has nothing to publish.
    #[error("a generic webhook publishes what is in the site's `builds` or `staged`, name one of them in S3")]
    Nothing,
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookProvider {
    /// GitHub, github.com or a server of one's own.
    Github,
    /// Anybody.
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
        let missing = |field, why| WebhookError::Missing { provider, field, why };
        let secrets = fields.secrets.clone().ok_or_else(|| missing("secrets", "nobody else keeps strangers out"))?;
        match provider {
            WebhookProvider::Github => Ok(Self::Github(Box::new(fields.github(secrets)?))),
            WebhookProvider::Generic => fields.generic(secrets).map(Self::Generic),
        }
    }
}

impl WebhookFields {
    fn github(self, secrets: SecretReferences) -> Result<GithubRule, WebhookError> {
        let missing = |field, why| WebhookError::Missing { provider: WebhookProvider::Github, field, why };
        let useless = |field, why| WebhookError::Useless { field, why };
        let events = self.events.unwrap_or_else(|| vec![GithubEvent::Push]);
        let has = |kind: GithubEvent| events.contains(&kind);
        let (runs, deployments) = (has(GithubEvent::WorkflowRun), has(GithubEvent::Deployment));
        if events.is_empty() {
            return Err(WebhookError::NoEvents);
        }
        let any_reference = self.branch.is_some() || self.tag.is_some();
        // Every branch would be too much to say by saying nothing.
        if (has(GithubEvent::Push) || runs) && !any_reference {
            return Err(missing(
                "branch` or `tag",
                "a push to any branch would publish; write `branch = \"**\"` for that",
            ));
        }
        if self.branch.is_some() && events.iter().all(|kind| *kind == GithubEvent::Release) {
            return Err(useless("branch", "a release is of a tag"));
        }
        if deployments && self.environment.is_none() {
            return Err(missing("environment", "deployments go to previews as well as to production"));
        }
        if self.environment.is_some() && !deployments {
            return Err(useless("environment", "`events` has no `deployment`"));
        }
        if self.workflow.is_some() && !runs {
            return Err(useless("workflow", "`events` has no `workflow_run`"));
        }
        if (self.forks.is_some() || self.pull_requests.is_some()) && !runs && !deployments {
            return Err(useless("forks` or `pull-requests", "only runs of workflows are made for them"));
        }
        let artifact = matches!(self.publish, Some(PublishKeyword::Artifact));
        let asks = artifact || self.status.is_some();
        let (with_artifact, with_either) =
            ("it goes with `publish = \"artifact\"`", "it goes with `publish = \"artifact\"` or `status`");
        for (field, given, means, why) in [
            ("artifact", self.artifact.is_some(), artifact, with_artifact),
            ("token", self.token.is_some(), asks, with_either),
            ("api-url", self.api_url.is_some(), asks, with_either),
            ("site-url", self.site_url.is_some(), self.status.is_some(), "it goes with `status`"),
        ] {
            if given && !means {
                return Err(useless(field, why));
            }
        }
        match self.status {
            Some(StatusKind::Commit) if has(GithubEvent::Release) => return Err(WebhookError::StatusOfRelease),
            Some(StatusKind::Deployment) if events.iter().any(|kind| *kind != GithubEvent::Deployment) => {
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
                name: self.artifact.ok_or_else(|| missing("artifact", "the name of the file that GitHub keeps"))?,
                access: access.clone().ok_or_else(|| missing("token", "GitHub gives artifacts to nobody else"))?,
            },
        };
        let status = match (self.status, access) {
            (None, _) => None,
            (Some(_), None) => return Err(missing("token", "GitHub takes statuses from nobody else")),
            (Some(kind), Some(access)) => Some(StatusRule { kind, access, url: self.site_url }),
        };
        Ok(GithubRule {
            repository: self.repository.ok_or_else(|| missing("repository", "write it as `owner/name`"))?,
            events,
            branch: self.branch,
            tag: self.tag,
            environment: self.environment,
            workflow: self.workflow,
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
                return Err(WebhookError::Useless { field, why: "a generic webhook says itself what it publishes" });
            }
        }
        Ok(GenericRule { secrets })
    }
}

impl Webhook {
    /// Where the secrets are that sign it.
    #[must_use]
    pub fn secrets(&self) -> &SecretReferences {
        match self {
            Self::Github(rule) => &rule.secrets,
            Self::Generic(rule) => &rule.secrets,
        }
    }

    /// Every secret that it needs: those that sign, and the tokens by which GitHub is asked.
    pub fn references(&self) -> impl Iterator<Item = &SecretReference> {
        let accesses = match self {
            Self::Github(rule) => [rule.provider(), rule.status.as_ref().map(|status| &status.access)],
            Self::Generic(_) => [None, None],
        };
        self.secrets().as_slice().iter().chain(accesses.into_iter().flatten().map(|access| &access.token))
    }

    /// Whether the site has what it publishes; `kept` says whether there is a state.
    pub(super) fn check(&self, site: &Site, kept: bool) -> Result<(), WebhookError> {
        let staged = matches!(site.staged, Some(Source::Prefix(_) | Source::Object(_)));
        let publish = match self {
            Self::Generic(_) if site.builds.is_none() && !staged => return Err(WebhookError::Nothing),
            Self::Generic(_) => return Ok(()),
            Self::Github(rule) => &rule.publish,
        };
        let builds = |what, hint| match site.builds {
            Some(_) => Ok(()),
            None => Err(WebhookError::Place { what, field: "builds", hint }),
        };
        match publish {
            WebhookPublish::Artifact { .. } if !kept => Err(WebhookError::NoState),
            WebhookPublish::Artifact { .. } => Ok(()),
            WebhookPublish::Staged if staged => Ok(()),
            WebhookPublish::Staged => {
                Err(WebhookError::Place { what: "`publish = \"staged\"`", field: "staged", hint: " in S3" })
            }
            WebhookPublish::Named => builds("a webhook without `publish`", ", or write `publish = \"staged\"`"),
            WebhookPublish::Commit => builds("`publish = \"commit\"`", ""),
            WebhookPublish::Tag => builds("`publish = \"tag\"`", ""),
            WebhookPublish::Newest => builds("`publish = \"newest\"`", ""),
        }
    }
}

impl GithubRule {
    /// How GitHub is asked for files.
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
