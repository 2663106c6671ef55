//! Policy documents: their formats, a linter, and merging ours into those of others. The document type itself is
//! [`tidegate_core::policy_document`].

mod actions;
pub(crate) mod cloudformation;
mod finding;
mod lint;
mod merge;
mod pseudo_parameter;
mod statements;
pub(crate) mod terraform;

pub use actions::{Purpose, missing_actions};
pub use finding::LintFinding;
pub(crate) use lint::without_byte_order_mark;
pub use lint::{DocumentKind, PolicyLimit, lint};
pub(crate) use merge::{RemovedStatements, is_same_json, merge, remove_statements, shares_resource};
pub use pseudo_parameter::PseudoParameter;
pub(crate) use pseudo_parameter::{TextPiece, pieces};
pub(crate) use statements::{statements, strings};
pub use tidegate_core::policy_document::{
    Conditions, Effect, MAX_COPY_BYTES, MAX_SESSION_POLICY, PROBED_FROM, Partition, PartitionError, PlanningScope,
    PolicyDocument, PolicyDocumentError, Principal, SessionScope, Statement, bucket_arn, distribution_arn, objects_arn,
};
