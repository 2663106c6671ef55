//! Names and paths of users, roles, groups and policies.
//!
//! Source of the alphabets: IAM User Guide, "IAM identifiers", and the patterns of the IAM API Reference. Source of the
//! lengths: "IAM and AWS STS quotas".

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::IamError;

/// Longest name of a user or role.
pub(super) const MAX_NAME_LENGTH: usize = 64;
/// Longest name of a group, managed policy or inline policy.
pub(super) const MAX_POLICY_NAME_LENGTH: usize = 128;
/// Longest path.
pub(super) const MAX_PATH_LENGTH: usize = 512;

/// Whether a name may contain this character.
pub(super) fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_+=,.@-".contains(character)
}

/// Whether a path may contain this character.
pub(super) fn is_path_character(character: char) -> bool {
    character.is_ascii_graphic()
}

pub(super) fn check_name(name: &str, longest: usize) -> Result<(), IamError> {
    if (1..=longest).contains(&name.len()) && name.chars().all(is_name_character) {
        Ok(())
    } else {
        Err(IamError::Name(name.to_owned()))
    }
}

/// The path of a user, role, group or policy, such as `/` or `/ci/`. It is part of the ARN but not of the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntityPath(String);

impl EntityPath {
    /// The path with its slashes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for EntityPath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl fmt::Display for EntityPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for EntityPath {
    type Error = IamError;

    fn try_from(path: String) -> Result<Self, IamError> {
        let closed = path.starts_with('/') && path.ends_with('/');
        if closed && path.len() <= MAX_PATH_LENGTH && path.chars().all(is_path_character) {
            Ok(Self(path))
        } else {
            Err(IamError::Path(path))
        }
    }
}

impl From<EntityPath> for String {
    fn from(path: EntityPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_start_and_end_with_a_slash() {
        let parse = |path: &str| EntityPath::try_from(path.to_owned()).map(String::from);
        let longest = format!("/{}/", "a".repeat(MAX_PATH_LENGTH - 2));
        for path in ["/", "/ci/", "/a/b/", "/~!/", longest.as_str()] {
            assert_eq!(parse(path).expect("a path"), path);
        }
        let too_long = format!("/{}/", "a".repeat(MAX_PATH_LENGTH - 1));
        for path in ["", "ci", "/ci", "ci/", "/c i/", "/é/", too_long.as_str()] {
            assert!(matches!(parse(path), Err(IamError::Path(_))), "{path}");
        }
    }

    #[test]
    fn names_have_no_slashes_and_a_maximum_length() {
        for (name, longest, expected) in [
            ("a", 64, true),
            ("A.b_c+d=e,f@g-9", 64, true),
            ("", 64, false),
            ("ci/a", 64, false),
            ("a b", 64, false),
            ("é", 64, false),
            ("abc", 3, true),
            ("abcd", 3, false),
        ] {
            assert_eq!(check_name(name, longest).is_ok(), expected, "{name}");
        }
    }
}
