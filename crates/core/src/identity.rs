//! Content identity: what says that two bodies are the same, whatever their names, dates and ETags.
//!
//! Owns the comparison. Never reads a body: whoever reads one fills an [`ContentIdentity`] in.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What is known of a body besides its size. All of it may be absent: then nothing can be said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentIdentity {
    /// SHA-256 of the whole body.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hexadecimal")]
    pub sha256: Option<[u8; 32]>,
    /// MD5 of the whole body. S3's ETag is one for single puts without SSE-KMS and SSE-C.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hexadecimal")]
    pub md5: Option<[u8; 16]>,
    /// CRC-64/NVME of the whole body, the checksum that current SDKs ask of S3 by default.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hexadecimal")]
    pub crc64nvme: Option<[u8; 8]>,
    /// An ETag that is not an MD5 (multipart, KMS). Equal ones mean equal bodies, different ones mean nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<String>,
}

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// Equal in the strongest algorithm that both sides have.
    Same,
    /// Different in it.
    Different,
    /// No algorithm in common.
    Unknown,
}

impl ContentIdentity {
    /// Compares by the strongest algorithm that both sides know. Sizes must have been compared before.
    ///
    /// A tag that both sides have proves sameness before an MD5 is asked: an MD5 that was read from a listing may be a tag
    /// of SSE-KMS, and then differs from every real one.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Sameness {
        fn both<T: PartialEq>(a: Option<T>, b: Option<T>) -> Option<Sameness> {
            Some(if a? == b? { Sameness::Same } else { Sameness::Different })
        }
        both(self.sha256, other.sha256)
            .or_else(|| (self.has_tag_of(other) || other.has_tag_of(self)).then_some(Sameness::Same))
            .or_else(|| both(self.md5, other.md5))
            .or_else(|| both(self.crc64nvme, other.crc64nvme))
            .unwrap_or(Sameness::Unknown)
    }

    /// Whether the tag kept here is the tag or the MD5 of `other`.
    fn has_tag_of(&self, other: &Self) -> bool {
        let Some(tag) = &self.opaque else { return false };
        other.opaque.as_ref() == Some(tag) || other.md5.is_some_and(|md5| hex::encode(md5) == *tag)
    }

    /// What both know together; `self` wins where both know the same algorithm.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            sha256: self.sha256.or(other.sha256),
            md5: self.md5.or(other.md5),
            crc64nvme: self.crc64nvme.or(other.crc64nvme),
            opaque: self.opaque.or(other.opaque),
        }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An entity tag as S3 answered it, without its quotes.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ETag(String);

impl ETag {
    /// Takes an ETag with or without quotes.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().trim_matches('"').to_owned())
    }

    /// The tag without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag with its quotes, as conditions want it.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }

    /// The tag read as an MD5, where it has the form of one. A tag of this form need **not** be one (SSE-KMS, SSE-C):
    /// equality with a known MD5 proves equal bodies, inequality proves nothing.
    #[must_use]
    pub fn as_md5(&self) -> Option<[u8; 16]> {
        let mut bytes = [0; 16];
        (self.0.len() == 32).then(|| hex::decode_to_slice(&self.0, &mut bytes).ok())??;
        Some(bytes)
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256 of bytes, as 64 hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Optional digests as hexadecimal text.
mod hexadecimal {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Deserialize)]
    struct ETagText<'a>(#[serde(borrow)] Cow<'a, str>);

    #[expect(clippy::ref_option, reason = "serde's `with` passes a reference to the field")]
    pub(super) fn serialize<S: Serializer, const N: usize>(value: &Option<[u8; N]>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(bytes) => to.serialize_str(&hex::encode(bytes)),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<Option<[u8; N]>, D::Error> {
        // Borrowed where the text allows it: a manifest has millions of them.
        let Some(ETagText(text)) = Option::<ETagText<'de>>::deserialize(from)? else { return Ok(None) };
        let mut bytes = [0; N];
        hex::decode_to_slice(text.as_bytes(), &mut bytes).map_err(D::Error::custom)?;
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_common_algorithm_decides() {
        let a = ContentIdentity { sha256: Some([1; 32]), md5: Some([1; 16]), ..Default::default() };
        let b = ContentIdentity { sha256: Some([2; 32]), md5: Some([1; 16]), ..Default::default() };
        let c = ContentIdentity { md5: Some([1; 16]), ..Default::default() };
        assert_eq!(a.compare(&b), Sameness::Different);
        assert_eq!(a.compare(&c), Sameness::Same);
        assert_eq!(a.compare(&ContentIdentity::default()), Sameness::Unknown);
    }

    #[test]
    fn an_opaque_tag_can_only_prove_sameness() {
        let tag = |text: &str| ContentIdentity { opaque: Some(text.to_owned()), ..Default::default() };
        assert_eq!(tag("a-2").compare(&tag("a-2")), Sameness::Same);
        assert_eq!(tag("a-2").compare(&tag("b-2")), Sameness::Unknown);
    }

    #[test]
    fn a_tag_that_only_looks_like_an_md5_proves_sameness_and_nothing_else() {
        let staged = ContentIdentity { md5: Some([1; 16]), ..Default::default() };
        let copy = ContentIdentity { md5: Some([2; 16]), opaque: Some(hex::encode([1; 16])), ..Default::default() };
        assert_eq!(staged.compare(&copy), Sameness::Same);
        assert_eq!(copy.compare(&staged), Sameness::Same);
        let other = ContentIdentity { md5: Some([3; 16]), ..Default::default() };
        assert_eq!(other.compare(&copy), Sameness::Different);
    }

    #[test]
    fn a_multipart_tag_is_no_md5() {
        assert!(ETag::new("\"d41d8cd98f00b204e9800998ecf8427e\"").as_md5().is_some());
        assert!(ETag::new("d41d8cd98f00b204e9800998ecf8427e-2").as_md5().is_none());
        assert!(ETag::new("zz1d8cd98f00b204e9800998ecf8427e").as_md5().is_none());
    }

    #[test]
    fn identities_survive_json() {
        let whole = ContentIdentity { sha256: Some([7; 32]), md5: Some([9; 16]), ..Default::default() };
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<ContentIdentity>(&text).unwrap(), whole);
    }
}
