//! Webhooks: signed announcements of GitHub, and of anybody who signs as Tidegate documents.
//!
//! Owns who is believed, what of an announcement counts, and what it publishes by the rules of the configuration. Never
//! fetches a secret, answers a request or looks into a bucket. Files stand in the order in which a request meets them.

mod authorize;
mod signature;
mod sign;
mod github;
mod event;
mod generic;
mod decision;

pub use authorize::{CandidateRules, Fetched, candidates};
pub use decision::{NoOp, UnmatchedRule, WebhookDecision, WebhookRefusal};
pub use event::{GitReference, WebhookEvent, WorkflowName, asks_to_skip};
pub use generic::GenericError;
pub use github::{GITHUB_ANSWER_SECONDS, GITHUB_PAYLOAD_BYTES, IgnoredEvent, PayloadError};
pub use sign::sign;
pub use signature::{GITHUB_SIGNATURE, SIGNATURE, SIGNED_AT, SignatureError, TOLERANCE_SECONDS};
