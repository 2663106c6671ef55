//! An artifact: what a build produced, as a listing of its objects. The first value of the flow.
//!
//! Owns the rules that hold between names. Never reads a file, an archive or a bucket: sources do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::identity::ContentIdentity;
use crate::key::Key;

/// One object of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactItem {
    /// Its name, relative to the artifact's root.
    pub key: Key,
    /// Bytes.
    pub size: u64,
    /// What is known of its content without reading it.
    pub identity: ContentIdentity,
}

/// A finished listing of an artifact, sorted by key, without two names that a visitor or a file system could confuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    items: Vec<ArtifactItem>,
    fingerprint: Fingerprint,
}

/// Says which state of a source was read: a digest, or the ETag of an archive. Equal fingerprints mean equal artifacts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub Arc<str>);

/// Why a listing is not an artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// One name twice.
    #[error("the source holds `{0}` twice, keep one of them")]
    Twice(Key),
    /// Two names that differ only in how Unicode writes them.
    #[error("`{0}` and `{1}` look the same and differ only in Unicode normalisation, rename one of them")]
    Normalisation(Key, Key),
    /// One name is a file and a folder.
    #[error("`{0}` is an object and the folder of `{1}`, which no zip or directory can hold")]
    FileAndFolder(Key, Key),
}

/// How strictly names are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactNames {
    /// A bucket: `abc` and `abc/x` may both exist.
    Bucket,
    /// A file system or an archive: they may not.
    Files,
}

impl Artifact {
    /// Sorts and checks a complete listing.
    ///
    /// # Errors
    /// [`ArtifactError`] for two objects on one name, or names that only normalisation tells apart.
    pub fn new(
        mut items: Vec<ArtifactItem>,
        fingerprint: Fingerprint,
        names: ArtifactNames,
    ) -> Result<Self, ArtifactError> {
        items.sort_by(|a, b| a.key.cmp(&b.key));
        for (a, b) in items.iter().zip(items.iter().skip(1)) {
            if a.key == b.key {
                return Err(ArtifactError::Twice(a.key.clone()));
            }
        }
        if names == ArtifactNames::Files {
            // Sorted by bytes, `a/b` may stand after `a.b`, so neighbours are not enough.
            for item in &items {
                let mut folder = item.key.as_str();
                while let Some((parent, _)) = folder.rsplit_once('/') {
                    if let Ok(at) = items.binary_search_by(|other| other.key.as_str().cmp(parent)) {
                        let file = items.get(at).map_or_else(|| item.key.clone(), |found| found.key.clone());
                        return Err(ArtifactError::FileAndFolder(file, item.key.clone()));
                    }
                    folder = parent;
                }
            }
        }
        let mut composed: Vec<(String, &Key)> = items
            .iter()
            .filter(|item| !item.key.as_str().is_ascii())
            .map(|item| (item.key.as_str().nfc().collect(), &item.key))
            .collect();
        composed.sort();
        for (a, b) in composed.iter().zip(composed.iter().skip(1)) {
            if a.0 == b.0 {
                return Err(ArtifactError::Normalisation(a.1.clone(), b.1.clone()));
            }
        }
        Ok(Self { items, fingerprint })
    }

    /// The objects in the order of their keys' bytes.
    #[must_use]
    pub fn items(&self) -> &[ArtifactItem] {
        &self.items
    }

    /// Which state of the source this is.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no object at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes of all objects.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(names: &[&str], rule: ArtifactNames) -> Result<Artifact, ArtifactError> {
        let items = names
            .iter()
            .map(|name| ArtifactItem { key: Key::new(name).unwrap(), size: 1, identity: ContentIdentity::default() })
            .collect();
        Artifact::new(items, Fingerprint("x".into()), rule)
    }

    #[test]
    fn listings_are_sorted_by_bytes() {
        let sorted = artifact(&["dir/x", "dir-2/x", "a/b./d", "a/b/c", "B"], ArtifactNames::Files).unwrap();
        let keys: Vec<&str> = sorted.items().iter().map(|item| item.key.as_str()).collect();
        assert_eq!(keys, ["B", "a/b./d", "a/b/c", "dir-2/x", "dir/x"]);
    }

    #[test]
    fn confusable_names_are_refused() {
        assert!(matches!(artifact(&["a", "a"], ArtifactNames::Bucket), Err(ArtifactError::Twice(_))));
        assert!(matches!(
            artifact(&["é.html", "e\u{301}.html"], ArtifactNames::Bucket),
            Err(ArtifactError::Normalisation(..))
        ));
        assert!(matches!(artifact(&["a/b", "a.c", "a"], ArtifactNames::Files), Err(ArtifactError::FileAndFolder(..))));
        assert!(artifact(&["a/b", "a.c", "a"], ArtifactNames::Bucket).is_ok());
        assert!(artifact(&["a.txt", "A.txt"], ArtifactNames::Files).is_ok());
    }
}
