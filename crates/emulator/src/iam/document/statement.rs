//! Statements as they are written and as they are evaluated: effect, actions, resources and conditions. Holds the
//! grammar that all kinds of policies share.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::super::condition::PolicyCondition;
use super::super::context::ConditionContext;
use super::super::json::{OneOrMany, Pairs};
use super::super::pattern::{ArnPattern, PolicyPattern, Syntax};
use super::super::principal::PrincipalsJson;
use super::error::ReadDocumentError;

/// The effect of a matching statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatementEffect {
    /// Allows the request, unless another statement denies it.
    Allow,
    /// Denies the request, even if another statement allows it.
    Deny,
}

/// A list of patterns of which one must match (`Action`, `Resource`) or none may match (`NotAction`, `NotResource`).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Selector<P> {
    Any(Vec<P>),
    None(Vec<P>),
}

impl<P> Selector<P> {
    pub(super) fn selects(&self, matches: impl Fn(&P) -> bool) -> bool {
        match self {
            Self::Any(patterns) => patterns.iter().any(matches),
            Self::None(patterns) => !patterns.iter().any(matches),
        }
    }

    pub(super) fn patterns(&self) -> &[P] {
        match self {
            Self::Any(patterns) | Self::None(patterns) => patterns,
        }
    }
}

/// The parts of a statement that all kinds of policies share.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clause {
    effect: StatementEffect,
    actions: Selector<PolicyPattern>,
    conditions: Vec<PolicyCondition>,
}

impl Clause {
    pub(super) fn effect(&self) -> StatementEffect {
        self.effect
    }

    /// Whether the statement covers `action`, regardless of its conditions.
    pub(super) fn covers(&self, action: &str, context: &ConditionContext) -> bool {
        self.actions.selects(|pattern| pattern.matches_ignoring_case(action, context))
    }

    /// Whether it has conditions.
    pub(super) fn is_conditional(&self) -> bool {
        !self.conditions.is_empty()
    }

    pub(super) fn required_keys(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().flat_map(PolicyCondition::required_keys)
    }

    pub(super) fn applies(&self, action: &str, context: &ConditionContext) -> bool {
        self.covers(action, context) && self.conditions.iter().all(|condition| condition.holds(context))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PolicyDocumentJson {
    version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<StatementJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct StatementJson {
    sid: Option<String>,
    effect: String,
    pub(super) principal: Option<PrincipalsJson>,
    pub(super) action: Option<OneOrMany<String>>,
    pub(super) not_action: Option<OneOrMany<String>>,
    pub(super) resource: Option<OneOrMany<String>>,
    pub(super) not_resource: Option<OneOrMany<String>>,
    condition: Option<Pairs<Pairs<OneOrMany<Scalar>>>>,
}

/// Condition values may be written as strings, numbers or booleans.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Bool(bool),
    Number(serde_json::Number),
}

/// The statements of a document, not parsed yet.
pub(super) struct ReadDocument {
    /// Whether the document's version supports policy variables.
    pub(super) variables: bool,
    pub(super) statement: OneOrMany<StatementJson>,
}

pub(super) fn read(text: &str) -> Result<ReadDocument, ReadDocumentError> {
    let document: PolicyDocumentJson = serde_json::from_str(text)?;
    let variables = match document.version.as_deref() {
        Some("2012-10-17") => true,
        // The default version, by the guide.
        Some("2008-10-17") | None => false,
        Some(other) => return Err(ReadDocumentError::Version(other.to_owned())),
    };
    let mut sids = BTreeSet::new();
    for sid in document.statement.iter().filter_map(|statement| statement.sid.as_deref()) {
        if !sid.chars().all(|character| character.is_ascii_alphanumeric()) {
            return Err(ReadDocumentError::Sid(sid.to_owned()));
        }
        if !sid.is_empty() && !sids.insert(sid) {
            return Err(ReadDocumentError::RepeatedSid(sid.to_owned()));
        }
    }
    if document.statement.iter().next().is_none() {
        return Err(ReadDocumentError::NoStatement);
    }
    Ok(ReadDocument { variables, statement: document.statement })
}

pub(super) fn clause(statement: &StatementJson, variables: bool) -> Result<Clause, ReadDocumentError> {
    let effect = match statement.effect.as_str() {
        "Allow" => StatementEffect::Allow,
        "Deny" => StatementEffect::Deny,
        other => return Err(ReadDocumentError::Effect(other.to_owned())),
    };
    let actions = match (&statement.action, &statement.not_action) {
        (Some(actions), None) => Selector::Any(action_patterns(actions, "Action")?),
        (None, Some(actions)) => Selector::None(action_patterns(actions, "NotAction")?),
        _ => return Err(ReadDocumentError::ExactlyOne("Action", "NotAction")),
    };
    let mut conditions = Vec::new();
    for (operator, keys) in statement.condition.iter().flat_map(Pairs::iter) {
        for (key, values) in keys.iter() {
            let values: Vec<String> = values
                .iter()
                .map(|value| match value {
                    Scalar::Text(text) => text.clone(),
                    Scalar::Bool(value) => value.to_string(),
                    Scalar::Number(number) => number.to_string(),
                })
                .collect();
            conditions.push(PolicyCondition::parse(operator, key, &values, variables)?);
        }
    }
    Ok(Clause { effect, actions, conditions })
}

fn action_patterns(
    actions: &OneOrMany<String>,
    element: &'static str,
) -> Result<Vec<PolicyPattern>, ReadDocumentError> {
    let patterns = actions
        .iter()
        .map(|action| {
            let vendor = action.split_once(':').map(|(vendor, name)| {
                !vendor.is_empty() && !name.is_empty() && vendor.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            });
            if action != "*" && vendor != Some(true) {
                return Err(ReadDocumentError::Action(action.clone()));
            }
            Ok(PolicyPattern::parse(action, Syntax::Wildcards)?)
        })
        .collect::<Result<Vec<_>, ReadDocumentError>>()?;
    if patterns.is_empty() { Err(ReadDocumentError::Empty(element)) } else { Ok(patterns) }
}

pub(super) fn arns(
    resources: &OneOrMany<String>,
    element: &'static str,
    variables: bool,
) -> Result<Vec<ArnPattern>, ReadDocumentError> {
    let syntax = if variables { Syntax::WildcardsAndVariables } else { Syntax::Wildcards };
    let patterns = resources
        .iter()
        .map(|resource| {
            if resource != "*" && !resource.starts_with("arn:") {
                return Err(ReadDocumentError::Resource(resource.clone()));
            }
            Ok(ArnPattern::parse(resource, syntax)?)
        })
        .collect::<Result<Vec<_>, ReadDocumentError>>()?;
    if patterns.is_empty() { Err(ReadDocumentError::Empty(element)) } else { Ok(patterns) }
}

pub(super) fn is_sts(action: &str) -> bool {
    action.split_once(':').is_some_and(|(vendor, _)| vendor.eq_ignore_ascii_case("sts"))
}
