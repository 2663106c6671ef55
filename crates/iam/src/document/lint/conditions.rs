//! Conditions: operators, keys and values, and the rules that hold in every kind of policy. IAM compares the names of keys
//! and operators without regard to case.
//!
//! Sources: IAM user guide, "IAM JSON policy elements: Condition operators" and "Set operators for multivalued context
//! keys"; IAM Access Analyzer, "IAM policy validation check reference".

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::statements::strings;
use super::access::is_open;
use super::{Linter, pointer_to, quoted};

/// How an operator compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LintComparison {
    /// Strings, character by character.
    Exact,
    /// Strings or ARNs, with wildcards.
    Pattern,
    /// What is not equal or not like the values.
    Negated { exact: bool },
    /// Whether the key is missing.
    Null,
    /// Numbers, dates, addresses and so on.
    Other,
}

/// One key under one operator.
#[derive(Debug)]
pub(super) struct LintCondition<'a> {
    /// The key as it is written.
    pub(super) key: &'a str,
    pub(super) values: Vec<&'a str>,
    /// Where, as a JSON Pointer.
    pub(super) pointer: String,
    comparison: LintComparison,
    all_values: bool,
    if_exists: bool,
}

impl LintCondition<'_> {
    pub(super) fn is_on(&self, key: &str) -> bool {
        self.key.eq_ignore_ascii_case(key)
    }

    /// Whether it holds only if the request has the key with one of the values.
    pub(super) fn requires_value(&self) -> bool {
        !self.all_values
            && !self.if_exists
            && !matches!(self.comparison, LintComparison::Negated { .. } | LintComparison::Null)
            && !self.values.iter().any(|value| self.has_wildcards() && is_only_wildcards(value))
    }

    /// Whether `*` and `?` in its values are wildcards.
    pub(super) fn has_wildcards(&self) -> bool {
        matches!(self.comparison, LintComparison::Pattern | LintComparison::Negated { exact: false })
    }

    /// Why it does not restrict the key, for a condition that looks as if it did.
    pub(super) fn why_open(&self) -> Option<&'static str> {
        if self.all_values {
            Some("`ForAllValues:` also holds if the key is missing: remove it")
        } else if self.if_exists {
            Some("`IfExists` also holds if the key is missing: remove it")
        } else if matches!(self.comparison, LintComparison::Negated { .. }) {
            Some(
                "a negated operator accepts every other value: name what is trusted with `StringEquals` or `StringLike`",
            )
        } else if self.has_wildcards() && self.values.iter().any(|value| is_only_wildcards(value)) {
            Some("`*` accepts every value: name what is trusted")
        } else {
            None
        }
    }
}

pub(super) fn is_only_wildcards(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| matches!(c, '*' | '?'))
}

/// The comparison of an operator without its modifiers; `None` if there is no such operator.
fn comparison_of(operator: &str) -> Option<LintComparison> {
    Some(match operator.to_ascii_lowercase().as_str() {
        "stringequals" | "stringequalsignorecase" => LintComparison::Exact,
        "stringlike" | "arnequals" | "arnlike" => LintComparison::Pattern,
        "stringnotequals" | "stringnotequalsignorecase" => LintComparison::Negated { exact: true },
        "stringnotlike" | "arnnotequals" | "arnnotlike" => LintComparison::Negated { exact: false },
        "null" => LintComparison::Null,
        "bool" | "binaryequals" | "ipaddress" | "notipaddress" => LintComparison::Other,
        other => {
            let order = other.strip_prefix("numeric").or_else(|| other.strip_prefix("date"))?;
            let orders = ["equals", "notequals", "lessthan", "lessthanequals", "greaterthan", "greaterthanequals"];
            orders.contains(&order).then_some(LintComparison::Other)?
        }
    })
}

/// The quantifier of an operator, whether it ends in `IfExists`, and the rest.
fn modifiers(operator: &str) -> (Option<&str>, bool, &str) {
    let (quantifier, rest) = operator.split_once(':').map_or((None, operator), |(one, rest)| (Some(one), rest));
    let start = rest.len().saturating_sub("IfExists".len());
    match (rest.get(..start), rest.get(start..)) {
        (Some(base), Some(end)) if end.eq_ignore_ascii_case("IfExists") => (quantifier, true, base),
        _ => (quantifier, false, rest),
    }
}

/// Keys whose values are free text, in which `*` and `?` are ordinary characters.
const FREE_TEXT: [&str; 2] = ["aws:Referer", "aws:UserAgent"];

fn has_wildcard_character(value: &str) -> bool {
    // Within `${…}`, they are a part of the variable: `${*}` is the character itself.
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        if before.contains(['*', '?']) {
            return true;
        }
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    rest.contains(['*', '?'])
}

impl Linter {
    /// Reports what is wrong with the conditions of a statement, and returns them.
    pub(super) fn conditions<'a>(
        &mut self,
        statement_pointer: &str,
        statement: &'a Map<String, Value>,
        allows: bool,
    ) -> Vec<LintCondition<'a>> {
        let mut conditions = Vec::new();
        let pointer = format!("{statement_pointer}/Condition");
        let operators = match statement.get("Condition") {
            None => return conditions,
            Some(Value::Object(operators)) => operators,
            Some(_) => {
                self.error(&pointer, "it must be an object of operators");
                return conditions;
            }
        };
        for (operator, keys) in operators {
            let pointer = pointer_to(&pointer, operator);
            let Value::Object(keys) = keys else {
                self.error(&pointer, "an operator must be an object of condition keys and values");
                continue;
            };
            let (quantifier, if_exists, base) = modifiers(operator);
            let all_values = quantifier.is_some_and(|one| one.eq_ignore_ascii_case("ForAllValues"));
            let is_quantifier = all_values || quantifier.is_none_or(|one| one.eq_ignore_ascii_case("ForAnyValue"));
            let Some(comparison) = comparison_of(base).filter(|_| is_quantifier) else {
                self.error(
                    &pointer,
                    format!("{} is not a condition operator: write one such as `StringEquals`", quoted(operator)),
                );
                continue;
            };
            if comparison == LintComparison::Null && (if_exists || quantifier.is_some()) {
                self.error(&pointer, format!("{} is invalid: `Null` takes no modifier", quoted(operator)));
            }
            let mut names = BTreeSet::new();
            for (key, written) in keys {
                let pointer = pointer_to(&pointer, key);
                if !key.contains(':') {
                    self.error(&pointer, format!("{} is not a condition key: write `service:key`", quoted(key)));
                }
                if !names.insert(key.to_ascii_lowercase()) {
                    self.error(
                        &pointer,
                        format!("{} occurs twice, with other capital letters: merge them", quoted(key)),
                    );
                }
                if written.as_array().is_some_and(Vec::is_empty) {
                    self.error(&pointer, "without a value the condition is never met: write one");
                }
                let values = strings(keys, key);
                conditions.push(LintCondition { key, values, pointer, comparison, all_values, if_exists });
            }
        }
        self.condition_values(&conditions, allows);
        conditions
    }

    fn condition_values(&mut self, conditions: &[LintCondition<'_>], allows: bool) {
        let has_null_check = |key: &str| {
            conditions
                .iter()
                .any(|one| one.comparison == LintComparison::Null && one.is_on(key) && !one.values.contains(&"true"))
        };
        for condition in conditions {
            let is_exact =
                matches!(condition.comparison, LintComparison::Exact | LintComparison::Negated { exact: true });
            let wildcard = condition.values.iter().find(|value| has_wildcard_character(value));
            if let Some(value) = wildcard.filter(|_| is_exact && !FREE_TEXT.iter().any(|key| condition.is_on(key))) {
                let operator =
                    if condition.comparison == LintComparison::Exact { "StringLike" } else { "StringNotLike" };
                self.error(
                    &condition.pointer,
                    format!(
                        "{} has a wildcard, which this operator compares as a character: write `{operator}`",
                        quoted(value)
                    ),
                );
            }
            // Requests without tags are meant by conditions on their keys.
            if allows && condition.all_values && !condition.is_on("aws:TagKeys") && !has_null_check(condition.key) {
                self.warn(
                    &condition.pointer,
                    format!(
                        "`ForAllValues:` also holds for requests without {}: remove `ForAllValues:`, or add `Null` with `false`",
                        quoted(condition.key)
                    ),
                );
            }
            if allows && condition.is_on("s3:prefix") {
                for value in condition.values.iter().filter(|value| condition.has_wildcards() && is_open(value)) {
                    self.warn(
                        &condition.pointer,
                        format!("{} lists every key with this beginning: end the prefix with `/`", quoted(value)),
                    );
                }
            }
        }
    }
}
