//! Managed policies, bucket policies and roles from grants: the steps of `policy … --apply`.
//!
//! Owns that what is there already and says the same is left alone.

use serde_json::Value;

use super::Change;
use crate::document::{DocumentError, Partition, statements};
use crate::policies::{Attached, Grant};

/// Longest session of a role that a job assumes, in seconds.
const JOB_SESSION: u32 = 3_600;

/// What is there of one grant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyFound {
    /// The document, where there is one; JSON in whichever form.
    pub document: Option<String>,
    /// Versions of a managed policy that are not its default, oldest first.
    pub versions: Vec<String>,
}

/// A grant, and whose account it is for.
#[derive(Debug, Clone, Copy)]
pub struct PolicyWish<'a> {
    /// The grant.
    pub grant: &'a Grant,
    /// The partition of AWS.
    pub partition: &'a Partition,
    /// The account.
    pub account: &'a str,
}

/// Most versions of a managed policy. Source: IAM user guide, "IAM and AWS STS quotas".
const MAX_VERSIONS: usize = 5;

impl PolicyWish<'_> {
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
fn beside(known: &str, grant: &Grant) -> Result<String, DocumentError> {
    let broken = |error: serde_json::Error| DocumentError::Json(error.to_string());
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
/// [`DocumentError`], a defect of Tidegate.
pub fn policy(wish: PolicyWish<'_>, found: &PolicyFound) -> Result<Vec<Change>, DocumentError> {
    let grant = wish.grant;
    let policy = grant.document.compact()?;
    let known = found.document.as_deref();
    if known.is_some_and(|known| same(known, &policy)) {
        return Ok(Vec::new());
    }
    Ok(vec![match (&grant.attached, known) {
        (Attached::Policy, None) => Change::CreatePolicy {
            name: grant.name.clone(),
            path: grant.path.clone(),
            description: grant.what.to_owned(),
            policy,
        },
        (Attached::Policy, Some(_)) => {
            let full = found.versions.len() + 1 >= MAX_VERSIONS;
            Change::UpdatePolicy { arn: wish.arn(), drop: found.versions.first().filter(|_| full).cloned(), policy }
        }
        (Attached::Trust, None) => Change::CreateRole {
            role: grant.name.clone(),
            trust: policy,
            description: grant.what.to_owned(),
            longest_session: JOB_SESSION,
        },
        (Attached::Trust, Some(_)) => return Ok(Vec::new()),
        (Attached::Bucket(bucket), known) => {
            let policy = known.map_or(Ok(policy), |known| beside(known, grant))?;
            if known.is_some_and(|known| same(known, &policy)) {
                return Ok(Vec::new());
            }
            Change::SetBucketPolicy { bucket: bucket.clone(), policy }
        }
    }])
}
