//! Digests of one body in one pass.
//!
//! Owns which algorithms are run. Never reads anything and never compares: [`ContentIdentity`] does.

use crc_fast::CrcAlgorithm;
use md5::Md5;
use sha2::{Digest, Sha256};
use tidegate_core::identity::ContentIdentity;

/// What is computed besides SHA-256, which always is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Algorithms {
    /// MD5, for a site that is known only by its ETags.
    pub md5: bool,
    /// CRC-64/NVME, for objects that another tool uploaded in parts: it is the one checksum of a whole body that S3 keeps
    /// of them.
    pub crc64nvme: bool,
}

impl Algorithms {
    /// Whether `identity` already holds all that is asked.
    pub(super) fn answered_by(self, identity: &ContentIdentity) -> bool {
        identity.sha256.is_some()
            && (identity.md5.is_some() || !self.md5)
            && (identity.crc64nvme.is_some() || !self.crc64nvme)
    }
}

/// Digests a body that comes in pieces.
#[derive(Debug, Clone)]
pub(super) struct BodyDigester {
    sha256: Sha256,
    md5: Option<Md5>,
    crc64nvme: Option<crc_fast::Digest>,
}

impl BodyDigester {
    pub(super) fn new(algorithms: Algorithms) -> Self {
        Self {
            sha256: Sha256::new(),
            md5: algorithms.md5.then(Md5::new),
            crc64nvme: algorithms.crc64nvme.then(|| crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme)),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(crc) = &mut self.crc64nvme {
            crc.update(bytes);
        }
    }

    pub(super) fn finish(self) -> ContentIdentity {
        ContentIdentity {
            sha256: Some(self.sha256.finalize().into()),
            md5: self.md5.map(|md5| md5.finalize().into()),
            crc64nvme: self.crc64nvme.map(|crc| crc.finalize().to_be_bytes()),
            opaque: None,
        }
    }
}

/// A digest over records, each a name, a size and a tag: the fingerprint of a source that has no digest of its own.
///
/// A zero byte ends each name, which can hold none, and each tag is led by its length: no two lists have the same form.
pub(super) fn fingerprint<'a>(records: impl Iterator<Item = (&'a str, u64, &'a [u8])>) -> String {
    let mut whole = Sha256::new();
    for (name, size, tag) in records {
        whole.update(name.as_bytes());
        whole.update([0]);
        whole.update(size.to_le_bytes());
        whole.update((tag.len() as u64).to_le_bytes());
        whole.update(tag);
    }
    format!("sha256:{}", hex::encode(whole.finalize()))
}
