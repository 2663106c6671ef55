//! The policies of a template's roles, and how they differ from those of another template.

use serde_json::Value;

use super::changes::PolicyDifference;
use super::evaluate::Evaluator;
use crate::document::statements;

/// A policy of a role.
struct TemplatePolicy {
    role: String,
    name: Option<String>,
    document: Value,
}

fn policies(evaluator: &Evaluator<'_>) -> Vec<TemplatePolicy> {
    let mut policies = Vec::new();
    let resources = evaluator.template.get("Resources").and_then(Value::as_object);
    for (id, resource) in resources.into_iter().flatten() {
        if resource.get("Type").is_none_or(|kind| kind != "AWS::IAM::Role") {
            continue;
        }
        let Some(properties) = resource.get("Properties").and_then(|properties| evaluator.value(properties)) else {
            continue;
        };
        let role = properties.get("RoleName").and_then(Value::as_str).unwrap_or(id).to_owned();
        if let Some(document) = properties.get("AssumeRolePolicyDocument") {
            policies.push(TemplatePolicy { role: role.clone(), name: None, document: document.clone() });
        }
        for policy in properties.get("Policies").and_then(Value::as_array).into_iter().flatten() {
            let name = policy.get("PolicyName").and_then(Value::as_str).map(str::to_owned);
            let document = policy.get("PolicyDocument").cloned().unwrap_or_default();
            policies.push(TemplatePolicy { role: role.clone(), name, document });
        }
    }
    policies
}

/// The policies that differ between two templates.
pub(super) fn policy_differences(before: &Evaluator<'_>, after: &Evaluator<'_>) -> Vec<PolicyDifference> {
    let (before, after) = (policies(before), policies(after));
    let find = |these: &[TemplatePolicy], role: &str, name: &Option<String>| {
        let found = these.iter().find(|policy| policy.role == role && policy.name == *name);
        found.map(|policy| statements(&policy.document).to_vec()).unwrap_or_default()
    };
    let mut differences: Vec<PolicyDifference> = Vec::new();
    for TemplatePolicy { role, name, .. } in after.iter().chain(&before) {
        if differences.iter().any(|known| known.role == *role && known.policy == *name) {
            continue;
        }
        let (old, new) = (find(&before, role, name), find(&after, role, name));
        let only = |these: &[Value], others: &[Value]| -> Vec<Value> {
            these.iter().filter(|statement| !others.contains(statement)).cloned().collect()
        };
        let (removed, added) = (only(&old, &new), only(&new, &old));
        if !removed.is_empty() || !added.is_empty() {
            differences.push(PolicyDifference { role: role.clone(), policy: name.clone(), removed, added });
        }
    }
    differences
}
