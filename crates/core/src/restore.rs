//! Going back: what the site should be when an earlier release is published again.
//!
//! Owns how a manifest becomes a [`DesiredSite`] again, and where its bodies are now. No sync plugin takes part: what they made
//! of that release is in its manifest. Never reads a manifest itself.

use std::collections::BTreeMap;

use crate::artifact::Fingerprint;
use crate::desired::{DesiredBody, DesiredEntry, DesiredSite, KeyCollision};
use crate::identity::ETag;
use crate::key::{Key, KeyError, StoredKey};
use crate::manifest::{ManifestRecord, RecordState};

/// Puts an earlier release together, from its manifest and then from that of the live one.
#[derive(Debug, Default)]
pub struct Restoration {
    entries: Vec<DesiredEntry>,
    tags: BTreeMap<StoredKey, ETag>,
    bodies: BTreeMap<Key, ArchivedBody>,
}

/// A body that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedBody {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The ETag that the object had on the site.
    pub etag: ETag,
}

/// Why a release cannot be published again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// A record that no release could have: somebody wrote the manifest.
    #[error("its manifest names `{0}`, which is no key: {1}")]
    Key(StoredKey, KeyError),
    /// A key twice.
    #[error(transparent)]
    Collision(#[from] KeyCollision),
}

impl Restoration {
    /// A record of the release that comes back.
    ///
    /// # Errors
    /// [`RestoreError::Key`].
    pub fn add_wanted(&mut self, record: ManifestRecord) -> Result<(), RestoreError> {
        if record.state != RecordState::Live {
            return Ok(());
        }
        let key = Key::new(record.key.as_str()).map_err(|error| RestoreError::Key(record.key.clone(), error))?;
        let body = match record.redirect {
            Some(target) => DesiredBody::Redirect(target),
            None => DesiredBody::Object { source: key.clone(), size: record.size, identity: record.identity },
        };
        self.tags.insert(record.key, record.etag);
        self.entries.push(DesiredEntry { key, body, headers: record.headers, trail: Vec::new() });
        Ok(())
    }

    /// A record of the live release, after all records of the one that comes back.
    pub fn add_available(&mut self, record: &ManifestRecord) {
        if record.state.is_on_site() || self.tags.get(&record.key) != Some(&record.etag) {
            return;
        }
        if let Ok(key) = Key::new(record.key.as_str()) {
            let aside = ArchivedBody { name: record.body_name(), size: record.size, etag: record.etag.clone() };
            self.bodies.insert(key, aside);
        }
    }

    /// What the site should be, and where those of its bodies are that were set aside.
    ///
    /// # Errors
    /// [`RestoreError::Collision`].
    pub fn finish(
        self,
        release: &str,
    ) -> Result<(DesiredSite, BTreeMap<Key, ArchivedBody>, Fingerprint), RestoreError> {
        let desired = DesiredSite::new(self.entries, Vec::new())?;
        Ok((desired, self.bodies, Fingerprint(format!("release {release}").into())))
    }
}
