//! The rules for requests that a plugin adds: each is checked when it arrives, within the budget of the run.

use tidegate_core::config::PluginGrant;
use tidegate_core::edge::{
    EdgeHeaderRule, EdgeRedirect, EdgeRules, QueryCondition, RuleError, RuleOrigin, RulePath, RuleStatus, RuleTarget,
    SlashMatch,
};
use tidegate_core::plugin_failure::{FailureCause, LocatedCause, MalformedAnswer};
use tidegate_core::sanitize::{REASON_BYTES, sanitize};

use super::answer::{check_attributes, check_pointer};
use super::bindings::sync_world::tidegate::plugin::edge as wire;
use super::bindings::sync_world::tidegate::plugin::types::AttributeResult;
use super::limits::Limits;

/// How the attributes of a redirect start that are conditions on the query. Source: `wit/plugin.wit`.
const QUERY_ATTRIBUTE: &str = "query.";

/// Bytes of a path that an error shows.
const SHOWN_BYTES: usize = 200;

/// The rules of one run of one plugin.
pub(super) struct EdgeCollector {
    plugin: String,
    /// Whether rules are accepted: the site has an edge, and a run has begun.
    is_open: bool,
    /// What the plugin may do; everything without a grant.
    grant: Option<PluginGrant>,
    rules: EdgeRules,
    count: usize,
    bytes: usize,
    max_count: usize,
    max_bytes: usize,
    /// The first refusal. It ends the run, even if the plugin ignores it.
    refused: Option<LocatedCause>,
}

/// A rule of a call, on its way to a checked one.
trait WireRule: Sized {
    type Checked;
    /// The JSON Pointer to the rule in the settings.
    fn pointer(&self) -> &str;
    /// Its size in memory, in bytes.
    fn bytes(&self) -> usize;
    /// The headers that it sets or removes.
    fn headers(&self) -> impl Iterator<Item = &str>;
    fn check(self, plugin: &str) -> Result<Self::Checked, MalformedAnswer>;
}

impl EdgeCollector {
    pub(super) fn new(plugin: &str, is_open: bool, grant: Option<PluginGrant>, limits: &Limits) -> Self {
        Self {
            plugin: plugin.to_owned(),
            is_open,
            grant,
            rules: EdgeRules::default(),
            count: 0,
            bytes: 0,
            max_count: limits.edge_rules,
            max_bytes: limits.edge_rule_bytes,
            refused: None,
        }
    }

    pub(super) fn add_redirects(&mut self, rules: Vec<wire::RedirectRule>) -> Result<(), wire::RuleError> {
        let checked = self.checked(rules)?;
        self.rules.redirects.extend(checked);
        Ok(())
    }

    pub(super) fn add_headers(&mut self, rules: Vec<wire::HeaderRule>) -> Result<(), wire::RuleError> {
        let checked = self.checked(rules)?;
        self.rules.headers.extend(checked);
        Ok(())
    }

    /// Fails with the first refusal.
    pub(super) fn check(&mut self) -> Result<(), LocatedCause> {
        self.refused.take().map_or(Ok(()), Err)
    }

    pub(super) fn take(&mut self) -> EdgeRules {
        std::mem::take(&mut self.rules)
    }

    fn checked<R: WireRule>(&mut self, rules: Vec<R>) -> Result<Vec<R::Checked>, wire::RuleError> {
        if !self.is_open {
            self.refused.get_or_insert_with(|| MalformedAnswer::NoEdge.into());
            return Err(wire::RuleError::NoEdge);
        }
        self.count = self.count.saturating_add(rules.len());
        self.bytes = rules.iter().fold(self.bytes, |bytes, rule| bytes.saturating_add(rule.bytes()));
        if self.count > self.max_count || self.bytes > self.max_bytes {
            let malformed = MalformedAnswer::EdgeRules { rules: self.max_count, bytes: self.max_bytes };
            self.refused.get_or_insert_with(|| malformed.into());
            return Err(wire::RuleError::BudgetExhausted);
        }
        let mut checked = Vec::with_capacity(rules.len());
        for (index, rule) in (0..).zip(rules) {
            let pointer = check_pointer(rule.pointer().to_owned()).unwrap_or_default();
            if let Some(Err(missing)) = self.grant.as_ref().map(|grant| grant.check_edge(rule.headers())) {
                let message = missing.to_string();
                let cause = Box::new(FailureCause::NotGranted(missing));
                self.refused.get_or_insert(LocatedCause { cause, rule: pointer, key: None, backtrace: Vec::new() });
                return Err(wire::RuleError::Invalid(wire::InvalidRule { index, message }));
            }
            match rule.check(&self.plugin) {
                Ok(rule) => checked.push(rule),
                Err(malformed) => {
                    let message = malformed.to_string();
                    self.refused.get_or_insert_with(|| LocatedCause { rule: pointer, ..malformed.into() });
                    return Err(wire::RuleError::Invalid(wire::InvalidRule { index, message }));
                }
            }
        }
        Ok(checked)
    }
}

impl WireRule for wire::RedirectRule {
    type Checked = EdgeRedirect;

    fn pointer(&self) -> &str {
        &self.rule
    }

    fn bytes(&self) -> usize {
        let texts = self.path.len() + self.target.as_ref().map_or(0, String::len) + self.rule.len() + self.reason.len();
        size_of::<EdgeRedirect>() + texts + attribute_bytes(&self.attributes)
    }

    fn headers(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    fn check(self, plugin: &str) -> Result<EdgeRedirect, MalformedAnswer> {
        let shown = sanitize(&self.path, SHOWN_BYTES);
        let invalid = |error| MalformedAnswer::EdgeRule { path: shown.clone(), error };
        let (conditions, others): (Vec<_>, Vec<_>) =
            self.attributes.into_iter().partition(|attribute| attribute.name.starts_with(QUERY_ATTRIBUTE));
        check_attributes(&others)?;
        let condition = |attribute: &AttributeResult| {
            let name = attribute.name.strip_prefix(QUERY_ATTRIBUTE).unwrap_or_default();
            QueryCondition::new(name, &attribute.value)
        };
        let query = conditions.iter().map(condition).collect::<Result<_, _>>().map_err(invalid)?;
        let target = self.target.as_deref().map(RuleTarget::new).transpose().map_err(invalid)?;
        let redirect = EdgeRedirect {
            path: RulePath::new(&self.path).map_err(invalid)?,
            slash: slash(self.either_slash),
            query,
            status: RuleStatus::new(self.status).map_err(invalid)?,
            target,
            force: self.force,
            origin: origin(plugin, self.rule, &self.reason)?,
        };
        redirect.check().map_err(invalid)?;
        Ok(redirect)
    }
}

impl WireRule for wire::HeaderRule {
    type Checked = EdgeHeaderRule;

    fn pointer(&self) -> &str {
        &self.rule
    }

    fn bytes(&self) -> usize {
        let removals: usize = self.removals.iter().map(|name| size_of::<String>() + name.len()).sum();
        let texts = self.path.len() + self.rule.len() + self.reason.len();
        let headers = attribute_bytes(&self.headers) + attribute_bytes(&self.attributes);
        size_of::<EdgeHeaderRule>() + texts + headers + removals
    }

    fn headers(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|header| header.name.as_str()).chain(self.removals.iter().map(String::as_str))
    }

    fn check(self, plugin: &str) -> Result<EdgeHeaderRule, MalformedAnswer> {
        check_attributes(&self.attributes)?;
        let shown = sanitize(&self.path, SHOWN_BYTES);
        let invalid = |error: RuleError| MalformedAnswer::EdgeRule { path: shown.clone(), error };
        let rule = EdgeHeaderRule {
            path: RulePath::new(&self.path).map_err(invalid)?,
            slash: slash(self.either_slash),
            headers: self.headers.into_iter().map(|header| (header.name, header.value)).collect(),
            removals: self.removals,
            origin: origin(plugin, self.rule, &self.reason)?,
        };
        rule.check().map_err(invalid)?;
        Ok(rule)
    }
}

fn slash(either: bool) -> SlashMatch {
    if either { SlashMatch::Either } else { SlashMatch::AsWritten }
}

fn origin(plugin: &str, rule: String, reason: &str) -> Result<RuleOrigin, MalformedAnswer> {
    let reason = sanitize(reason, REASON_BYTES);
    Ok(RuleOrigin { plugin: plugin.to_owned(), rule: check_pointer(rule)?, reason })
}

fn attribute_bytes(attributes: &[AttributeResult]) -> usize {
    let bytes =
        |attribute: &AttributeResult| size_of::<AttributeResult>() + attribute.name.len() + attribute.value.len();
    attributes.iter().map(bytes).sum()
}
