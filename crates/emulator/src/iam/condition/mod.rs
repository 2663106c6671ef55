//! Conditions of policy statements: operators, their modifiers and how they judge a request's
//! context. It owns the table of operators that are understood; an operator that isn't in it is an
//! error, never ignored.
//!
//! Semantics are those of the IAM User Guide, "IAM JSON policy elements: Condition operators" and
//! "Set operators for multivalued context keys": operators, and keys under one operator, are joined
//! by AND; values of one key by OR, or by NOR for a negated operator; a missing key fails an
//! operator, except a negated one, `…IfExists`, `ForAllValues:` and `Null`.

mod value;

use std::fmt;

use thiserror::Error;

use super::context::ConditionContext;
use super::pattern::PatternError;
use value::{ExpectedValue, ValueReader};

/// Why a condition can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConditionError {
    /// No operator of IAM's, as far as this stand-in knows.
    #[error("`{0}` isn't a condition operator")]
    UnknownOperator(String),
    /// An operator of IAM's that the stand-in can't judge, because a request in process has no such
    /// property.
    #[error("the condition operator `{0}` isn't supported by this stand-in: test such a policy on AWS")]
    Unsupported(String),
    /// `NullIfExists`, `ForAllValues:Null` and the like.
    #[error("`Null` takes no modifier, but the document says `{0}`")]
    ModifiedNull(String),
    /// A key without a service prefix.
    #[error(
        "`{0}` isn't a condition key: conditions must be prefaced by a vendor, as in `aws:username` or `s3:prefix`"
    )]
    Key(String),
    /// A condition without values, which could only ever fail.
    #[error("the condition on `{0}` has no value")]
    NoValue(String),
    /// A value that the operator can't compare.
    #[error("`{value}` isn't {expected}, which the condition operator `{operator}` compares")]
    Value {
        /// The operator as written.
        operator: String,
        /// The value as written.
        value: String,
        /// What the operator compares, with its article.
        expected: &'static str,
    },
    /// A policy variable that isn't well formed.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// `ForAllValues:`, `ForAnyValue:` or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    Single,
    AllValues,
    AnyValue,
}

/// One operator applied to one key, such as `StringLike` on `s3:prefix`.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyCondition {
    key: String,
    quantifier: Quantifier,
    if_exists: bool,
    negated: bool,
    expected: ExpectedValue,
}

impl PolicyCondition {
    /// Reads one condition. `variables` says whether the document's version knows policy variables.
    ///
    /// # Errors
    /// For an unknown or unsupported operator, a key without vendor, or a value that the operator
    /// can't compare.
    pub fn parse(operator: &str, key: &str, values: &[String], variables: bool) -> Result<Self, ConditionError> {
        let (quantifier, rest) = match operator.split_once(':') {
            None => (Quantifier::Single, operator),
            Some(("ForAllValues", rest)) => (Quantifier::AllValues, rest),
            Some(("ForAnyValue", rest)) => (Quantifier::AnyValue, rest),
            Some(_) => return Err(ConditionError::UnknownOperator(operator.to_owned())),
        };
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        if name == "Null" && (if_exists || quantifier != Quantifier::Single) {
            return Err(ConditionError::ModifiedNull(operator.to_owned()));
        }
        if !key.contains(':') {
            return Err(ConditionError::Key(key.to_owned()));
        }
        if values.is_empty() {
            return Err(ConditionError::NoValue(key.to_owned()));
        }
        let reader = ValueReader { operator, values, variables };
        let (negated, expected) = reader.expected(name)?;
        Ok(Self { key: key.to_owned(), quantifier, if_exists, negated, expected })
    }

    /// Whether the request's context satisfies this condition.
    #[must_use]
    pub fn holds(&self, context: &ConditionContext) -> bool {
        let present = context.values(&self.key);
        if let ExpectedValue::Null(expected) = &self.expected {
            return expected.iter().any(|absent| *absent == present.is_none());
        }
        let Some(values) = present else {
            return self.if_exists
                || match self.quantifier {
                    Quantifier::AllValues => true,
                    Quantifier::AnyValue => false,
                    Quantifier::Single => self.negated,
                };
        };
        match self.quantifier {
            Quantifier::AllValues => values.iter().all(|value| self.accepts(value, context)),
            Quantifier::AnyValue => values.iter().any(|value| self.accepts(value, context)),
            // AWS asks for a set operator on a key with several values. Without one, a positive
            // operator is satisfied by any value and a negated one only by all of them: each is the
            // opposite of the other.
            Quantifier::Single if self.negated => values.iter().all(|value| self.accepts(value, context)),
            Quantifier::Single => values.iter().any(|value| self.accepts(value, context)),
        }
    }

    /// The keys that have to be in the context for this condition to say what it means: its own, and
    /// those of the policy variables in its values.
    pub(super) fn required_keys(&self) -> impl Iterator<Item = &str> {
        let asks_for_absence = self.if_exists || matches!(self.expected, ExpectedValue::Null(_));
        (!asks_for_absence).then_some(self.key.as_str()).into_iter().chain(self.expected.variables())
    }

    /// `None` of a value that can't be compared: it is neither equal nor unequal to anything, and fails
    /// negated operators too.
    fn accepts(&self, value: &str, context: &ConditionContext) -> bool {
        self.expected.matches(value, context).is_some_and(|matched| matched != self.negated)
    }
}

impl fmt::Display for PolicyCondition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a condition on {}", self.key)
    }
}

#[cfg(test)]
mod tests;
