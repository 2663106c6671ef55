//! The policy of credentials for buckets: one document for all of them.

use serde::Serialize;
use serde_json::{Value, json};
use tidegate_core::iam_name::{MAX_NAME, MAX_POLICY_NAME, fitted};
use tidegate_core::location::{Bucket, Location, Prefix};

use crate::document::{
    DocumentKind, LintFinding, Partition, PolicyDocument, PolicyDocumentError, PolicyLimit, Principal, Statement,
    bucket_arn, lint, objects_arn, strings, without_byte_order_mark,
};

/// Replaced by the name of each bucket in a custom policy and in additional statements.
const PLACEHOLDER: &str = "$!BUCKET_NAME!$";

/// The kind of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BucketAccess {
    /// Read, write and delete.
    ReadWrite,
    /// Read only.
    ReadOnly,
    /// Write only, for logs and backups.
    WriteOnly,
}

/// What credentials for buckets allow.
#[derive(Debug, Clone)]
pub struct BucketGrant {
    /// The AWS partition.
    pub partition: Partition,
    /// The buckets, at least one.
    pub buckets: Vec<Bucket>,
    /// The prefix that access is limited to.
    pub prefix: Prefix,
    /// The kind of access.
    pub access: BucketAccess,
    /// A policy to use instead of the generated one, with `$!BUCKET_NAME!$` for the name of each bucket.
    pub custom: Option<String>,
    /// Additional statements, with `$!BUCKET_NAME!$` for the name of each bucket.
    pub statements: Vec<Value>,
}

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketGrantError {
    /// IAM would refuse a custom policy or an additional statement.
    #[error("invalid {kind} at `{pointer}`: {message}")]
    Invalid {
        /// `policy`, `statement`.
        kind: &'static str,
        /// A JSON Pointer.
        pointer: String,
        /// What is wrong.
        message: String,
    },
    /// The policy is too long.
    #[error(
        "the policy for {buckets} buckets has {length} characters, AWS allows {most} for {subject}: use fewer buckets, a shorter prefix or fewer statements"
    )]
    TooLong {
        /// How many buckets.
        buckets: usize,
        /// Characters.
        length: usize,
        /// The limit.
        most: usize,
        /// `a session`, `a user`.
        subject: &'static str,
    },
    /// The document cannot be serialized.
    #[error(transparent)]
    Document(#[from] PolicyDocumentError),
}

/// Parses one additional statement and checks it as a part of a policy.
///
/// # Errors
/// [`BucketGrantError::Invalid`].
pub fn parse_statement(text: &str) -> Result<Value, BucketGrantError> {
    let value: Value = serde_json::from_str(text).map_err(|error| BucketGrantError::Invalid {
        kind: "statement",
        pointer: "/".to_owned(),
        message: format!("not JSON: {error}"),
    })?;
    let document = json!({ "Version": "2012-10-17", "Statement": [value] });
    check("statement", &document.to_string().replace(PLACEHOLDER, "bucket"), "/Statement/0")?;
    Ok(value)
}

/// Refuses a document with an error. The pointer of the error is relative to `root`.
fn check(kind: &'static str, text: &str, root: &str) -> Result<(), BucketGrantError> {
    let findings = lint(text, DocumentKind::Identity, PolicyLimit::Role);
    match findings.into_iter().find(|finding| finding.error) {
        None => Ok(()),
        Some(LintFinding { pointer, message, .. }) => {
            let pointer = pointer.strip_prefix(root).unwrap_or(&pointer);
            let pointer = if pointer.is_empty() { "/" } else { pointer }.to_owned();
            Err(BucketGrantError::Invalid { kind, pointer, message })
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
    fn locations(&self) -> impl Iterator<Item = Location> {
        self.buckets.iter().map(|bucket| Location { bucket: bucket.clone(), prefix: self.prefix.clone() })
    }

    /// The generated document. The buckets share its statements, so that several fit into a session policy.
    #[must_use]
    pub fn document(&self) -> PolicyDocument {
        let buckets: Vec<String> = self.buckets.iter().map(|bucket| bucket_arn(&self.partition, bucket)).collect();
        let objects: Vec<String> = self.locations().map(|location| objects_arn(&self.partition, &location)).collect();
        let mut statements = Vec::new();
        if self.access.reads() {
            if self.prefix.as_str().is_empty() {
                let actions = ["s3:ListBucket", "s3:GetBucketLocation"];
                statements.push(
                    Statement::allow(actions, buckets).because("List", "to list the buckets and read their regions"),
                );
            } else {
                statements.push(
                    Statement::allow(["s3:GetBucketLocation"], buckets.clone())
                        .because("Locate", "to read the regions of the buckets"),
                );
                statements.push(
                    Statement::allow(["s3:ListBucket"], buckets)
                        .when("StringLike", "s3:prefix", [format!("{}*", self.prefix)])
                        .because("List", "to list objects below the prefix"),
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
        let reason = match self.access {
            BucketAccess::ReadWrite => "to read, write and delete objects, and to abort failed multipart uploads",
            BucketAccess::ReadOnly => "to read objects with their ACLs, tags and locks",
            BucketAccess::WriteOnly => "to write objects, and to abort failed multipart uploads",
        };
        statements.push(Statement::allow(actions, objects).because("Objects", reason));
        PolicyDocument::new(statements)
    }

    /// The policy as compact JSON: the generated statements or those of the custom policy, and the additional ones.
    ///
    /// # Errors
    /// [`BucketGrantError`], also where the policy exceeds `limit`.
    pub fn text(&self, limit: PolicyLimit) -> Result<String, BucketGrantError> {
        let mut statements = Vec::new();
        match &self.custom {
            Some(policy) => {
                for bucket in &self.buckets {
                    let policy = policy.replace(PLACEHOLDER, bucket.as_str());
                    check("policy", &policy, "")?;
                    let policy: Value = serde_json::from_str(without_byte_order_mark(&policy))
                        .map_err(|error| PolicyDocumentError::Json(error.to_string()))?;
                    // A statement without the placeholder is the same for every bucket.
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
        for statement in &self.statements {
            for statement in self.for_each_bucket(statement)? {
                if !statements.contains(&statement) {
                    statements.push(statement);
                }
            }
        }
        remove_duplicate_sids(&mut statements);
        let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let length = limit.length(&text);
        if length > limit.characters() {
            let subject = if limit == PolicyLimit::Session { "a session" } else { "a user" };
            return Err(BucketGrantError::TooLong {
                buckets: self.buckets.len(),
                length,
                most: limit.characters(),
                subject,
            });
        }
        Ok(text)
    }

    /// A statement for each bucket, with the bucket's name in place of the placeholder; equal statements where it has none.
    fn for_each_bucket(&self, statement: &Value) -> Result<Vec<Value>, BucketGrantError> {
        let text = statement.to_string();
        let replaced =
            self.buckets.iter().map(|bucket| serde_json::from_str(&text.replace(PLACEHOLDER, bucket.as_str())));
        replaced.collect::<Result<_, _>>().map_err(|error| PolicyDocumentError::Json(error.to_string()).into())
    }

    /// The first action outside of S3 that a custom policy or an additional statement allows. A session of a role with
    /// access to S3 cannot have it.
    pub(crate) fn action_beyond_s3(&self) -> Option<String> {
        let custom: Option<Value> = self.custom.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let custom = custom.as_ref().map(crate::document::statements).unwrap_or_default();
        let allowing = custom
            .iter()
            .chain(&self.statements)
            .filter(|statement| statement.get("Effect").and_then(Value::as_str) == Some("Allow"));
        let actions = allowing.flat_map(|statement| match statement.as_object() {
            Some(members) if members.contains_key("NotAction") => vec!["NotAction"],
            Some(members) => strings(members, "Action"),
            None => Vec::new(),
        });
        let is_s3 = |action: &str| {
            action.split_once(':').is_some_and(|(service, _)| {
                service.eq_ignore_ascii_case("s3") || service.eq_ignore_ascii_case("s3-object-lambda")
            })
        };
        actions.into_iter().find(|action| !is_s3(action)).map(str::to_owned)
    }

    /// The base of names: `s3.read-write.bucket,other`.
    fn base_name(&self) -> String {
        let kind = if self.custom.is_some() { "custom" } else { self.access.as_str() };
        let names: Vec<&str> = self.buckets.iter().map(Bucket::as_str).collect();
        format!("s3.{kind}.{}", names.join(","))
    }

    /// The name of a user or a session.
    #[must_use]
    pub fn user_name(&self) -> String {
        fitted(&self.base_name(), MAX_NAME)
    }

    /// The name of the policy.
    #[must_use]
    pub fn policy_name(&self) -> String {
        fitted(&self.base_name(), MAX_POLICY_NAME)
    }
}

/// The regions whose website endpoints have a hyphen before the region; all later ones have a dot.
/// Source: AWS General Reference, "Amazon S3 website endpoints".
const HYPHENATED: [&str; 9] = [
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "us-gov-west-1",
    "ap-northeast-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "eu-west-1",
    "sa-east-1",
];

/// The address of a website bucket in a region.
#[must_use]
pub fn website_url(bucket: &Bucket, region: &str) -> String {
    let separator = if HYPHENATED.contains(&region) { '-' } else { '.' };
    let domain = Partition::of_region(region).dns_suffix();
    format!("http://{bucket}.s3-website{separator}{region}.{domain}/")
}

/// Removes a `Sid` that an earlier statement has: they are unique in a policy.
fn remove_duplicate_sids(statements: &mut [Value]) {
    let mut sids = std::collections::BTreeSet::new();
    for statement in statements.iter_mut().filter_map(Value::as_object_mut) {
        let is_duplicate = statement.get("Sid").and_then(Value::as_str).is_some_and(|sid| !sids.insert(sid.to_owned()));
        if is_duplicate {
            statement.remove("Sid");
        }
    }
}

/// The policy of a public bucket: everyone may read objects by name, and not list them.
#[must_use]
pub fn public(partition: &Partition, bucket: &Bucket) -> PolicyDocument {
    let all = Location { bucket: bucket.clone(), prefix: Prefix::default() };
    let statement = Statement::allow(["s3:GetObject"], [objects_arn(partition, &all)])
        .of(Principal::Anyone)
        .because("PublicRead", "to let everyone read objects by name, without listing");
    PolicyDocument::new(vec![statement])
}
