//! Public keys of minisign, whose signatures of plugins are trusted.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::PublicKey;
use serde::{Deserialize, Serialize};

use super::value::ValueError;
use crate::sanitize::sanitize_name;

/// The number of a key, as minisign shows it: 16 hexadecimal digits. It selects a key and proves nothing: two keys can have
/// the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(u64);

/// A public key of minisign: the line of `minisign.pub` that starts with `RW`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TrustedKey {
    id: KeyId,
    key: PublicKey,
}

impl KeyId {
    /// The id in a decoded key or signature: it follows two bytes that name the algorithm.
    pub(crate) fn of(decoded: &[u8]) -> Option<Self> {
        let id = decoded.get(2..10)?;
        Some(Self(u64::from_le_bytes(id.try_into().ok()?)))
    }
}

impl TrustedKey {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key.
    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.key
    }
}

impl TryFrom<String> for TrustedKey {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let invalid = || ValueError::TrustedKey(sanitize_name(&text));
        let key = PublicKey::from_base64(&text).map_err(|_| invalid())?;
        let id = STANDARD.decode(&text).ok().and_then(|decoded| KeyId::of(&decoded)).ok_or_else(invalid)?;
        Ok(Self { id, key })
    }
}

impl TryFrom<String> for KeyId {
    type Error = std::num::ParseIntError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        u64::from_str_radix(&text, 16).map(Self)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}
