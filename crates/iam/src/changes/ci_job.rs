//! The changes that a CI job needs: the OIDC provider, the role with its trust and its permissions, and what the role's
//! permissions rely on, a bucket policy or a publisher role that trusts it.

use super::trust::ensure_trust;
use super::{BucketChange, Change, FoundRole, RoleChange, ensure_provider};
use crate::document::{Partition, PolicyDocumentError, is_same_json, merge};
use crate::policies::{Grant, PolicyKind, TrustedIdentity};

/// A CI job and what it relies on.
#[derive(Debug, Clone, Copy)]
pub struct CiJobSpec<'a> {
    /// Whose tokens are trusted.
    pub identity: &'a TrustedIdentity,
    /// The AWS partition.
    pub partition: &'a Partition,
    /// The account id.
    pub account: &'a str,
    /// The trust policy, the permissions, and the bucket policies or the publisher role's trust policy.
    pub grants: &'a [Grant],
    /// The publisher role's name with its permissions, where the job publishes by one of the same account.
    pub publisher: Option<(&'a str, &'a Grant)>,
}

/// What the account has of a CI job.
#[derive(Debug, Clone, Default)]
pub struct FoundCiJob {
    /// The audiences of the OIDC provider.
    pub audiences: Option<Vec<String>>,
    /// Roles by name: that of the job and the publisher role.
    pub roles: std::collections::BTreeMap<String, FoundRole>,
    /// The policy of the bucket with the builds.
    pub bucket_policy: Option<String>,
}

/// Creates what a CI job needs, or brings it up to date. Other principals, policies and statements are kept.
///
/// # Errors
/// [`PolicyDocumentError`], a bug in Tidegate.
pub fn ensure_ci_job(spec: CiJobSpec<'_>, found: &FoundCiJob) -> Result<Vec<Change>, PolicyDocumentError> {
    let mut changes = Vec::new();
    changes.extend(ensure_provider(spec.identity, spec.partition, spec.account, found.audiences.as_deref()));
    let mut role = String::new();
    for grant in spec.grants {
        match &grant.attached {
            PolicyKind::Trust => {
                let current = found.roles.get(&grant.name).map(|role| role.trust.as_str());
                changes.extend(ensure_trust(grant, current)?);
                if role.is_empty() {
                    role.clone_from(&grant.name);
                }
            }
            PolicyKind::Policy => changes.extend(ensure_inline(&role, grant, found)?),
            PolicyKind::Bucket(bucket) => {
                let policy = match &found.bucket_policy {
                    Some(current) => merge(current, &grant.document)?,
                    None => Some(grant.document.compact()?),
                };
                let set = policy.map(|policy| BucketChange::SetBucketPolicy { bucket: bucket.clone(), policy });
                changes.extend(set.map(Change::Bucket));
            }
        }
    }
    if let Some((publisher, grant)) = spec.publisher {
        changes.extend(ensure_inline(publisher, grant, found)?);
    }
    Ok(changes)
}

fn ensure_inline(role: &str, grant: &Grant, found: &FoundCiJob) -> Result<Option<Change>, PolicyDocumentError> {
    let policy = grant.document.compact()?;
    let known = found.roles.get(role).and_then(|role| role.policies.get(&grant.name));
    let is_known = known.is_some_and(|known| is_same_json(known, &policy));
    let put = || RoleChange::PutRolePolicy { role: role.to_owned(), name: grant.name.clone(), policy };
    Ok((!is_known).then(|| Change::Role(put())))
}
