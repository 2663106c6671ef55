//! What a plan counts, by stable names.
//!
//! Owns the names, which policies see.

use serde::{Deserialize, Serialize};

/// Counts by stable names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlanTotals {
    /// Objects that are new on the site.
    pub create: u64,
    /// Objects whose body is replaced.
    pub update: u64,
    /// Objects whose headers are replaced.
    pub headers: u64,
    /// Objects that are removed.
    pub delete: u64,
    /// Objects that stay.
    pub keep: u64,
    /// Objects of the site that the artifact lacks and that stay all the same: protected, or deleting is off.
    pub untracked: u64,
    /// Objects of the site that the artifact lacks and that stay for earlier releases.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retained: u64,
    /// Objects that somebody else changed or removed since the last release.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub drifted: u64,
    /// Objects of the source, before any plugin.
    pub source_objects: u64,
    /// Objects of the source that plugins left out.
    pub excluded: u64,
    /// Objects of the site afterwards, without those left alone.
    pub published_objects: u64,
    /// Bytes of those.
    pub published_bytes: u64,
    /// Objects of the site now.
    pub site_objects: u64,
    /// Bytes that are sent from the source.
    pub bytes_to_write: u64,
    /// Bytes that are copied within S3.
    pub bytes_to_copy: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl PlanTotals {
    /// Name and count, in a fixed order, for plugins.
    #[must_use]
    pub fn named(&self) -> Vec<(String, u64)> {
        let all = [
            ("create", self.create),
            ("update", self.update),
            ("headers", self.headers),
            ("delete", self.delete),
            ("keep", self.keep),
            ("untracked", self.untracked),
            ("retained", self.retained),
            ("drifted", self.drifted),
            ("source-objects", self.source_objects),
            ("excluded", self.excluded),
            ("published-objects", self.published_objects),
            ("published-bytes", self.published_bytes),
            ("site-objects", self.site_objects),
            ("bytes-to-write", self.bytes_to_write),
            ("bytes-to-copy", self.bytes_to_copy),
        ];
        all.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    }
}
