//! Files in place of those that GitHub stores, to try a webhook without a network.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::file::{FileError, GithubFile, GithubFileRef};

/// Takes the place of GitHub: no request is sent to it, and no status is reported.
#[derive(Debug, Clone, Default)]
pub struct OfflineGithub {
    /// Artifacts and assets, by name.
    pub files: BTreeMap<String, Bytes>,
}

impl OfflineGithub {
    /// The file that a rule publishes. Its id follows from its bytes.
    pub(crate) fn find(&self, reference: &GithubFileRef) -> Result<(GithubFile, Bytes), FileError> {
        let list: Vec<GithubFile> = self.files.iter().map(|(name, bytes)| listed(name, bytes)).collect();
        let file = reference.choose(&list)?;
        let bytes = self.files.get(&file.name).cloned().unwrap_or_default();
        Ok((file, bytes))
    }
}

fn listed(name: &str, bytes: &Bytes) -> GithubFile {
    let id = Sha256::digest(bytes).iter().take(8).fold(0, |id: u64, byte| (id << 8) | u64::from(*byte));
    GithubFile::available(id, name, bytes.len() as u64)
}
