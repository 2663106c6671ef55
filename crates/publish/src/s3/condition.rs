//! Conditions of writes.

use tidegate_core::identity::ETag;

/// When S3 accepts a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutCondition<'a> {
    /// Only if the object does not exist.
    IfAbsent,
    /// Only if the object has this ETag.
    IfMatch(&'a ETag),
    /// Always.
    Always,
}
