//! Attaching a managed policy to users, groups and roles, and removing what a [`Grant`](crate::policies::Grant) created.

use tidegate_core::sanitize::sanitize_name;

use super::{BucketChange, Change, FoundPolicy, GroupChange, PolicyChange, PolicySpec, RoleChange, UserChange};
use crate::document::{PolicyDocumentError, RemovedStatements, remove_statements, shares_resource};
use crate::policies::PolicyKind;

/// Users, groups and roles, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyTargets {
    /// Users.
    pub users: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
}

/// A policy of this name is for something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy {0} exists and is for other resources: choose another name with `--name`, or delete it")]
pub struct PolicyConflict(String);

impl PolicyTargets {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty() && self.roles.is_empty()
    }

    /// Those that are also in `other`; `names` keep their order.
    fn filtered(&self, other: &Self, in_other: bool) -> Self {
        let keep = |names: &[String], others: &[String]| {
            // IAM compares names without case.
            let has = |name: &String| others.iter().any(|other| other.eq_ignore_ascii_case(name));
            let mut kept: Vec<String> = names.iter().filter(|name| has(name) == in_other).cloned().collect();
            kept.dedup();
            kept
        };
        Self {
            users: keep(&self.users, &other.users),
            groups: keep(&self.groups, &other.groups),
            roles: keep(&self.roles, &other.roles),
        }
    }
}

/// Refuses to replace a policy that names none of the resources of the new document: it is for something else.
///
/// # Errors
/// [`PolicyConflict`].
pub fn check_same_purpose(spec: PolicySpec<'_>, found: &FoundPolicy) -> Result<(), PolicyConflict> {
    let current = found.document.as_deref().filter(|_| spec.grant.attached == PolicyKind::Policy);
    match current {
        Some(current) if !shares_resource(current, &spec.grant.document) => {
            Err(PolicyConflict(sanitize_name(&spec.arn())))
        }
        _ => Ok(()),
    }
}

/// Attaches a managed policy to those targets that do not have it yet.
#[must_use]
pub fn attach_policy(arn: &str, targets: &PolicyTargets, attached: &PolicyTargets) -> Vec<Change> {
    let missing = targets.filtered(attached, false);
    let arn = || arn.to_owned();
    let users = missing.users.into_iter().map(|user| Change::User(UserChange::AttachUserPolicy { user, arn: arn() }));
    let groups =
        missing.groups.into_iter().map(|group| Change::Group(GroupChange::AttachGroupPolicy { group, arn: arn() }));
    let roles = missing.roles.into_iter().map(|role| Change::Role(RoleChange::AttachRolePolicy { role, arn: arn() }));
    users.chain(groups).chain(roles).collect()
}

fn detach_policy(arn: &str, from: PolicyTargets) -> Vec<Change> {
    let arn = || arn.to_owned();
    let users = from.users.into_iter().map(|user| Change::User(UserChange::DetachUserPolicy { user, arn: arn() }));
    let groups =
        from.groups.into_iter().map(|group| Change::Group(GroupChange::DetachGroupPolicy { group, arn: arn() }));
    let roles = from.roles.into_iter().map(|role| Change::Role(RoleChange::DetachRolePolicy { role, arn: arn() }));
    users.chain(groups).chain(roles).collect()
}

/// Takes back what applying a grant created. With `targets`, a managed policy is only detached from them. Without, it is
/// detached from all and deleted, and the statements of a bucket policy are removed; those of others are kept. A role is
/// never deleted.
///
/// # Errors
/// [`PolicyDocumentError`], where a bucket policy is not JSON.
pub fn remove_policy(
    spec: PolicySpec<'_>,
    found: &FoundPolicy,
    targets: &PolicyTargets,
    attached: &PolicyTargets,
) -> Result<Vec<Change>, PolicyDocumentError> {
    let Some(current) = &found.document else { return Ok(Vec::new()) };
    match &spec.grant.attached {
        PolicyKind::Policy if !targets.is_empty() => Ok(detach_policy(&spec.arn(), targets.filtered(attached, true))),
        PolicyKind::Policy => {
            let mut changes = detach_policy(&spec.arn(), attached.clone());
            let versions = found.versions.iter().map(|version| {
                Change::Policy(PolicyChange::DeletePolicyVersion { arn: spec.arn(), version: version.clone() })
            });
            changes.extend(versions);
            changes.push(Change::Policy(PolicyChange::DeletePolicy { arn: spec.arn() }));
            Ok(changes)
        }
        PolicyKind::Bucket(bucket) if targets.is_empty() => {
            let bucket = bucket.clone();
            Ok(match remove_statements(current, &spec.grant.document)? {
                RemovedStatements::None => Vec::new(),
                RemovedStatements::All => vec![Change::Bucket(BucketChange::DeleteBucketPolicy { bucket })],
                RemovedStatements::Some(policy) => {
                    vec![Change::Bucket(BucketChange::SetBucketPolicy { bucket, policy })]
                }
            })
        }
        PolicyKind::Bucket(_) | PolicyKind::Trust => Ok(Vec::new()),
    }
}
