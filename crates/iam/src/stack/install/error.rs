//! Why a stack cannot be installed.

use tidegate_core::config::QueueArn;
use tidegate_core::location::Bucket;

use super::notification::NotificationOverlap;
use crate::document::PolicyDocumentError;

/// Why a stack cannot be installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    /// A resource exists and belongs to something else.
    #[error(
        "the {kind} `{name}` was not created by `tidegate install` for the function `{function}`: choose another `name` in `[function]`, or delete it"
    )]
    Unmanaged {
        /// `function`, `role`, `queue`, `log group`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The function.
        function: String,
    },
    /// A bucket of the configuration does not exist.
    #[error(
        "the bucket `{0}` does not exist in this region: check its name, and install the function in the region of its buckets"
    )]
    NoBucket(Bucket),
    /// A queue of the configuration does not exist.
    #[error("the queue `{queue}` does not exist: create it, or remove it from `queues` in `[function]`", queue = .0.as_str())]
    NoQueue(QueueArn),
    /// Another notification of a bucket is for the same objects, which S3 refuses.
    #[error(transparent)]
    Overlap(#[from] Box<NotificationOverlap>),
    /// Another notification of a bucket has a target that is gone. S3 checks every target of the list that is put.
    #[error(
        "the bucket `{bucket}` notifies `{target}` (notification `{id}`), which does not exist, so S3 takes no change of its notifications: remove that notification, or create its target again"
    )]
    MissingTarget {
        /// The bucket.
        bucket: Bucket,
        /// The id of the notification.
        id: String,
        /// The ARN of its target.
        target: String,
    },
    /// A document cannot be serialized.
    #[error(transparent)]
    Document(#[from] PolicyDocumentError),
}
