//! A content identity in less than half of its memory, for the millions of objects of a site.

use serde::{Deserialize, Serialize};

use super::ContentIdentity;

/// A [`ContentIdentity`] that is kept for every object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "ContentIdentity", into = "ContentIdentity")]
pub struct PackedIdentity(KnownDigests);

/// What is known. One digest is the rule: MD5 of a staged object, SHA-256 of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
enum KnownDigests {
    #[default]
    Nothing,
    Sha256([u8; 32]),
    Md5([u8; 16]),
    Other(Box<ContentIdentity>),
}

impl PackedIdentity {
    /// The identity.
    #[must_use]
    pub fn get(&self) -> ContentIdentity {
        match &self.0 {
            KnownDigests::Nothing => ContentIdentity::default(),
            KnownDigests::Sha256(sha256) => ContentIdentity { sha256: Some(*sha256), ..ContentIdentity::default() },
            KnownDigests::Md5(md5) => ContentIdentity { md5: Some(*md5), ..ContentIdentity::default() },
            KnownDigests::Other(identity) => identity.as_ref().clone(),
        }
    }

    /// The SHA-256, without a copy of the other digests.
    #[must_use]
    pub fn sha256(&self) -> Option<[u8; 32]> {
        match &self.0 {
            KnownDigests::Sha256(sha256) => Some(*sha256),
            KnownDigests::Other(identity) => identity.sha256,
            KnownDigests::Nothing | KnownDigests::Md5(_) => None,
        }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == KnownDigests::Nothing
    }
}

impl From<ContentIdentity> for PackedIdentity {
    fn from(identity: ContentIdentity) -> Self {
        Self(match identity {
            ContentIdentity { sha256: None, md5: None, crc64nvme: None, opaque: None } => KnownDigests::Nothing,
            ContentIdentity { sha256: Some(sha256), md5: None, crc64nvme: None, opaque: None } => {
                KnownDigests::Sha256(sha256)
            }
            ContentIdentity { sha256: None, md5: Some(md5), crc64nvme: None, opaque: None } => KnownDigests::Md5(md5),
            identity => KnownDigests::Other(Box::new(identity)),
        })
    }
}

impl From<PackedIdentity> for ContentIdentity {
    fn from(packed: PackedIdentity) -> Self {
        packed.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_combination() {
        for known in 0..16_u8 {
            let has = |bit: u8| known & bit != 0;
            let identity = ContentIdentity {
                sha256: has(1).then_some([1; 32]),
                md5: has(2).then_some([2; 16]),
                crc64nvme: has(4).then_some([3; 8]),
                opaque: has(8).then(|| "e-1".to_owned()),
            };
            let packed = PackedIdentity::from(identity.clone());
            assert_eq!((packed.get(), packed.is_empty()), (identity.clone(), known == 0));
            assert_eq!(packed.sha256(), identity.sha256);
            assert_eq!(serde_json::to_string(&packed).unwrap(), serde_json::to_string(&identity).unwrap());
        }
    }
}
