//! What the site should be: key → body and headers. Made from an [`Artifact`] by sync plugins.
//!
//! Owns the rule that no two entries share a key, and the trail of what was decided about each object. Never runs a
//! plugin and never compares with a site.

use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::headers::{Headers, Shared};
use crate::identity::Identity;
use crate::key::Key;
use crate::redirect::Target;

/// What is published under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The bytes of an object of the artifact.
    Object {
        /// Its key in the artifact, before any rename.
        source: Key,
        /// Bytes.
        size: u64,
        /// What is known of its content.
        identity: Identity,
    },
    /// An empty object that sends visitors elsewhere.
    Redirect(Target),
}

/// One entry of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key, relative to the site.
    pub key: Key,
    /// What visitors get.
    pub body: Body,
    /// The headers they get it with.
    pub headers: Headers,
    /// What plugins decided about it, in order.
    pub trail: Vec<Step>,
}

/// One decision of one plugin about one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
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
pub struct Excluded {
    /// Its key in the artifact.
    pub source: Key,
    /// Bytes.
    pub size: u64,
    /// What plugins decided about it; the last step left it out.
    pub trail: Vec<Step>,
}

/// The whole site as it should be: sorted, one entry a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    entries: Vec<Entry>,
    excluded: Vec<Excluded>,
}

/// Two entries that would be published under one key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` would be published twice")]
pub struct Collision {
    /// The key.
    pub key: Key,
}

impl Desired {
    /// The artifact as it is, before any plugin.
    #[must_use]
    pub fn unshaped(artifact: &Artifact) -> Self {
        let entries = artifact.items().iter().map(|item| Entry {
            key: item.key.clone(),
            body: Body::Object { source: item.key.clone(), size: item.size, identity: item.identity.clone() },
            headers: Headers::default(),
            trail: Vec::new(),
        });
        Self { entries: entries.collect(), excluded: Vec::new() }
    }

    /// Sorts entries and refuses two on one key. Equal headers are kept in memory once.
    ///
    /// # Errors
    /// [`Collision`] names the first such key.
    pub fn new(mut entries: Vec<Entry>, mut excluded: Vec<Excluded>) -> Result<Self, Collision> {
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        for (a, b) in entries.iter().zip(entries.iter().skip(1)) {
            if a.key == b.key {
                return Err(Collision { key: a.key.clone() });
            }
        }
        let mut shared = Shared::default();
        for entry in &mut entries {
            shared.share(&mut entry.headers);
        }
        excluded.sort_by(|a, b| a.source.cmp(&b.source));
        Ok(Self { entries, excluded })
    }

    /// Takes the parts out, for the next plugin.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Entry>, Vec<Excluded>) {
        (self.entries, self.excluded)
    }

    /// Entries in the order of their keys' bytes.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What was left out, in the order of its keys' bytes.
    #[must_use]
    pub fn excluded(&self) -> &[Excluded] {
        &self.excluded
    }

    /// The entry under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.key.as_str().cmp(key)).ok()?;
        self.entries.get(at)
    }

    /// Adds what reading a source told of its objects' content. `learned` is asked by the artifact's key.
    pub fn learn(&mut self, mut learned: impl FnMut(&Key) -> Option<Identity>) {
        for entry in &mut self.entries {
            if let Body::Object { source, identity, .. } = &mut entry.body
                && let Some(more) = learned(source)
            {
                *identity = std::mem::take(identity).merge(more);
            }
        }
    }
}

impl Body {
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
    pub fn redirect(&self) -> Option<&Target> {
        match self {
            Self::Object { .. } => None,
            Self::Redirect(target) => Some(target),
        }
    }
}
