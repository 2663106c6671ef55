//! The input of plugins: the listing of a directory, or the same listing repeated in other folders until it is large.
//!
//! Digests are those of names, because plugins only use the form of a digest.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest, Sha256};
use tidegate_core::artifact::{Artifact, ArtifactItem, ArtifactNames, Fingerprint};
use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::declared::DeclaredHeaders;
use tidegate_core::identity::ContentIdentity;
use tidegate_core::key::Key;
use walkdir::WalkDir;

use crate::Failure;

/// A listing with readable objects.
pub(crate) struct FigureListing {
    root: PathBuf,
    /// Whether keys start with a folder that is not in the directory.
    repeated: bool,
    pub(crate) artifact: Artifact,
}

impl FigureListing {
    /// A listing without objects.
    pub(crate) fn empty() -> Result<Self, Failure> {
        Ok(Self { root: PathBuf::new(), repeated: false, artifact: artifact(Vec::new())? })
    }

    pub(crate) fn of_directory(root: &Path) -> Result<Self, Failure> {
        let mut items = Vec::new();
        for entry in WalkDir::new(root) {
            let entry = entry?;
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(root)?.to_str().ok_or("a file name is not UTF-8")?;
                items.push(item(name, entry.metadata()?.len())?);
            }
        }
        Ok(Self { root: root.to_owned(), repeated: false, artifact: artifact(items)? })
    }

    /// Repeats this listing in other folders up to a number of entries.
    pub(crate) fn repeated(&self, entries: usize) -> Result<Self, Failure> {
        let items = (0..)
            .flat_map(|round| self.artifact.items().iter().map(move |item| (round, item)))
            .take(if self.artifact.is_empty() { 0 } else { entries })
            .map(|(round, original)| item(&format!("release-{round:04}/{}", original.key), original.size))
            .collect::<Result<_, _>>()?;
        Ok(Self { root: self.root.clone(), repeated: true, artifact: artifact(items)? })
    }

    fn path(&self, key: &Key) -> PathBuf {
        let name = key.as_str();
        self.root.join(if self.repeated { name.split_once('/').map_or(name, |(_, rest)| rest) } else { name })
    }
}

fn item(name: &str, size: u64) -> Result<ArtifactItem, Failure> {
    let identity = ContentIdentity { sha256: Some(Sha256::digest(name).into()), ..ContentIdentity::default() };
    Ok(ArtifactItem { key: Key::new(name)?, size, identity: identity.into(), declared: DeclaredHeaders::default() })
}

fn artifact(items: Vec<ArtifactItem>) -> Result<Artifact, Failure> {
    Ok(Artifact::new(items, Fingerprint("benchmark".into()), ArtifactNames::Bucket)?)
}

impl ContentReader for FigureListing {
    fn heads(&self, keys: &[Key], length: u32, deadline: Instant) -> Vec<Result<Vec<u8>, ReadError>> {
        keys.iter().map(|key| self.range(key, 0, length, deadline)).collect()
    }

    fn range(&self, key: &Key, offset: u64, length: u32, _: Instant) -> Result<Vec<u8>, ReadError> {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(self.path(key))?;
            std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.take(u64::from(length)).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error| ReadError::Unavailable { key: key.clone(), why: error.to_string() })
    }
}
