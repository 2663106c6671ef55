//! Settings of a plugin: parsed from JSON, checked, and written in canonical form.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

pub use crate::bindings::settings::exports::tidegate::plugin::settings::Issue;

use crate::Pointer;

/// Settings of a plugin.
///
/// Derive `Deserialize` with `deny_unknown_fields` and `default`, so that `{}` is valid. Derive `Serialize`: the
/// canonical form has the members in the order of the fields, with all defaults.
pub trait Settings: DeserializeOwned + Serialize {
    /// Adds mistakes that the types do not exclude. It may also change values to their canonical form, if a second
    /// check changes nothing more. Types that parse their own text, as in [`crate::glob`], need no check here.
    fn check(&mut self, _issues: &mut Issues) {}
}

/// Those of the bundled plugin `exclude`.
impl Settings for crate::glob::ExcludeSettings {}

/// Mistakes in settings.
#[derive(Debug, Default)]
pub struct Issues(Vec<Issue>);

impl Issues {
    /// Adds a mistake in the value at `pointer`, with a `message` of one sentence that has the remedy.
    pub fn add(&mut self, pointer: &Pointer, message: impl Into<String>) {
        self.0.push(Issue { pointer: pointer.to_string(), message: message.into() });
    }
}

/// Parses and checks settings.
///
/// # Errors
///
/// All mistakes. A mistake in the form hides other ones, because only well-formed settings can be checked.
pub fn parse<S: Settings>(text: &str) -> Result<S, Vec<Issue>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut settings: S = serde_path_to_error::deserialize(&mut json).map_err(|error| vec![issue(&error)])?;
    json.end().map_err(|error| vec![Issue { pointer: String::new(), message: message(&error) }])?;
    let mut issues = Issues::default();
    settings.check(&mut issues);
    if issues.0.is_empty() { Ok(settings) } else { Err(issues.0) }
}

/// The canonical form of settings, which is a fixed point.
///
/// # Errors
///
/// All mistakes, as in [`parse`].
pub fn canonical<S: Settings>(text: &str) -> Result<String, Vec<Issue>> {
    let settings: S = parse(text)?;
    serde_json::to_string(&settings).map_err(|error| {
        vec![Issue { pointer: String::new(), message: format!("cannot write the settings as JSON: {error}") }]
    })
}

/// Converts the path of a serde error to a pointer.
fn issue(error: &serde_path_to_error::Error<serde_json::Error>) -> Issue {
    let mut pointer = Pointer::root();
    // A syntax error has a line and a column, which are more precise than the path.
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

/// The message, for data errors without line and column: the pointer is more precise.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    if error.is_data() { text.strip_suffix(&position).map(str::to_owned).unwrap_or(text) } else { text }
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
        limit: u32,
        rules: Vec<Rule>,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        glob: Glob,
    }

    impl Settings for Example {
        fn check(&mut self, issues: &mut Issues) {
            if self.limit > 10 {
                issues.add(&Pointer::root().member("limit"), "the maximum is 10");
            }
        }
    }

    fn issues(text: &str) -> Vec<(String, String)> {
        let issues = canonical::<Example>(text).unwrap_err();
        issues.into_iter().map(|issue| (issue.pointer, issue.message)).collect()
    }

    #[test]
    fn canonical_settings_have_defaults_and_are_a_fixed_point() {
        let text = canonical::<Example>("{}").unwrap();
        assert_eq!(text, r#"{"limit":0,"rules":[]}"#);
        assert_eq!(canonical::<Example>(&text).unwrap(), text);
    }

    #[test]
    fn issues_point_at_wrong_values() {
        let table = [
            (r#"{"limit":"x"}"#, "/limit", "invalid type: string \"x\", expected u32"),
            (r#"{"limit":11}"#, "/limit", "the maximum is 10"),
            (r#"{"limmit":1}"#, "/limmit", "unknown field `limmit`, expected `limit` or `rules`"),
            (
                r#"{"rules":[{"glob":"a"},{"glob":"[a"}]}"#,
                "/rules/1/glob",
                "invalid glob `[a`: `[` is not closed; close it, or write `\\[` for the character",
            ),
            (r#"{"rules":[{}]}"#, "/rules/0", "missing field `glob`"),
        ];
        for (text, pointer, message) in table {
            assert_eq!(issues(text), [(pointer.to_owned(), message.to_owned())], "{text}");
        }
    }

    #[test]
    fn syntax_errors_have_a_position() {
        for text in ["", "{", "[", "{} x", "{\"limit\":1,}"] {
            let issues = issues(text);
            assert_eq!(issues.len(), 1, "{text}");
            assert_eq!(issues[0].0, "", "{text}");
            assert!(issues[0].1.contains("line 1 column"), "{text}: {}", issues[0].1);
        }
    }
}
