//! Conditions of a rule on the query of a request: `id=5`, or `id=:id` for any value.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::rule_error::RuleError;
use super::spelling::IN_COMPONENT;
use crate::sanitize::{is_unsafe, sanitize_name};

/// What browsers encode in a name. An escape in a rule stays as it is.
const IN_NAMES: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');

/// A condition on a parameter of the query. Names are compared as visitors send them, values decoded. Of equal parameters,
/// the last one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryCondition {
    name: String,
    value: QueryValue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum QueryValue {
    Text(String),
    /// Any value, which this name stands for in a target.
    Any(String),
}

impl QueryCondition {
    /// A condition. The value `:name` matches any value, and `:name` of a target stands for it.
    ///
    /// # Errors
    /// [`RuleError::Query`].
    pub fn new(name: &str, value: &str) -> Result<Self, RuleError> {
        let invalid = || RuleError::Query(sanitize_name(name), sanitize_name(value));
        if name.is_empty() || name.contains(['&', '=', '#', '+']) || name.chars().any(is_unsafe) {
            return Err(invalid());
        }
        let value = match value.strip_prefix(':') {
            Some(placeholder) => {
                let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
                if !placeholder.starts_with(|first: char| first.is_ascii_alphabetic())
                    || !placeholder.chars().all(is_word)
                {
                    return Err(invalid());
                }
                QueryValue::Any(placeholder.to_owned())
            }
            None if value.chars().any(is_unsafe) => return Err(invalid()),
            None => QueryValue::Text(value.to_owned()),
        };
        Ok(Self { name: name.to_owned(), value })
    }

    /// The name of the parameter.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the placeholder for its value.
    pub(crate) fn placeholder(&self) -> Option<&str> {
        match &self.value {
            QueryValue::Text(_) => None,
            QueryValue::Any(name) => Some(name),
        }
    }

    /// What the placeholder stands for, encoded, or an empty text; `None` if the query does not fulfil the condition.
    fn value(&self, query: &str) -> Option<String> {
        let mut pairs = query.split('&').rev().map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let (_, given) = pairs.find(|(name, _)| *name == encoded_name(&self.name))?;
        let given = given.replace('+', " ");
        let given = percent_decode_str(&given).decode_utf8().ok()?;
        match &self.value {
            QueryValue::Text(text) => (*text == given).then(String::new),
            QueryValue::Any(_) => Some(encoded_value(&given)),
        }
    }
}

/// As in a rule: `id=5`, `id=:id`.
impl fmt::Display for QueryCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            QueryValue::Text(text) => write!(f, "{}={text}", self.name),
            QueryValue::Any(name) => write!(f, "{}=:{name}", self.name),
        }
    }
}

/// Conditions as the function reads them: `id=5&tag`, without a value for any one.
pub(crate) fn encoded(conditions: &[QueryCondition]) -> String {
    let text = |condition: &QueryCondition| {
        let name = encoded_name(&condition.name);
        match &condition.value {
            QueryValue::Text(text) => format!("{name}={}", encoded_value(text)),
            QueryValue::Any(_) => name.into_owned(),
        }
    };
    conditions.iter().map(text).collect::<Vec<_>>().join("&")
}

/// What the placeholders of conditions stand for in a query, encoded; `None` if it does not fulfil them.
pub(crate) fn values<'a>(conditions: &'a [QueryCondition], query: &str) -> Option<Vec<(&'a str, String)>> {
    let mut values = Vec::new();
    for condition in conditions {
        let value = condition.value(query)?;
        values.extend(condition.placeholder().map(|name| (name, value)));
    }
    Some(values)
}

/// Whether every query that fulfils `given` fulfils `conditions`, both as the function reads them.
pub(crate) fn follows(conditions: &str, given: &str) -> bool {
    let has = |condition: &str| {
        let mut pairs = given.split('&');
        match condition.contains('=') {
            true => pairs.any(|pair| pair == condition),
            false => pairs.any(|pair| pair.split('=').next() == Some(condition)),
        }
    };
    conditions.is_empty() || conditions.split('&').all(has)
}

fn encoded_name(name: &str) -> Cow<'_, str> {
    utf8_percent_encode(name, IN_NAMES).into()
}

fn encoded_value(value: &str) -> String {
    utf8_percent_encode(value, IN_COMPONENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(text: &[(&str, &str)]) -> Vec<QueryCondition> {
        text.iter().map(|(name, value)| QueryCondition::new(name, value).unwrap()).collect()
    }

    #[test]
    fn conditions_are_written_and_fulfilled() {
        let found = conditions(&[("id", ":id"), ("tag", "a b&é"), ("é", "")]);
        assert_eq!(encoded(&found), "id&tag=a%20b%26%C3%A9&%C3%A9=");
        let given = "x=1&id=1&%C3%A9&tag=a+b%26%c3%a9&id=a%2Fb+c";
        assert_eq!(values(&found, given), Some(vec![("id", "a%2Fb%20c".to_owned())]));
        for other in ["", "id=1", "id=1&tag=a+b%26%c3%a9&%C3%A9=x", "ID=1&tag=a+b%26%c3%a9&%C3%A9", "id=%ff&tag=a"] {
            assert_eq!(values(&found, other), None, "{other}");
        }
        assert_eq!(values(&[], "id=1"), Some(Vec::new()));
    }

    #[test]
    fn conditions_follow_from_others() {
        assert!(follows("", "a=1") && follows("a=1", "b&a=1") && follows("a", "a=1") && follows("a", "a"));
        assert!(!follows("a=1", "a") && !follows("a=1", "a=2") && !follows("a", ""));
    }

    #[test]
    fn other_conditions_are_refused() {
        for (name, value) in
            [("", "1"), ("a=b", "1"), ("a&b", "1"), ("a", ":"), ("a", ":1"), ("a", ":a-b"), ("a", "\n")]
        {
            assert!(QueryCondition::new(name, value).is_err(), "{name}={value}");
        }
    }
}
