//! Steps towards roles.
//!
//! Owns that whom else a role trusts stays, and that a role that nothing needs any more goes, if it was made here.

use serde_json::Value;

use super::{FoundStack, InstallError, InstallStep};
use crate::document::{PolicyDocument, PolicyDocumentError, statements};
use crate::stack::{Stack, StackRole};

/// What inline policies of publishers begin with.
const SITE: &str = "tidegate-site-";

fn same(one: &str, other: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    value(one).is_some_and(|one| value(other) == Some(one))
}

/// The trust policy with ours in it; statements of others stay. Nothing where it is there.
fn trusting(known: &str, ours: &PolicyDocument) -> Result<Option<String>, PolicyDocumentError> {
    let broken = |error: serde_json::Error| PolicyDocumentError::Json(error.to_string());
    let mut policy: Value = serde_json::from_str(known).map_err(broken)?;
    let own = ours.value()?;
    let own = statements(&own);
    let mut kept = statements(&policy).to_vec();
    if own.iter().all(|statement| kept.contains(statement)) {
        return Ok(None);
    }
    let names: Vec<&Value> = own.iter().filter_map(|statement| statement.get("Sid")).collect();
    kept.retain(|statement| statement.get("Sid").is_none_or(|sid| !names.contains(&sid)));
    kept.extend_from_slice(own);
    if let Some(members) = policy.as_object_mut() {
        members.insert("Statement".to_owned(), Value::Array(kept));
    }
    serde_json::to_string(&policy).map(Some).map_err(broken)
}

/// Makes a role, or brings it up to date.
pub(super) fn make(
    steps: &mut Vec<InstallStep>,
    role: &StackRole,
    owner: &str,
    found: &FoundStack,
) -> Result<(), InstallError> {
    let there = found.roles.get(&role.name);
    match there {
        None => steps.push(InstallStep::CreateRole {
            role: role.name.clone(),
            path: role.path.clone(),
            description: role.what.clone(),
            trust: role.trust.compact()?,
            owner: owner.to_owned(),
        }),
        Some(there) => {
            if let Some(trust) = trusting(&there.trust, &role.trust)? {
                steps.push(InstallStep::SetTrust { role: role.name.clone(), trust });
            }
        }
    }
    for policy in &role.policies {
        let document = policy.document.compact()?;
        let known = there.and_then(|there| there.policies.get(&policy.name));
        if !known.is_some_and(|known| same(known, &document)) {
            let (role, name) = (role.name.clone(), policy.name.clone());
            steps.push(InstallStep::PutRolePolicy { role, name, policy: document });
        }
    }
    // Policies of sites that do not name the role any more.
    for name in there.iter().flat_map(|there| there.policies.keys()) {
        if name.starts_with(SITE) && role.policies.iter().all(|policy| policy.name != *name) {
            steps.push(InstallStep::DeleteRolePolicy { role: role.name.clone(), name: name.clone() });
        }
    }
    Ok(())
}

/// Removes roles of sites that are no longer in the configuration.
pub(super) fn drop_stale(steps: &mut Vec<InstallStep>, wanted: &Stack, found: &FoundStack) {
    let needed = |name: &str| wanted.named.iter().any(|known| known == name);
    for (name, role) in &found.roles {
        if role.owner.as_deref() == Some(wanted.function.name.as_str()) && !needed(name) {
            remove(steps, name, role.policies.keys());
        }
    }
}

/// Removes a role with its policies.
pub(super) fn remove<'a>(steps: &mut Vec<InstallStep>, role: &str, policies: impl Iterator<Item = &'a String>) {
    steps.extend(policies.map(|name| InstallStep::DeleteRolePolicy { role: role.to_owned(), name: name.clone() }));
    steps.push(InstallStep::DeleteRole { role: role.to_owned() });
}
