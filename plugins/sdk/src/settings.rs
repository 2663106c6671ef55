//! A plugin's settings: read from JSON, checked, and written in canonical form.
//!
//! Owns the way from JSON text to a settings type and back, and the issues that a person reads on the way. Never knows
//! what a setting means: that is said by [`Settings::check`] and by types that parse their own text.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

pub use crate::bindings::settings::exports::tidegate::plugin::settings::Issue;

use crate::Pointer;

/// Settings of a plugin. Derive `Deserialize` with `deny_unknown_fields` and `default`, so that `{}` is valid, and
/// `Serialize`: members in the order of the fields, with every default filled in, are the canonical form.
pub trait Settings: DeserializeOwned + Serialize {
    /// Adds what is wrong beyond the shape, and may put values into their canonical form; doing so twice must change
    /// nothing more. Values that parse themselves (see [`crate::glob`]) need no check here.
    fn check(&mut self, _issues: &mut Issues) {}
}

/// What is wrong with settings.
#[derive(Debug, Default)]
pub struct Issues(Vec<Issue>);

impl Issues {
    /// Adds one issue: the value at `pointer` is wrong, and `message` says in one sentence what to do.
    pub fn add(&mut self, pointer: &Pointer, message: impl Into<String>) {
        self.0.push(Issue { pointer: pointer.to_string(), message: message.into() });
    }
}

/// Reads and checks settings.
///
/// # Errors
///
/// All that is wrong. A wrong shape hides whatever else is wrong, since nothing can be checked behind it.
pub fn parse<S: Settings>(text: &str) -> Result<S, Vec<Issue>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut settings: S = serde_path_to_error::deserialize(&mut json).map_err(|error| vec![issue(&error)])?;
    json.end().map_err(|error| vec![Issue { pointer: String::new(), message: message(&error) }])?;
    let mut issues = Issues::default();
    settings.check(&mut issues);
    if issues.0.is_empty() { Ok(settings) } else { Err(issues.0) }
}

/// The canonical form of settings. Canonical settings are a fixed point.
///
/// # Errors
///
/// All that is wrong, as [`parse`] says it.
pub fn canonical<S: Settings>(text: &str) -> Result<String, Vec<Issue>> {
    let settings: S = parse(text)?;
    serde_json::to_string(&settings)
        .map_err(|error| vec![Issue { pointer: String::new(), message: format!("cannot be written as JSON: {error}") }])
}

/// Turns the path that serde was on into a pointer.
fn issue(error: &serde_path_to_error::Error<serde_json::Error>) -> Issue {
    let mut pointer = Pointer::root();
    // A syntax error has a line and a column; where serde was by then says less.
    if error.inner().is_data() {
        for segment in error.path() {
            pointer = match segment {
                Segment::Seq { index } => pointer.index(*index),
                Segment::Map { key } => pointer.member(key),
                Segment::Enum { variant } => pointer.member(variant),
                Segment::Unknown => pointer,
            };
        }
    }
    Issue { pointer: pointer.to_string(), message: message(error.inner()) }
}

/// The message, without the line and column of data errors: the pointer says it better.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    if error.is_data() { text.strip_suffix(&place).map(str::to_owned).unwrap_or(text) } else { text }
}

#[cfg(test)]
mod tests {
    use super::{Issues, Settings, canonical};
    use crate::Pointer;
    use crate::glob::Glob;
    use serde::{Deserialize, Serialize};

    #[derive(Deserialize, Serialize, Default)]
    #[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
    struct Example {
        most: u32,
        rules: Vec<Rule>,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        glob: Glob,
    }

    impl Settings for Example {
        fn check(&mut self, issues: &mut Issues) {
            if self.most > 10 {
                issues.add(&Pointer::root().member("most"), "at most 10");
            }
        }
    }

    fn issues(text: &str) -> Vec<(String, String)> {
        let issues = canonical::<Example>(text).unwrap_err();
        issues.into_iter().map(|issue| (issue.pointer, issue.message)).collect()
    }

    #[test]
    fn defaults_are_filled_in_and_the_result_is_a_fixed_point() {
        let text = canonical::<Example>("{}").unwrap();
        assert_eq!(text, r#"{"most":0,"rules":[]}"#);
        assert_eq!(canonical::<Example>(&text).unwrap(), text);
    }

    #[test]
    fn wrong_shapes_and_values_are_pointed_at() {
        let table = [
            (r#"{"most":"x"}"#, "/most", "invalid type: string \"x\", expected u32"),
            (r#"{"most":11}"#, "/most", "at most 10"),
            (r#"{"moost":1}"#, "/moost", "unknown field `moost`, expected `most` or `rules`"),
            (r#"{"rules":[{"glob":"a"},{"glob":"[a"}]}"#, "/rules/1/glob", "invalid glob `[a`: `[` is not closed; close it, or write `\\[` for the character"),
            (r#"{"rules":[{}]}"#, "/rules/0", "missing field `glob`"),
        ];
        for (text, pointer, message) in table {
            assert_eq!(issues(text), [(pointer.to_owned(), message.to_owned())], "{text}");
        }
    }

    #[test]
    fn text_that_is_not_json_says_where() {
        for text in ["", "{", "[", "{} x", "{\"most\":1,}"] {
            let issues = issues(text);
            assert_eq!(issues.len(), 1, "{text}");
            assert_eq!(issues[0].0, "", "{text}");
            assert!(issues[0].1.contains("line 1 column"), "{text}: {}", issues[0].1);
        }
    }
}
