//! The keys that split the site of a release into ranges, stored beside its manifest.

use tidegate_core::manifest::ranges::ManifestRanges;
use tidegate_core::release::{FORMAT, ReleaseId};

use super::error::StateError;
use super::store::{ReleaseFile, StateStore};
use crate::s3::PutCondition;

impl StateStore {
    /// The ranges of a release; nothing for a small site.
    pub async fn ranges(&self, id: ReleaseId) -> Result<Option<ManifestRanges>, StateError> {
        let key = self.key(&ReleaseFile::Ranges.name(id));
        match self.read::<ManifestRanges>(&key).await? {
            Some((ranges, _)) if ranges.format != FORMAT => {
                let why = format!("it has format {}, but this version of Tidegate reads {FORMAT}", ranges.format);
                Err(self.invalid(&key, why))
            }
            stored => Ok(stored.map(|(ranges, _)| ranges)),
        }
    }

    /// Stores the ranges of a release.
    pub async fn put_ranges(&self, id: ReleaseId, ranges: &ManifestRanges) -> Result<(), StateError> {
        self.write(&self.key(&ReleaseFile::Ranges.name(id)), ranges, PutCondition::Always).await.map(drop)
    }
}
