//! Events of a stack operation.

use std::fmt;

use tidegate_core::sanitize::sanitize;

/// The type of the stack among the types of resources.
const STACK: &str = "AWS::CloudFormation::Stack";

/// What CloudFormation writes for resources that it gave up because of another one's failure.
const CANCELLED: &str = "cancelled";

/// One event, of a resource or of the stack itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackEvent {
    /// Its id.
    pub id: String,
    /// The logical id of the resource; the name of the stack.
    pub resource: String,
    /// The type of the resource.
    pub kind: String,
    /// The status, such as `CREATE_COMPLETE`.
    pub status: String,
    /// The reason of the status.
    pub reason: Option<String>,
}

/// A page of events, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EventPage {
    pub(crate) events: Vec<StackEvent>,
    pub(crate) next: Option<String>,
}

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// Something has begun.
    Started,
    /// A resource is done.
    Done,
    /// A resource failed.
    Failed,
    /// A resource was given up because another one failed.
    Cancelled,
    /// The stack is rolled back.
    RollingBack,
    /// Anything else.
    Other,
}

impl StackEvent {
    /// Whether it is of the stack itself.
    #[must_use]
    pub fn is_of_stack(&self) -> bool {
        self.kind == STACK
    }

    /// What it says.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        let status = self.status.as_str();
        if self.is_of_stack() {
            return if status.ends_with("ROLLBACK_IN_PROGRESS") { EventKind::RollingBack } else { EventKind::Other };
        }
        if status.ends_with("_FAILED") {
            let is_cancelled = self.reason.as_ref().is_some_and(|reason| reason.to_lowercase().ends_with(CANCELLED));
            return if is_cancelled { EventKind::Cancelled } else { EventKind::Failed };
        }
        if status.ends_with("_COMPLETE") || status == "DELETE_SKIPPED" {
            return EventKind::Done;
        }
        if status.ends_with("_IN_PROGRESS") { EventKind::Started } else { EventKind::Other }
    }
}

/// A line: `CREATE_COMPLETE Function (AWS::Lambda::Function)`.
impl fmt::Display for StackEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{} {}", self.status, self.resource);
        if !self.is_of_stack() {
            text.push_str(&format!(" ({})", self.kind));
        }
        if let Some(reason) = self.reason.as_ref().filter(|reason| !reason.is_empty()) {
            text.push_str(&format!(": {reason}"));
        }
        f.write_str(&sanitize(&text, usize::MAX))
    }
}

/// The reason of the first failure among events in order.
pub(super) fn first_failure(events: &[StackEvent]) -> Option<String> {
    let failure = events.iter().find(|event| event.kind() == EventKind::Failed)?;
    let reason = failure.reason.as_deref().filter(|reason| !reason.is_empty()).unwrap_or("no reason given");
    Some(sanitize(&format!("{} ({}): {reason}", failure.resource, failure.kind), usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, status: &str, reason: Option<&str>) -> StackEvent {
        StackEvent {
            id: "1".to_owned(),
            resource: "Function".to_owned(),
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn the_first_failure_is_that_of_a_resource_that_was_not_given_up() {
        let events = [
            event("AWS::CloudFormation::Stack", "CREATE_IN_PROGRESS", None),
            event("AWS::SQS::Queue", "CREATE_FAILED", Some("Resource creation cancelled")),
            event("AWS::Lambda::Function", "CREATE_FAILED", Some("no such \u{1b}[31mkey")),
            event("AWS::CloudFormation::Stack", "ROLLBACK_IN_PROGRESS", Some("failed: [Function]")),
        ];
        let kinds = events.each_ref().map(StackEvent::kind);
        assert_eq!(kinds, [EventKind::Other, EventKind::Cancelled, EventKind::Failed, EventKind::RollingBack]);
        let reason = first_failure(&events).unwrap();
        assert!(reason.starts_with("Function (AWS::Lambda::Function): no such ") && !reason.contains('\u{1b}'));
        assert_eq!(event("AWS::SQS::Queue", "DELETE_COMPLETE", None).kind(), EventKind::Done);
    }
}
