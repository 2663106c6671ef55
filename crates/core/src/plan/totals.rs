//! Counts of a plan. Their names are stable, because policies read them.

use serde::{Deserialize, Serialize};

/// Counts of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlanTotals {
    /// Objects that are new on the site.
    pub create: u64,
    /// Objects whose body is replaced.
    pub update: u64,
    /// Objects whose headers are replaced.
    pub headers: u64,
    /// Objects that are deleted.
    pub delete: u64,
    /// Objects that are unchanged.
    pub keep: u64,
    /// Objects that are written to the folder of the release.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub versioned: u64,
    /// Objects of the site that are not in the artifact but are kept: protected, or deleting is off.
    pub untracked: u64,
    /// Objects of the site that are not in the artifact but are kept for earlier releases.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retained: u64,
    /// Objects that another tool changed or deleted since the last release.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub drifted: u64,
    /// Objects of the source, before any plugin. A folder that is excluded as a whole is not read, and counts as one.
    pub source_objects: u64,
    /// Objects of the source that plugins excluded, and excluded folders.
    pub excluded: u64,
    /// The excluded folders among them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub excluded_folders: u64,
    /// Published objects after the run, without untracked ones.
    pub published_objects: u64,
    /// Bytes of the published objects.
    pub published_bytes: u64,
    /// Objects of the site before the run.
    pub site_objects: u64,
    /// Bytes to upload from the source.
    pub bytes_to_write: u64,
    /// Bytes to copy within S3.
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
            ("versioned", self.versioned),
            ("untracked", self.untracked),
            ("retained", self.retained),
            ("drifted", self.drifted),
            ("source-objects", self.source_objects),
            ("excluded", self.excluded),
            ("excluded-folders", self.excluded_folders),
            ("published-objects", self.published_objects),
            ("published-bytes", self.published_bytes),
            ("site-objects", self.site_objects),
            ("bytes-to-write", self.bytes_to_write),
            ("bytes-to-copy", self.bytes_to_copy),
        ];
        all.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    }
}
