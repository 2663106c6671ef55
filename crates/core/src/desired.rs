//! What the site should be: key → body and headers. Made from an [`Artifact`] by sync plugins.
//!
//! Owns the rule that no two entries share a key, and the trail of what was decided about each object. Never runs a
//! plugin and never compares with a site.

use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::headers::{HeaderPool, ObjectHeaders};
use crate::identity::ContentIdentity;
use crate::key::Key;
use crate::redirect::RedirectTarget;

/// What is published under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DesiredBody {
    /// The bytes of an object of the artifact.
    Object {
        /// Its key in the artifact, before any rename.
        source: Key,
        /// Bytes.
        size: u64,
        /// What is known of its content.
        identity: ContentIdentity,
    },
    /// An empty object that sends visitors elsewhere.
    Redirect(RedirectTarget),
}

/// One entry of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredEntry {
    /// Its key, relative to the site.
    pub key: Key,
    /// What visitors get.
    pub body: DesiredBody,
    /// The headers they get it with.
    pub headers: ObjectHeaders,
    /// What plugins decided about it, in order.
    pub trail: Vec<TraceStep>,
}

/// One decision of one plugin about one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// The plugin's name in the configuration.
    pub plugin: String,
    /// JSON Pointer to the rule in its settings, or empty.
    pub rule: String,
    /// The plugin's words.
    pub reason: String,
    /// What changed, in words: `content-type: text/html`, `renamed from x`.
    pub effects: Vec<String>,
}

/// An object of the artifact that is not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcludedObject {
    /// Its key in the artifact.
    pub source: Key,
    /// Bytes.
    pub size: u64,
    /// What plugins decided about it; the last step left it out.
    pub trail: Vec<TraceStep>,
}

/// The whole site as it should be: sorted, one entry a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredSite {
    entries: Vec<DesiredEntry>,
    excluded: Vec<ExcludedObject>,
}

/// Two entries that would be published under one key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` would be published twice")]
pub struct KeyCollision {
    /// The key.
    pub key: Key,
}

impl DesiredSite {
    /// The artifact as it is, before any plugin.
    #[must_use]
    pub fn unshaped(artifact: &Artifact) -> Self {
        let entries = artifact.items().iter().map(|item| DesiredEntry {
            key: item.key.clone(),
            body: DesiredBody::Object { source: item.key.clone(), size: item.size, identity: item.identity.clone() },
            headers: ObjectHeaders::default(),
            trail: Vec::new(),
        });
        Self { entries: entries.collect(), excluded: Vec::new() }
    }

    /// Sorts entries and refuses two on one key. Equal headers are kept in memory once.
    ///
    /// # Errors
    /// [`KeyCollision`] names the first such key.
    pub fn new(mut entries: Vec<DesiredEntry>, mut excluded: Vec<ExcludedObject>) -> Result<Self, KeyCollision> {
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        for (a, b) in entries.iter().zip(entries.iter().skip(1)) {
            if a.key == b.key {
                return Err(KeyCollision { key: a.key.clone() });
            }
        }
        let mut shared = HeaderPool::default();
        for entry in &mut entries {
            shared.share(&mut entry.headers);
        }
        excluded.sort_by(|a, b| a.source.cmp(&b.source));
        Ok(Self { entries, excluded })
    }

    /// Takes the parts out, for the next plugin.
    #[must_use]
    pub fn into_parts(self) -> (Vec<DesiredEntry>, Vec<ExcludedObject>) {
        (self.entries, self.excluded)
    }

    /// Entries in the order of their keys' bytes.
    #[must_use]
    pub fn entries(&self) -> &[DesiredEntry] {
        &self.entries
    }

    /// What was left out, in the order of its keys' bytes.
    #[must_use]
    pub fn excluded(&self) -> &[ExcludedObject] {
        &self.excluded
    }

    /// The entry under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&DesiredEntry> {
        let at = self.entries.binary_search_by(|entry| entry.key.as_str().cmp(key)).ok()?;
        self.entries.get(at)
    }

    /// Adds what reading a source told of its objects' content. `learned` is asked by the artifact's key.
    pub fn learn(&mut self, mut learned: impl FnMut(&Key) -> Option<ContentIdentity>) {
        for entry in &mut self.entries {
            if let DesiredBody::Object { source, identity, .. } = &mut entry.body
                && let Some(more) = learned(source)
            {
                *identity = std::mem::take(identity).merge(more);
            }
        }
    }
}

impl DesiredBody {
    /// Bytes that visitors get.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Object { size, .. } => *size,
            Self::Redirect(_) => 0,
        }
    }

    /// The redirect's target.
    #[must_use]
    pub fn redirect(&self) -> Option<&RedirectTarget> {
        match self {
            Self::Object { .. } => None,
            Self::Redirect(target) => Some(target),
        }
    }
}
