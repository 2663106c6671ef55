//! Managed policies, bucket policies and roles from grants: the steps of `policy … --apply`.
//!
//! Owns that what is there already and says the same is left alone.

use serde_json::Value;

use super::IamChange;
use crate::document::{Partition, PolicyDocumentError, statements};
use crate::policies::{Grant, PolicyKind};

/// Longest session of a role that a job assumes, in seconds.
const JOB_SESSION: u32 = 3_600;

/// What is there of one grant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundPolicy {
    /// The document, where there is one; JSON in whichever form.
    pub document: Option<String>,
    /// Versions of a managed policy that are not its default, oldest first.
    pub versions: Vec<String>,
}

/// A grant, and whose account it is for.
#[derive(Debug, Clone, Copy)]
pub struct PolicySpec<'a> {
    /// The grant.
    pub grant: &'a Grant,
    /// The partition of AWS.
    pub partition: &'a Partition,
    /// The account.
    pub account: &'a str,
}

/// Most versions of a managed policy. Source: IAM user guide, "IAM and AWS STS quotas".
const MAX_VERSIONS: usize = 5;

impl PolicySpec<'_> {
    /// The ARN of what it makes, where it is a managed policy.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:{}:iam::{}:policy{}{}", self.partition, self.account, self.grant.path, self.grant.name)
    }
}

fn same(one: &str, other: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    value(one).is_some_and(|one| value(other) == Some(one))
}

/// A bucket has one policy, and others' statements in it stay: only those with the grant's names are replaced.
fn beside(known: &str, grant: &Grant) -> Result<String, PolicyDocumentError> {
    let broken = |error: serde_json::Error| PolicyDocumentError::Json(error.to_string());
    let mut policy: Value = serde_json::from_str(known).map_err(broken)?;
    let own = grant.document.value()?;
    let own = statements(&own);
    let names: Vec<&Value> = own.iter().filter_map(|statement| statement.get("Sid")).collect();
    let mut kept = statements(&policy).to_vec();
    kept.retain(|statement| statement.get("Sid").is_none_or(|sid| !names.contains(&sid)));
    kept.extend_from_slice(own);
    if let Some(members) = policy.as_object_mut() {
        members.insert("Statement".to_owned(), Value::Array(kept));
    }
    serde_json::to_string(&policy).map_err(broken)
}

/// The steps. A role that is there keeps its trust policy: changing whom it trusts is nobody's accident.
///
/// # Errors
/// [`PolicyDocumentError`], a defect of Tidegate.
pub fn policy(wish: PolicySpec<'_>, found: &FoundPolicy) -> Result<Vec<IamChange>, PolicyDocumentError> {
    let grant = wish.grant;
    let policy = grant.document.compact()?;
    let known = found.document.as_deref();
    if known.is_some_and(|known| same(known, &policy)) {
        return Ok(Vec::new());
    }
    Ok(vec![match (&grant.attached, known) {
        (PolicyKind::Policy, None) => IamChange::CreatePolicy {
            name: grant.name.clone(),
            path: grant.path.clone(),
            description: grant.what.to_owned(),
            policy,
        },
        (PolicyKind::Policy, Some(_)) => {
            let full = found.versions.len() + 1 >= MAX_VERSIONS;
            IamChange::UpdatePolicy { arn: wish.arn(), drop: found.versions.first().filter(|_| full).cloned(), policy }
        }
        (PolicyKind::Trust, None) => IamChange::CreateRole {
            role: grant.name.clone(),
            trust: policy,
            description: grant.what.to_owned(),
            longest_session: JOB_SESSION,
        },
        (PolicyKind::Trust, Some(_)) => return Ok(Vec::new()),
        (PolicyKind::Bucket(bucket), known) => {
            let policy = known.map_or(Ok(policy), |known| beside(known, grant))?;
            if known.is_some_and(|known| same(known, &policy)) {
                return Ok(Vec::new());
            }
            IamChange::SetBucketPolicy { bucket: bucket.clone(), policy }
        }
    }])
}
