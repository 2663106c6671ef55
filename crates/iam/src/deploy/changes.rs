//! What a change set changes, as values to show.

use std::fmt;

use serde::Serialize;
use tidegate_core::sanitize::sanitize;

/// What CloudFormation does with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceAction {
    /// Create it.
    Add,
    /// Change it in place.
    Modify,
    /// Create a new one, and delete the old one afterwards.
    Replace,
    /// Change it in place or replace it, which depends on values that are not known yet.
    MayReplace,
    /// Delete it.
    Remove,
    /// Anything else, such as an import.
    Other,
}

impl ResourceAction {
    fn verb(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Modify => "modify",
            Self::Replace => "replace",
            Self::MayReplace => "modify or replace",
            Self::Remove => "remove",
            Self::Other => "change",
        }
    }
}

/// A property that changes. Values are missing where they are long, or known after the change only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedProperty {
    /// Its name: `MemorySize`, `Code.S3Key`.
    pub name: String,
    /// The value before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// The change of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ResourceDifference {
    /// What happens to it.
    pub action: ResourceAction,
    /// Its logical id, its name in the template.
    pub resource: String,
    /// Its type: `AWS::Lambda::Function`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id, if it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical_id: Option<String>,
    /// The properties that change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<ChangedProperty>,
}

/// The statements that a policy loses and gains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyDifference {
    /// The role, by its name.
    pub role: String,
    /// The name of the inline policy; `None` for the trust policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Statements that it loses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<serde_json::Value>,
    /// Statements that it gains.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<serde_json::Value>,
}

/// What a change set changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StackChanges {
    /// The resources, in CloudFormation's order.
    pub resources: Vec<ResourceDifference>,
    /// The policies of its roles.
    pub policies: Vec<PolicyDifference>,
}

/// A phrase: `modify Function (AWS::Lambda::Function): MemorySize: 512 → 1024`.
impl fmt::Display for ResourceDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let properties: Vec<String> = self.properties.iter().map(ToString::to_string).collect();
        let mut text = format!("{} {} ({})", self.action.verb(), self.resource, self.kind);
        if !properties.is_empty() {
            text.push_str(&format!(": {}", properties.join(", ")));
        }
        f.write_str(&sanitize(&text, usize::MAX))
    }
}

impl fmt::Display for ChangedProperty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{} {before} → {after}", self.name),
            (None, Some(after)) => write!(f, "{} {after}", self.name),
            _ => f.write_str(&self.name),
        }
    }
}

/// A heading: `policy tidegate-lambda of the role tidegate-execution`.
impl fmt::Display for PolicyDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.policy {
            Some(policy) => format!("policy `{policy}` of the role `{}`", self.role),
            None => format!("trust policy of the role `{}`", self.role),
        };
        f.write_str(&sanitize(&text, usize::MAX))
    }
}
