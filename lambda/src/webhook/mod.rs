//! Webhooks: verifies a request, and finds out by the rules of the configuration what it publishes.
//!
//! A request passes through the files in this order. Nothing here fetches a secret or answers the request:
//! [`crate::handler`] does both.
//!
//! | File | Step |
//! |---|---|
//! | `authorize` | [`candidates`] selects the rules that may apply; [`CandidateRules::authorize`] decides |
//! | `selector` | reads what selects the secrets, from a payload that is not verified yet |
//! | `signature` | verifies the signature of the body |
//! | `github`, `event` | read GitHub's payload and reduce it to a [`WebhookEvent`] |
//! | `generic` | reads the payload of another sender |
//! | `decision` | the result: what to publish, or why nothing is |
//! | `sign` | signs a request, to try one locally |

mod authorize;
mod decision;
mod event;
mod generic;
mod github;
mod selector;
mod sign;
mod signature;

pub use authorize::{CandidateRules, FetchedSecrets, candidates};
pub use decision::{NoOp, UnmatchedRule, WebhookDecision, WebhookRefusal};
pub use event::{GitReference, WebhookEvent, WorkflowName, asks_to_skip};
pub use generic::GenericError;
pub use github::{IgnoredEvent, PayloadError};
pub use sign::sign;
pub use signature::{GITHUB_SIGNATURE, SIGNATURE, SIGNED_AT, TOLERANCE_SECONDS, WebhookSignatureError};
