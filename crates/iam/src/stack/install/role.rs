//! The changes to roles of a stack.

use super::found::{FoundRole, FoundStack};
use crate::changes::{Change, RoleChange};
use crate::document::{PolicyDocumentError, is_same_json, merge};
use crate::policies::SITE_POLICY_PREFIX;
use crate::stack::model::Stack;
use crate::stack::role::StackRole;

/// Creates a role or brings it up to date. Other principals in its trust policy are kept.
pub(super) fn ensure_role(
    changes: &mut Vec<Change>,
    role: &StackRole,
    stack: &Stack,
    found: &FoundStack,
) -> Result<(), PolicyDocumentError> {
    let mut push = |change| changes.push(Change::Role(change));
    let current = found.roles.get(&role.name);
    match current {
        None => push(RoleChange::CreateRole {
            role: role.name.clone(),
            path: role.path.clone(),
            description: role.description.clone(),
            trust: role.trust.compact()?,
            max_session_duration: None,
            owner: Some(stack.function.name.to_string()),
            boundary: stack.boundary().map(str::to_owned),
        }),
        Some(current) => {
            if let Some(trust) = merge(&current.trust, &role.trust)? {
                let (role, current) = (role.name.clone(), Some(current.trust.clone()));
                push(RoleChange::SetTrust { role, current, trust });
            }
            // A boundary that the configuration does not name is left unchanged.
            if let Some(boundary) = stack.boundary().filter(|boundary| current.boundary.as_deref() != Some(*boundary)) {
                push(RoleChange::SetBoundary { role: role.name.clone(), boundary: boundary.to_owned() });
            }
        }
    }
    for policy in &role.policies {
        let document = policy.document.compact()?;
        let known = current.and_then(|current| current.policies.get(&policy.name));
        if !known.is_some_and(|known| is_same_json(known, &document)) {
            let (role, name) = (role.name.clone(), policy.name.clone());
            push(RoleChange::PutRolePolicy { role, name, policy: document });
        }
    }
    // Policies of sites that no longer use the role.
    for name in current.iter().flat_map(|current| current.policies.keys()) {
        if name.starts_with(SITE_POLICY_PREFIX) && role.policies.iter().all(|policy| policy.name != *name) {
            push(RoleChange::DeleteRolePolicy { role: role.name.clone(), name: name.clone() });
        }
    }
    Ok(())
}

/// Deletes roles of sites that are no longer in the configuration.
pub(super) fn delete_stale_roles(changes: &mut Vec<Change>, stack: &Stack, found: &FoundStack) {
    for (name, role) in &found.roles {
        if role.owner.as_deref() == Some(stack.function.name.as_str()) && !stack.role_names.contains(name) {
            delete_role(changes, name, role);
        }
    }
}

/// Deletes a role with its inline policies.
pub(super) fn delete_role(changes: &mut Vec<Change>, name: &str, role: &FoundRole) {
    let policies = role.policies.keys();
    let policies = policies.map(|policy| RoleChange::DeleteRolePolicy { role: name.to_owned(), name: policy.clone() });
    changes.extend(policies.chain([RoleChange::DeleteRole { role: name.to_owned() }]).map(Change::Role));
}
