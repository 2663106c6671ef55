//! Signs a body, to try a webhook locally. It is the inverse of `signature`; the function itself never signs.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tidegate_core::timestamp::Timestamp;

use super::signature::{ALGORITHM, GITHUB_SIGNATURE, SIGNATURE, SIGNED_AT};
use crate::secrets::Secret;

/// The headers that sign a body, by lower-case name: as GitHub signs, or as a generic webhook at a time.
#[must_use]
pub fn sign(secret: &Secret, body: &[u8], github: bool, now: Timestamp) -> Vec<(&'static str, String)> {
    // HMAC accepts keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose()) else { return Vec::new() };
    let at = (now.milliseconds() / 1000).to_string();
    if !github {
        mac.update(at.as_bytes());
        mac.update(b".");
    }
    mac.update(body);
    let digest = format!("{ALGORITHM}{}", hex::encode(mac.finalize().into_bytes()));
    if github { vec![(GITHUB_SIGNATURE, digest)] } else { vec![(SIGNED_AT, at), (SIGNATURE, digest)] }
}
