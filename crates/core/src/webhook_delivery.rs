//! Deliveries of webhooks, to recognize replays, redeliveries and concurrent deliveries.
//!
//! The caller stores a [`DeliveryRecord`] with a conditional write, and reads again if the condition failed.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::sanitize::sanitize;
use crate::timestamp::Timestamp;

/// The format number of [`DeliveryRecord`].
pub const DELIVERY_FORMAT: u32 = 1;

/// Maximum length of a stored delivery id, in bytes. GitHub's ids have 36.
const ID_BYTES: usize = 64;

/// The identity of a delivery: the SHA-256 of the signed bytes, or of what it announces.
///
/// The signed bytes are the body and, for generic webhooks, the timestamp before it. The id of the delivery and the name of its
/// event are not signed, so a replay can change them. GitHub announces a release several times,
/// and may announce a state of a deployment again: their deliveries have the identity of the release or state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryDigest(String);

/// An invalid digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid delivery digest; it must have 64 hexadecimal digits")]
pub struct DeliveryDigestError;

/// The stored record of one delivery for one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryRecord {
    /// [`DELIVERY_FORMAT`].
    pub format: u32,
    /// The id from the sender, for people.
    pub delivery: String,
    /// The run that handles it.
    pub run: String,
    /// The progress of that run.
    pub state: DeliveryProgress,
    /// When a running run is presumed dead.
    pub until: Timestamp,
}

/// The progress of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryProgress {
    /// A run handles it.
    Running,
    /// It was handled: published, or it publishes nothing.
    Done,
    /// It failed and may be delivered again.
    Failed,
}

/// What to do with a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryState {
    /// Store this record in place of the previous one, then handle the delivery.
    Run(DeliveryRecord),
    /// This run is handling it.
    AlreadyRunning(String),
    /// This run has handled it.
    AlreadyDone(String),
}

impl DeliveryDigest {
    /// The digest of a body and of the time that was signed with it.
    #[must_use]
    pub fn of(signed_at: Option<Timestamp>, body: &[u8]) -> Self {
        let mut hash = Sha256::new();
        if let Some(at) = signed_at {
            hash.update(at.milliseconds().to_string());
            hash.update(".");
        }
        hash.update(body);
        Self(hex::encode(hash.finalize()))
    }

    /// The digest of what several deliveries announce, such as one release: they publish once.
    #[must_use]
    pub fn of_subject(subject: &str) -> Self {
        Self(hex::encode(Sha256::digest(subject)))
    }

    /// The 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DeliveryRecord {
    /// What to do with a delivery whose stored record is `before`. A run is presumed dead after `lasts`.
    #[must_use]
    pub fn state(before: Option<&Self>, delivery: &str, run: &str, now: Timestamp, lasts: Duration) -> DeliveryState {
        match before {
            Some(seen) if seen.state == DeliveryProgress::Done => DeliveryState::AlreadyDone(seen.run.clone()),
            Some(seen) if seen.state == DeliveryProgress::Running && now < seen.until => {
                DeliveryState::AlreadyRunning(seen.run.clone())
            }
            Some(_) | None => {
                let lasts = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
                DeliveryState::Run(Self {
                    format: DELIVERY_FORMAT,
                    delivery: sanitize(delivery, ID_BYTES),
                    run: run.to_owned(),
                    state: DeliveryProgress::Running,
                    until: Timestamp::from_milliseconds(now.milliseconds().saturating_add(lasts)),
                })
            }
        }
    }

    /// The record after the delivery was handled.
    #[must_use]
    pub fn ended(&self, well: bool) -> Self {
        Self { state: if well { DeliveryProgress::Done } else { DeliveryProgress::Failed }, ..self.clone() }
    }
}

impl TryFrom<String> for DeliveryDigest {
    type Error = DeliveryDigestError;
    fn try_from(text: String) -> Result<Self, DeliveryDigestError> {
        let fine = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if fine { Ok(Self(text)) } else { Err(DeliveryDigestError) }
    }
}

impl From<DeliveryDigest> for String {
    fn from(identity: DeliveryDigest) -> Self {
        identity.0
    }
}

impl fmt::Display for DeliveryDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
