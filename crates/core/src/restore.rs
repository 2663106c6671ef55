//! Restores an earlier release: turns its manifest into a [`DesiredSite`] and finds its archived bodies.
//!
//! No sync plugin runs: the manifest holds the result of the plugins of that release.

use std::collections::BTreeMap;

use crate::artifact::Fingerprint;
use crate::desired::{DesiredBody, DesiredEntry, DesiredSite, KeyCollision, Trail};
use crate::identity::ETag;
use crate::key::{Key, KeyError, StoredKey};
use crate::manifest::{ManifestRecord, RecordState};

/// Restores an earlier release from its manifest, followed by the manifest of the live one.
#[derive(Debug, Default)]
pub struct Restoration {
    entries: Vec<DesiredEntry>,
    tags: BTreeMap<StoredKey, ETag>,
    bodies: BTreeMap<Key, ArchivedBody>,
}

/// An earlier release, restored.
#[derive(Debug)]
pub struct RestoredSite {
    /// What was published.
    pub desired: DesiredSite,
    /// Its bodies that are archived; the others are on the site.
    pub bodies: BTreeMap<Key, ArchivedBody>,
    /// Identifies the release.
    pub fingerprint: Fingerprint,
}

/// An archived body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedBody {
    /// Its name in the archive.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The ETag that the object had on the site.
    pub etag: ETag,
}

/// Why a release cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// An invalid record: the manifest was not written by Tidegate.
    #[error("its manifest has the invalid key `{0}`: {1}")]
    Key(StoredKey, KeyError),
    /// Two records with one key.
    #[error(transparent)]
    Collision(#[from] KeyCollision),
}

impl Restoration {
    /// Adds a record of the release to restore.
    ///
    /// # Errors
    /// [`RestoreError::Key`].
    pub fn add_wanted(&mut self, record: ManifestRecord) -> Result<(), RestoreError> {
        if record.state != RecordState::Live {
            return Ok(());
        }
        let key = Key::from_stored(&record.key).map_err(|error| RestoreError::Key(record.key.clone(), error))?;
        let body = match record.redirect {
            Some(target) => DesiredBody::Redirect(target),
            None => DesiredBody::Object { source: key.clone(), size: record.size, identity: record.identity.into() },
        };
        self.tags.insert(record.key, record.etag);
        self.entries.push(DesiredEntry { key, body, headers: record.headers, trail: Trail::new() });
        Ok(())
    }

    /// Adds a record of the live release whose body is archived, after all records of the release to restore.
    pub fn add_archived(&mut self, record: &ManifestRecord) {
        if self.tags.get(&record.key) != Some(&record.etag) {
            return;
        }
        if let Ok(key) = Key::from_stored(&record.key) {
            let body = ArchivedBody { name: record.body_name(), size: record.size, etag: record.etag.clone() };
            self.bodies.insert(key, body);
        }
    }

    /// The restored site.
    ///
    /// # Errors
    /// [`RestoreError::Collision`].
    pub fn finish(self, release: &str) -> Result<RestoredSite, RestoreError> {
        let desired = DesiredSite::new(self.entries, Vec::new())?;
        let fingerprint = Fingerprint(format!("release {release}").into());
        Ok(RestoredSite { desired, bodies: self.bodies, fingerprint })
    }
}
