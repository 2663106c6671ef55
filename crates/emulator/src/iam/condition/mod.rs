//! Conditions of policy statements: operators and their modifiers. An unknown operator is an error, never ignored.
//!
//! Semantics are those of the IAM User Guide, "IAM JSON policy elements: Condition operators" and "Set operators for
//! multivalued context keys". Operators, and keys under one operator, are joined by AND. Values of one key are joined
//! by OR, or by NOR for a negated operator. A missing key fails an operator, except a negated one, `…IfExists`,
//! `ForAllValues:` and `Null`.

mod value;

use std::fmt;

use thiserror::Error;

use super::context::ConditionContext;
use super::pattern::PatternError;
use value::{ExpectedValue, ValueReader};

/// Why a condition cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConditionError {
    /// The operator is unknown.
    #[error("unknown condition operator `{0}`")]
    UnknownOperator(String),
    /// The emulator cannot evaluate the operator, because requests in the same process have no such property.
    #[error("the emulator does not support the condition operator `{0}`; test the policy on AWS")]
    Unsupported(String),
    /// `Null` with a modifier, such as `NullIfExists` or `ForAllValues:Null`.
    #[error("`{0}` is invalid: `Null` takes no modifier")]
    ModifiedNull(String),
    /// A key without a service prefix.
    #[error(
        "invalid condition key `{0}`; conditions must be prefaced by a vendor, such as `aws:username` or `s3:prefix`"
    )]
    Key(String),
    /// A condition without values, which could never be met.
    #[error("the condition on `{0}` has no value")]
    NoValue(String),
    /// A value that the operator cannot compare.
    #[error("invalid value `{value}`; the condition operator `{operator}` compares with {expected}")]
    Value {
        /// The operator as written.
        operator: String,
        /// The value as written.
        value: String,
        /// What the operator compares with, with its article.
        expected: &'static str,
    },
    /// A malformed policy variable.
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
pub(crate) struct PolicyCondition {
    key: String,
    quantifier: Quantifier,
    if_exists: bool,
    negated: bool,
    expected: ExpectedValue,
}

impl PolicyCondition {
    /// Parses one condition. `variables` says whether the document's version supports policy variables.
    ///
    /// # Errors
    /// An unknown or unsupported operator, a key without a vendor, or a value that the operator cannot compare.
    pub(crate) fn parse(operator: &str, key: &str, values: &[String], variables: bool) -> Result<Self, ConditionError> {
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
    pub(crate) fn holds(&self, context: &ConditionContext) -> bool {
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
            // AWS recommends a set operator for a key with several values. Without one, any value satisfies a positive
            // operator, and only all values satisfy a negated one, so that each is the opposite of the other.
            Quantifier::Single if self.negated => values.iter().all(|value| self.accepts(value, context)),
            Quantifier::Single => values.iter().any(|value| self.accepts(value, context)),
        }
    }

    /// The keys that the context needs for this condition: its own, and those of the policy variables in its values.
    pub(super) fn required_keys(&self) -> impl Iterator<Item = &str> {
        let accepts_absence = self.if_exists || matches!(self.expected, ExpectedValue::Null(_));
        (!accepts_absence).then_some(self.key.as_str()).into_iter().chain(self.expected.variables())
    }

    /// A value that cannot be compared is neither equal nor unequal, and also fails negated operators.
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
