//! A stack as CloudFormation describes it, and what its status allows.
//!
//! Source: AWS CloudFormation user guide, "Understand CloudFormation stack creation events" and "Stack status codes".

use std::collections::BTreeMap;

use serde_json::Value;

use crate::stack::DESCRIPTION;

/// A stack of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedStack {
    /// Its name.
    pub name: String,
    /// Its ARN. It still names the stack after it was deleted.
    pub id: String,
    /// Its status, such as `CREATE_COMPLETE`.
    pub status: String,
    /// Why it has this status.
    pub reason: Option<String>,
    /// Its template in its original form; empty where it has none or it was not read.
    pub template: Value,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
}

/// What the status of a stack allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackPhase {
    /// It has a change set and no resources yet.
    Review,
    /// It can be updated.
    Ready,
    /// An operation is running.
    Busy,
    /// It was deleted.
    Deleted,
    /// It has to be repaired before it can be updated.
    Broken(&'static str),
}

/// The way out of a status that CloudFormation leaves only by deleting the stack.
const DELETE_FIRST: &str = "its creation failed, and CloudFormation updates no such stack; delete it with `tidegate uninstall`, and install again";

impl DeployedStack {
    /// What its status allows.
    #[must_use]
    pub fn phase(&self) -> StackPhase {
        StackPhase::of(&self.status)
    }

    /// Whether it has a template of Tidegate. A stack whose change set was never executed has none.
    pub(super) fn is_ours(&self) -> bool {
        self.phase() == StackPhase::Review || self.template.get("Description").is_some_and(|text| text == DESCRIPTION)
    }

    /// Whether its last operation did what it was started for, rather than rolling back.
    pub(super) fn has_succeeded(&self) -> bool {
        matches!(self.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE")
    }
}

impl StackPhase {
    /// What a status allows.
    pub(super) fn of(status: &str) -> Self {
        match status {
            "REVIEW_IN_PROGRESS" => Self::Review,
            "DELETE_COMPLETE" => Self::Deleted,
            "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => Self::Broken(DELETE_FIRST),
            "DELETE_FAILED" => Self::Broken(
                "it was not deleted completely; remove the cause that its events name, and run `tidegate uninstall` again",
            ),
            "UPDATE_ROLLBACK_FAILED" => Self::Broken(
                "an update failed and could not be rolled back; remove the cause that its events name, run `aws cloudformation continue-update-rollback --stack-name NAME`, and install again",
            ),
            "UPDATE_FAILED" => Self::Broken(
                "an update failed without a rollback; run `aws cloudformation rollback-stack --stack-name NAME`, and install again",
            ),
            status if status.ends_with("_IN_PROGRESS") => Self::Busy,
            status if status.ends_with("_FAILED") => {
                Self::Broken("its last operation failed; repair it in the CloudFormation console")
            }
            _ => Self::Ready,
        }
    }
}

/// The name of the stack of a function. Names of stacks have letters, digits and hyphens, and start with a letter. Source:
/// CloudFormation API reference, `CreateChangeSet`.
pub(super) fn stack_name(function: &str) -> String {
    let name = function.replace('_', "-");
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("tidegate-{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stack(status: &str, template: Value) -> DeployedStack {
        DeployedStack {
            name: "tidegate".to_owned(),
            id: "arn:aws:cloudformation:eu-west-1:123456789012:stack/tidegate/1".to_owned(),
            status: status.to_owned(),
            reason: None,
            template,
            parameters: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }

    #[test]
    fn every_status_has_a_phase() {
        for (status, phase) in [
            ("REVIEW_IN_PROGRESS", StackPhase::Review),
            ("CREATE_IN_PROGRESS", StackPhase::Busy),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", StackPhase::Busy),
            ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", StackPhase::Busy),
            ("ROLLBACK_IN_PROGRESS", StackPhase::Busy),
            ("DELETE_IN_PROGRESS", StackPhase::Busy),
            ("CREATE_COMPLETE", StackPhase::Ready),
            ("UPDATE_COMPLETE", StackPhase::Ready),
            ("UPDATE_ROLLBACK_COMPLETE", StackPhase::Ready),
            ("IMPORT_COMPLETE", StackPhase::Ready),
            ("DELETE_COMPLETE", StackPhase::Deleted),
        ] {
            assert_eq!(stack(status, Value::Null).phase(), phase, "{status}");
        }
        for (status, remedy) in [
            ("ROLLBACK_COMPLETE", "tidegate uninstall"),
            ("ROLLBACK_FAILED", "tidegate uninstall"),
            ("CREATE_FAILED", "tidegate uninstall"),
            ("DELETE_FAILED", "tidegate uninstall"),
            ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
            ("UPDATE_FAILED", "rollback-stack"),
            ("IMPORT_ROLLBACK_FAILED", "console"),
        ] {
            match stack(status, Value::Null).phase() {
                StackPhase::Broken(found) => assert!(found.contains(remedy), "{status}: {found}"),
                other => panic!("{status}: {other:?}"),
            }
        }
    }

    #[test]
    fn stacks_of_others_are_recognized() {
        assert!(stack("CREATE_COMPLETE", json!({ "Description": DESCRIPTION })).is_ours());
        assert!(!stack("CREATE_COMPLETE", json!({ "Description": "A shop" })).is_ours());
        assert!(!stack("CREATE_COMPLETE", Value::Null).is_ours(), "a template in YAML");
        assert!(stack("REVIEW_IN_PROGRESS", Value::Null).is_ours(), "it has nothing yet");
    }

    #[test]
    fn names_of_functions_become_names_of_stacks() {
        for (function, stack) in
            [("tidegate", "tidegate"), ("acme_docs", "acme-docs"), ("1", "tidegate-1"), ("_a", "tidegate--a")]
        {
            assert_eq!(stack_name(function), stack);
        }
    }
}
