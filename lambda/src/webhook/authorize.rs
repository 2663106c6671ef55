//! Decides about a webhook in two steps, between which the handler fetches secrets.
//!
//! The first step looks only at the repository or the site that an unverified payload names, to select the secrets. The
//! second step verifies the signature before it reads anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
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
use super::generic::GenericPayload;
use super::github::{self, ParsedPayload};
use super::selector::{GenericSelector, GithubSelector};
use super::signature::{SIGNATURE, SIGNED_AT, SentSignature};
use crate::github::{GithubFileRef, StatusSpec, StatusSubject};
use crate::secrets::Secret;
use crate::trigger::{ArtifactRef, HttpRequest, MAX_PAYLOAD_BYTES, NamedArtifact, Trigger, TriggerCause};

/// The header with the name of GitHub's event. It is not signed.
const GITHUB_EVENT: &str = "x-github-event";

/// The header with the id of GitHub's delivery. It is not signed.
const GITHUB_DELIVERY: &str = "x-github-delivery";

/// The rules that may apply to a webhook whose signature is not verified yet.
pub struct CandidateRules<'c> {
    kind: CandidateKind<'c>,
    signature: SentSignature,
    digest: DeliveryDigest,
    delivery_id: String,
}

enum CandidateKind<'c> {
    Github { event: String, rules: Vec<(&'c Site, &'c GithubRule)> },
    Generic { rules: Vec<(&'c Site, &'c GenericRule)> },
}

/// Secrets by their references. A secret that could not be fetched is absent and matches no signature.
pub type FetchedSecrets = BTreeMap<SecretReference, Secret>;

/// The first step: selects the rules that may apply.
///
/// # Errors
/// [`WebhookRefusal`]. If no rule may apply, it is the same as for a wrong signature, so that strangers do not learn
/// which repositories and sites exist.
pub fn candidates<'c>(request: &HttpRequest, config: &'c Config) -> Result<CandidateRules<'c>, WebhookRefusal> {
    if request.method != "POST" {
        return Err(WebhookRefusal::Method);
    }
    if request.body.len() > MAX_PAYLOAD_BYTES {
        return Err(WebhookRefusal::Length);
    }
    let event = request.header(GITHUB_EVENT);
    let generic = request.header(SIGNATURE).is_some() || request.header(SIGNED_AT).is_some();
    let signature = match event {
        Some(_) if request.header("content-type").is_some_and(is_form) => return Err(WebhookRefusal::ContentType),
        Some(_) => SentSignature::github(request)?,
        None if generic => SentSignature::generic(request)?,
        None => return Err(WebhookRefusal::NotAWebhook),
    };
    let webhooks = || config.sites.iter().flat_map(|site| site.webhooks.iter().map(move |webhook| (site, webhook)));
    let kind = match event {
        Some(event) => {
            let selector: GithubSelector<'_> = parse(&request.body)?;
            let repository = selector.repository();
            let organization = selector.organization().filter(|_| event == "ping");
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
            let selector: GenericSelector<'_> = parse(&request.body)?;
            let rules = webhooks().filter_map(|(site, webhook)| match webhook {
                Webhook::Generic(rule) => (selector.site == site.name.as_str()).then_some((site, rule)),
                Webhook::Github(_) => None,
            });
            CandidateKind::Generic { rules: rules.collect() }
        }
    };
    let candidates = CandidateRules {
        kind,
        digest: DeliveryDigest::of(signature.signed_at(), &request.body),
        signature,
        delivery_id: sanitize_name(request.header(GITHUB_DELIVERY).unwrap_or_default()),
    };
    if candidates.secrets().is_empty() { Err(WebhookRefusal::Unauthentic) } else { Ok(candidates) }
}

/// Reads a verified payload, or the part of another one that selects the secrets.
fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, WebhookRefusal> {
    serde_json::from_slice(body).map_err(|_| WebhookRefusal::Unauthentic)
}

/// Whether the body is a form, which is GitHub's default.
fn is_form(content_type: &str) -> bool {
    content_type.to_ascii_lowercase().contains("application/x-www-form-urlencoded")
}

impl fmt::Debug for CandidateRules<'_> {
    /// Without the payload, which must not be logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CandidateRules")
            .field("digest", &self.digest.as_str())
            .field("delivery_id", &self.delivery_id)
            .field("secrets", &self.secrets())
            .finish_non_exhaustive()
    }
}

impl<'c> CandidateRules<'c> {
    /// The secrets to fetch for [`Self::authorize`].
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<&'c SecretReference> {
        let lists: Vec<&'c [SecretReference]> = match &self.kind {
            CandidateKind::Github { rules, .. } => rules.iter().map(|(_, rule)| rule.secrets.as_slice()).collect(),
            CandidateKind::Generic { rules } => rules.iter().map(|(_, rule)| rule.secrets.as_slice()).collect(),
        };
        lists.into_iter().flatten().collect()
    }

    /// The digest that identifies the delivery when it is replayed.
    #[must_use]
    pub fn digest(&self) -> &DeliveryDigest {
        &self.digest
    }

    /// The id that the sender gave the delivery. It is not signed and only helps to find the delivery at the sender.
    #[must_use]
    pub fn delivery_id(&self) -> &str {
        &self.delivery_id
    }

    /// The second step: verifies the signature and decides what to publish.
    #[must_use]
    pub fn authorize(&self, request: &HttpRequest, secrets: &FetchedSecrets, now: Timestamp) -> WebhookDecision {
        let is_signed_by = |list: &[SecretReference]| {
            self.signature.verify(list.iter().filter_map(|reference| secrets.get(reference)), &request.body)
        };
        let decision = match &self.kind {
            CandidateKind::Github { event, rules } => {
                // A rule accepts its own secrets only, so every rule is checked before the payload is read.
                let verified: Vec<_> = rules.iter().filter(|(_, rule)| is_signed_by(rule.secrets.as_slice())).collect();
                if verified.is_empty() {
                    return WebhookDecision::Refused(WebhookRefusal::Unauthentic);
                }
                self.github(event, &verified, &request.body)
            }
            CandidateKind::Generic { rules } => {
                let verified: Vec<_> = rules.iter().filter(|(_, rule)| is_signed_by(rule.secrets.as_slice())).collect();
                let Some((site, _)) = verified.first() else {
                    return WebhookDecision::Refused(WebhookRefusal::Unauthentic);
                };
                if !self.signature.is_fresh(now) {
                    return WebhookDecision::Refused(WebhookRefusal::Stale);
                }
                self.generic(site, &request.body)
            }
        };
        decision.unwrap_or_else(WebhookDecision::Refused)
    }

    fn github(
        &self,
        event: &str,
        rules: &[&(&Site, &GithubRule)],
        body: &[u8],
    ) -> Result<WebhookDecision, WebhookRefusal> {
        let event = match github::read(event, &parse(body)?)? {
            ParsedPayload::Ping => return Ok(WebhookDecision::NoOp(NoOp::Ping)),
            ParsedPayload::Ignored(ignored) => return Ok(WebhookDecision::NoOp(NoOp::Event(ignored))),
            ParsedPayload::Event(event) => event,
        };
        let mut triggers: Vec<Trigger> = Vec::new();
        let mut reasons = Vec::new();
        for (site, rule) in rules {
            // The first rule of a site that matches decides, so that the site is published once.
            if triggers.iter().any(|trigger| trigger.site == site.name) {
                continue;
            }
            match match_rule(site, rule, &event) {
                Ok(NamedArtifact { release, artifact }) => triggers.push(Trigger {
                    site: site.name.clone(),
                    artifact,
                    release,
                    cause: TriggerCause::Github(event.event),
                    revision: Some(Revision::at(event.time.milliseconds())),
                    delivery: Some(event.subject.clone().unwrap_or_else(|| self.digest.clone())),
                    status: status(rule, &event),
                }),
                Err(reason) => reasons.push((site.name.clone(), reason)),
            }
        }
        Ok(if triggers.is_empty() {
            WebhookDecision::NoOp(NoOp::Rules(reasons))
        } else {
            WebhookDecision::Publish(triggers)
        })
    }

    fn generic(&self, site: &Site, body: &[u8]) -> Result<WebhookDecision, WebhookRefusal> {
        let payload = GenericPayload::read(&parse(body)?)?;
        let NamedArtifact { release, artifact } = payload.artifact(site)?;
        let commit = payload.commit_time.map(|at| Revision::of_commit(at.milliseconds()));
        let signed = self.signature.signed_at().map(|at| Revision::at(at.milliseconds()));
        Ok(WebhookDecision::Publish(vec![Trigger {
            site: site.name.clone(),
            artifact,
            release,
            cause: TriggerCause::Webhook,
            revision: commit.or(signed),
            delivery: Some(self.digest.clone()),
            status: None,
        }]))
    }
}

/// What an event publishes to a site by one rule.
fn match_rule(site: &Site, rule: &GithubRule, event: &WebhookEvent) -> Result<NamedArtifact, UnmatchedRule> {
    if !rule.events.contains(&event.event) {
        return Err(UnmatchedRule::Event(event.event));
    }
    if event.fork && !rule.forks {
        return Err(UnmatchedRule::Fork);
    }
    if event.pull_request && !rule.pull_requests {
        return Err(UnmatchedRule::PullRequest);
    }
    if let Some(started_by) = event.run_event.as_ref().filter(|_| !event.pull_request)
        && !rule.run_events.contains(started_by)
    {
        return Err(UnmatchedRule::run_event(started_by));
    }
    if event.pre_release && !rule.pre_releases {
        return Err(UnmatchedRule::PreRelease);
    }
    if event.reference.is_merge_queue() {
        return Err(UnmatchedRule::MergeQueue);
    }
    if let (Some(pattern), Some(environment)) = (&rule.environment, &event.environment)
        && !pattern.covers(environment)
    {
        return Err(UnmatchedRule::environment(environment));
    }
    if let (Some(pattern), Some(workflow)) = (&rule.workflow, &event.workflow)
        && !pattern.covers(&workflow.name)
        && !pattern.covers(&workflow.file)
    {
        return Err(UnmatchedRule::workflow(workflow));
    }
    if !covers_reference(rule, event) {
        return Err(UnmatchedRule::Reference(event.reference.to_string()));
    }
    artifact(site, rule, event)
}

/// The status that the rule reports; `None` if it reports none, or if the event has neither commit nor deployment.
fn status(rule: &GithubRule, event: &WebhookEvent) -> Option<StatusSpec> {
    let status = rule.status.as_ref()?;
    let subject = match status.kind {
        StatusKind::Commit => StatusSubject::Commit(event.commit.clone()?),
        StatusKind::Deployment => StatusSubject::Deployment(event.deployment?),
    };
    let (access, repository) = (status.access.clone(), rule.repository.clone());
    Some(StatusSpec { access, repository, subject, url: status.url.clone() })
}

/// Whether the rule is for the branch or tag. A rule without `tag` is for every release, and a rule with neither is for
/// every deployment to its environments. The configuration refuses a rule with neither for a push.
fn covers_reference(rule: &GithubRule, event: &WebhookEvent) -> bool {
    let branch = |name: &str| rule.branch.as_ref().is_some_and(|pattern| pattern.covers(name));
    let tag = |name: &str| rule.tag.as_ref().is_some_and(|pattern| pattern.covers(name));
    match (event.event, &event.reference) {
        (GithubEvent::Release, _) if rule.tag.is_none() => true,
        (GithubEvent::DeploymentStatus, _) if rule.branch.is_none() && rule.tag.is_none() => true,
        (_, GitReference::Branch(name)) => branch(name),
        (_, GitReference::Tag(name)) => tag(name),
        (_, GitReference::BranchOrTag(name)) => branch(name) || tag(name),
    }
}

/// The artifact that a matching rule publishes.
fn artifact(site: &Site, rule: &GithubRule, event: &WebhookEvent) -> Result<NamedArtifact, UnmatchedRule> {
    let builds = || site.builds.as_ref().ok_or(UnmatchedRule::NoLocation);
    let build = |location: &Location, name: &str| -> Result<NamedArtifact, UnmatchedRule> {
        Ok(NamedArtifact { release: name.to_owned(), artifact: ArtifactRef::Build(Build::new(location, name)?) })
    };
    let commit = || event.commit.as_ref().ok_or(UnmatchedRule::NoCommit);
    let release = || match (&event.reference, &event.commit) {
        (GitReference::Branch(_) | GitReference::BranchOrTag(_), Some(commit)) => commit.as_str().to_owned(),
        (reference, _) => sanitize_name(reference.name()),
    };
    let named = |artifact| NamedArtifact { release: release(), artifact };
    match (&rule.publish, &event.reference) {
        (WebhookPublish::Named | WebhookPublish::Tag, GitReference::Tag(name))
        | (WebhookPublish::Tag, GitReference::BranchOrTag(name)) => build(builds()?, name),
        (WebhookPublish::Tag, GitReference::Branch(_)) => Err(UnmatchedRule::NotATag),
        (WebhookPublish::Named | WebhookPublish::Commit, _) => build(builds()?, commit()?.as_str()),
        (WebhookPublish::Newest, _) => Ok(named(ArtifactRef::Newest(builds()?.clone()))),
        (WebhookPublish::Staged, _) => {
            let source = site.staged_in_s3().cloned().ok_or(UnmatchedRule::NoLocation)?;
            Ok(named(ArtifactRef::Source { source, pin: None }))
        }
        (WebhookPublish::Artifact { name, access }, _) => {
            let origin = event.origin.ok_or(UnmatchedRule::NoFiles)?;
            let (access, repository) = (access.clone(), rule.repository.clone());
            let file = GithubFileRef { access, repository, origin, name: name.clone() };
            Ok(named(ArtifactRef::GithubFile(Box::new(file))))
        }
    }
}
