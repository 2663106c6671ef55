//! The values of a condition: texts, ARNs, numbers, dates and booleans. Parses them by the operator's name and compares
//! them with one value.

use jiff::Timestamp;

use super::super::context::ConditionContext;
use super::super::pattern::{ArnPattern, PolicyPattern, Syntax};
use super::ConditionError;

/// A comparison of two numbers or dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ordering {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a value of the context is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ExpectedValue {
    Text(Vec<PolicyPattern>),
    TextIgnoringCase(Vec<PolicyPattern>),
    Arn(Vec<ArnPattern>),
    Bool(Vec<bool>),
    Number(Ordering, Vec<f64>),
    Date(Ordering, Vec<Timestamp>),
    Null(Vec<bool>),
}

impl ExpectedValue {
    /// Whether a value of the context matches one of these; `None` if it cannot be compared.
    pub(super) fn matches(&self, value: &str, context: &ConditionContext) -> Option<bool> {
        Some(match self {
            Self::Text(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context)),
            Self::TextIgnoringCase(patterns) => {
                patterns.iter().any(|pattern| pattern.matches_ignoring_case(value, context))
            }
            Self::Arn(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context)),
            Self::Bool(expected) => parse_bool(value).is_some_and(|value| expected.contains(&value)),
            Self::Number(order, expected) => {
                let value = parse_number(value)?;
                expected.iter().any(|expected| order.holds(&value, expected))
            }
            Self::Date(order, expected) => {
                let value = parse_date(value)?;
                expected.iter().any(|expected| order.holds(&value, expected))
            }
            Self::Null(_) => return None,
        })
    }

    /// Names of the policy variables in the values.
    pub(super) fn variables(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Text(patterns) | Self::TextIgnoringCase(patterns) => {
                Box::new(patterns.iter().flat_map(PolicyPattern::variables))
            }
            Self::Arn(patterns) => Box::new(patterns.iter().flat_map(ArnPattern::variables)),
            Self::Bool(_) | Self::Number(..) | Self::Date(..) | Self::Null(_) => Box::new(std::iter::empty()),
        }
    }
}

impl Ordering {
    fn holds<T: PartialOrd>(self, value: &T, expected: &T) -> bool {
        match self {
            Self::Equal => value == expected,
            Self::Less => value < expected,
            Self::LessOrEqual => value <= expected,
            Self::Greater => value > expected,
            Self::GreaterOrEqual => value >= expected,
        }
    }

    fn parse(name: &str) -> Option<(bool, Self)> {
        Some(match name {
            "Equals" => (false, Self::Equal),
            "NotEquals" => (true, Self::Equal),
            "LessThan" => (false, Self::Less),
            "LessThanEquals" => (false, Self::LessOrEqual),
            "GreaterThan" => (false, Self::Greater),
            "GreaterThanEquals" => (false, Self::GreaterOrEqual),
            _ => return None,
        })
    }
}

/// The unparsed values of one condition.
pub(super) struct ValueReader<'a> {
    pub(super) operator: &'a str,
    pub(super) values: &'a [String],
    pub(super) variables: bool,
}

impl ValueReader<'_> {
    /// What the operator `name` compares with, and whether it is negated.
    pub(super) fn expected(&self, name: &str) -> Result<(bool, ExpectedValue), ConditionError> {
        Ok(match name {
            "StringEquals" => (false, ExpectedValue::Text(self.patterns(false)?)),
            "StringNotEquals" => (true, ExpectedValue::Text(self.patterns(false)?)),
            "StringEqualsIgnoreCase" => (false, ExpectedValue::TextIgnoringCase(self.patterns(false)?)),
            "StringNotEqualsIgnoreCase" => (true, ExpectedValue::TextIgnoringCase(self.patterns(false)?)),
            "StringLike" => (false, ExpectedValue::Text(self.patterns(true)?)),
            "StringNotLike" => (true, ExpectedValue::Text(self.patterns(true)?)),
            // The guide says that ArnEquals and ArnLike behave identically.
            "ArnEquals" | "ArnLike" => (false, ExpectedValue::Arn(self.arns()?)),
            "ArnNotEquals" | "ArnNotLike" => (true, ExpectedValue::Arn(self.arns()?)),
            "Bool" => (false, ExpectedValue::Bool(self.each("`true` or `false`", parse_bool)?)),
            "Null" => (false, ExpectedValue::Null(self.each("`true` or `false`", parse_bool)?)),
            "IpAddress" | "NotIpAddress" | "BinaryEquals" => {
                return Err(ConditionError::Unsupported(self.operator.to_owned()));
            }
            _ => {
                let unknown = || ConditionError::UnknownOperator(self.operator.to_owned());
                if let Some(order) = name.strip_prefix("Numeric") {
                    let (negated, order) = Ordering::parse(order).ok_or_else(unknown)?;
                    (negated, ExpectedValue::Number(order, self.each("a number", parse_number)?))
                } else if let Some(order) = name.strip_prefix("Date") {
                    let (negated, order) = Ordering::parse(order).ok_or_else(unknown)?;
                    (
                        negated,
                        ExpectedValue::Date(order, self.each("a date as in ISO 8601 or an epoch time", parse_date)?),
                    )
                } else {
                    return Err(unknown());
                }
            }
        })
    }

    fn syntax(&self, wildcards: bool) -> Syntax {
        match (wildcards, self.variables) {
            (true, true) => Syntax::WildcardsAndVariables,
            (true, false) => Syntax::Wildcards,
            (false, true) => Syntax::Variables,
            (false, false) => Syntax::Literal,
        }
    }

    fn patterns(&self, wildcards: bool) -> Result<Vec<PolicyPattern>, ConditionError> {
        let syntax = self.syntax(wildcards);
        Ok(self.values.iter().map(|value| PolicyPattern::parse(value, syntax)).collect::<Result<_, _>>()?)
    }

    fn arns(&self) -> Result<Vec<ArnPattern>, ConditionError> {
        let syntax = self.syntax(true);
        Ok(self.values.iter().map(|value| ArnPattern::parse(value, syntax)).collect::<Result<_, _>>()?)
    }

    fn each<T>(&self, expected: &'static str, parse: fn(&str) -> Option<T>) -> Result<Vec<T>, ConditionError> {
        self.values
            .iter()
            .map(|value| {
                parse(value).ok_or_else(|| ConditionError::Value {
                    operator: self.operator.to_owned(),
                    value: value.clone(),
                    expected,
                })
            })
            .collect()
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn parse_number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn parse_date(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    let date: jiff::civil::Date = text.parse().ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}
