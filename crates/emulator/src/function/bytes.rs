//! Encodings and digests for functions.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use ring::{digest, hmac as ring_hmac};

/// Reads base64 with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The bytes that `text` encodes.
pub(super) fn parse(text: &str, encoding: &str) -> Result<Vec<u8>, String> {
    match encoding {
        "utf8" | "utf-8" => Ok(text.as_bytes().to_vec()),
        "latin1" | "binary" => text
            .chars()
            .map(|character| {
                u8::try_from(u32::from(character)).map_err(|_| "the string has a character above 255".to_owned())
            })
            .collect(),
        "hex" => hex::decode(text).map_err(|error| error.to_string()),
        "base64" | "base64url" => {
            let standard: String = text
                .chars()
                .filter(|character| !character.is_ascii_whitespace())
                .map(|character| match character {
                    '-' => '+',
                    '_' => '/',
                    other => other,
                })
                .collect();
            LENIENT.decode(standard).map_err(|error| error.to_string())
        }
        other => Err(format!("unknown encoding: \"{other}\"")),
    }
}

/// The text that encodes `bytes`.
pub(super) fn format(bytes: &[u8], encoding: &str) -> Result<String, String> {
    match encoding {
        "utf8" | "utf-8" => Ok(String::from_utf8_lossy(bytes).into_owned()),
        "latin1" | "binary" => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
        "hex" => Ok(hex::encode(bytes)),
        "base64" => Ok(STANDARD.encode(bytes)),
        "base64url" => Ok(URL_SAFE_NO_PAD.encode(bytes)),
        other => Err(format!("unknown encoding: \"{other}\"")),
    }
}

/// A digest by its name.
pub(super) fn hash(algorithm: &str, data: &[u8]) -> Result<Vec<u8>, String> {
    match algorithm {
        "md5" => Ok(Md5::digest(data).to_vec()),
        "sha1" => Ok(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, data).as_ref().to_vec()),
        "sha256" => Ok(digest::digest(&digest::SHA256, data).as_ref().to_vec()),
        other => Err(format!("not supported algorithm: \"{other}\"")),
    }
}

/// A keyed digest by its name.
pub(super) fn hmac(algorithm: &str, key: &[u8], data: &[u8]) -> Result<Vec<u8>, String> {
    let sign = |algorithm| {
        let key = ring_hmac::Key::new(algorithm, key);
        ring_hmac::sign(&key, data).as_ref().to_vec()
    };
    match algorithm {
        "md5" => {
            let mut mac = Hmac::<Md5>::new_from_slice(key).map_err(|error| error.to_string())?;
            mac.update(data);
            Ok(mac.finalize().into_bytes().to_vec())
        }
        "sha1" => Ok(sign(ring_hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY)),
        "sha256" => Ok(sign(ring_hmac::HMAC_SHA256)),
        other => Err(format!("not supported algorithm: \"{other}\"")),
    }
}
