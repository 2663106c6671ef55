//! Which rules a webhook may obey, whether it is authentic, and what it publishes.
//!
//! Owns the two steps, between which somebody fetches secrets. The first looks at nothing but the name of a repository or a site, of
//! a sender of whom nothing is known; the second knows the sender before it reads anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;
use tidegate_core::config::{
    Config, EventKind, GenericRule, GithubRule, Publish, SecretReference, Site, StatusKind, Webhook,
};
use tidegate_core::location::Location;
use tidegate_core::request::Order;
use tidegate_core::sanitize::shown;
use tidegate_core::staged_build::Build;
use tidegate_core::timestamp::Timestamp;
use tidegate_core::webhook_delivery::DeliveryIdentity;

use super::decision::{Quietly, Refusal, Unmatched, Verdict};
use super::event::{Announcement, ProvidedArtifact, Reference};
use super::generic::{self, Generic};
use super::github::{self, Said};
use super::secret::Secret;
use super::signature::{SIGNATURE, SIGNED_AT, Signature};
use crate::github::{Reported, StatusWish};
use crate::trigger::{Call, Cause, FUNCTION_PAYLOAD_BYTES, Trigger, Wanted};

/// The header with the name of an event of GitHub.
const GITHUB_EVENT: &str = "x-github-event";

/// The header with the id of a delivery of GitHub.
const GITHUB_DELIVERY: &str = "x-github-delivery";

/// The rules that may apply to a webhook, before anything is known of its sender.
pub struct Candidates<'c> {
    kind: Kind<'c>,
    signature: Signature,
    payload: Value,
    /// What the delivery is recognised by.
    identity: DeliveryIdentity,
    /// The id that the sender gave it.
    delivery: String,
}

enum Kind<'c> {
    Github { event: String, rules: Vec<(&'c Site, &'c GithubRule)> },
    Generic { rules: Vec<(&'c Site, &'c GenericRule)> },
}

/// Secrets by where they are kept. One that could not be fetched is not in it, and fits nothing.
pub type Fetched = BTreeMap<SecretReference, Secret>;

/// The first step: the rules that may apply.
///
/// # Errors
/// [`Refusal`]. Where no rule may apply it is the same as for a wrong signature, so that strangers do not learn which repositories
/// and sites there are.
pub fn candidates<'c>(call: &Call, config: &'c Config) -> Result<Candidates<'c>, Refusal> {
    if call.method != "POST" {
        return Err(Refusal::Method);
    }
    if call.body.len() > FUNCTION_PAYLOAD_BYTES {
        return Err(Refusal::Length);
    }
    let event = call.header(GITHUB_EVENT);
    let generic = call.header(SIGNATURE).is_some() || call.header(SIGNED_AT).is_some();
    let signature = match event {
        Some(_) if call.header("content-type").is_some_and(is_form) => return Err(Refusal::ContentType),
        Some(_) => Signature::of_github(call)?,
        None if generic => Signature::of_anybody(call)?,
        None => return Err(Refusal::NoWebhook),
    };
    let payload: Value = serde_json::from_slice(&call.body).map_err(|_| Refusal::Unauthentic)?;
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
            Kind::Github { event: event.to_owned(), rules: rules.collect() }
        }
        None => {
            let name = generic::site(&payload);
            let rules = webhooks().filter_map(|(site, webhook)| match webhook {
                Webhook::Generic(rule) => (name == Some(site.name.as_str())).then_some((site, rule)),
                Webhook::Github(_) => None,
            });
            Kind::Generic { rules: rules.collect() }
        }
    };
    let candidates = Candidates {
        kind,
        identity: DeliveryIdentity::of(signature.signed_at(), &call.body),
        signature,
        payload,
        delivery: shown(call.header(GITHUB_DELIVERY).unwrap_or_default()),
    };
    if candidates.secrets().is_empty() { Err(Refusal::Unauthentic) } else { Ok(candidates) }
}

/// Whether a body is sent as a form, as GitHub does unless it is told otherwise.
fn is_form(content_type: &str) -> bool {
    content_type.to_ascii_lowercase().contains("application/x-www-form-urlencoded")
}

impl fmt::Debug for Candidates<'_> {
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

impl<'c> Candidates<'c> {
    /// The secrets to fetch before [`Self::judge`].
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<&'c SecretReference> {
        let lists: Vec<&'c [SecretReference]> = match &self.kind {
            Kind::Github { rules, .. } => rules.iter().map(|(_, rule)| rule.secrets.as_slice()).collect(),
            Kind::Generic { rules } => rules.iter().map(|(_, rule)| rule.secrets.as_slice()).collect(),
        };
        lists.into_iter().flatten().collect()
    }

    /// What the delivery is recognised by when it comes again.
    #[must_use]
    pub fn identity(&self) -> &DeliveryIdentity {
        &self.identity
    }

    /// The id that the sender gave the delivery, which is not signed and only good for looking it up.
    #[must_use]
    pub fn delivery(&self) -> &str {
        &self.delivery
    }

    /// The second step: whether the webhook is authentic, and what it publishes.
    #[must_use]
    pub fn judge(&self, call: &Call, secrets: &Fetched, now: Timestamp) -> Verdict {
        let authentic = |list: &[SecretReference]| {
            self.signature.is_made_by(list.iter().filter_map(|reference| secrets.get(reference)), &call.body)
        };
        let verdict = match &self.kind {
            Kind::Github { event, rules } => {
                // Every rule is checked before anything is read: a rule obeys its own secrets only.
                let authentic: Vec<_> = rules.iter().filter(|(_, rule)| authentic(rule.secrets.as_slice())).collect();
                if authentic.is_empty() {
                    return Verdict::Refused(Refusal::Unauthentic);
                }
                self.github(event, &authentic)
            }
            Kind::Generic { rules } => {
                let authentic: Vec<_> = rules.iter().filter(|(_, rule)| authentic(rule.secrets.as_slice())).collect();
                let Some((site, _)) = authentic.first() else { return Verdict::Refused(Refusal::Unauthentic) };
                if !self.signature.is_fresh(now) {
                    return Verdict::Refused(Refusal::Stale);
                }
                self.generic(site)
            }
        };
        verdict.unwrap_or_else(Verdict::Refused)
    }

    fn github(&self, event: &str, rules: &[&(&Site, &GithubRule)]) -> Result<Verdict, Refusal> {
        let announcement = match github::read(event, &self.payload)? {
            Said::Ping => return Ok(Verdict::Nothing(Quietly::Ping)),
            Said::Nothing(quiet) => return Ok(Verdict::Nothing(Quietly::Event(quiet))),
            Said::Announcement(announcement) => announcement,
        };
        let mut triggers: Vec<Trigger> = Vec::new();
        let mut reasons = Vec::new();
        for (site, rule) in rules {
            // The first rule of a site that fits decides: two would publish it twice.
            if triggers.iter().any(|trigger| trigger.site == site.name) {
                continue;
            }
            match obey(site, rule, &announcement) {
                Ok((release, wanted)) => triggers.push(Trigger {
                    site: site.name.clone(),
                    wanted,
                    release,
                    cause: Cause::Github(announcement.event),
                    order: Some(Order::at(announcement.time.milliseconds())),
                    delivery: Some(self.identity.clone()),
                    status: status(rule, &announcement),
                }),
                Err(why) => reasons.push((site.name.clone(), why)),
            }
        }
        Ok(if triggers.is_empty() { Verdict::Nothing(Quietly::Rules(reasons)) } else { Verdict::Publish(triggers) })
    }

    fn generic(&self, site: &Site) -> Result<Verdict, Refusal> {
        let body = Generic::read(&self.payload)?;
        let (release, wanted) = body.wanted(site)?;
        let at = body.committed.or(self.signature.signed_at());
        Ok(Verdict::Publish(vec![Trigger {
            site: site.name.clone(),
            wanted,
            release,
            cause: Cause::Generic,
            order: at.map(|at| Order::at(at.milliseconds())),
            delivery: Some(self.identity.clone()),
            status: None,
        }]))
    }
}

/// What an announcement publishes of a site by one rule.
fn obey(site: &Site, rule: &GithubRule, said: &Announcement) -> Result<(String, Wanted), Unmatched> {
    if !rule.events.contains(&said.event) {
        return Err(Unmatched::Event(said.event));
    }
    if said.fork && !rule.forks {
        return Err(Unmatched::Fork);
    }
    if said.pull_request && !rule.pull_requests {
        return Err(Unmatched::PullRequest);
    }
    if let (Some(pattern), Some(environment)) = (&rule.environment, &said.environment)
        && !pattern.covers(environment)
    {
        return Err(Unmatched::environment(environment));
    }
    if let (Some(pattern), Some(workflow)) = (&rule.workflow, &said.workflow)
        && !pattern.covers(&workflow.name)
        && !pattern.covers(&workflow.file)
    {
        return Err(Unmatched::workflow(workflow));
    }
    if !covers(rule, said) {
        return Err(Unmatched::Reference(said.reference.to_string()));
    }
    publish(site, rule, said)
}

/// What is reported to GitHub of the run, as the rule wishes; nothing where the announcement names nothing to report on.
fn status(rule: &GithubRule, said: &Announcement) -> Option<StatusWish> {
    let wished = rule.status.as_ref()?;
    let on = match wished.kind {
        StatusKind::Commit => Reported::Commit(said.commit.clone()?),
        StatusKind::Deployment => Reported::Deployment(said.deployment?),
    };
    Some(StatusWish { access: wished.access.clone(), repository: rule.repository.clone(), on, url: wished.url.clone() })
}

/// Whether the rule is for the branch or tag. One that names no tag is for every release, and one that names neither is for
/// every deployment to its environment; without either, a push is for nobody, and the configuration refuses such a rule.
fn covers(rule: &GithubRule, said: &Announcement) -> bool {
    let branch = |name: &str| rule.branch.as_ref().is_some_and(|pattern| pattern.covers(name));
    let tag = |name: &str| rule.tag.as_ref().is_some_and(|pattern| pattern.covers(name));
    match (said.event, &said.reference) {
        (EventKind::Release, _) if rule.tag.is_none() => true,
        (EventKind::Deployment, _) if rule.branch.is_none() && rule.tag.is_none() => true,
        (_, Reference::Branch(name)) => branch(name),
        (_, Reference::Tag(name)) => tag(name),
        (_, Reference::Either(name)) => branch(name) || tag(name),
    }
}

fn publish(site: &Site, rule: &GithubRule, said: &Announcement) -> Result<(String, Wanted), Unmatched> {
    let place = || site.builds.as_ref().ok_or(Unmatched::Builds);
    let build = |place: &Location, name: &str| -> Result<(String, Wanted), Unmatched> {
        Ok((name.to_owned(), Wanted::Build(Build::new(place, name)?)))
    };
    let commit = || said.commit.as_ref().ok_or(Unmatched::Commit);
    let named = || match (&said.reference, &said.commit) {
        (Reference::Branch(_) | Reference::Either(_), Some(commit)) => commit.as_str().to_owned(),
        (reference, _) => shown(reference.name()),
    };
    match (&rule.publish, &said.reference) {
        (Publish::Named | Publish::Tag, Reference::Tag(name)) | (Publish::Tag, Reference::Either(name)) => {
            build(place()?, name)
        }
        (Publish::Tag, Reference::Branch(_)) => Err(Unmatched::Tag),
        (Publish::Named | Publish::Commit, _) => build(place()?, commit()?.as_str()),
        (Publish::Newest, _) => Ok((named(), Wanted::Newest(place()?.clone()))),
        (Publish::Staged, _) => {
            let source = site.staged.clone().filter(|source| site.owns(source)).ok_or(Unmatched::Builds)?;
            Ok((named(), Wanted::Source { source, pin: None }))
        }
        (Publish::Artifact { name, access }, _) => {
            let of = said.origin.ok_or(Unmatched::Artifact)?;
            let artifact = ProvidedArtifact {
                access: access.clone(),
                repository: rule.repository.clone(),
                of,
                name: name.clone(),
            };
            Ok((named(), Wanted::Provided(Box::new(artifact))))
        }
    }
}
