//! Session policies: what planning may do, and what carrying out one plan may do.
//!
//! Owns which statement a plan needs, and the limits of STS. Nothing in them is spare: without any one action, a request of
//! the run is refused, which `tests/e2e/credentials` proves for random plans.

use super::{Partition, PolicyDocument, Statement, bucket_arn, objects_arn};
use crate::location::Location;
use crate::plan::{Action, Plan, PlannedBody};
use crate::put_options::{MULTIPART_BYTES, ObjectSettings};

/// Most characters of an inline session policy. Source: IAM user guide, "IAM and AWS STS quotas".
pub const MAX_SESSION_POLICY: usize = 2048;

/// Session policies from this length on, in characters, are shown to STS while planning: it counts their packed form by
/// rules of its own, which nobody else can compute. Shorter ones with nothing else in the session fit.
pub const PROBED_FROM: usize = 1024;

/// Largest object that one `CopyObject` takes, in bytes (5 GiB), and largest part of a multipart copy.
/// Source: Amazon S3 API reference, `CopyObject`.
pub const MAX_COPY_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// Why a policy document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyDocumentError {
    /// Longer than STS takes.
    #[error("the session policy has {0} characters, STS takes {MAX_SESSION_POLICY}: shorten the prefix of `{1}`")]
    TooLong(usize, Location),
    /// Characters that STS does not take.
    #[error("the prefix of `{0}` holds {1:?}, which a session policy cannot name: use characters of Latin-1")]
    Character(Location, char),
    /// Not writable as JSON: a defect of Tidegate.
    #[error("the policy document could not be written: {0}")]
    Json(String),
}

impl Statement {
    /// Listing a prefix, and nothing beside it.
    pub fn list(partition: &Partition, location: &Location) -> Self {
        let statement = Self::allow(["s3:ListBucket"], [bucket_arn(partition, &location.bucket)]);
        if location.prefix.as_str().is_empty() {
            return statement;
        }
        statement.when("StringLike", "s3:prefix", [format!("{}*", location.prefix)])
    }

    /// Using the key that objects are encrypted with, through S3 alone; nothing where the configuration names no KMS. A
    /// bucket's default key has no name here, so whichever key the role may use is meant.
    pub fn keys(actions: &[&'static str], settings: &ObjectSettings) -> Option<Self> {
        let kms = settings.encryption.as_deref().is_some_and(|kind| kind.starts_with("aws:"));
        let actions = actions.iter().copied();
        match &settings.kms_key {
            Some(key) => Some(Self::allow(actions, [key.clone()])),
            None if kms => Some(Self::allow(actions, ["*".to_owned()]).when(
                "StringLike",
                "kms:ViaService",
                ["s3.*.amazonaws.com".to_owned()],
            )),
            None => None,
        }
    }
}

/// A place that a plan's session speaks of, beside the site itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionScope<'a> {
    /// Where bodies are copied from within S3: a staged prefix, or the bodies of earlier releases.
    pub staged: Option<&'a Location>,
    /// Where bodies of earlier releases are kept.
    pub archive: Option<&'a Location>,
    /// ARNs of distributions that are told.
    pub distributions: &'a [String],
    /// ARNs of those among them that are told by cache tags.
    pub tagged: &'a [String],
}

impl PolicyDocument {
    /// What planning needs: to list and read the site, and nothing else. S3 tells an object's checksum only to those who
    /// may decrypt it.
    #[must_use]
    pub fn planning(partition: &Partition, target: &Location, settings: &ObjectSettings) -> Self {
        let mut statements = vec![
            Statement::list(partition, target),
            Statement::allow(["s3:GetObject"], [objects_arn(partition, target)]),
        ];
        statements.extend(Statement::keys(&["kms:Decrypt"], settings));
        Self::new(statements)
    }

    /// What carrying out this very plan needs.
    #[must_use]
    pub fn writing(partition: &Partition, plan: &Plan, places: SessionScope<'_>) -> Self {
        let objects = |location: &Location| objects_arn(partition, location);
        let mut statements = Vec::new();
        let needs = NeededActions::of(plan, places.staged.is_some());
        let actions = needs.on_site(plan);
        if !actions.is_empty() {
            statements.push(Statement::allow(actions, [objects(&plan.target)]));
        }
        if let (true, Some(staged)) = (needs.copy_staged, places.staged) {
            statements.push(Statement::allow(["s3:GetObject"], [objects(staged)]));
        }
        if let (true, Some(aside)) = (!plan.archive.is_empty(), places.archive) {
            let mut actions = vec!["s3:PutObject"];
            if plan.archive.iter().any(|preserve| preserve.size > MAX_COPY_BYTES) {
                actions.push("s3:AbortMultipartUpload");
            }
            statements.push(Statement::allow(actions, [objects(aside)]));
        }
        statements.extend(needs.keys(plan));
        if !places.distributions.is_empty() {
            // The last two count what is in progress, so that what is sent fits; the second also waits, where the site says so.
            let actions =
                ["cloudfront:CreateInvalidation", "cloudfront:GetInvalidation", "cloudfront:ListInvalidations"];
            statements.push(Statement::allow(actions, places.distributions.iter().cloned()));
        }
        if !places.tagged.is_empty() {
            // Whether they honour tags is asked before any is sent.
            statements.push(Statement::allow(["cloudfront:GetDistributionConfig"], places.tagged.iter().cloned()));
        }
        Self::new(statements)
    }

    /// The document as STS takes it: compact JSON, within its limits.
    ///
    /// # Errors
    /// [`PolicyDocumentError`] says what to shorten.
    pub fn session(&self, target: &Location) -> Result<String, PolicyDocumentError> {
        let text = self.compact()?;
        // Source: STS API reference, `AssumeRole`, `Policy`: U+0009, U+000A, U+000D, U+0020 to U+00FF.
        if let Some(c) = text.chars().find(|c| !matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}')) {
            return Err(PolicyDocumentError::Character(target.clone(), c));
        }
        match text.chars().count() {
            length if length > MAX_SESSION_POLICY => Err(PolicyDocumentError::TooLong(length, target.clone())),
            _ => Ok(text),
        }
    }

    /// The same document, but that it gives nothing: what STS says of its size it says of this one's too, and nobody can do
    /// anything with a session that has it.
    #[must_use]
    pub fn as_denial(&self) -> Self {
        let denied = |statement: &Statement| Statement { effect: super::Effect::Deny, ..statement.clone() };
        Self::new(self.statement.iter().map(denied).collect())
    }
}

/// Which permissions a plan uses.
#[derive(Debug, Default)]
struct NeededActions {
    put: bool,
    delete: bool,
    /// Objects of the site are copied: aside, onto another name or onto themselves.
    copy_site: bool,
    copy_self: bool,
    copy_staged: bool,
    multipart: bool,
}

impl NeededActions {
    /// `staged`: whether what the source has is copied within S3.
    fn of(plan: &Plan, staged: bool) -> Self {
        let mut needs = Self { copy_site: !plan.archive.is_empty(), ..Self::default() };
        for operation in &plan.operations {
            match &operation.action {
                Action::Put { body, size, .. } => {
                    needs.put = true;
                    match body {
                        PlannedBody::Source(_) if !staged => needs.multipart |= *size >= MULTIPART_BYTES,
                        PlannedBody::Source(_) => {
                            needs.copy_staged = true;
                            needs.multipart |= *size > MAX_COPY_BYTES;
                        }
                        PlannedBody::Site { .. } => {
                            needs.copy_site = true;
                            needs.multipart |= *size > MAX_COPY_BYTES;
                        }
                        PlannedBody::Redirect(_) => {}
                    }
                }
                Action::Headers { size, .. } => {
                    needs.put = true;
                    needs.copy_site = true;
                    needs.copy_self = true;
                    needs.multipart |= *size > MAX_COPY_BYTES;
                }
                Action::Delete { .. } => needs.delete = true,
            }
        }
        needs
    }

    fn on_site(&self, plan: &Plan) -> Vec<&'static str> {
        let mut actions = Vec::new();
        // A conditional delete reads the object's ETag. Source: Amazon S3 user guide, "How to perform conditional deletes".
        if self.copy_site || self.delete {
            actions.push("s3:GetObject");
        }
        if self.put {
            actions.push("s3:PutObject");
        }
        if self.put && plan.objects.acl.is_some() {
            actions.push("s3:PutObjectAcl");
        }
        if self.multipart {
            actions.push("s3:AbortMultipartUpload");
        }
        if self.delete {
            actions.push("s3:DeleteObject");
        }
        // A copy onto itself keeps tags, and which objects have some only those know who may read them.
        if self.copy_self {
            actions.extend(["s3:GetObjectTagging", "s3:PutObjectTagging"]);
        }
        actions
    }

    /// Source: Amazon S3 user guide, "Using server-side encryption with AWS KMS keys", permissions: a put makes a data key;
    /// a multipart upload and whatever copies an encrypted object decrypt as well.
    fn keys(&self, plan: &Plan) -> Option<Statement> {
        let mut actions = Vec::new();
        if self.multipart || self.copy_site || self.copy_staged {
            actions.push("kms:Decrypt");
        }
        if self.put {
            actions.push("kms:GenerateDataKey");
        }
        if actions.is_empty() { None } else { Statement::keys(&actions, &plan.objects) }
    }
}
