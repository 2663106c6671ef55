//! Policy documents: how they are written down for people, and what is wrong with those of others.

mod actions;
mod concern;
pub(crate) mod cloudformation;
mod lint;
mod pseudo_parameter;
mod statements;
pub(crate) mod terraform;

pub use actions::{Purpose, lacks};
pub use concern::LintFinding;
pub use lint::{PolicyLimit, PolicyRole as LintedAs, lint};
pub use pseudo_parameter::PseudoParameter;
pub(crate) use pseudo_parameter::{TextPiece, pieces};
pub(crate) use statements::statements;
pub use tidegate_core::policy_document::{
    Conditions, Effect, MAX_COPY_BYTES, MAX_SESSION_POLICY, PROBED_FROM, Partition, PartitionError, PolicyDocument,
    PolicyDocumentError, Principal, SessionScope, Statement, bucket_arn, distribution_arn, objects_arn,
};
