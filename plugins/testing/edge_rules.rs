//! The rules for requests that a plugin adds in a test, as the core has them. The host makes the same checks.

use tidegate_core::edge::{
    EdgeHeaderRule, EdgeRedirect, EdgeRules, QueryCondition, RuleOrigin, RulePath, RuleStatus, RuleTarget, SlashMatch,
};
use tidegate_plugin::Attribute;
use tidegate_plugin::edge::{HeaderRule, RedirectRule};
use tidegate_plugin::testing::SyncAnswer;

/// The rules of an answer. Panics with a rule that the host would refuse.
pub(crate) fn edge_rules(answer: &SyncAnswer) -> EdgeRules {
    let redirects = answer.rules.redirects.iter().map(redirect).collect();
    EdgeRules { redirects, headers: answer.rules.headers.iter().map(header).collect() }
}

fn redirect(rule: &RedirectRule) -> EdgeRedirect {
    let redirect = EdgeRedirect {
        path: RulePath::new(&rule.path).unwrap_or_else(|error| panic!("{rule:?}: {error}")),
        slash: slash(rule.either_slash),
        query: rule.attributes.iter().map(condition).collect(),
        status: RuleStatus::new(rule.status).unwrap_or_else(|error| panic!("{rule:?}: {error}")),
        target: rule
            .target
            .as_deref()
            .map(|to| RuleTarget::new(to).unwrap_or_else(|error| panic!("{rule:?}: {error}"))),
        force: rule.force,
        origin: RuleOrigin { reason: rule.reason.clone(), ..RuleOrigin::default() },
    };
    redirect.check().unwrap_or_else(|error| panic!("{rule:?}: {error}"));
    redirect
}

/// Attributes of redirects are conditions on the query.
fn condition(attribute: &Attribute) -> QueryCondition {
    let name = attribute.name.strip_prefix("query.").unwrap_or_else(|| panic!("{attribute:?}"));
    QueryCondition::new(name, &attribute.value).unwrap_or_else(|error| panic!("{attribute:?}: {error}"))
}

fn header(rule: &HeaderRule) -> EdgeHeaderRule {
    let header = EdgeHeaderRule {
        path: RulePath::new(&rule.path).unwrap_or_else(|error| panic!("{rule:?}: {error}")),
        slash: slash(rule.either_slash),
        headers: rule.headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect(),
        removals: rule.removals.clone(),
        origin: RuleOrigin { reason: rule.reason.clone(), ..RuleOrigin::default() },
    };
    header.check().unwrap_or_else(|error| panic!("{rule:?}: {error}"));
    header
}

fn slash(either: bool) -> SlashMatch {
    if either { SlashMatch::Either } else { SlashMatch::AsWritten }
}
