//! Conditions of policy statements: operators, their modifiers and how they judge a request's
//! context. It owns the table of operators that are understood; an operator that isn't in it is an
//! error, never ignored.
//!
//! Semantics are those of the IAM User Guide, "IAM JSON policy elements: Condition operators" and
//! "Set operators for multivalued context keys": operators, and keys under one operator, are joined
//! by AND; values of one key by OR, or by NOR for a negated operator; a missing key fails an
//! operator, except a negated one, `…IfExists`, `ForAllValues:` and `Null`.

use std::fmt;

use jiff::Timestamp;
use thiserror::Error;

use super::context::Context;
use super::pattern::{ArnPattern, Pattern, PatternError, Syntax};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a value of the context is compared with.
#[derive(Debug, Clone, PartialEq)]
enum Expected {
    Text(Vec<Pattern>),
    TextIgnoringCase(Vec<Pattern>),
    Arn(Vec<ArnPattern>),
    Bool(Vec<bool>),
    Number(Order, Vec<f64>),
    Date(Order, Vec<Timestamp>),
    Null(Vec<bool>),
}

/// One operator applied to one key, such as `StringLike` on `s3:prefix`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    key: String,
    quantifier: Quantifier,
    if_exists: bool,
    negated: bool,
    expected: Expected,
}

impl Condition {
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
        let reader = Reader { operator, values, variables };
        let (negated, expected) = reader.expected(name)?;
        Ok(Self { key: key.to_owned(), quantifier, if_exists, negated, expected })
    }

    /// Whether the request's context satisfies this condition.
    #[must_use]
    pub fn holds(&self, context: &Context) -> bool {
        let present = context.values(&self.key);
        if let Expected::Null(expected) = &self.expected {
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

    fn accepts(&self, value: &str, context: &Context) -> bool {
        let matched = match &self.expected {
            Expected::Text(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context)),
            Expected::TextIgnoringCase(patterns) => {
                patterns.iter().any(|pattern| pattern.matches_ignoring_case(value, context))
            }
            Expected::Arn(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context)),
            Expected::Bool(expected) => parse_bool(value).is_some_and(|value| expected.contains(&value)),
            Expected::Number(order, expected) => match parse_number(value) {
                Some(value) => expected.iter().any(|expected| order.holds(&value, expected)),
                // Neither equal nor unequal: a value that is no number fails every numeric
                // operator.
                None => return false,
            },
            Expected::Date(order, expected) => match parse_date(value) {
                Some(value) => expected.iter().any(|expected| order.holds(&value, expected)),
                None => return false,
            },
            Expected::Null(_) => return false,
        };
        matched != self.negated
    }
}

impl Order {
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

/// The values of one condition while they are read.
struct Reader<'a> {
    operator: &'a str,
    values: &'a [String],
    variables: bool,
}

impl Reader<'_> {
    fn expected(&self, name: &str) -> Result<(bool, Expected), ConditionError> {
        Ok(match name {
            "StringEquals" => (false, Expected::Text(self.patterns(false)?)),
            "StringNotEquals" => (true, Expected::Text(self.patterns(false)?)),
            "StringEqualsIgnoreCase" => (false, Expected::TextIgnoringCase(self.patterns(false)?)),
            "StringNotEqualsIgnoreCase" => (true, Expected::TextIgnoringCase(self.patterns(false)?)),
            "StringLike" => (false, Expected::Text(self.patterns(true)?)),
            "StringNotLike" => (true, Expected::Text(self.patterns(true)?)),
            // The guide: ArnEquals and ArnLike behave identically.
            "ArnEquals" | "ArnLike" => (false, Expected::Arn(self.arns()?)),
            "ArnNotEquals" | "ArnNotLike" => (true, Expected::Arn(self.arns()?)),
            "Bool" => (false, Expected::Bool(self.each("`true` or `false`", parse_bool)?)),
            "Null" => (false, Expected::Null(self.each("`true` or `false`", parse_bool)?)),
            "IpAddress" | "NotIpAddress" | "BinaryEquals" => {
                return Err(ConditionError::Unsupported(self.operator.to_owned()));
            }
            _ => {
                let unknown = || ConditionError::UnknownOperator(self.operator.to_owned());
                if let Some(order) = name.strip_prefix("Numeric") {
                    let (negated, order) = Order::parse(order).ok_or_else(unknown)?;
                    (negated, Expected::Number(order, self.each("a number", parse_number)?))
                } else if let Some(order) = name.strip_prefix("Date") {
                    let (negated, order) = Order::parse(order).ok_or_else(unknown)?;
                    (negated, Expected::Date(order, self.each("a date as in ISO 8601 or an epoch time", parse_date)?))
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

    fn patterns(&self, wildcards: bool) -> Result<Vec<Pattern>, ConditionError> {
        let syntax = self.syntax(wildcards);
        Ok(self.values.iter().map(|value| Pattern::parse(value, syntax)).collect::<Result<_, _>>()?)
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

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a condition on {}", self.key)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(operator: &str, values: &[&str], context: &Context) -> bool {
        let values: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
        Condition::parse(operator, "s3:prefix", &values, true).expect("a condition").holds(context)
    }

    fn with(values: &[&str]) -> Context {
        values.iter().fold(Context::default(), |context, value| context.with("S3:Prefix", *value))
    }

    /// Rows: operator, values of the policy, values of the request (none: the key is missing),
    /// whether it holds.
    #[test]
    fn operators_judge_as_the_guide_says() {
        let rows: &[(&str, &[&str], &[&str], bool)] = &[
            ("StringEquals", &["docs/"], &["docs/"], true),
            ("StringEquals", &["docs/"], &["Docs/"], false),
            ("StringEquals", &["docs/*"], &["docs/a"], false),
            ("StringEquals", &["a", "b"], &["b"], true),
            ("StringEquals", &["a"], &[], false),
            ("StringEqualsIfExists", &["a"], &[], true),
            ("StringEqualsIfExists", &["a"], &["b"], false),
            ("StringNotEquals", &["a"], &["b"], true),
            ("StringNotEquals", &["a", "b"], &["b"], false),
            ("StringNotEquals", &["a"], &[], true),
            ("StringNotEquals", &["a"], &["b", "a"], false),
            ("StringEqualsIgnoreCase", &["DOCS/"], &["docs/"], true),
            ("StringNotEqualsIgnoreCase", &["DOCS/"], &["docs/"], false),
            ("StringLike", &["docs/*"], &["docs/a"], true),
            ("StringLike", &["docs/*"], &["docs2/a"], false),
            ("StringLike", &["docs/?"], &["docs/ab"], false),
            ("StringLike", &["docs/${*}"], &["docs/*"], true),
            ("StringLike", &["docs/${*}"], &["docs/a"], false),
            ("StringNotLike", &["docs/*"], &["docs/a"], false),
            ("StringNotLike", &["docs/*"], &["other"], true),
            ("Bool", &["true"], &["TRUE"], true),
            ("Bool", &["true"], &["false"], false),
            ("Bool", &["false"], &[], false),
            ("BoolIfExists", &["false"], &[], true),
            ("Null", &["true"], &[], true),
            ("Null", &["true"], &["x"], false),
            ("Null", &["false"], &["x"], true),
            ("NumericEquals", &["10"], &["10.0"], true),
            ("NumericNotEquals", &["10"], &["11"], true),
            ("NumericNotEquals", &["10"], &["ten"], false),
            ("NumericLessThan", &["10"], &["10"], false),
            ("NumericLessThanEquals", &["10"], &["10"], true),
            ("NumericGreaterThan", &["10"], &["9"], false),
            ("NumericGreaterThanEquals", &["10"], &["10"], true),
            ("DateLessThan", &["2030-01-01T00:00:00Z"], &["2029-12-31T23:59:59Z"], true),
            ("DateGreaterThan", &["2030-01-01"], &["1893456001"], true),
            ("DateEquals", &["2030-01-01"], &["soon"], false),
            ("ArnLike", &["arn:aws:iam::*:role/site-*"], &["arn:aws:iam::000000000000:role/site-docs"], true),
            ("ArnEquals", &["arn:aws:iam::*:role/*"], &["arn:aws:iam::000000000000:user/lea"], false),
            ("ArnNotLike", &["arn:aws:iam::*:role/*"], &["arn:aws:iam::000000000000:user/lea"], true),
            ("ForAllValues:StringEquals", &["a", "b"], &["a", "b"], true),
            ("ForAllValues:StringEquals", &["a", "b"], &["a", "c"], false),
            ("ForAllValues:StringEquals", &["a"], &[], true),
            ("ForAnyValue:StringEquals", &["a", "b"], &["c", "b"], true),
            ("ForAnyValue:StringEquals", &["a"], &[], false),
            ("ForAllValues:StringNotEquals", &["a"], &["b", "a"], false),
            ("ForAnyValue:StringNotEquals", &["a"], &["b", "a"], true),
            ("ForAnyValue:StringLikeIfExists", &["a*"], &[], true),
        ];
        for (operator, values, request, expected) in rows {
            assert_eq!(holds(operator, values, &with(request)), *expected, "{operator} {values:?} of {request:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let parse = |operator: &str, key: &str, values: &[&str]| {
            let values: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
            Condition::parse(operator, key, &values, true).expect_err("an error").to_string()
        };
        assert_eq!(parse("StringMatches", "aws:x", &["a"]), "`StringMatches` isn't a condition operator");
        assert_eq!(parse("ForSome:StringLike", "aws:x", &["a"]), "`ForSome:StringLike` isn't a condition operator");
        assert_eq!(parse("NumericLike", "aws:x", &["1"]), "`NumericLike` isn't a condition operator");
        assert_eq!(parse("stringequals", "aws:x", &["a"]), "`stringequals` isn't a condition operator");
        assert!(parse("IpAddress", "aws:SourceIp", &["10.0.0.0/8"]).contains("isn't supported by this stand-in"));
        assert!(parse("NullIfExists", "aws:x", &["true"]).contains("takes no modifier"));
        assert!(parse("StringLike", "prefix", &["a"]).contains("prefaced by a vendor"));
        assert!(parse("StringLike", "aws:x", &[]).contains("has no value"));
        assert!(parse("Bool", "aws:x", &["yes"]).contains("`true` or `false`"));
        assert!(parse("NumericEquals", "aws:x", &["NaN"]).contains("a number"));
        assert!(parse("DateEquals", "aws:x", &["soon"]).contains("a date"));
        assert!(parse("StringLike", "aws:x", &["${aws:x"]).contains("isn't closed"));
    }

    #[test]
    fn values_may_hold_policy_variables() {
        let context = with(&["home/lea/x"]).with("aws:username", "lea");
        assert!(holds("StringLike", &["home/${aws:username}/*"], &context));
        let values = ["home/${aws:username}/*".to_owned()];
        let old = Condition::parse("StringLike", "s3:prefix", &values, false).expect("a condition");
        assert!(!old.holds(&context), "documents of 2008 have no variables");
    }
}
