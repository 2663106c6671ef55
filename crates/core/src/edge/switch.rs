//! Which release the function serves, as the state of a site remembers it.

use serde::{Deserialize, Serialize};

use super::release::ReleaseEdge;
use crate::release::ReleaseId;

/// How long an edge location may serve a release after the switch away from it, in milliseconds. CloudFront documents "a
/// few seconds" for updates of a key value store, and no limit.
const MAX_PROPAGATION: u64 = 15 * 60 * 1000;

/// The last switch of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EdgeSwitch {
    /// The release whose manifest describes what is served.
    pub release: ReleaseId,
    /// When earlier releases were switched away from, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierSwitch>,
}

/// A release that some edge locations may still serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierSwitch {
    /// The release.
    pub release: ReleaseId,
    /// When it was switched away from, in milliseconds since the Unix epoch.
    pub until: u64,
}

/// What is stored about the edge of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredEdge {
    /// The folder of its pages; empty for a site in place.
    #[serde(default)]
    pub folder: String,
    /// What it says about requests.
    pub rules: ReleaseEdge,
}

impl EdgeSwitch {
    /// The switch to another release at `instant`, after `before`.
    #[must_use]
    pub fn to(release: ReleaseId, instant: u64, before: Option<&Self>) -> Self {
        let mut earlier = before.map(|before| before.earlier.clone()).unwrap_or_default();
        if let Some(before) = before.filter(|before| before.release != release) {
            earlier.push(EarlierSwitch { release: before.release, until: instant });
        }
        earlier.retain(|other| other.release != release && may_be_served(other, instant));
        Self { release, earlier }
    }

    /// The oldest release that an edge location may serve at `instant`.
    #[must_use]
    pub fn oldest(&self, instant: u64) -> ReleaseId {
        let earlier = self.earlier.iter().filter(|other| may_be_served(other, instant)).map(|other| other.release);
        earlier.fold(self.release, ReleaseId::min)
    }
}

fn may_be_served(earlier: &EarlierSwitch, instant: u64) -> bool {
    instant.saturating_sub(earlier.until) < MAX_PROPAGATION
}
