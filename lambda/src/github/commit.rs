//! Ids of commits.

use serde::{Deserialize, Serialize};
use tidegate_core::sanitize::sanitize_name;

/// The full id of a commit: 40 or 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

/// The text is not the id of a commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a commit, which has 40 or 64 hexadecimal digits")]
pub struct CommitIdError(String);

impl CommitId {
    /// Parses an id. Returns `None` for other texts and for the all-zero id, which means "no commit".
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let well_formed = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let zero = text.bytes().all(|byte| byte == b'0');
        (well_formed && !zero).then(|| Self(text.to_ascii_lowercase()))
    }

    /// The digits, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CommitId {
    type Error = CommitIdError;
    fn try_from(text: String) -> Result<Self, CommitIdError> {
        Self::new(&text).ok_or_else(|| CommitIdError(sanitize_name(&text)))
    }
}

impl From<CommitId> for String {
    fn from(commit: CommitId) -> Self {
        commit.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_full_ids_only() {
        assert_eq!(CommitId::new(&"AB".repeat(20)).unwrap().as_str(), "ab".repeat(20));
        assert!(CommitId::new(&"ab".repeat(32)).is_some());
        for bad in ["", "main", &"0".repeat(40), &"ab".repeat(21), &"g".repeat(40), "../../../etc/passwd"] {
            assert!(CommitId::new(bad).is_none(), "{bad}");
        }
    }
}
