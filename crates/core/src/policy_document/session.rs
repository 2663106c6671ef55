//! Session policies: least-privilege permissions for planning, and for executing one plan.
//!
//! Every action is needed: without any one of them a request of the run is denied. `tests/e2e/credentials` proves this
//! for random plans.

use super::document::{PolicyDocument, Statement};
use super::error::{MAX_SESSION_POLICY, PolicyDocumentError};
use crate::arn::{Partition, bucket_arn, objects_arn};
use crate::kms_key::KmsKey;
use crate::location::{Bucket, Location};
use crate::plan::{Action, Plan, PlannedBody};
use crate::put_options::{MULTIPART_BYTES, ObjectSettings};

/// What a publish does with the key value store of a site. Source: Service Authorization Reference, "Actions, resources, and
/// condition keys for Amazon CloudFront KeyValueStore".
pub const STORE_ACTIONS: [&str; 3] = [
    "cloudfront-keyvaluestore:DescribeKeyValueStore",
    "cloudfront-keyvaluestore:GetKey",
    "cloudfront-keyvaluestore:UpdateKeys",
];

/// From this length on, in characters, a session policy is checked with STS while planning: STS also limits the packed
/// size, which only STS can compute. A shorter policy fits if the session has nothing else.
pub const PROBED_FROM: usize = 1024;

/// Largest object that one `CopyObject` copies, in bytes (5 GiB), and largest part of a multipart copy.
/// Source: Amazon S3 API reference, `CopyObject`.
pub const MAX_COPY_BYTES: u64 = 5 * 1024 * 1024 * 1024;

impl Statement {
    /// Allows listing a prefix, and nothing outside it.
    pub fn list(partition: &Partition, location: &Location) -> Self {
        let statement = Self::allow(["s3:ListBucket"], [bucket_arn(partition, &location.bucket)]);
        if location.prefix.as_str().is_empty() {
            return statement;
        }
        statement.when("StringLike", "s3:prefix", [format!("{}*", location.prefix)])
    }

    /// Allows using the KMS key of the objects through S3; `None` if the configuration does not use KMS. If the
    /// configuration names no key, the policy covers every key that the role may use: the bucket's default key is
    /// unknown here.
    pub fn keys(partition: &Partition, actions: &[&'static str], settings: &ObjectSettings) -> Option<Self> {
        let kms = settings.encryption.as_deref().is_some_and(|kind| kind.starts_with("aws:"));
        let statement = match &settings.kms_key {
            Some(key) => Self::of_key(partition, actions, key),
            None if kms => return Some(Self::any_key(partition, actions)),
            None => return None,
        };
        Some(statement.through_s3(partition))
    }

    /// Allows using any KMS key through S3.
    fn any_key(partition: &Partition, actions: &[&'static str]) -> Self {
        Self::allow(actions.iter().copied(), ["*".to_owned()]).through_s3(partition)
    }

    fn through_s3(self, partition: &Partition) -> Self {
        self.when("StringLike", "kms:ViaService", [format!("s3.*.{}", partition.dns_suffix())])
    }
}

/// What planning reads besides the listing and the objects.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanningScope {
    /// Whether ACLs are compared.
    pub acls: bool,
    /// As in [`SessionScope`].
    pub any_key: bool,
}

impl Statement {
    /// Allows using a KMS key through S3 for the objects below a location only. The encryption context of a request is the
    /// ARN of the object, or that of the bucket with an S3 Bucket Key. Source: Amazon S3 user guide, "Using server-side
    /// encryption with AWS KMS keys", "Encryption context".
    pub fn key_of_objects(
        partition: &Partition,
        actions: &[&'static str],
        key: &KmsKey,
        objects: impl IntoIterator<Item = (Bucket, String)>,
    ) -> Self {
        let mut context: Vec<String> =
            objects.into_iter().flat_map(|(bucket, objects)| [bucket_arn(partition, &bucket), objects]).collect();
        context.sort();
        context.dedup();
        Self::of_key(partition, actions, key).through_s3(partition).when(
            "StringLike",
            "kms:EncryptionContext:aws:s3:arn",
            context,
        )
    }

    fn of_key(partition: &Partition, actions: &[&'static str], key: &KmsKey) -> Self {
        let statement = Self::allow(actions.iter().copied(), [key.policy_resource(partition)]);
        // The ARN of an alias as resource would not allow using its key. Source: AWS KMS Developer Guide, "Use
        // aliases to control access to KMS keys".
        match key.alias() {
            Some(alias) => statement.when("ForAnyValue:StringEquals", "kms:ResourceAliases", [alias.to_owned()]),
            None => statement,
        }
    }
}

/// What the session of a plan accesses besides the site itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionScope<'a> {
    /// The folder of the site that every key of the plan is in, if the session is limited to it.
    pub folder: Option<&'a Location>,
    /// Where bodies are copied from within S3: a staged prefix, or archived bodies.
    pub staged: Option<&'a Location>,
    /// The KMS key that these are encrypted with.
    pub staged_key: Option<&'a KmsKey>,
    /// Where bodies are archived to.
    pub archive: Option<&'a Location>,
    /// The KMS key that these are encrypted with.
    pub archive_key: Option<&'a KmsKey>,
    /// ARNs of distributions to invalidate.
    pub distributions: &'a [String],
    /// ARNs of those among them that are invalidated by cache tags.
    pub tagged: &'a [String],
    /// The ARN of the key value store that says which release is served.
    pub store: Option<&'a str>,
    /// Whether objects may be encrypted with KMS keys that the configuration does not name. The session of a role uses
    /// the configured keys only; the caller's own session must be able to write a bucket that encrypts by default.
    pub any_key: bool,
}

impl PolicyDocument {
    /// Permissions for planning: list and read the site. S3 returns an object's checksum only to callers that may decrypt
    /// the object.
    #[must_use]
    pub fn planning(partition: &Partition, target: &Location, settings: &ObjectSettings, scope: PlanningScope) -> Self {
        let mut actions = vec!["s3:GetObject"];
        if scope.acls && settings.acl.is_some() {
            actions.push("s3:GetObjectAcl");
        }
        let mut statements =
            vec![Statement::list(partition, target), Statement::allow(actions, [objects_arn(partition, target)])];
        statements.extend(keys(partition, &["kms:Decrypt"], settings, scope.any_key));
        Self::new(statements)
    }

    /// Permissions for executing this plan.
    #[must_use]
    pub fn writing(partition: &Partition, plan: &Plan, scope: SessionScope<'_>) -> Self {
        let objects = |location: &Location| objects_arn(partition, location);
        let mut statements = Vec::new();
        let needed = NeededActions::of(plan, scope.staged.is_some());
        let actions = needed.on_site(plan);
        if !actions.is_empty() {
            statements.push(Statement::allow(actions, [objects(scope.folder.unwrap_or(&plan.target))]));
        }
        if scope.folder.is_some_and(|folder| copies_from_outside(plan, folder)) {
            statements.push(Statement::allow(["s3:GetObject"], [objects(&plan.target)]));
        }
        if let (true, Some(staged)) = (needed.copy_staged, scope.staged) {
            statements.push(Statement::allow(["s3:GetObject"], [objects(staged)]));
            statements.extend(scope.staged_key.map(|key| {
                let place = (staged.bucket.clone(), objects(staged));
                Statement::key_of_objects(partition, &["kms:Decrypt"], key, [place])
            }));
        }
        if let (true, Some(archive)) = (!plan.archive.is_empty(), scope.archive) {
            let (mut actions, mut on_key) = (vec!["s3:PutObject"], vec!["kms:GenerateDataKey"]);
            if plan.archive.iter().any(|copy| copy.size > MAX_COPY_BYTES) {
                actions.push("s3:AbortMultipartUpload");
                on_key.push("kms:Decrypt");
            }
            statements.push(Statement::allow(actions, [objects(archive)]));
            statements.extend(scope.archive_key.map(|key| {
                let place = (archive.bucket.clone(), objects(archive));
                Statement::key_of_objects(partition, &on_key, key, [place])
            }));
        }
        statements.extend(needed.keys(partition, plan, scope.any_key));
        if !scope.distributions.is_empty() {
            // The last two count the paths in progress, so that the new ones fit. `wait-seconds` needs the second as well.
            let actions =
                ["cloudfront:CreateInvalidation", "cloudfront:GetInvalidation", "cloudfront:ListInvalidations"];
            statements.push(Statement::allow(actions, scope.distributions.iter().cloned()));
        }
        if !scope.tagged.is_empty() {
            // Tags are sent only after checking that the distribution reads them.
            statements.push(Statement::allow(["cloudfront:GetDistributionConfig"], scope.tagged.iter().cloned()));
        }
        if let Some(store) = scope.store {
            statements.push(Statement::allow(STORE_ACTIONS, [store.to_owned()]));
        }
        Self::new(statements)
    }

    /// The document for STS: compact JSON, within the limits of STS.
    ///
    /// # Errors
    /// [`PolicyDocumentError`] if STS would reject it.
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

    /// The same document with every statement turned into a denial. It has the same packed size, so STS can check the size
    /// with a session that grants nothing.
    #[must_use]
    pub fn as_denial(&self) -> Self {
        Self::new(self.statements().iter().map(Statement::as_denial).collect())
    }
}

/// Whether an object of the site is copied that is not in this folder.
fn copies_from_outside(plan: &Plan, folder: &Location) -> bool {
    plan.operations.iter().any(|operation| match &operation.action {
        Action::Put { body: PlannedBody::Site { key, .. }, .. } => {
            folder.prefix.relative(&plan.target.prefix.join(key.as_str())).is_none()
        }
        Action::Put { .. } | Action::Headers { .. } | Action::Delete { .. } => false,
    })
}

/// Which actions a plan needs.
#[derive(Debug, Default)]
struct NeededActions {
    put: bool,
    delete: bool,
    /// Copy objects of the site: to the archive, to another key or onto themselves.
    copy_site: bool,
    copy_self: bool,
    copy_staged: bool,
    /// Copy staged objects over objects of the site.
    copy_over: bool,
    multipart: bool,
}

impl NeededActions {
    /// `staged`: whether bodies of the source are copied within S3.
    fn of(plan: &Plan, staged: bool) -> Self {
        let mut needed = Self { copy_site: !plan.archive.is_empty(), ..Self::default() };
        for operation in &plan.operations {
            match &operation.action {
                Action::Put { body, size, replaces, .. } => {
                    needed.put = true;
                    match body {
                        PlannedBody::Source(_) if !staged => needed.multipart |= *size >= MULTIPART_BYTES,
                        PlannedBody::Source(_) => {
                            needed.copy_staged = true;
                            needed.copy_over |= replaces.is_some();
                            needed.multipart |= *size > MAX_COPY_BYTES;
                        }
                        PlannedBody::Site { .. } => {
                            needed.copy_site = true;
                            needed.multipart |= *size > MAX_COPY_BYTES;
                        }
                        PlannedBody::Redirect(_) => {}
                    }
                }
                Action::Headers { size, .. } => {
                    needed.put = true;
                    needed.copy_site = true;
                    needed.copy_self = true;
                    needed.multipart |= *size > MAX_COPY_BYTES;
                }
                Action::Delete { .. } => needed.delete = true,
            }
        }
        needed
    }

    fn on_site(&self, plan: &Plan) -> Vec<&'static str> {
        let mut actions = Vec::new();
        // A conditional copy or delete reads the ETag of its destination. Source: Amazon S3 user guide, "How to perform
        // conditional deletes" and "How to prevent object overwrites with conditional writes".
        if self.copy_site || self.copy_over || self.delete {
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
        // Copying an object onto itself must preserve its tags, and a listing does not show which objects have tags.
        if self.copy_self {
            actions.extend(["s3:GetObjectTagging", "s3:PutObjectTagging"]);
        }
        actions
    }

    /// A put generates a data key; a multipart upload and a copy of an encrypted object decrypt as well.
    /// Source: Amazon S3 user guide, "Using server-side encryption with AWS KMS keys", permissions.
    fn keys(&self, partition: &Partition, plan: &Plan, any_key: bool) -> Option<Statement> {
        let mut actions = Vec::new();
        if self.multipart || self.copy_site || self.copy_staged {
            actions.push("kms:Decrypt");
        }
        if self.put {
            actions.push("kms:GenerateDataKey");
        }
        if actions.is_empty() { None } else { keys(partition, &actions, &plan.objects, any_key) }
    }
}

/// The configured KMS key; any key if there is none and `any_key` is set.
fn keys(
    partition: &Partition,
    actions: &[&'static str],
    settings: &ObjectSettings,
    any_key: bool,
) -> Option<Statement> {
    Statement::keys(partition, actions, settings).or_else(|| any_key.then(|| Statement::any_key(partition, actions)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn keys(settings: &Value) -> Value {
        let settings = serde_json::from_value(settings.clone()).unwrap();
        serde_json::to_value(Statement::keys(&Partition::default(), &["kms:Decrypt"], &settings)).unwrap()
    }

    #[test]
    fn allows_the_configured_key_through_s3_and_no_other() {
        let via = json!({ "kms:ViaService": "s3.*.amazonaws.com" });
        let arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        for (key, resource) in [(arn, arn), ("mrk-1234abcd", "arn:aws:kms:*:*:key/mrk-1234abcd")] {
            let statement = keys(&json!({ "kms-key": key }));
            assert_eq!(statement["Resource"], resource);
            assert_eq!(statement["Condition"], json!({ "StringLike": via }));
        }
        for (key, resource) in [
            ("alias/site", "arn:aws:kms:*:*:key/*"),
            ("arn:aws:kms:eu-west-1:123456789012:alias/site", "arn:aws:kms:eu-west-1:123456789012:key/*"),
        ] {
            let statement = keys(&json!({ "kms-key": key }));
            assert_eq!(statement["Resource"], resource);
            let aliases = json!({ "kms:ResourceAliases": "alias/site" });
            assert_eq!(statement["Condition"], json!({ "ForAnyValue:StringEquals": aliases, "StringLike": via }));
        }
        assert_eq!(keys(&json!({ "encryption": "aws:kms" }))["Resource"], "*");
        assert_eq!(keys(&json!({ "encryption": "AES256" })), Value::Null);
    }

    #[test]
    fn the_domain_of_s3_is_that_of_the_partition() {
        let china = "aws-cn".parse().unwrap();
        let settings = serde_json::from_value(json!({ "encryption": "aws:kms" })).unwrap();
        let statement = serde_json::to_value(Statement::keys(&china, &["kms:Decrypt"], &settings)).unwrap();
        assert_eq!(statement["Condition"]["StringLike"]["kms:ViaService"], "s3.*.amazonaws.com.cn");
    }
}
