//! Deliveries that were seen before: replays, redeliveries, and two at once.
//!
//! Owns what a delivery is recognised by and whose turn it is. Never stores anything: whoever does puts a [`DeliveryRecord`] on condition
//! that nobody else did, and looks again where somebody had.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::sanitize::sanitize;
use crate::timestamp::Timestamp;

/// The form of [`DeliveryRecord`]; another number is another form.
pub const DELIVERY_FORMAT: u32 = 1;

/// Longest id of a delivery that is kept, in bytes; GitHub's has 36.
const ID_BYTES: usize = 64;

/// What a delivery is recognised by: the SHA-256 of what was signed.
///
/// That is the body, and for generic webhooks the timestamp before it. The id of a delivery and the name of its event are not
/// part of it: they are not signed, so whoever replays a body can send it with others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryDigest(String);

/// Not the identity of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no SHA-256 of a delivery, which has 64 hexadecimal digits")]
pub struct DeliveryDigestError;

/// What is stored of one delivery and one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryRecord {
    /// [`DELIVERY_FORMAT`].
    pub format: u32,
    /// The id that the sender gave it, for people.
    pub delivery: String,
    /// The run that acts on it.
    pub run: String,
    /// How far that is.
    pub state: DeliveryProgress,
    /// Until when a run that is under way counts as alive.
    pub until: Timestamp,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryProgress {
    /// A run acts on it.
    Running,
    /// It was acted on: published, or found to be nothing to publish.
    Done,
    /// It failed, and may be delivered again.
    Failed,
}

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryState {
    /// Act on it, after this was stored in the place of what was there.
    Run(DeliveryRecord),
    /// The run of that id is at it.
    AlreadyRunning(String),
    /// The run of that id has done it.
    AlreadyDone(String),
}

impl DeliveryDigest {
    /// The identity of a body, and of the time that was signed with it.
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

    /// The 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DeliveryRecord {
    /// Whose turn it is on a delivery of which `before` is stored, at an instant; a run counts as alive for `lasts`.
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

    /// The same delivery, acted on.
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
