//! Conditions of copies on their destination: an object that was changed after the plan was made is not overwritten.
//!
//! S3 has them since 2025-10-28 (`If-Match` and `If-None-Match` of `CopyObject`). A server that does not know them ignores
//! or refuses the headers. The first object that a run copies shows which: it is copied again on condition that it does not
//! exist, which cannot hold.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tidegate_core::finding::Finding;
use tidegate_core::plan::ReplacedObject;

use crate::aws_error::AwsError;
use crate::s3::PutCondition;

/// What a run knows about the conditions of copies.
#[derive(Debug, Default)]
pub(super) struct CopyConditions {
    /// Whether a copy was or is being repeated to find out.
    asked: AtomicBool,
    /// Why copies are not conditional.
    unchecked: OnceLock<Unchecked>,
}

#[derive(Debug)]
enum Unchecked {
    /// The server ignores conditions.
    Ignored,
    /// The server refuses conditions with this error.
    Refused(String),
    /// The caller may not read what a copy replaces, or that object is gone. Other copies stay conditional.
    Denied(String),
}

impl CopyConditions {
    /// The condition of a copy over `replaces`.
    pub(super) fn over<'a>(&self, replaces: Option<&'a ReplacedObject>) -> PutCondition<'a> {
        match (self.unchecked.get(), replaces) {
            (Some(Unchecked::Ignored | Unchecked::Refused(_)), _) => PutCondition::Always,
            (Some(Unchecked::Denied(_)) | None, Some(replaced)) => PutCondition::IfMatch(&replaced.etag),
            (Some(Unchecked::Denied(_)) | None, None) => PutCondition::IfAbsent,
        }
    }

    /// Finds out once whether the server ignores conditions: `repeat` copies the first object again. Returns the repeated
    /// copy if it does.
    pub(super) async fn ask<T>(&self, repeat: impl AsyncFnOnce(PutCondition<'_>) -> Result<T, AwsError>) -> Option<T> {
        if self.unchecked.get().is_some() || self.asked.swap(true, Ordering::Relaxed) {
            return None;
        }
        let copied = repeat(PutCondition::IfAbsent).await.ok()?;
        let _ = self.unchecked.set(Unchecked::Ignored);
        Some(copied)
    }

    /// Notes a copy that succeeded without its condition after this error.
    pub(super) fn note(&self, error: &AwsError) {
        let why = error.to_string();
        let _ = self.unchecked.set(if error.is_denied() { Unchecked::Denied(why) } else { Unchecked::Refused(why) });
    }

    /// The finding of a run whose copies were not all conditional.
    pub(super) fn finding(&self) -> Option<Finding> {
        let why = match self.unchecked.get()? {
            Unchecked::Ignored => "the server ignores the conditions of copies".to_owned(),
            Unchecked::Refused(why) => format!("the server refuses the conditions of copies: {why}"),
            Unchecked::Denied(why) => format!("the condition of a copy could not be checked: {why}"),
        };
        let message = format!("{why}; objects that were changed after the plan was made may be overwritten");
        Some(Finding::warning("unconditional-copies", message))
    }
}

/// Whether a copy failed since its destination is not as planned: another object, or none where one was expected.
pub(super) fn is_changed(error: &AwsError, condition: PutCondition<'_>) -> bool {
    match condition {
        PutCondition::Always => false,
        PutCondition::IfAbsent => error.is_condition_failed(),
        PutCondition::IfMatch(_) => error.is_condition_failed() || error.is_not_found(),
    }
}

/// Whether a copy may have failed because of its condition alone. S3 answers 403 to `If-Match` if the caller may not read
/// the object, and to a missing object if the caller may not list.
pub(super) fn is_refused(error: &AwsError, condition: PutCondition<'_>) -> bool {
    match condition {
        PutCondition::Always => false,
        PutCondition::IfAbsent => matches!(error.status, Some(400 | 501)),
        PutCondition::IfMatch(_) => matches!(error.status, Some(400 | 403 | 501)),
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::identity::ETag;

    use super::*;

    fn error(status: u16) -> AwsError {
        AwsError { call: "CopyObject", subject: "a".to_owned(), code: None, status: Some(status), why: "no".to_owned() }
    }

    fn ask(conditions: &CopyConditions, answer: Result<u8, AwsError>) -> Option<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(conditions.ask(async |_| answer))
    }

    #[test]
    fn copies_are_conditional_if_the_server_checks_conditions() {
        let replaced = ReplacedObject { size: 1, etag: ETag::new("e") };
        let conditions = CopyConditions::default();
        assert!(matches!(conditions.over(Some(&replaced)), PutCondition::IfMatch(_)));
        assert_eq!(conditions.over(None), PutCondition::IfAbsent);
        for answer in [Err(error(412)), Ok(1)] {
            assert_eq!(ask(&conditions, answer), None, "a run asks once");
        }
        assert!(conditions.finding().is_none());

        let ignored = CopyConditions::default();
        assert_eq!(ask(&ignored, Ok(1)), Some(1));
        let refused = CopyConditions::default();
        refused.note(&error(501));
        for conditions in [ignored, refused] {
            assert_eq!(conditions.over(Some(&replaced)), PutCondition::Always);
            assert_eq!(conditions.finding().unwrap().code, "unconditional-copies");
        }
        // One object that may not be read says nothing about the others.
        let denied = CopyConditions::default();
        denied.note(&error(403));
        assert_eq!(denied.over(None), PutCondition::IfAbsent);
        assert!(denied.finding().is_some());
    }
}
