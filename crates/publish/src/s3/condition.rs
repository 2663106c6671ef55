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

impl PutCondition<'_> {
    /// The value of `If-Match`.
    pub(super) fn if_match(self) -> Option<String> {
        match self {
            Self::IfMatch(etag) => Some(etag.quoted()),
            Self::IfAbsent | Self::Always => None,
        }
    }

    /// The value of `If-None-Match`.
    pub(super) fn if_none_match(self) -> Option<String> {
        (self == Self::IfAbsent).then(|| "*".to_owned())
    }
}
