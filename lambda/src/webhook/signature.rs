//! Signatures of webhooks: HMAC-SHA-256 over the bytes of the body.
//!
//! A body is verified before it is parsed, since the same JSON value can be written in many ways.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::Choice;
use tidegate_core::timestamp::Timestamp;

use crate::secrets::Secret;
use crate::trigger::HttpRequest;

/// The header with GitHub's signature. Source: GitHub documentation, "Validating webhook deliveries".
pub const GITHUB_SIGNATURE: &str = "x-hub-signature-256";

/// The header with GitHub's SHA-1 signature, which is not accepted.
const GITHUB_SHA1_SIGNATURE: &str = "x-hub-signature";

/// The header with the signature of a generic webhook.
pub const SIGNATURE: &str = "x-tidegate-signature-256";

/// The header with the time at which a generic webhook was signed, in seconds since 1970.
pub const SIGNED_AT: &str = "x-tidegate-timestamp";

/// Most seconds between the timestamp of a generic webhook and the clock of the function. An older request may be a
/// replay.
pub const TOLERANCE_SECONDS: u64 = 300;

/// The prefix of a digest.
pub(super) const ALGORITHM: &str = "sha256=";

/// Why a webhook has no usable signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookSignatureError {
    /// The request is not signed.
    #[error("the webhook has no `{0}`; set a secret at the sender")]
    Missing(&'static str),
    /// The request is signed with SHA-1 only.
    #[error("the webhook is signed with SHA-1, which is not accepted; let the sender send `x-hub-signature-256`")]
    Sha1,
    /// The signature does not have the form `sha256=` and 64 digits.
    #[error("invalid signature; send `sha256=` with 64 hexadecimal digits")]
    Malformed,
    /// A generic webhook has no valid timestamp.
    #[error("the webhook has no valid `x-tidegate-timestamp`; send the seconds since 1970")]
    NoTimestamp,
}

/// The signature of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SentSignature {
    digest: [u8; 32],
    /// The timestamp, which a generic webhook signs before the body. GitHub signs none.
    timestamp: Option<SignedTimestamp>,
}

/// A timestamp that is part of what was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SignedTimestamp {
    text: String,
    time: Timestamp,
}

impl SentSignature {
    /// The signature of a webhook from GitHub.
    pub(super) fn github(request: &HttpRequest) -> Result<Self, WebhookSignatureError> {
        let text = match (request.header(GITHUB_SIGNATURE), request.header(GITHUB_SHA1_SIGNATURE)) {
            (Some(text), _) => text,
            (None, Some(_)) => return Err(WebhookSignatureError::Sha1),
            (None, None) => return Err(WebhookSignatureError::Missing(GITHUB_SIGNATURE)),
        };
        Ok(Self { digest: digest(text)?, timestamp: None })
    }

    /// The signature of a generic webhook.
    pub(super) fn generic(request: &HttpRequest) -> Result<Self, WebhookSignatureError> {
        let digest = digest(request.header(SIGNATURE).ok_or(WebhookSignatureError::Missing(SIGNATURE))?)?;
        let text = request.header(SIGNED_AT).ok_or(WebhookSignatureError::NoTimestamp)?;
        let digits = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds: u64 = text.parse().ok().filter(|_| digits).ok_or(WebhookSignatureError::NoTimestamp)?;
        let time = Timestamp::from_milliseconds(seconds.saturating_mul(1000));
        Ok(Self { digest, timestamp: Some(SignedTimestamp { text: text.to_owned(), time }) })
    }

    /// When a generic webhook was signed.
    pub(super) fn signed_at(&self) -> Option<Timestamp> {
        self.timestamp.as_ref().map(|timestamp| timestamp.time)
    }

    /// Whether the request was signed recently. A signature without a timestamp counts as recent.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        let tolerance = TOLERANCE_SECONDS * 1000;
        self.signed_at().is_none_or(|at| at.milliseconds().abs_diff(now.milliseconds()) <= tolerance)
    }

    /// Whether one of the secrets made the signature. Every secret is tried, even after one matched, so that the time
    /// does not show which one it was.
    pub(super) fn verify<'s>(&self, secrets: impl IntoIterator<Item = &'s Secret>, body: &[u8]) -> bool {
        let mut matches = Choice::from(0);
        for secret in secrets {
            // HMAC accepts keys of any length.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose()) else { continue };
            if let Some(timestamp) = &self.timestamp {
                mac.update(timestamp.text.as_bytes());
                mac.update(b".");
            }
            mac.update(body);
            matches |= Choice::from(u8::from(mac.verify_slice(&self.digest).is_ok()));
        }
        matches.into()
    }
}

/// Parses `sha256=` and 64 hexadecimal digits of either case.
fn digest(text: &str) -> Result<[u8; 32], WebhookSignatureError> {
    let mut digest = [0; 32];
    let digits = text.strip_prefix(ALGORITHM).ok_or(WebhookSignatureError::Malformed)?;
    hex::decode_to_slice(digits, &mut digest).map_err(|_| WebhookSignatureError::Malformed)?;
    Ok(digest)
}
