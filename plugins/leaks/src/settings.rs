//! Settings of `leaks`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_plugin::violations::Response;
use tidegate_plugin::{FileList, Issues, Pointer, Settings};

use crate::{names, rules};

/// Settings of `leaks`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct LeakSettings {
    /// The response to a secret.
    pub(crate) on_violation: Response,
    /// The responses of single rules, by their names.
    pub(crate) rules: BTreeMap<String, RuleResponse>,
    /// What is no secret.
    pub(crate) allow: Vec<AllowedFiles>,
    /// Whether the content of unchanged objects is read as well.
    pub(crate) include_unchanged: bool,
}

/// The response of one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleResponse {
    /// The plan is denied.
    Deny,
    /// The plan is held for approval.
    Hold,
    /// The secret is reported, and does not change the verdict.
    Report,
    /// The rule is off.
    Off,
}

/// Files that may have what some rules find.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AllowedFiles {
    files: FileList,
    /// The names of the rules; empty for all of them.
    #[serde(default)]
    rules: Vec<String>,
}

impl Default for LeakSettings {
    fn default() -> Self {
        Self { on_violation: Response::Deny, rules: BTreeMap::new(), allow: Vec::new(), include_unchanged: false }
    }
}

impl Settings for LeakSettings {
    fn check(&mut self, issues: &mut Issues) {
        let pointer = Pointer::root().member("rules");
        for name in self.rules.keys().filter(|name| !is_rule(name)) {
            issues.add(&pointer.clone().member(name), unknown(name));
        }
        for (position, allowed) in self.allow.iter().enumerate() {
            let pointer = Pointer::root().member("allow").index(position).member("rules");
            for (index, name) in allowed.rules.iter().enumerate().filter(|(_, name)| !is_rule(name)) {
                issues.add(&pointer.clone().index(index), unknown(name));
            }
        }
    }
}

impl LeakSettings {
    /// The response of a rule, with the place in the settings that it comes from; `None` if the rule is off.
    pub(crate) fn response(&self, name: &str) -> Option<(Response, Pointer)> {
        let rule = || Pointer::root().member("rules").member(name);
        match self.rules.get(name) {
            Some(RuleResponse::Deny) => Some((Response::Deny, rule())),
            Some(RuleResponse::Hold) => Some((Response::Hold, rule())),
            Some(RuleResponse::Report) => Some((Response::Report, rule())),
            Some(RuleResponse::Off) => None,
            None => {
                let default = rules::RULES.iter().find(|rule| rule.name == name).and_then(|rule| rule.response);
                Some((default.unwrap_or(self.on_violation), Pointer::root().member("on-violation")))
            }
        }
    }

    /// Whether a file may have what a rule finds.
    pub(crate) fn allows(&self, key: &str, rule: &str) -> bool {
        let names_rule =
            |allowed: &AllowedFiles| allowed.rules.is_empty() || allowed.rules.iter().any(|name| name == rule);
        self.allow.iter().any(|allowed| names_rule(allowed) && allowed.files.0.matches(key))
    }
}

/// The names of all rules, in order.
pub(crate) fn rule_names() -> Vec<&'static str> {
    let mut all: Vec<_> =
        names::RULES.iter().map(|rule| rule.name).chain(rules::RULES.iter().map(|rule| rule.name)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn is_rule(name: &str) -> bool {
    rule_names().binary_search(&name).is_ok()
}

fn unknown(name: &str) -> String {
    format!("unknown rule `{name}`; use one of: {}", rule_names().join(", "))
}
