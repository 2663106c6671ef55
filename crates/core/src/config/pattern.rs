//! Patterns of names that others give: branches, tags, environments, workflows, files.
//!
//! Owns their meaning: `*` and `?` stay within one segment, `**` does not, `{a,b}` is a choice.

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use super::ValueError;
use crate::sanitize::sanitize_name;

/// A name, or a glob of names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamePattern {
    text: String,
    matcher: GlobMatcher,
}

impl NamePattern {
    /// Whether it covers a name, as a whole and with its case.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }

    /// The one name that it covers, where it has none of a glob's characters.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        Some(self.as_str()).filter(|text| !text.contains(['*', '?', '[', ']', '{', '}', '\\', '!']))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for NamePattern {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let refused = |why: &str| ValueError::Glob(sanitize_name(&text), sanitize_name(why));
        if text.is_empty() {
            return Err(refused("it is empty, write `**` for every name"));
        }
        let glob =
            GlobBuilder::new(&text).literal_separator(true).build().map_err(|error| refused(&error.to_string()))?;
        Ok(Self { matcher: glob.compile_matcher(), text })
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> Self {
        pattern.text
    }
}

impl PartialEq for NamePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for NamePattern {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_whole_names() {
        for (pattern, name, covered) in [
            ("main", "main", true),
            ("main", "Main", false),
            ("main", "main2", false),
            ("main", "x/main", false),
            ("release/*", "release/1.2", true),
            ("release/*", "release/1/2", false),
            ("release/**", "release/1/2", true),
            ("**", "a/b/c", true),
            ("*", "a/b", false),
            ("v[0-9]*", "v1.2.3", true),
            ("v[0-9]*", "vx", false),
            ("{main,next}", "next", true),
        ] {
            let compiled = NamePattern::try_from(pattern.to_owned()).unwrap();
            assert_eq!(compiled.covers(name), covered, "{pattern} {name}");
        }
        assert!(NamePattern::try_from(String::new()).is_err());
        assert!(NamePattern::try_from("a{b".to_owned()).is_err());
    }
}
