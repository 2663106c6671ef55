//! Changes to managed policies, and the changes that apply a [`Grant`].

use serde::Serialize;

use super::trust::ensure_trust;
use super::{BucketChange, Change};
use crate::document::{Partition, PolicyDocumentError, is_same_json, merge};
use crate::policies::{Grant, PolicyKind};

/// Maximum number of versions of a managed policy. Source: IAM user guide, "IAM and AWS STS quotas".
const MAX_VERSIONS: usize = 5;

/// A change to a managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields are named after the parameters of the AWS API")]
pub enum PolicyChange {
    /// Create a policy.
    CreatePolicy { name: String, path: String, description: String, policy: String },
    /// Add a version and make it the default. `delete_version` is deleted first, where the policy has the maximum
    /// number of versions.
    UpdatePolicy { arn: String, delete_version: Option<String>, policy: String },
    /// Delete a version that is not the default.
    DeletePolicyVersion { arn: String, version: String },
    /// Delete a policy. IAM refuses one that is attached or has other versions.
    DeletePolicy { arn: String },
}

/// The current document of a grant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundPolicy {
    /// The document as JSON, where there is one.
    pub document: Option<String>,
    /// Versions of a managed policy other than the default, oldest first.
    pub versions: Vec<String>,
}

/// A grant and the account that it is for.
#[derive(Debug, Clone, Copy)]
pub struct PolicySpec<'a> {
    /// The grant.
    pub grant: &'a Grant,
    /// The AWS partition.
    pub partition: &'a Partition,
    /// The account id.
    pub account: &'a str,
}

impl PolicySpec<'_> {
    /// The ARN of the managed policy.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:{}:iam::{}:policy{}{}", self.partition, self.account, self.grant.path, self.grant.name)
    }
}

impl PolicyChange {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::CreatePolicy { name, path, .. } => format!("create the policy `{path}{name}`"),
            Self::UpdatePolicy { arn, delete_version: Some(version), .. } => {
                format!("set the document of {arn}, and delete its version {version}")
            }
            Self::UpdatePolicy { arn, delete_version: None, .. } => format!("set the document of {arn}"),
            Self::DeletePolicyVersion { arn, version } => format!("delete the version {version} of {arn}"),
            Self::DeletePolicy { arn } => format!("delete the policy {arn}"),
        }
    }
}

/// Applies a grant: creates the policy or role, or brings it up to date. In a trust policy, other principals are kept; in a
/// bucket policy, statements of others.
///
/// # Errors
/// [`PolicyDocumentError`], a bug in Tidegate.
pub fn ensure_policy(spec: PolicySpec<'_>, found: &FoundPolicy) -> Result<Option<Change>, PolicyDocumentError> {
    let grant = spec.grant;
    let policy = grant.document.compact()?;
    let current = found.document.as_deref();
    if current.is_some_and(|current| is_same_json(current, &policy)) {
        return Ok(None);
    }
    Ok(match (&grant.attached, current) {
        (PolicyKind::Policy, None) => Some(Change::Policy(PolicyChange::CreatePolicy {
            name: grant.name.clone(),
            path: grant.path.clone(),
            description: grant.description.to_owned(),
            policy,
        })),
        (PolicyKind::Policy, Some(_)) => {
            let is_full = found.versions.len() + 1 >= MAX_VERSIONS;
            let delete_version = found.versions.first().filter(|_| is_full).cloned();
            Some(Change::Policy(PolicyChange::UpdatePolicy { arn: spec.arn(), delete_version, policy }))
        }
        (PolicyKind::Trust, current) => ensure_trust(grant, current)?,
        (PolicyKind::Bucket(bucket), current) => {
            let policy = current.map_or(Ok(Some(policy)), |current| merge(current, &grant.document))?;
            policy.map(|policy| Change::Bucket(BucketChange::SetBucketPolicy { bucket: bucket.clone(), policy }))
        }
    })
}
