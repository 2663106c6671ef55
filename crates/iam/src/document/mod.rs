//! Policy documents: how they are written down for people, and what is wrong with those of others.

mod actions;
mod concern;
pub(crate) mod cloudformation;
mod lint;
mod pseudo_parameter;
mod statements;
pub(crate) mod terraform;

pub use actions::{Purpose, lacks};
pub use concern::Concern;
pub use lint::{Limit, Role as LintedAs, lint};
pub use pseudo_parameter::Pseudo;
pub(crate) use pseudo_parameter::{Piece, pieces};
pub(crate) use statements::statements;
pub use tidegate_core::policy_document::{
    Conditions, Document, DocumentError, Effect, MAX_COPY_BYTES, MAX_SESSION_POLICY, PROBED_FROM, Partition,
    PartitionError, Places, Principal, Statement, bucket_arn, distribution_arn, objects_arn,
};
