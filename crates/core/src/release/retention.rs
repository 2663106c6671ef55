//! How long what earlier releases name is kept, as configurations say it.

use serde::{Deserialize, Serialize};

/// How long what earlier releases name is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Releases, the current one among them; at least 1.
    pub releases: KeptReleases,
    /// Days since a release was replaced last; whatever is younger is kept, however many there are.
    pub days: u32,
}

/// A number of releases, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct KeptReleases(u32);

/// Nothing to keep at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`keep.releases` must be 1 or more: the current release is one of them")]
pub struct KeptReleasesError;

impl TryFrom<u32> for KeptReleases {
    type Error = KeptReleasesError;
    fn try_from(count: u32) -> Result<Self, KeptReleasesError> {
        if count == 0 { Err(KeptReleasesError) } else { Ok(Self(count)) }
    }
}

impl From<KeptReleases> for u32 {
    fn from(count: KeptReleases) -> Self {
        count.0
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { releases: KeptReleases(5), days: 7 }
    }
}
