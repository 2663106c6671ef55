//! The checksums that S3 stores with an object: computes, compares and names them.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use crc_fast::{CrcAlgorithm, Digest as CrcDigest, checksum_combine};
use http::HeaderMap;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use serde::{Deserialize, Serialize};

use super::algorithm::{Algorithm, ChecksumKind};
use super::error::S3Failure;

impl Algorithm {
    /// Parses a name.
    ///
    /// # Errors
    /// S3 has no such algorithm.
    pub fn parse(name: &str) -> Result<Self, S3Failure> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or(S3Failure::InvalidRequest("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"))
    }
}

/// A checksum as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Base64; `-N` follows in a composite one.
    pub value: String,
    /// What it was computed over.
    pub kind: ChecksumKind,
}

impl Checksum {
    /// The checksum of an object whose parts have these checksums, in order.
    ///
    /// # Errors
    /// A part has no checksum of this algorithm.
    pub(crate) fn composite<'a>(
        algorithm: Algorithm,
        parts: impl IntoIterator<Item = &'a Checksum>,
    ) -> Result<Self, S3Failure> {
        let mut hasher = Hasher::new(algorithm);
        let mut count = 0_usize;
        for part in parts {
            if part.algorithm != algorithm {
                return Err(S3Failure::InvalidPart);
            }
            let bytes = BASE64.decode(&part.value).map_err(|_| S3Failure::InvalidPart)?;
            hasher.update(&bytes);
            count += 1;
        }
        Ok(Self { algorithm, value: format!("{}-{count}", hasher.finish()), kind: ChecksumKind::Composite })
    }
}

impl Checksum {
    /// The checksum of all bytes of an object whose parts have these checksums and sizes, in order. CRCs can be
    /// combined without the bytes.
    ///
    /// # Errors
    /// A part has another algorithm, or the algorithm is not a CRC.
    pub(crate) fn joined<'a>(
        algorithm: Algorithm,
        parts: impl IntoIterator<Item = (&'a Checksum, u64)>,
    ) -> Result<Self, S3Failure> {
        let crc = match algorithm {
            Algorithm::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
            Algorithm::Crc32c => CrcAlgorithm::Crc32Iscsi,
            Algorithm::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
            Algorithm::Sha1 | Algorithm::Sha256 => return Err(S3Failure::InvalidPart),
        };
        let mut sum = CrcDigest::new(crc).finalize();
        for (part, size) in parts {
            let bytes = BASE64.decode(&part.value).map_err(|_| S3Failure::InvalidPart)?;
            if part.algorithm != algorithm || bytes.len() > 8 {
                return Err(S3Failure::InvalidPart);
            }
            let value = bytes.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
            sum = checksum_combine(crc, sum, value, size);
        }
        let bytes = sum.to_be_bytes();
        let significant = bytes.get(bytes.len() - algorithm.length()..).unwrap_or_default();
        Ok(Self { algorithm, value: BASE64.encode(significant), kind: ChecksumKind::FullObject })
    }
}

/// A checksum that the client sent for its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestChecksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) value: String,
}

/// The checksum in the headers or trailers of a request.
///
/// # Errors
/// Several checksums, or an invalid value.
pub(crate) fn request_checksum(headers: &HeaderMap) -> Result<Option<RequestChecksum>, S3Failure> {
    let mut stated = None;
    for algorithm in Algorithm::ALL {
        let Some(value) = headers.get(algorithm.header()) else {
            continue;
        };
        let value = value.to_str().map_err(|_| S3Failure::InvalidDigest(algorithm.header()))?;
        let bytes = BASE64.decode(value).map_err(|_| S3Failure::InvalidDigest(algorithm.header()))?;
        if bytes.len() != algorithm.length() {
            return Err(S3Failure::InvalidDigest(algorithm.header()));
        }
        if stated.is_some() {
            return Err(S3Failure::InvalidRequest(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
        stated = Some(RequestChecksum { algorithm, value: value.to_owned() });
    }
    Ok(stated)
}

/// A checksum in progress.
enum Hasher {
    Crc32(Crc32),
    Crc32c(Crc32c),
    Crc64Nvme(Crc64Nvme),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(Crc32::new()),
            Algorithm::Crc32c => Self::Crc32c(Crc32c::new()),
            Algorithm::Crc64Nvme => Self::Crc64Nvme(Crc64Nvme::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Crc32c(hasher) => hasher.update(bytes),
            Self::Crc64Nvme(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Crc32(hasher) => BASE64.encode(hasher.finalize()),
            Self::Crc32c(hasher) => BASE64.encode(hasher.finalize()),
            Self::Crc64Nvme(hasher) => BASE64.encode(hasher.finalize()),
            Self::Sha1(hasher) => BASE64.encode(hasher.finalize()),
            Self::Sha256(hasher) => BASE64.encode(hasher.finalize()),
        }
    }
}

/// Computes the digests of a body as it arrives: its MD5, for the ETag, and one checksum.
pub(crate) struct Digester {
    md5: Md5,
    algorithm: Algorithm,
    checksum: Hasher,
}

/// The result of [`Digester`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digests {
    /// Lower-case hex.
    pub(crate) md5: String,
    pub(crate) checksum: Checksum,
}

impl Digester {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self { md5: Md5::new(), algorithm, checksum: Hasher::new(algorithm) }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.checksum.update(bytes);
    }

    pub(crate) fn finish(self) -> Digests {
        Digests {
            md5: hex::encode(self.md5.finalize()),
            checksum: Checksum {
                algorithm: self.algorithm,
                value: self.checksum.finish(),
                kind: ChecksumKind::FullObject,
            },
        }
    }
}

/// The MD5, in lower-case hex, of the MD5s of parts: the first half of a multipart ETag.
pub(crate) fn md5_of_md5s<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<String, S3Failure> {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(&hex::decode(part).map_err(|_| S3Failure::InvalidPart)?);
    }
    Ok(hex::encode(md5.finalize()))
}

/// Sets the field of `$output` for the checksum's algorithm.
macro_rules! set_checksum {
    ($output:expr, $checksum:expr) => {{
        let checksum: &$crate::s3::checksum::Checksum = $checksum;
        let value = Some(checksum.value.clone());
        match checksum.algorithm {
            $crate::s3::algorithm::Algorithm::Crc32 => $output.checksum_crc32 = value,
            $crate::s3::algorithm::Algorithm::Crc32c => $output.checksum_crc32c = value,
            $crate::s3::algorithm::Algorithm::Crc64Nvme => $output.checksum_crc64nvme = value,
            $crate::s3::algorithm::Algorithm::Sha1 => $output.checksum_sha1 = value,
            $crate::s3::algorithm::Algorithm::Sha256 => $output.checksum_sha256 = value,
        }
    }};
}
pub(crate) use set_checksum;

#[cfg(test)]
mod tests {
    use super::*;

    /// "123456789" is the check input of the CRC catalogue, and the values are the catalogue's.
    #[test]
    fn computes_the_published_values() {
        let digest = |algorithm| {
            let mut digester = Digester::new(algorithm);
            digester.update(b"12345");
            digester.update(b"6789");
            let digests = digester.finish();
            assert_eq!(digests.md5, "25f9e794323b453885f5181f1b624d0b");
            hex::encode(BASE64.decode(digests.checksum.value).unwrap())
        };
        assert_eq!(digest(Algorithm::Crc32), "cbf43926");
        assert_eq!(digest(Algorithm::Crc32c), "e3069283");
        assert_eq!(digest(Algorithm::Crc64Nvme), "ae8b14860a799888");
        assert_eq!(digest(Algorithm::Sha1), "f7c3bc1d808e04732adf679965ccc34ca7ae3441");
        assert_eq!(digest(Algorithm::Sha256), "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
    }

    #[test]
    fn joined_crcs_equal_the_crc_of_the_joined_bytes() {
        let of = |algorithm, bytes: &[u8]| {
            let mut digester = Digester::new(algorithm);
            digester.update(bytes);
            digester.finish().checksum
        };
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let parts = [(of(algorithm, b"tide"), 4), (of(algorithm, b""), 0), (of(algorithm, b"gate!"), 5)];
            let joined = Checksum::joined(algorithm, parts.iter().map(|(sum, size)| (sum, *size))).unwrap();
            assert_eq!(joined, of(algorithm, b"tidegate!"));
        }
        assert!(Checksum::joined(Algorithm::Sha256, []).is_err());
    }

    #[test]
    fn rejects_two_checksums_and_an_invalid_one() {
        let mut headers = HeaderMap::new();
        assert_eq!(request_checksum(&headers).unwrap(), None);
        headers.insert("x-amz-checksum-crc32", "y/Q5Jg==".parse().unwrap());
        assert_eq!(request_checksum(&headers).unwrap().unwrap().algorithm, Algorithm::Crc32);
        headers.insert("x-amz-checksum-crc32c", "4waSgw==".parse().unwrap());
        assert!(matches!(request_checksum(&headers), Err(S3Failure::InvalidRequest(_))));
        headers.clear();
        headers.insert("x-amz-checksum-sha256", "y/Q5Jg==".parse().unwrap());
        assert!(matches!(request_checksum(&headers), Err(S3Failure::InvalidDigest(_))));
    }
}
