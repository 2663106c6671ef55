//! Policy documents: the one generator of what credentials may do.
//!
//! Owns their form, their limits and which statement a plan needs. Never speaks to IAM or STS.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::location::{Bucket, Location};
use crate::plan::{Action, Plan, PlannedBody, Writing};

/// Most characters of an inline session policy. Source: IAM user guide, "IAM and AWS STS quotas".
pub const MAX_SESSION_POLICY: usize = 2048;

/// Largest object that one `CopyObject` takes, in bytes (5 GiB), and largest part of a multipart copy.
/// Source: Amazon S3 API reference, `CopyObject`.
pub const MAX_COPY_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// A policy document of the 2012-10-17 language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

/// One statement that allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    effect: &'static str,
    action: Vec<&'static str>,
    resource: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

/// `StringLike` on one key of the request: the only condition that Tidegate's own sessions need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    string_like: BTreeMap<&'static str, String>,
}

/// Why a session policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Longer than STS takes.
    #[error("the session policy has {0} characters, STS takes {MAX_SESSION_POLICY}: shorten the prefix of `{1}`")]
    TooLong(usize, Location),
    /// Characters that STS does not take.
    #[error("the prefix of `{0}` holds {1:?}, which a session policy cannot name: use characters of Latin-1")]
    Character(Location, char),
    /// Not writable as JSON: a defect of Tidegate.
    #[error("the session policy could not be written: {0}")]
    Json(String),
}

/// A distribution's ARN.
#[must_use]
pub fn distribution_arn(account: &str, distribution: &str) -> String {
    format!("arn:aws:cloudfront::{account}:distribution/{distribution}")
}

fn bucket_arn(bucket: &Bucket) -> String {
    format!("arn:aws:s3:::{bucket}")
}

fn objects_arn(location: &Location) -> String {
    format!("arn:aws:s3:::{}/{}*", location.bucket, location.prefix)
}

fn like(key: &'static str, pattern: String) -> Condition {
    Condition { string_like: BTreeMap::from([(key, pattern)]) }
}

impl Statement {
    fn allow(action: &[&'static str], resource: &[String]) -> Self {
        Self { effect: "Allow", action: action.to_vec(), resource: resource.to_vec(), condition: None }
    }

    /// Listing a prefix, and nothing beside it.
    fn list(location: &Location) -> Self {
        let mut statement = Self::allow(&["s3:ListBucket"], &[bucket_arn(&location.bucket)]);
        if !location.prefix.as_str().is_empty() {
            statement.condition = Some(like("s3:prefix", format!("{}*", location.prefix)));
        }
        statement
    }

    /// Using the key that objects are encrypted with, through S3 alone; nothing where the configuration names no KMS. A
    /// bucket's default key has no name here, so whichever key the role may use is meant.
    fn keys(actions: &[&'static str], writing: &Writing) -> Option<Self> {
        let kms = writing.encryption.as_deref().is_some_and(|kind| kind.starts_with("aws:"));
        match &writing.kms_key {
            Some(key) => Some(Self::allow(actions, std::slice::from_ref(key))),
            None if kms => {
                let mut statement = Self::allow(actions, &["*".to_owned()]);
                statement.condition = Some(like("kms:ViaService", "s3.*.amazonaws.com".to_owned()));
                Some(statement)
            }
            None => None,
        }
    }
}

impl Document {
    /// What planning needs: to list and read the site, and nothing else. S3 tells an object's checksum only to those who
    /// may decrypt it.
    #[must_use]
    pub fn planning(target: &Location, writing: &Writing) -> Self {
        let mut statements = vec![Statement::list(target), Statement::allow(&["s3:GetObject"], &[objects_arn(target)])];
        statements.extend(Statement::keys(&["kms:Decrypt"], writing));
        Self::of(statements)
    }

    /// What carrying out this very plan needs. `staged` is the prefix that bodies are copied from within S3;
    /// `aside` the place where bodies of earlier releases are kept; `distributions` are ARNs.
    #[must_use]
    pub fn writing(plan: &Plan, staged: Option<&Location>, aside: Option<&Location>, distributions: &[String]) -> Self {
        let objects = objects_arn(&plan.target);
        let mut statements = Vec::new();
        let mut needs = Needs::of(plan);
        needs.read_site |= !plan.preserve.is_empty();
        let mut actions: Vec<&'static str> = Vec::new();
        if needs.read_site {
            actions.push("s3:GetObject");
        }
        if needs.put {
            actions.push("s3:PutObject");
        }
        if needs.put && plan.writing.acl.is_some() {
            actions.push("s3:PutObjectAcl");
        }
        if needs.multipart {
            actions.push("s3:AbortMultipartUpload");
        }
        if needs.delete {
            actions.push("s3:DeleteObject");
        }
        if needs.copy_self {
            actions.extend(["s3:GetObjectTagging", "s3:PutObjectTagging"]);
        }
        if !actions.is_empty() {
            statements.push(Statement::allow(&actions, &[objects]));
        }
        if needs.copy_staged
            && let Some(staged) = staged
        {
            statements.push(Statement::allow(&["s3:GetObject"], &[objects_arn(staged)]));
        }
        if let (true, Some(aside)) = (!plan.preserve.is_empty(), aside) {
            let mut actions = vec!["s3:PutObject"];
            if plan.preserve.iter().any(|preserve| preserve.size > MAX_COPY_BYTES) {
                actions.push("s3:AbortMultipartUpload");
            }
            statements.push(Statement::allow(&actions, &[objects_arn(aside)]));
        }
        if needs.put || needs.read_site {
            statements.extend(Statement::keys(&["kms:Decrypt", "kms:GenerateDataKey"], &plan.writing));
        }
        if !distributions.is_empty() {
            let actions =
                ["cloudfront:CreateInvalidation", "cloudfront:GetInvalidation", "cloudfront:ListInvalidations"];
            statements.push(Statement::allow(&actions, distributions));
        }
        Self::of(statements)
    }

    fn of(statement: Vec<Statement>) -> Self {
        Self { version: "2012-10-17", statement }
    }

    /// Whether it allows nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statement.is_empty()
    }

    /// The document as STS takes it: compact JSON, within its limits.
    ///
    /// # Errors
    /// [`DocumentError`] says what to shorten.
    pub fn session(&self, target: &Location) -> Result<String, DocumentError> {
        let text = serde_json::to_string(self).map_err(|error| DocumentError::Json(error.to_string()))?;
        // Source: STS API reference, `AssumeRole`, `Policy`: U+0009, U+000A, U+000D, U+0020 to U+00FF.
        if let Some(c) = text.chars().find(|c| !matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}')) {
            return Err(DocumentError::Character(target.clone(), c));
        }
        match text.chars().count() {
            length if length > MAX_SESSION_POLICY => Err(DocumentError::TooLong(length, target.clone())),
            _ => Ok(text),
        }
    }
}

/// Which permissions a plan uses.
#[derive(Debug, Default)]
struct Needs {
    put: bool,
    delete: bool,
    read_site: bool,
    copy_self: bool,
    copy_staged: bool,
    multipart: bool,
}

impl Needs {
    fn of(plan: &Plan) -> Self {
        let mut needs = Self::default();
        for operation in &plan.operations {
            match &operation.action {
                Action::Put { body, size, .. } => {
                    needs.put = true;
                    needs.multipart |= *size >= crate::writing::MULTIPART_BYTES;
                    match body {
                        PlannedBody::Source(_) => needs.copy_staged = true,
                        PlannedBody::Site { .. } => needs.read_site = true,
                        PlannedBody::Redirect(_) => {}
                    }
                }
                Action::Headers { size, .. } => {
                    needs.put = true;
                    needs.read_site = true;
                    needs.copy_self = true;
                    needs.multipart |= *size > MAX_COPY_BYTES;
                }
                Action::Delete { .. } => {
                    // A conditional delete reads the object's ETag.
                    needs.delete = true;
                    needs.read_site = true;
                }
            }
        }
        needs
    }
}
