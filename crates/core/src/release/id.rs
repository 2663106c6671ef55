//! The id of a release: `r` and its number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a release, counted from 1 for each site: `r42`. Every run that writes has one, even if it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseId(u64);

/// An invalid release id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid release `{0}`; write `r` and a number, such as `r42`")]
pub struct ReleaseIdError(String);

impl ReleaseId {
    /// The next id.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// The id with leading zeros, so that names in a bucket sort by number.
    #[must_use]
    pub fn stem(self) -> String {
        format!("r{:010}", self.0)
    }
}

impl FromStr for ReleaseId {
    type Err = ReleaseIdError;
    fn from_str(text: &str) -> Result<Self, ReleaseIdError> {
        let refused = || ReleaseIdError(text.escape_default().to_string());
        let digits = text.strip_prefix('r').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse().ok()).filter(|number| *number > 0).ok_or_else(refused)?;
        Ok(Self(number))
    }
}

impl TryFrom<String> for ReleaseId {
    type Error = ReleaseIdError;
    fn try_from(text: String) -> Result<Self, ReleaseIdError> {
        text.parse()
    }
}

impl From<ReleaseId> for String {
    fn from(id: ReleaseId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}
