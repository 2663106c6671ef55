//! The desired site: one body and headers for each key. Sync plugins make it from an [`Artifact`].

use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

use crate::artifact::{Artifact, ArtifactItem};
use crate::headers::{HeaderPool, ObjectHeaders};
use crate::identity::{ContentIdentity, PackedIdentity};
use crate::key::Key;
use crate::redirect::RedirectTarget;

/// The body of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DesiredBody {
    /// The content of an object of the artifact.
    Object {
        /// Its key in the artifact, before any rename.
        source: Key,
        /// Size in bytes.
        size: u64,
        /// What is known of its content.
        identity: PackedIdentity,
    },
    /// An empty object that redirects.
    Redirect(RedirectTarget),
}

/// One entry of the desired site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredEntry {
    /// Its key, relative to the site.
    pub key: Key,
    /// Its body.
    pub body: DesiredBody,
    /// Its headers.
    pub headers: ObjectHeaders,
    /// Decisions of plugins about it, in order.
    pub trail: Trail,
}

/// Decisions of plugins, in order. Most entries have none.
pub type Trail = ThinVec<TraceStep>;

/// One decision of a plugin about an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// The plugin's name in the configuration.
    pub plugin: String,
    /// JSON Pointer to the rule in its settings, or empty.
    pub rule: String,
    /// The reason that the plugin gave.
    pub reason: String,
    /// The changes, for people: `content-type: text/html`, `renamed from x`.
    pub effects: Vec<String>,
    /// Whether the plugin is only observed, so that nothing was changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed: bool,
}

/// An object of the artifact that is not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcludedObject {
    /// Its key in the artifact.
    pub source: Key,
    /// Size in bytes.
    pub size: u64,
    /// Decisions of plugins about it. The last one excluded it.
    pub trail: Trail,
}

/// The desired site: sorted, with one entry per key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DesiredSite {
    entries: Vec<DesiredEntry>,
    excluded: Vec<ExcludedObject>,
}

/// Two entries have the same key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("two objects would be published as `{key}`")]
pub struct KeyCollision {
    /// The key.
    pub key: Key,
}

// So that the entries take over the memory of the items.
const _: () = assert!(size_of::<DesiredEntry>() == size_of::<ArtifactItem>());

/// The artifact unchanged, before any plugin.
impl From<Artifact> for DesiredSite {
    fn from(artifact: Artifact) -> Self {
        let entries = artifact.into_items().into_iter().map(|ArtifactItem { key, size, identity, declared }| {
            let body = match declared.redirect {
                Some(target) => DesiredBody::Redirect(target),
                None => DesiredBody::Object { source: key.clone(), size, identity },
            };
            DesiredEntry { key, body, headers: declared.headers, trail: Trail::new() }
        });
        Self { entries: entries.collect(), excluded: Vec::new() }
    }
}

impl From<&Artifact> for DesiredSite {
    fn from(artifact: &Artifact) -> Self {
        artifact.clone().into()
    }
}

impl DesiredSite {
    /// Sorts entries. Equal headers share their memory.
    ///
    /// # Errors
    /// [`KeyCollision`] if two entries have the same key.
    pub fn new(mut entries: Vec<DesiredEntry>, mut excluded: Vec<ExcludedObject>) -> Result<Self, KeyCollision> {
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        for (a, b) in entries.iter().zip(entries.iter().skip(1)) {
            if a.key == b.key {
                return Err(KeyCollision { key: a.key.clone() });
            }
        }
        let mut pool = HeaderPool::default();
        for entry in &mut entries {
            pool.share(&mut entry.headers);
        }
        excluded.sort_by(|a, b| a.source.cmp(&b.source));
        Ok(Self { entries, excluded })
    }

    /// Returns entries and exclusions, for the next plugin.
    #[must_use]
    pub fn into_parts(self) -> (Vec<DesiredEntry>, Vec<ExcludedObject>) {
        (self.entries, self.excluded)
    }

    /// Entries in the order of their keys' bytes.
    #[must_use]
    pub fn entries(&self) -> &[DesiredEntry] {
        &self.entries
    }

    /// Excluded objects in the order of their keys' bytes.
    #[must_use]
    pub fn excluded(&self) -> &[ExcludedObject] {
        &self.excluded
    }

    /// Adds a decision to the trail of the entry at this position.
    pub fn add_step(&mut self, position: usize, step: TraceStep) {
        if let Some(entry) = self.entries.get_mut(position) {
            entry.trail.push(step);
        }
    }

    /// The entry under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&DesiredEntry> {
        let at = self.entries.binary_search_by(|entry| entry.key.as_str().cmp(key)).ok()?;
        self.entries.get(at)
    }

    /// Adds digests that were computed since. `identity_of` takes a key of the artifact.
    pub fn learn(&mut self, mut identity_of: impl FnMut(&Key) -> Option<ContentIdentity>) {
        for entry in &mut self.entries {
            if let DesiredBody::Object { source, identity, .. } = &mut entry.body
                && let Some(computed) = identity_of(source)
            {
                *identity = identity.get().merge(computed).into();
            }
        }
    }
}

impl DesiredBody {
    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Object { size, .. } => *size,
            Self::Redirect(_) => 0,
        }
    }

    /// The key in the artifact; `None` for a redirect.
    #[must_use]
    pub fn source(&self) -> Option<&Key> {
        match self {
            Self::Object { source, .. } => Some(source),
            Self::Redirect(_) => None,
        }
    }

    /// The target of a redirect; `None` for an object.
    #[must_use]
    pub fn redirect(&self) -> Option<&RedirectTarget> {
        match self {
            Self::Object { .. } => None,
            Self::Redirect(target) => Some(target),
        }
    }
}
