//! Credentials for buckets: what somebody may do in them, as one document for all.
//!
//! Owns the three kinds of access, custom documents and additional statements. Never makes a user, a role or a key.

use serde::Serialize;
use serde_json::{Value, json};
use tidegate_core::iam_name::{MAX_NAME, MAX_POLICY_NAME, fitted};
use tidegate_core::location::{Bucket, Location, Prefix};

use crate::document::{
    LintFinding, LintedAs, Partition, PolicyDocument, PolicyDocumentError, PolicyLimit, Principal, Statement,
    bucket_arn, lint, objects_arn,
};

/// What stands for a bucket's name in a custom policy.
const PLACEHOLDER: &str = "$!BUCKET_NAME!$";

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BucketAccess {
    /// Reads and writes.
    ReadWrite,
    /// Reads.
    ReadOnly,
    /// Writes, and cannot read what it wrote.
    WriteOnly,
}

/// What credentials for buckets may do.
#[derive(Debug, Clone)]
pub struct BucketGrant {
    /// The partition of AWS.
    pub partition: Partition,
    /// The buckets, at least one.
    pub buckets: Vec<Bucket>,
    /// Only keys below it.
    pub prefix: Prefix,
    /// What may be done.
    pub access: BucketAccess,
    /// A whole policy instead, with `$!BUCKET_NAME!$` where a bucket's name goes.
    pub custom: Option<String>,
    /// Statements beside it.
    pub statements: Vec<Value>,
}

/// Why credentials cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketGrantError {
    /// A statement or a policy that IAM would refuse.
    #[error("the {what} is wrong at `{place}`: {why}")]
    Wrong {
        /// `policy`, `statement`.
        what: &'static str,
        /// A JSON Pointer.
        place: String,
        /// What, and what to write.
        why: String,
    },
    /// Too long for where it goes.
    #[error(
        "the policy for {buckets} buckets has {length} characters, {where_to} may have {most}: ask for fewer buckets, a shorter prefix or fewer statements"
    )]
    TooLong {
        /// How many buckets.
        buckets: usize,
        /// Characters.
        length: usize,
        /// The limit.
        most: usize,
        /// What it is for.
        where_to: &'static str,
    },
    /// The document cannot be written.
    #[error(transparent)]
    Document(#[from] PolicyDocumentError),
}

/// Reads one additional statement, and checks it as a part of a policy.
///
/// # Errors
/// [`BucketGrantError::Wrong`] names the place.
pub fn statement(text: &str) -> Result<Value, BucketGrantError> {
    let value: Value = serde_json::from_str(text).map_err(|error| BucketGrantError::Wrong {
        what: "statement",
        place: String::new(),
        why: format!("it is no JSON: {error}"),
    })?;
    let whole = json!({ "Version": "2012-10-17", "Statement": [value] });
    refuse("statement", &whole.to_string(), "/Statement/0")?;
    Ok(value)
}

fn refuse(what: &'static str, text: &str, from: &str) -> Result<(), BucketGrantError> {
    let concerns = lint(text, LintedAs::Identity, PolicyLimit::Role);
    match concerns.into_iter().find(|concern| concern.wrong) {
        None => Ok(()),
        Some(LintFinding { place, what: why, .. }) => {
            let place = place.strip_prefix(from).map(str::to_owned).unwrap_or(place);
            Err(BucketGrantError::Wrong { what, place: if place.is_empty() { "/".to_owned() } else { place }, why })
        }
    }
}

impl BucketAccess {
    /// `read-write`, `read-only`, `write-only`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::WriteOnly => "write-only",
        }
    }

    fn reads(self) -> bool {
        self != Self::WriteOnly
    }

    fn writes(self) -> bool {
        self != Self::ReadOnly
    }
}

impl BucketGrant {
    fn places(&self) -> impl Iterator<Item = Location> {
        self.buckets.iter().map(|bucket| Location { bucket: bucket.clone(), prefix: self.prefix.clone() })
    }

    /// The generated document: a bucket more makes each list one ARN longer.
    #[must_use]
    pub fn document(&self) -> PolicyDocument {
        let buckets: Vec<String> = self.buckets.iter().map(|bucket| bucket_arn(&self.partition, bucket)).collect();
        let objects: Vec<String> = self.places().map(|place| objects_arn(&self.partition, &place)).collect();
        let mut statements = Vec::new();
        if self.access.reads() {
            if self.prefix.as_str().is_empty() {
                let actions = ["s3:ListBucket", "s3:GetBucketLocation"];
                statements.push(
                    Statement::allow(actions, buckets)
                        .because("List", "to see what the buckets hold, and where they are"),
                );
            } else {
                statements.push(
                    Statement::allow(["s3:GetBucketLocation"], buckets.clone())
                        .because("Locate", "to learn where the buckets are"),
                );
                statements.push(
                    Statement::allow(["s3:ListBucket"], buckets)
                        .when("StringLike", "s3:prefix", [format!("{}*", self.prefix)])
                        .because("List", "to see what is below the prefix, and nothing beside it"),
                );
            }
        }
        let mut actions = Vec::new();
        if self.access.reads() {
            actions.extend([
                "s3:GetObject",
                "s3:GetObjectAcl",
                "s3:GetObjectLegalHold",
                "s3:GetObjectRetention",
                "s3:GetObjectTagging",
            ]);
        }
        if self.access.writes() {
            actions.extend(["s3:PutObject", "s3:AbortMultipartUpload"]);
        }
        if self.access == BucketAccess::ReadWrite {
            actions.push("s3:DeleteObject");
        }
        let why = match self.access {
            BucketAccess::ReadWrite => {
                "to read, write and remove objects, and to give up an upload in parts that failed"
            }
            BucketAccess::ReadOnly => "to read objects and what is kept with them",
            BucketAccess::WriteOnly => "to write objects, and to give up an upload in parts that failed",
        };
        statements.push(Statement::allow(actions, objects).because("Objects", why));
        PolicyDocument::new(statements)
    }

    /// The whole policy, compact: the custom one for each bucket, or the generated one; with the additional statements.
    ///
    /// # Errors
    /// [`BucketGrantError`]; also where it is longer than `limit` takes.
    pub fn text(&self, limit: PolicyLimit) -> Result<String, BucketGrantError> {
        let mut statements = Vec::new();
        match &self.custom {
            Some(policy) => {
                for bucket in &self.buckets {
                    let policy = policy.replace(PLACEHOLDER, bucket.as_str());
                    refuse("policy", &policy, "")?;
                    let policy: Value =
                        serde_json::from_str(&policy).map_err(|error| PolicyDocumentError::Json(error.to_string()))?;
                    // One that names no bucket is the same for all of them.
                    for statement in crate::document::statements(&policy) {
                        if !statements.contains(statement) {
                            statements.push(statement.clone());
                        }
                    }
                }
            }
            None => {
                let document = self.document().value()?;
                statements.extend_from_slice(crate::document::statements(&document));
            }
        }
        statements.extend(self.statements.iter().cloned());
        unique(&mut statements);
        let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let length = limit.length(&text);
        if length > limit.characters() {
            let where_to = if limit == PolicyLimit::Session { "a session" } else { "a user" };
            return Err(BucketGrantError::TooLong {
                buckets: self.buckets.len(),
                length,
                most: limit.characters(),
                where_to,
            });
        }
        Ok(text)
    }

    /// `s3.read-write.bucket,other`: what a user, a policy or a session is named after.
    fn describe(&self) -> String {
        let kind = if self.custom.is_some() { "custom" } else { self.access.as_str() };
        let names: Vec<&str> = self.buckets.iter().map(Bucket::as_str).collect();
        format!("s3.{kind}.{}", names.join(","))
    }

    /// The name of a user or a session for it.
    #[must_use]
    pub fn user_name(&self) -> String {
        fitted(&self.describe(), MAX_NAME)
    }

    /// The name of its policy.
    #[must_use]
    pub fn policy_name(&self) -> String {
        fitted(&self.describe(), MAX_POLICY_NAME)
    }
}

/// Names are unique in a policy: one that is there already loses its own.
fn unique(statements: &mut [Value]) {
    let mut names = std::collections::BTreeSet::new();
    for statement in statements.iter_mut().filter_map(Value::as_object_mut) {
        let again = statement.get("Sid").and_then(Value::as_str).is_some_and(|sid| !names.insert(sid.to_owned()));
        if again {
            statement.remove("Sid");
        }
    }
}

/// The policy of a bucket whose objects anybody may read who knows their names.
#[must_use]
pub fn public(partition: &Partition, bucket: &Bucket) -> PolicyDocument {
    let all = Location { bucket: bucket.clone(), prefix: Prefix::default() };
    let statement = Statement::allow(["s3:GetObject"], [objects_arn(partition, &all)])
        .of(Principal::Anybody)
        .because("AllowAllGetObject", "anybody may read what they know the name of; nobody may list");
    PolicyDocument::new(vec![statement])
}
