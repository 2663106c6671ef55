//! Content identity: digests and ETags that decide whether two bodies are the same.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod etag;
mod packed;

pub use etag::ETag;
pub use packed::PackedIdentity;

/// What is known of a body besides its size. All fields are optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentIdentity {
    /// SHA-256 of the whole body.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hexadecimal")]
    pub sha256: Option<[u8; 32]>,
    /// MD5 of the whole body. The ETag of S3 is one after a single put without SSE-KMS and SSE-C.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hexadecimal")]
    pub md5: Option<[u8; 16]>,
    /// CRC-64/NVME of the whole body, the default checksum of current SDKs.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hexadecimal")]
    pub crc64nvme: Option<[u8; 8]>,
    /// An ETag that is not an MD5 (multipart, KMS). Equal ETags prove equal bodies, different ones prove nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<String>,
}

/// The result of comparing two identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// Equal in the strongest common algorithm.
    Same,
    /// Different in the strongest common algorithm.
    Different,
    /// No common algorithm.
    Unknown,
}

impl ContentIdentity {
    /// Compares by the strongest common algorithm. The caller must have compared the sizes.
    ///
    /// Equal ETags decide before MD5s do: an ETag of SSE-KMS in a listing looks like an MD5, but differs from the real one.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Sameness {
        fn both<T: PartialEq>(a: Option<T>, b: Option<T>) -> Option<Sameness> {
            Some(if a? == b? { Sameness::Same } else { Sameness::Different })
        }
        #[cfg(test)]
        COMPARISONS.set(COMPARISONS.get() + 1);
        both(self.sha256, other.sha256)
            .or_else(|| (self.has_etag_of(other) || other.has_etag_of(self)).then_some(Sameness::Same))
            .or_else(|| both(self.md5, other.md5))
            .or_else(|| both(self.crc64nvme, other.crc64nvme))
            .unwrap_or(Sameness::Unknown)
    }

    /// Whether the opaque ETag equals the opaque ETag or the MD5 of `other`.
    fn has_etag_of(&self, other: &Self) -> bool {
        let Some(etag) = &self.opaque else { return false };
        other.opaque.as_ref() == Some(etag) || other.md5.is_some_and(|md5| hex::encode(md5) == *etag)
    }

    /// Combines two identities of the same body. For an algorithm that both have, `self` wins.
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
    struct HexText<'a>(#[serde(borrow)] Cow<'a, str>);

    #[expect(clippy::ref_option, reason = "serde's `with` passes a reference to the field")]
    pub(super) fn serialize<S: Serializer, const N: usize>(value: &Option<[u8; N]>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(bytes) => to.serialize_str(&hex::encode(bytes)),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<Option<[u8; N]>, D::Error> {
        // Borrowed if possible: a manifest has millions of digests.
        let Some(HexText(text)) = Option::<HexText<'de>>::deserialize(from)? else { return Ok(None) };
        let mut bytes = [0; N];
        hex::decode_to_slice(text.as_bytes(), &mut bytes).map_err(D::Error::custom)?;
        Ok(Some(bytes))
    }
}

#[cfg(test)]
thread_local! {
    static COMPARISONS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How many identities this thread has compared.
#[cfg(test)]
pub(crate) fn comparisons() -> u64 {
    COMPARISONS.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_by_the_strongest_common_algorithm() {
        let a = ContentIdentity { sha256: Some([1; 32]), md5: Some([1; 16]), ..Default::default() };
        let b = ContentIdentity { sha256: Some([2; 32]), md5: Some([1; 16]), ..Default::default() };
        let c = ContentIdentity { md5: Some([1; 16]), ..Default::default() };
        assert_eq!(a.compare(&b), Sameness::Different);
        assert_eq!(a.compare(&c), Sameness::Same);
        assert_eq!(a.compare(&ContentIdentity::default()), Sameness::Unknown);
    }

    #[test]
    fn an_opaque_etag_only_proves_equality() {
        let tag = |text: &str| ContentIdentity { opaque: Some(text.to_owned()), ..Default::default() };
        assert_eq!(tag("a-2").compare(&tag("a-2")), Sameness::Same);
        assert_eq!(tag("a-2").compare(&tag("b-2")), Sameness::Unknown);
    }

    #[test]
    fn an_etag_that_looks_like_an_md5_only_proves_equality() {
        let staged = ContentIdentity { md5: Some([1; 16]), ..Default::default() };
        let copy = ContentIdentity { md5: Some([2; 16]), opaque: Some(hex::encode([1; 16])), ..Default::default() };
        assert_eq!(staged.compare(&copy), Sameness::Same);
        assert_eq!(copy.compare(&staged), Sameness::Same);
        let other = ContentIdentity { md5: Some([3; 16]), ..Default::default() };
        assert_eq!(other.compare(&copy), Sameness::Different);
    }

    #[test]
    fn serializes_as_json() {
        let whole = ContentIdentity { sha256: Some([7; 32]), md5: Some([9; 16]), ..Default::default() };
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<ContentIdentity>(&text).unwrap(), whole);
    }
}
