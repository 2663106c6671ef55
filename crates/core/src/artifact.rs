//! An artifact: the listing of a finished build, and the rules between its names.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::declared::DeclaredHeaders;
use crate::identity::PackedIdentity;
use crate::key::Key;

/// One object of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactItem {
    /// Its name, relative to the root of the artifact.
    pub key: Key,
    /// Size in bytes.
    pub size: u64,
    /// What is known of its content without reading it.
    pub identity: PackedIdentity,
    /// What it declares, if it is staged in S3.
    pub declared: DeclaredHeaders,
}

/// A complete listing of a build, sorted by key. No two names can be confused by a visitor or a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    items: Vec<ArtifactItem>,
    fingerprint: Fingerprint,
}

/// Identifies the state of a source: a digest, or the ETag of an archive. Equal fingerprints mean equal artifacts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub Arc<str>);

/// Why a listing is not an artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// Two objects have the same name.
    #[error("duplicate name `{0}` in the source; keep one of them")]
    Duplicate(Key),
    /// Two names differ only in Unicode normalization.
    #[error("`{0}` and `{1}` look the same and differ only in Unicode normalization; rename one of them")]
    Normalization(Key, Key),
    /// A name is a file and a folder.
    #[error("`{0}` is a file and the folder of `{1}`; rename one of them")]
    FileAndFolder(Key, Key),
}

/// Which names an artifact may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactNames {
    /// Those of a bucket: `abc` and `abc/x` can both exist.
    Bucket,
    /// Those of a directory or an archive: they cannot.
    Files,
}

impl Artifact {
    /// Sorts and checks a complete listing.
    ///
    /// # Errors
    /// [`ArtifactError`] if two names can be confused.
    pub fn new(
        mut items: Vec<ArtifactItem>,
        fingerprint: Fingerprint,
        names: ArtifactNames,
    ) -> Result<Self, ArtifactError> {
        items.sort_by(|a, b| a.key.cmp(&b.key));
        for (a, b) in items.iter().zip(items.iter().skip(1)) {
            if a.key == b.key {
                return Err(ArtifactError::Duplicate(a.key.clone()));
            }
        }
        if names == ArtifactNames::Files {
            // Comparing neighbors is not enough: sorted by bytes, `a.b` is between `a` and `a/b`.
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
                return Err(ArtifactError::Normalization(a.1.clone(), b.1.clone()));
            }
        }
        Ok(Self { items, fingerprint })
    }

    /// The objects in the order of their keys' bytes.
    #[must_use]
    pub fn into_items(self) -> Vec<ArtifactItem> {
        self.items
    }

    /// The objects in the order of their keys' bytes.
    #[must_use]
    pub fn items(&self) -> &[ArtifactItem] {
        &self.items
    }

    /// The fingerprint of the source.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// The number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no objects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The total size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(names: &[&str], allowed: ArtifactNames) -> Result<Artifact, ArtifactError> {
        let items = names
            .iter()
            .map(|name| ArtifactItem {
                key: Key::new(name).unwrap(),
                size: 1,
                identity: PackedIdentity::default(),
                declared: DeclaredHeaders::default(),
            })
            .collect();
        Artifact::new(items, Fingerprint("x".into()), allowed)
    }

    #[test]
    fn sorts_by_bytes() {
        let sorted = artifact(&["dir/x", "dir-2/x", "a/b./d", "a/b/c", "B"], ArtifactNames::Files).unwrap();
        let keys: Vec<&str> = sorted.items().iter().map(|item| item.key.as_str()).collect();
        assert_eq!(keys, ["B", "a/b./d", "a/b/c", "dir-2/x", "dir/x"]);
    }

    #[test]
    fn rejects_confusable_names() {
        assert!(matches!(artifact(&["a", "a"], ArtifactNames::Bucket), Err(ArtifactError::Duplicate(_))));
        assert!(matches!(
            artifact(&["é.html", "e\u{301}.html"], ArtifactNames::Bucket),
            Err(ArtifactError::Normalization(..))
        ));
        assert!(matches!(artifact(&["a/b", "a.c", "a"], ArtifactNames::Files), Err(ArtifactError::FileAndFolder(..))));
        assert!(artifact(&["a/b", "a.c", "a"], ArtifactNames::Bucket).is_ok());
        assert!(artifact(&["a.txt", "A.txt"], ArtifactNames::Files).is_ok());
    }
}
