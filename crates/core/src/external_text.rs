//! Text from outside that is shown to people: names of releases, and what started them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sanitize::{MESSAGE_BYTES, sanitize};

/// Text that a user, an event, a webhook or a stored document contains. It can have every character.
///
/// [`fmt::Display`] and [`fmt::Debug`] sanitize it, so that no message can contain the escape sequences of a terminal.
/// [`Self::as_str`] and the serialized form are unchanged.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExternalText(String);

impl ExternalText {
    /// The raw text. Use [`fmt::Display`] to show it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ExternalText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for ExternalText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<ExternalText> for String {
    fn from(text: ExternalText) -> Self {
        text.0
    }
}

impl PartialEq<str> for ExternalText {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for ExternalText {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for ExternalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&sanitize(&self.0, MESSAGE_BYTES))
    }
}

impl fmt::Debug for ExternalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_sanitized_and_stored_unchanged() {
        let raw = "v1\u{1b}]0;title\u{7}\u{1b}[31mred\u{202e}\n";
        let text = ExternalText::from(raw);
        assert_eq!(text.to_string(), "v1\\u{1b}]0;title\\u{7}\\u{1b}[31mred\\u{202e}\\n");
        assert!(!format!("{text:?}").contains('\u{1b}'));
        let stored = serde_json::to_string(&text).unwrap();
        assert_eq!(serde_json::from_str::<ExternalText>(&stored).unwrap().as_str(), raw);
    }
}
