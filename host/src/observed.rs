//! One run of one plugin, with everything that it decided, as values: for the tools of plugin authors.

use serde::{Deserialize, Serialize};
use tidegate_core::content::ContentReader;
use tidegate_core::desired::DesiredSite;
use tidegate_core::edge::{EdgeHeaderRule, EdgeRedirect, EdgeRules, SlashMatch};
use tidegate_core::finding::Finding;
use tidegate_core::plan::PlanTotals;
use tidegate_core::plan_review::{Judgement, PlanReview, Verdict};
use tidegate_core::plugin_failure::{FailureCause, PluginFailure};
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::run_facts::RunFacts;

use super::apply_decisions::{AddedRedirect, DecisionContext, EntryDecision, Trace, apply};
use super::bindings::sync_world::exports::tidegate::plugin::sync::{Action, Edit};
use super::bindings::sync_world::tidegate::plugin::types::AttributeResult;
use super::configured::{ConfiguredPlugin, NoContent};
use super::kind::PluginKind;
use super::policy;
use super::sync::run_plugin;

/// The result of one run of one plugin.
#[derive(Debug)]
pub struct ObservedRun {
    /// What it answered, in a fixed order: decisions in the order of keys, then what it adds, its findings, its verdict,
    /// and its failure.
    pub answers: Vec<ObservedAnswer>,
    /// The site as a sync plugin left it.
    pub desired: Option<DesiredSite>,
    /// Why it failed, if it failed.
    pub failure: Option<PluginFailure>,
    /// The resources that it used.
    pub usage: PluginUsage,
    /// The size of the answers of a sync plugin, in bytes.
    pub answer_bytes: Option<u64>,
}

/// One answer of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum ObservedAnswer {
    /// A decision about an entry.
    Decision {
        /// The key that the plugin saw.
        key: String,
        /// What happens to it.
        action: ObservedAction,
        /// JSON Pointer to the rule in the settings, or empty.
        rule: String,
        /// The reason, for people.
        reason: String,
    },
    /// A redirect that it adds.
    Redirect {
        /// Its key.
        key: String,
        /// Its target.
        to: String,
        /// JSON Pointer to the rule in the settings, or empty.
        rule: String,
        /// The reason, for people.
        reason: String,
    },
    /// A rule for requests.
    EdgeRedirect {
        /// The paths.
        path: String,
        /// With or without a `/` at the end.
        either_slash: bool,
        /// Conditions on the query, such as `id=:id`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        query: Vec<String>,
        /// The status.
        status: u16,
        /// Where the request goes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// Whether it applies to paths that the site has.
        force: bool,
        /// JSON Pointer to the rule in the settings, or empty.
        rule: String,
        /// The reason, for people.
        reason: String,
    },
    /// A rule for the headers of responses.
    EdgeHeaders {
        /// The paths.
        path: String,
        /// With or without a `/` at the end.
        either_slash: bool,
        /// Headers to add.
        headers: Vec<(String, String)>,
        /// Names of headers to remove first.
        removals: Vec<String>,
        /// JSON Pointer to the rule in the settings, or empty.
        rule: String,
        /// The reason, for people.
        reason: String,
    },
    /// A finding.
    Finding(Finding),
    /// The verdict of a policy.
    Verdict(Verdict),
    /// A failure, in a form that is equal on every machine.
    Failure {
        /// The function of the plugin that was called.
        call: String,
        /// The name of the cause.
        cause: String,
        /// The message. Empty for a run that was too slow, which differs.
        message: String,
    },
}

/// What happens to an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObservedAction {
    /// It is not published.
    Exclude,
    /// It is published with these edits.
    Publish(Vec<ObservedEdit>),
    /// An action that this host does not know, with its name.
    Other(String),
}

/// One edit of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObservedEdit {
    /// It gets another key.
    Rename(String),
    /// It gets a header: name and value.
    SetHeader(String, String),
    /// It loses a header.
    RemoveHeader(String),
    /// It gets a metadata entry: name and value.
    SetMetadata(String, String),
    /// It loses a metadata entry.
    RemoveMetadata(String),
    /// It becomes a redirect.
    Redirect(String),
    /// An edit that this host does not know, with its name.
    Other(String),
}

/// What a plugin is given.
#[derive(Debug, Clone, Copy)]
pub enum RunInput<'a> {
    /// A site, for a sync plugin.
    Site(&'a DesiredSite),
    /// A plan, for a policy.
    Plan(&'a PlanReview<'a>),
}

/// Runs a plugin over its input, with the limits of every run.
///
/// Blocks; the plugin reads through `content`, which is called on this thread.
#[must_use]
pub fn observe(
    configured: &ConfiguredPlugin,
    input: RunInput<'_>,
    facts: &RunFacts,
    content: &dyn ContentReader,
) -> ObservedRun {
    match input {
        RunInput::Site(desired) => transform(configured, desired.clone(), facts, content),
        RunInput::Plan(plan) => review(configured, plan, facts, content),
    }
}

/// Runs a plugin over the first objects of its input.
#[must_use]
pub fn observe_first(
    configured: &ConfiguredPlugin,
    input: RunInput<'_>,
    objects: usize,
    facts: &RunFacts,
    content: &dyn ContentReader,
) -> ObservedRun {
    match input {
        RunInput::Site(desired) => {
            let first = desired.entries().iter().take(objects).cloned().collect();
            // Some of distinct keys are distinct.
            let first = DesiredSite::new(first, Vec::new()).unwrap_or_default();
            observe(configured, RunInput::Site(&first), facts, content)
        }
        RunInput::Plan(plan) => {
            let first = plan.changes().take(objects).collect();
            observe(configured, RunInput::Plan(&PlanReview::new(first, plan.totals().to_vec())), facts, content)
        }
    }
}

/// Runs a plugin over a site or plan without objects.
#[must_use]
pub fn observe_empty(configured: &ConfiguredPlugin, facts: &RunFacts) -> ObservedRun {
    match configured.plugin().kind() {
        PluginKind::Sync => {
            let desired = DesiredSite::default();
            observe(configured, RunInput::Site(&desired), facts, &NoContent)
        }
        PluginKind::Policy => {
            let plan = PlanReview::new(Vec::new(), PlanTotals::default().named());
            observe(configured, RunInput::Plan(&plan), facts, &NoContent)
        }
    }
}

/// Runs a sync plugin over a site, as [`sync::transform`](crate::sync::transform) does.
fn transform(
    configured: &ConfiguredPlugin,
    desired: DesiredSite,
    facts: &RunFacts,
    content: &dyn ContentReader,
) -> ObservedRun {
    let (answers, usage) = run_plugin(configured, desired.entries(), facts, content, Trace::On);
    let answers = match answers {
        Ok(answers) => answers,
        Err(failure) => return ObservedRun::failed(Vec::new(), failure, usage),
    };
    let mut observed: Vec<ObservedAnswer> =
        answers.decisions.entries.iter().map(|decided| ObservedAnswer::decision(&desired, decided)).collect();
    let mut redirects: Vec<&AddedRedirect> = answers.decisions.redirects.iter().collect();
    redirects.sort_by(|a, b| a.key.cmp(&b.key));
    observed.extend(redirects.into_iter().map(ObservedAnswer::redirect));
    let EdgeRules { redirects, headers } = answers.edge;
    observed.extend(redirects.into_iter().map(ObservedAnswer::edge_redirect));
    observed.extend(headers.into_iter().map(ObservedAnswer::edge_headers));
    observed.extend(answers.findings.into_iter().map(ObservedAnswer::Finding));
    let usage = PluginUsage { findings_dropped: answers.findings_dropped, ..usage };
    let context = DecisionContext { plugin: configured.name(), grant: configured.grant(), trace: Trace::On };
    match apply(&context, desired, answers.decisions) {
        Ok(desired) => ObservedRun {
            answers: observed,
            desired: Some(desired),
            failure: None,
            usage,
            answer_bytes: Some(answers.bytes),
        },
        Err(cause) => {
            let failure = PluginFailure::new(configured.name(), answers.last_call, cause, Some(usage.clone()));
            ObservedRun::failed(observed, failure, usage)
        }
    }
}

/// Runs a policy over a plan, as [`policy::review`] does.
fn review(
    configured: &ConfiguredPlugin,
    review: &PlanReview<'_>,
    facts: &RunFacts,
    content: &dyn ContentReader,
) -> ObservedRun {
    let Judgement { verdict, findings, failure, usage, .. } = policy::review_one(configured, review, facts, content);
    let mut answers: Vec<ObservedAnswer> = findings.into_iter().map(ObservedAnswer::Finding).collect();
    match failure {
        Some(failure) => ObservedRun::failed(answers, failure, usage),
        None => {
            answers.push(ObservedAnswer::Verdict(verdict));
            ObservedRun { answers, desired: None, failure: None, usage, answer_bytes: None }
        }
    }
}

impl ObservedRun {
    fn failed(mut answers: Vec<ObservedAnswer>, failure: PluginFailure, usage: PluginUsage) -> Self {
        answers.push(ObservedAnswer::failure(&failure));
        Self { answers, desired: None, failure: Some(failure), usage, answer_bytes: None }
    }

    /// The verdict of a policy; `None` if it failed, and for a sync plugin.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        self.answers.iter().find_map(|answer| match answer {
            ObservedAnswer::Verdict(verdict) => Some(*verdict),
            _ => None,
        })
    }

    /// The findings.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.answers.iter().filter_map(|answer| match answer {
            ObservedAnswer::Finding(finding) => Some(finding),
            _ => None,
        })
    }
}

impl ObservedAnswer {
    fn decision(desired: &DesiredSite, decided: &EntryDecision) -> Self {
        let key = desired.entries().get(decided.position).map_or_else(String::new, |entry| entry.key.to_string());
        let action = match &decided.decision.action {
            Action::Exclude => ObservedAction::Exclude,
            Action::Publish(edits) => ObservedAction::Publish(edits.iter().map(ObservedEdit::of).collect()),
            Action::Other(attribute) => ObservedAction::Other(attribute.name.clone()),
        };
        Self::Decision { key, action, rule: decided.decision.rule.clone(), reason: decided.decision.reason.clone() }
    }

    fn redirect(added: &AddedRedirect) -> Self {
        let AddedRedirect { key, redirect, rule, reason } = added;
        Self::Redirect { key: key.clone(), to: redirect.clone(), rule: rule.clone(), reason: reason.clone() }
    }

    fn edge_redirect(rule: EdgeRedirect) -> Self {
        Self::EdgeRedirect {
            path: rule.path.into(),
            either_slash: rule.slash == SlashMatch::Either,
            query: rule.query.iter().map(ToString::to_string).collect(),
            status: rule.status.code(),
            to: rule.target.map(|target| target.as_str().to_owned()),
            force: rule.force,
            rule: rule.origin.rule,
            reason: rule.origin.reason,
        }
    }

    fn edge_headers(rule: EdgeHeaderRule) -> Self {
        Self::EdgeHeaders {
            path: rule.path.into(),
            either_slash: rule.slash == SlashMatch::Either,
            headers: rule.headers,
            removals: rule.removals,
            rule: rule.origin.rule,
            reason: rule.origin.reason,
        }
    }

    fn failure(failure: &PluginFailure) -> Self {
        let message = match failure.cause() {
            FailureCause::Deadline { .. } => String::new(),
            cause => cause.to_string(),
        };
        Self::Failure { call: failure.call().to_owned(), cause: failure.cause().code().to_owned(), message }
    }
}

impl ObservedEdit {
    fn of(edit: &Edit) -> Self {
        let pair = |attribute: &AttributeResult| (attribute.name.clone(), attribute.value.clone());
        match edit {
            Edit::Rename(key) => Self::Rename(key.clone()),
            Edit::SetHeader(header) => {
                let (name, value) = pair(header);
                Self::SetHeader(name, value)
            }
            Edit::RemoveHeader(name) => Self::RemoveHeader(name.clone()),
            Edit::SetMetadata(metadata) => {
                let (name, value) = pair(metadata);
                Self::SetMetadata(name, value)
            }
            Edit::RemoveMetadata(name) => Self::RemoveMetadata(name.clone()),
            Edit::Redirect(target) => Self::Redirect(target.clone()),
            Edit::Other(attribute) => Self::Other(attribute.name.clone()),
        }
    }
}
