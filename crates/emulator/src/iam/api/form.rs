//! The formats of IAM's parameters. Source: patterns and lengths in the IAM API Reference.

use super::super::name::{
    MAX_NAME_LENGTH, MAX_PATH_LENGTH, MAX_POLICY_NAME_LENGTH, is_name_character, is_path_character,
};
use crate::query::QueryForm;

const NAME_PATTERN: &str = r"[\w+=,.@-]+";

/// The name of a new user, or of a role.
pub(super) const NAME: QueryForm =
    QueryForm { length: 1..=MAX_NAME_LENGTH, allowed: is_name_character, pattern: NAME_PATTERN };
/// The name of a group or policy, and of an existing user.
pub(super) const LONG_NAME: QueryForm =
    QueryForm { length: 1..=MAX_POLICY_NAME_LENGTH, allowed: is_name_character, pattern: NAME_PATTERN };
/// A path or a path prefix.
pub(super) const PATH: QueryForm = QueryForm {
    length: 1..=MAX_PATH_LENGTH,
    allowed: is_path_character,
    pattern: r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)",
};
/// An ARN. Its content is checked where it is used.
pub(super) const ARN: QueryForm = QueryForm { length: 20..=2_048, allowed: |_| true, pattern: ".*" };
/// The URL of an OpenID Connect provider. Its content is checked where it is used.
pub(super) const PROVIDER_URL: QueryForm = QueryForm { length: 1..=255, allowed: |_| true, pattern: ".*" };
/// An audience of an OpenID Connect provider.
pub(super) const AUDIENCE: QueryForm = QueryForm { length: 1..=255, allowed: |_| true, pattern: ".*" };
/// A policy document. The quotas are far smaller and do not count white space.
pub(super) const DOCUMENT: QueryForm =
    QueryForm { length: 1..=131_072, allowed: is_latin, pattern: r"[\u0009\u000A\u000D\u0020-\u00FF]+" };
/// A description.
pub(super) const DESCRIPTION: QueryForm = QueryForm {
    length: 0..=1_000,
    allowed: |character| is_latin(character) && !matches!(character, '\u{7f}'..='\u{a0}'),
    pattern: r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*",
};
/// The ID of an access key.
pub(super) const ACCESS_KEY_ID: QueryForm = QueryForm {
    length: 16..=128,
    allowed: |character| character.is_ascii_alphanumeric() || character == '_',
    pattern: r"[\w]+",
};
/// The ID of a version of a managed policy.
pub(super) const VERSION_ID: QueryForm = QueryForm {
    length: 2..=32,
    allowed: |character| character.is_ascii_alphanumeric() || ".-".contains(character),
    pattern: r"v[1-9][0-9]*(\.[A-Za-z0-9-]*)?",
};
/// The marker of a page.
pub(super) const MARKER: QueryForm =
    QueryForm { length: 1..=2_048, allowed: |character| character >= ' ', pattern: r"[\u0020-\u00FF]+" };
/// The key of a tag.
pub(super) const TAG_KEY: QueryForm =
    QueryForm { length: 1..=128, allowed: is_tag, pattern: r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+" };
/// The value of a tag.
pub(super) const TAG_VALUE: QueryForm =
    QueryForm { length: 0..=256, allowed: is_tag, pattern: r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*" };
/// The name of an action in a simulation.
pub(super) const ACTION_NAME: QueryForm = QueryForm { length: 3..=128, allowed: |_| true, pattern: ".*" };
/// The name of a condition key in a simulation.
pub(super) const CONTEXT_KEY: QueryForm = QueryForm { length: 5..=256, allowed: |_| true, pattern: ".*" };

fn is_latin(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{ff}')
}

fn is_tag(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "_.:/=+-@".contains(character)
}
