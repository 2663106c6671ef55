//! The condition of a write.

use tidegate_core::identity::ETag;

/// When an object may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutCondition<'a> {
    /// Only if there is none.
    Absent,
    /// Only while it is in this state.
    Is(&'a ETag),
    /// Always.
    Whatever,
}
