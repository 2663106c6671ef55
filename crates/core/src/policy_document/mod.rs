//! IAM policy documents, and the session policies of a publish.

mod error;
mod folder;
mod document;
mod session;

pub use crate::arn::{Partition, PartitionError, bucket_arn, distribution_arn, objects_arn};
pub use document::{Conditions, Effect, PolicyDocument, Principal, Statement};
pub use error::{MAX_SESSION_POLICY, PolicyDocumentError};
pub use folder::common_folder;
pub use session::{MAX_COPY_BYTES, PROBED_FROM, PlanningScope, STORE_ACTIONS, SessionScope};
