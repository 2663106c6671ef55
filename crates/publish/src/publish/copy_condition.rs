//! Conditions of copies on their destination: an object that was changed after the plan was made is not overwritten.
//!
//! S3 has them since 2025-10-28 (`If-Match` and `If-None-Match` of `CopyObject`). A server that does not know them ignores
//! the headers, so the first copy of a run is sent with a condition that cannot hold. If the server copies
//! nevertheless, it ignores conditions: the object is then as planned, and the rest is copied without.

use tidegate_core::finding::Finding;
use tidegate_core::identity::ETag;
use tidegate_core::plan::ReplacedObject;
use tokio::sync::OnceCell;

use crate::aws_error::AwsError;
use crate::s3::PutCondition;

/// Whether copies of a run are conditional. Found out by its first copy.
#[derive(Debug, Default)]
pub(super) struct CopyConditions(OnceCell<ConditionSupport>);

/// What a server does with the condition of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ConditionSupport {
    Checked,
    Ignored,
    /// It answered the first copy with this error.
    Refused(String),
}

impl CopyConditions {
    /// The condition of a copy over `replaces`. `probe` copies with a condition that cannot hold; it is called once in a
    /// run.
    pub(super) async fn over<'a, T>(
        &self,
        replaces: Option<&'a ReplacedObject>,
        probe: impl AsyncFnOnce(PutCondition<'_>) -> Result<T, AwsError>,
    ) -> PutCondition<'a> {
        let find_out = async {
            // No object has an empty body and this ETag: it is not an MD5, and S3 makes no other of one character.
            match probe(PutCondition::IfMatch(&ETag::new("0"))).await {
                Ok(_) => ConditionSupport::Ignored,
                // 404: there is no object that could match.
                Err(error) if error.is_condition_failed() || error.is_not_found() => ConditionSupport::Checked,
                Err(error) => ConditionSupport::Refused(error.to_string()),
            }
        };
        match self.0.get_or_init(|| find_out).await {
            ConditionSupport::Checked => destination(replaces),
            ConditionSupport::Ignored | ConditionSupport::Refused(_) => PutCondition::Always,
        }
    }

    /// The finding of a run whose copies were not conditional.
    pub(super) fn finding(&self) -> Option<Finding> {
        let why = match self.0.get()? {
            ConditionSupport::Checked => return None,
            ConditionSupport::Ignored => "the server ignores the conditions of copies".to_owned(),
            ConditionSupport::Refused(why) => format!("the server refuses the conditions of copies: {why}"),
        };
        let message = format!("{why}; objects that were changed after the plan was made are overwritten");
        Some(Finding::warning("unconditional-copies", message))
    }
}

/// The destination is as the plan saw it.
pub(super) fn destination(replaces: Option<&ReplacedObject>) -> PutCondition<'_> {
    replaces.map_or(PutCondition::IfAbsent, |replaced| PutCondition::IfMatch(&replaced.etag))
}

/// Whether a copy failed since its destination is not as planned: another object, or none where one was expected.
pub(super) fn is_changed(error: &AwsError, condition: PutCondition<'_>) -> bool {
    match condition {
        PutCondition::Always => false,
        PutCondition::IfAbsent => error.is_condition_failed(),
        PutCondition::IfMatch(_) => error.is_condition_failed() || error.is_not_found(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16) -> AwsError {
        AwsError { call: "CopyObject", subject: "a".to_owned(), code: None, status: Some(status), why: "no".to_owned() }
    }

    fn condition(probe: Result<(), AwsError>, replaces: Option<&ReplacedObject>) -> (String, bool) {
        let conditions = CopyConditions::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let condition = runtime.block_on(conditions.over(replaces, async |_| probe));
        (format!("{condition:?}"), conditions.finding().is_some())
    }

    #[test]
    fn copies_are_conditional_if_the_server_checks_conditions() {
        let replaced = ReplacedObject { size: 1, etag: ETag::new("e") };
        for status in [412, 404] {
            let (over, finding) = condition(Err(error(status)), Some(&replaced));
            assert!(over.starts_with("IfMatch") && !finding, "{over}");
            assert_eq!(condition(Err(error(status)), None), ("IfAbsent".to_owned(), false));
        }
        for probe in [Ok(()), Err(error(403)), Err(error(501)), Err(error(400)), Err(error(503))] {
            assert_eq!(condition(probe, Some(&replaced)), ("Always".to_owned(), true));
        }
    }
}
