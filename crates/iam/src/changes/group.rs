//! Groups: people and systems that may do the same.
//!
//! Owns the steps to make one, to fill it and to remove it.

use super::Change;
use crate::document::DocumentError;
use crate::policies::Grant;

/// What a group has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFound {
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
/// [`DocumentError`], a defect of Tidegate.
pub fn group(
    name: &str,
    grant: Option<&Grant>,
    users: &[String],
    found: Option<&GroupFound>,
) -> Result<Vec<Change>, DocumentError> {
    let mut changes = Vec::new();
    if found.is_none() {
        changes.push(Change::CreateGroup { group: name.to_owned() });
    }
    if let Some(grant) = grant {
        let policy = grant.document.compact()?;
        let same = found
            .is_some_and(|found| found.policies.iter().any(|(known, text)| *known == grant.name && *text == policy));
        if !same {
            changes.push(Change::PutGroupPolicy { group: name.to_owned(), name: grant.name.clone(), policy });
        }
    }
    for user in users {
        if !found.is_some_and(|found| found.users.contains(user)) {
            changes.push(Change::AddUserToGroup { group: name.to_owned(), user: user.clone() });
        }
    }
    Ok(changes)
}

/// The steps to no such group. Its users stay.
#[must_use]
pub fn delete_group(name: &str, found: &GroupFound) -> Vec<Change> {
    let group = || name.to_owned();
    let users = found.users.iter().map(|user| Change::RemoveUserFromGroup { group: group(), user: user.clone() });
    let policies =
        found.policies.iter().map(|(name, _)| Change::DeleteGroupPolicy { group: group(), name: name.clone() });
    let attached = found.attached.iter().map(|arn| Change::DetachGroupPolicy { group: group(), arn: arn.clone() });
    users.chain(policies).chain(attached).chain([Change::DeleteGroup { group: group() }]).collect()
}
