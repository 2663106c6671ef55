//! Signatures: HMAC-SHA-256 over the bytes as they were sent.
//!
//! Owns their two forms and their check. Never parses a body: what is signed are bytes, and the same value can be written in
//! many ways.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::Choice;
use tidegate_core::timestamp::Timestamp;

use crate::secrets::Secret;
use crate::trigger::HttpRequest;

/// The header that GitHub signs with. Source: GitHub documentation, "Validating webhook deliveries".
pub const GITHUB_SIGNATURE: &str = "x-hub-signature-256";

/// The header of the older algorithm, which is never accepted.
const GITHUB_OLD_SIGNATURE: &str = "x-hub-signature";

/// The header that signs generic webhooks.
pub const SIGNATURE: &str = "x-tidegate-signature-256";

/// The header with the second in which a generic webhook was signed, since the Unix epoch.
pub const SIGNED_AT: &str = "x-tidegate-timestamp";

/// How far the clocks of sender and function may be apart, in seconds; what is older may be a recording.
pub const TOLERANCE_SECONDS: u64 = 300;

/// What stands before the digest.
pub(super) const ALGORITHM: &str = "sha256=";

/// Why a webhook has no usable signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Nobody signed it.
    #[error("the webhook has no `{0}`, give it a secret")]
    Missing(&'static str),
    /// Signed with SHA-1 only.
    #[error("the webhook is signed with SHA-1, which is not accepted, let the sender send `x-hub-signature-256`")]
    Sha1,
    /// Not `sha256=` and 64 digits.
    #[error("the signature is not `sha256=` with 64 hexadecimal digits")]
    Malformed,
    /// Generic, without a time.
    #[error("the webhook has no `x-tidegate-timestamp` in seconds since 1970")]
    NoTimestamp,
}

/// A signature as it was sent, with what it covers beside the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SentSignature {
    digest: [u8; 32],
    /// The text of the timestamp; GitHub signs none.
    signed_at: Option<(String, Timestamp)>,
}

impl SentSignature {
    /// The signature of a webhook of GitHub.
    pub(super) fn of_github(call: &HttpRequest) -> Result<Self, SignatureError> {
        let text = match (call.header(GITHUB_SIGNATURE), call.header(GITHUB_OLD_SIGNATURE)) {
            (Some(text), _) => text,
            (None, Some(_)) => return Err(SignatureError::Sha1),
            (None, None) => return Err(SignatureError::Missing(GITHUB_SIGNATURE)),
        };
        Ok(Self { digest: digest(text)?, signed_at: None })
    }

    /// The signature of a generic webhook, which also says when it was made.
    pub(super) fn generic(call: &HttpRequest) -> Result<Self, SignatureError> {
        let digest = digest(call.header(SIGNATURE).ok_or(SignatureError::Missing(SIGNATURE))?)?;
        let text = call.header(SIGNED_AT).ok_or(SignatureError::NoTimestamp)?;
        let digits = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds: u64 = text.parse().ok().filter(|_| digits).ok_or(SignatureError::NoTimestamp)?;
        let at = Timestamp::from_milliseconds(seconds.saturating_mul(1000));
        Ok(Self { digest, signed_at: Some((text.to_owned(), at)) })
    }

    /// When it was made, where it says so.
    pub(super) fn signed_at(&self) -> Option<Timestamp> {
        self.signed_at.as_ref().map(|(_, at)| *at)
    }

    /// Whether it is fresh, by the clock of whoever asks.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        let tolerance = TOLERANCE_SECONDS * 1000;
        self.signed_at().is_none_or(|at| at.milliseconds().abs_diff(now.milliseconds()) <= tolerance)
    }

    /// Whether one of the secrets made it. Every secret is tried, however early one fits, so that the time that this takes
    /// says nothing about which one it was.
    pub(super) fn verify<'s>(&self, secrets: impl IntoIterator<Item = &'s Secret>, body: &[u8]) -> bool {
        let mut fits = Choice::from(0);
        for secret in secrets {
            // Keys of any length are taken; without one nothing can fit.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose()) else { continue };
            if let Some((signed_at, _)) = &self.signed_at {
                mac.update(signed_at.as_bytes());
                mac.update(b".");
            }
            mac.update(body);
            fits |= Choice::from(u8::from(mac.verify_slice(&self.digest).is_ok()));
        }
        fits.into()
    }
}

/// `sha256=` and 64 hexadecimal digits, in whatever case.
fn digest(text: &str) -> Result<[u8; 32], SignatureError> {
    let mut digest = [0; 32];
    let digits = text.strip_prefix(ALGORITHM).ok_or(SignatureError::Malformed)?;
    hex::decode_to_slice(digits, &mut digest).map_err(|_| SignatureError::Malformed)?;
    Ok(digest)
}
