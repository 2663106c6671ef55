//! Digests of one body in one pass, and the fingerprint of a listing.

use crc_fast::CrcAlgorithm;
use md5::Md5;
use sha2::{Digest, Sha256};
use tidegate_core::identity::ContentIdentity;

/// Digests to compute besides SHA-256, which is always computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Algorithms {
    /// MD5, for a site of which only the ETags are known.
    pub md5: bool,
    /// CRC-64/NVME, for objects that another tool uploaded in parts: S3 keeps no other checksum of their whole body.
    pub crc64nvme: bool,
}

impl Algorithms {
    /// Whether `identity` already has SHA-256 and all of these digests.
    pub(super) fn are_known_in(self, identity: &ContentIdentity) -> bool {
        identity.sha256.is_some()
            && (identity.md5.is_some() || !self.md5)
            && (identity.crc64nvme.is_some() || !self.crc64nvme)
    }
}

/// Digests a body chunk by chunk.
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

/// The fingerprint of a source that has no digest of its own: a digest over its objects.
///
/// Two lists of objects never have the same encoding: a zero byte, which a name cannot contain, ends each name, and
/// each tag follows its length.
#[derive(Default)]
pub(super) struct ListingFingerprint(Sha256);

impl ListingFingerprint {
    /// Adds an object. `tag` identifies the content: a digest or an ETag.
    pub(super) fn add(&mut self, name: &str, size: u64, tag: &[u8]) {
        self.0.update(name.as_bytes());
        self.0.update([0]);
        self.0.update(size.to_le_bytes());
        self.0.update((tag.len() as u64).to_le_bytes());
        self.0.update(tag);
    }

    pub(super) fn finish(self) -> String {
        format!("sha256:{}", hex::encode(self.0.finalize()))
    }
}
