//! Patterns for names of branches, tags, environments, workflows and files.

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use super::value::ValueError;
use crate::sanitize::sanitize_name;

/// A name or a glob: `*` and `?` match within one segment, `**` across segments, and `{a,b}` either of two.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamePattern {
    text: String,
    matcher: GlobMatcher,
}

impl NamePattern {
    /// Whether the pattern matches the whole name. Case counts.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }

    /// Whether the pattern is for branches of a merge queue.
    pub(super) fn is_of_merge_queue(&self) -> bool {
        is_merge_queue(&self.text)
    }

    /// The only matching name, if the pattern has no glob characters.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        Some(self.as_str()).filter(|text| !text.contains(['*', '?', '[', ']', '{', '}', '\\', '!']))
    }

    /// The pattern as configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether a branch belongs to a merge queue of GitHub. It holds pull requests that are not merged yet, and may never be.
#[must_use]
pub fn is_merge_queue(branch: &str) -> bool {
    branch.starts_with("gh-readonly-queue/")
}

impl TryFrom<String> for NamePattern {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let invalid = |why: &str| ValueError::Glob(sanitize_name(&text), sanitize_name(why));
        if text.is_empty() {
            return Err(invalid("empty; use `**` for every name"));
        }
        let glob =
            GlobBuilder::new(&text).literal_separator(true).build().map_err(|error| invalid(&error.to_string()))?;
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
    fn matches_whole_names() {
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
