//! Which rules a webhook may obey, whether it is authentic, and what it publishes.
//!
//! Owns the two steps, between which somebody fetches secrets. The first looks at nothing but the name of a repository or a site, of
//! a sender of whom nothing is known; the second knows the sender before it reads anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;
use tidegate_core::config::{
    Config, GenericRule, GithubEvent, GithubRule, SecretReference, Site, StatusKind, Webhook, WebhookPublish,
};
use tidegate_core::location::Location;
use tidegate_core::request::Revision;
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::staged_build::Build;
use tidegate_core::timestamp::Timestamp;
use tidegate_core::webhook_delivery::DeliveryDigest;

use super::decision::{NoOp, UnmatchedRule, WebhookDecision, WebhookRefusal};
use super::event::{GitReference, WebhookEvent};
use super::generic::{self, GenericPayload};
use super::github::{self, ParsedEvent};
use super::signature::{SIGNATURE, SIGNED_AT, SentSignature};
use crate::github::{GithubFileRef, StatusSpec, StatusSubject};
use crate::secrets::Secret;
use crate::trigger::{ArtifactRef, FUNCTION_PAYLOAD_BYTES, HttpRequest, NamedArtifact, Trigger, TriggerCause};

/// The header with the name of an event of GitHub.
const GITHUB_EVENT: &str = "x-github-event";

/// The header with the id of a delivery of GitHub.
const GITHUB_DELIVERY: &str = "x-github-delivery";

/// The rules that may apply to a webhook, before anything is known of its sender.
pub struct CandidateRules<'c> {
    kind: CandidateKind<'c>,
    signature: SentSignature,
    payload: Value,
    /// What the delivery is recognised by.
    identity: DeliveryDigest,
    /// The id that the sender gave it.
    delivery: String,
}

enum CandidateKind<'c> {
    Github { event: String, rules: Vec<(&'c Site, &'c GithubRule)> },
    Generic { rules: Vec<(&'c Site, &'c GenericRule)> },
}

/// Secrets by where they are kept. One that could not be fetched is not in it, and fits nothing.
pub type Fetched = BTreeMap<SecretReference, Secret>;

/// The first step: the rules that may apply.
///
/// # Errors
/// [`WebhookRefusal`]. Where no rule may apply it is the same as for a wrong signature, so that strangers do not learn which repositories
/// and sites there are.
pub fn candidates<'c>(call: &HttpRequest, config: &'c Config) -> Result<CandidateRules<'c>, WebhookRefusal> {
    if call.method != "POST" {
        return Err(WebhookRefusal::Method);
    }
    if call.body.len() > FUNCTION_PAYLOAD_BYTES {
        return Err(WebhookRefusal::Length);
    }
    let event = call.header(GITHUB_EVENT);
    let generic = call.header(SIGNATURE).is_some() || call.header(SIGNED_AT).is_some();
    let signature = match event {
        Some(_) if call.header("content-type").is_some_and(is_form) => return Err(WebhookRefusal::ContentType),
        Some(_) => SentSignature::of_github(call)?,
        None if generic => SentSignature::generic(call)?,
        None => return Err(WebhookRefusal::NoWebhook),
    };
    let payload: Value = serde_json::from_slice(&call.body).map_err(|_| WebhookRefusal::Unauthentic)?;
    let webhooks = || config.sites.iter().flat_map(|site| site.webhooks.iter().map(move |webhook| (site, webhook)));
    let kind = match event {
        Some(event) => {
            let repository = github::repository(&payload);
            let organization = github::organization(&payload).filter(|_| event == "ping");
            let rules = webhooks().filter_map(|(site, webhook)| match webhook {
                Webhook::Github(rule) => {
                    let named = repository.as_ref().is_some_and(|repository| *repository == rule.repository);
                    let owned = organization.is_some_and(|login| login.eq_ignore_ascii_case(rule.repository.owner()));
                    (named || owned).then_some((site, rule.as_ref()))
                }
                Webhook::Generic(_) => None,
            });
            CandidateKind::Github { event: event.to_owned(), rules: rules.collect() }
        }
        None => {
            let name = generic::site(&payload);
            let rules = webhooks().filter_map(|(site, webhook)| match webhook {
                Webhook::Generic(rule) => (name == Some(site.name.as_str())).then_some((site, rule)),
                Webhook::Github(_) => None,
            });
            CandidateKind::Generic { rules: rules.collect() }
        }
    };
    let candidates = CandidateRules {
        kind,
        identity: DeliveryDigest::of(signature.signed_at(), &call.body),
        signature,
        payload,
        delivery: sanitize_name(call.header(GITHUB_DELIVERY).unwrap_or_default()),
    };
    if candidates.secrets().is_empty() { Err(WebhookRefusal::Unauthentic) } else { Ok(candidates) }
}

/// Whether a body is sent as a form, as GitHub does unless it is told otherwise.
fn is_form(content_type: &str) -> bool {
    content_type.to_ascii_lowercase().contains("application/x-www-form-urlencoded")
}

impl fmt::Debug for CandidateRules<'_> {
    /// Without the payload, which is none of a log's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (identity, delivery, secrets) = (self.identity.as_str(), &self.delivery, self.secrets());
        f.debug_struct("Candidates")
            .field("identity", &identity)
            .field("delivery", delivery)
            .field("secrets", &secrets)
            .finish_non_exhaustive()
    }
}

impl<'c> CandidateRules<'c> {
    /// The secrets to fetch before [`Self::authorize`].
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<&'c SecretReference> {
        let lists: Vec<&'c [SecretReference]> = match &self.kind {
            CandidateKind::Github { rules, .. } => rules.iter().map(|(_, rule)| rule.secrets.as_slice()).collect(),
            CandidateKind::Generic { rules } => rules.iter().map(|(_, rule)| rule.secrets.as_slice()).collect(),
        };
        lists.into_iter().flatten().collect()
    }

    /// What the delivery is recognised by when it comes again.
    #[must_use]
    pub fn identity(&self) -> &DeliveryDigest {
        &self.identity
    }

    /// The id that the sender gave the delivery, which is not signed and only good for looking it up.
    #[must_use]
    pub fn delivery(&self) -> &str {
        &self.delivery
    }

    /// The second step: whether the webhook is authentic, and what it publishes.
    #[must_use]
    pub fn authorize(&self, call: &HttpRequest, secrets: &Fetched, now: Timestamp) -> WebhookDecision {
        let authentic = |list: &[SecretReference]| {
            self.signature.verify(list.iter().filter_map(|reference| secrets.get(reference)), &call.body)
        };
        let verdict = match &self.kind {
            CandidateKind::Github { event, rules } => {
                // Every rule is checked before anything is read: a rule obeys its own secrets only.
                let authentic: Vec<_> = rules.iter().filter(|(_, rule)| authentic(rule.secrets.as_slice())).collect();
                if authentic.is_empty() {
                    return WebhookDecision::Refused(WebhookRefusal::Unauthentic);
                }
                self.github(event, &authentic)
            }
            CandidateKind::Generic { rules } => {
                let authentic: Vec<_> = rules.iter().filter(|(_, rule)| authentic(rule.secrets.as_slice())).collect();
                let Some((site, _)) = authentic.first() else {
                    return WebhookDecision::Refused(WebhookRefusal::Unauthentic);
                };
                if !self.signature.is_fresh(now) {
                    return WebhookDecision::Refused(WebhookRefusal::Stale);
                }
                self.generic(site)
            }
        };
        verdict.unwrap_or_else(WebhookDecision::Refused)
    }

    fn github(&self, event: &str, rules: &[&(&Site, &GithubRule)]) -> Result<WebhookDecision, WebhookRefusal> {
        let announcement = match github::read(event, &self.payload)? {
            ParsedEvent::Ping => return Ok(WebhookDecision::Nothing(NoOp::Ping)),
            ParsedEvent::Nothing(quiet) => return Ok(WebhookDecision::Nothing(NoOp::Event(quiet))),
            ParsedEvent::Announcement(announcement) => announcement,
        };
        let mut triggers: Vec<Trigger> = Vec::new();
        let mut reasons = Vec::new();
        for (site, rule) in rules {
            // The first rule of a site that fits decides: two would publish it twice.
            if triggers.iter().any(|trigger| trigger.site == site.name) {
                continue;
            }
            match obey(site, rule, &announcement) {
                Ok(NamedArtifact { release, artifact }) => triggers.push(Trigger {
                    site: site.name.clone(),
                    artifact,
                    release,
                    cause: TriggerCause::Github(announcement.event),
                    revision: Some(Revision::at(announcement.time.milliseconds())),
                    delivery: Some(self.identity.clone()),
                    status: status(rule, &announcement),
                }),
                Err(why) => reasons.push((site.name.clone(), why)),
            }
        }
        Ok(if triggers.is_empty() {
            WebhookDecision::Nothing(NoOp::Rules(reasons))
        } else {
            WebhookDecision::Publish(triggers)
        })
    }

    fn generic(&self, site: &Site) -> Result<WebhookDecision, WebhookRefusal> {
        let body = GenericPayload::read(&self.payload)?;
        let NamedArtifact { release, artifact } = body.artifact(site)?;
        let at = body.committed.or(self.signature.signed_at());
        Ok(WebhookDecision::Publish(vec![Trigger {
            site: site.name.clone(),
            artifact,
            release,
            cause: TriggerCause::Webhook,
            revision: at.map(|at| Revision::at(at.milliseconds())),
            delivery: Some(self.identity.clone()),
            status: None,
        }]))
    }
}

/// What an announcement publishes of a site by one rule.
fn obey(site: &Site, rule: &GithubRule, said: &WebhookEvent) -> Result<NamedArtifact, UnmatchedRule> {
    if !rule.events.contains(&said.event) {
        return Err(UnmatchedRule::Event(said.event));
    }
    if said.fork && !rule.forks {
        return Err(UnmatchedRule::Fork);
    }
    if said.pull_request && !rule.pull_requests {
        return Err(UnmatchedRule::PullRequest);
    }
    if let (Some(pattern), Some(environment)) = (&rule.environment, &said.environment)
        && !pattern.covers(environment)
    {
        return Err(UnmatchedRule::environment(environment));
    }
    if let (Some(pattern), Some(workflow)) = (&rule.workflow, &said.workflow)
        && !pattern.covers(&workflow.name)
        && !pattern.covers(&workflow.file)
    {
        return Err(UnmatchedRule::workflow(workflow));
    }
    if !covers(rule, said) {
        return Err(UnmatchedRule::Reference(said.reference.to_string()));
    }
    publish(site, rule, said)
}

/// What is reported to GitHub of the run, as the rule wishes; nothing where the announcement names nothing to report on.
fn status(rule: &GithubRule, said: &WebhookEvent) -> Option<StatusSpec> {
    let wished = rule.status.as_ref()?;
    let subject = match wished.kind {
        StatusKind::Commit => StatusSubject::Commit(said.commit.clone()?),
        StatusKind::Deployment => StatusSubject::Deployment(said.deployment?),
    };
    Some(StatusSpec {
        access: wished.access.clone(),
        repository: rule.repository.clone(),
        subject,
        url: wished.url.clone(),
    })
}

/// Whether the rule is for the branch or tag. One that names no tag is for every release, and one that names neither is for
/// every deployment to its environment; without either, a push is for nobody, and the configuration refuses such a rule.
fn covers(rule: &GithubRule, said: &WebhookEvent) -> bool {
    let branch = |name: &str| rule.branch.as_ref().is_some_and(|pattern| pattern.covers(name));
    let tag = |name: &str| rule.tag.as_ref().is_some_and(|pattern| pattern.covers(name));
    match (said.event, &said.reference) {
        (GithubEvent::Release, _) if rule.tag.is_none() => true,
        (GithubEvent::Deployment, _) if rule.branch.is_none() && rule.tag.is_none() => true,
        (_, GitReference::Branch(name)) => branch(name),
        (_, GitReference::Tag(name)) => tag(name),
        (_, GitReference::Either(name)) => branch(name) || tag(name),
    }
}

fn publish(site: &Site, rule: &GithubRule, said: &WebhookEvent) -> Result<NamedArtifact, UnmatchedRule> {
    let place = || site.builds.as_ref().ok_or(UnmatchedRule::Builds);
    let build = |place: &Location, name: &str| -> Result<NamedArtifact, UnmatchedRule> {
        Ok(NamedArtifact { release: name.to_owned(), artifact: ArtifactRef::Build(Build::new(place, name)?) })
    };
    let commit = || said.commit.as_ref().ok_or(UnmatchedRule::Commit);
    let named = || match (&said.reference, &said.commit) {
        (GitReference::Branch(_) | GitReference::Either(_), Some(commit)) => commit.as_str().to_owned(),
        (reference, _) => sanitize_name(reference.name()),
    };
    match (&rule.publish, &said.reference) {
        (WebhookPublish::Named | WebhookPublish::Tag, GitReference::Tag(name))
        | (WebhookPublish::Tag, GitReference::Either(name)) => build(place()?, name),
        (WebhookPublish::Tag, GitReference::Branch(_)) => Err(UnmatchedRule::Tag),
        (WebhookPublish::Named | WebhookPublish::Commit, _) => build(place()?, commit()?.as_str()),
        (WebhookPublish::Newest, _) => {
            Ok(NamedArtifact { release: named(), artifact: ArtifactRef::Newest(place()?.clone()) })
        }
        (WebhookPublish::Staged, _) => {
            let source = site.staged.clone().filter(|source| site.owns(source)).ok_or(UnmatchedRule::Builds)?;
            Ok(NamedArtifact { release: named(), artifact: ArtifactRef::Source { source, pin: None } })
        }
        (WebhookPublish::Artifact { name, access }, _) => {
            let origin = said.origin.ok_or(UnmatchedRule::Artifact)?;
            let file = GithubFileRef {
                access: access.clone(),
                repository: rule.repository.clone(),
                origin,
                name: name.clone(),
            };
            Ok(NamedArtifact { release: named(), artifact: ArtifactRef::GithubFile(Box::new(file)) })
        }
    }
}
