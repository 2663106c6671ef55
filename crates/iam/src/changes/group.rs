//! Groups: people and systems that may do the same.
//!
//! Owns the steps to make one, to fill it and to remove it.

use super::IamChange;
use crate::document::PolicyDocumentError;
use crate::policies::Grant;

/// What a group has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundGroup {
    /// Its users.
    pub users: Vec<String>,
    /// Names and documents of its inline policies.
    pub policies: Vec<(String, String)>,
    /// Managed policies that it has.
    pub attached: Vec<String>,
}

/// The steps to a group with this grant and at least these users. `found` is the group as it is, if it is.
///
/// # Errors
/// [`PolicyDocumentError`], a defect of Tidegate.
pub fn group(
    name: &str,
    grant: Option<&Grant>,
    users: &[String],
    found: Option<&FoundGroup>,
) -> Result<Vec<IamChange>, PolicyDocumentError> {
    let mut changes = Vec::new();
    if found.is_none() {
        changes.push(IamChange::CreateGroup { group: name.to_owned() });
    }
    if let Some(grant) = grant {
        let policy = grant.document.compact()?;
        let same = found
            .is_some_and(|found| found.policies.iter().any(|(known, text)| *known == grant.name && *text == policy));
        if !same {
            changes.push(IamChange::PutGroupPolicy { group: name.to_owned(), name: grant.name.clone(), policy });
        }
    }
    for user in users {
        if !found.is_some_and(|found| found.users.contains(user)) {
            changes.push(IamChange::AddUserToGroup { group: name.to_owned(), user: user.clone() });
        }
    }
    Ok(changes)
}

/// The steps to no such group. Its users stay.
#[must_use]
pub fn delete_group(name: &str, found: &FoundGroup) -> Vec<IamChange> {
    let group = || name.to_owned();
    let users = found.users.iter().map(|user| IamChange::RemoveUserFromGroup { group: group(), user: user.clone() });
    let policies =
        found.policies.iter().map(|(name, _)| IamChange::DeleteGroupPolicy { group: group(), name: name.clone() });
    let attached = found.attached.iter().map(|arn| IamChange::DetachGroupPolicy { group: group(), arn: arn.clone() });
    users.chain(policies).chain(attached).chain([IamChange::DeleteGroup { group: group() }]).collect()
}
