//! The linter of policy documents: what AWS refuses or ignores, what is over-permissive, and what is too long. It does not
//! evaluate what a document allows; `tidegate check --aws` has IAM do that.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};
use tidegate_core::sanitize::sanitize_name;

use super::actions::actions_of_call;
use super::finding::LintFinding;
use super::statements::{statements, strings};

/// What a document is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentKind {
    /// A user, a group or a role.
    Identity,
    /// A session of a role.
    Session,
    /// A role, as its trust policy.
    Trust,
    /// A bucket.
    Bucket,
}

/// A limit on the length of documents. Source: IAM user guide, "IAM and AWS STS quotas"; Amazon S3 user guide, "Bucket
/// policies".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyLimit {
    /// A session policy: 2,048 characters, including white space.
    Session,
    /// All inline policies of one user: 2,048 characters.
    User,
    /// All inline policies of one group: 5,120 characters.
    Group,
    /// All inline policies of one role: 10,240 characters.
    Role,
    /// A managed policy: 6,144 characters.
    Managed,
    /// A trust policy: 2,048 characters.
    Trust,
    /// A bucket policy: 20 KiB.
    Bucket,
}

impl PolicyLimit {
    /// Maximum number of characters.
    #[must_use]
    pub fn characters(self) -> usize {
        match self {
            Self::Session | Self::User | Self::Trust => 2_048,
            Self::Group => 5_120,
            Self::Role => 10_240,
            Self::Managed => 6_144,
            Self::Bucket => 20_480,
        }
    }

    /// The length that counts towards the limit: IAM does not count white space, STS does, and S3 counts bytes.
    #[must_use]
    pub fn length(self, text: &str) -> usize {
        match self {
            Self::Session => text.chars().count(),
            Self::Bucket => text.len(),
            _ => text.chars().filter(|c| !c.is_whitespace()).count(),
        }
    }

    fn subject(self) -> &'static str {
        match self {
            Self::Session => "a session policy",
            Self::User => "all inline policies of a user",
            Self::Group => "all inline policies of a group",
            Self::Role => "all inline policies of a role",
            Self::Managed => "a managed policy",
            Self::Trust => "a trust policy",
            Self::Bucket => "a bucket policy",
        }
    }
}

struct Linter {
    kind: DocumentKind,
    findings: Vec<LintFinding>,
}

/// All findings about a document.
#[must_use]
pub fn lint(text: &str, kind: DocumentKind, limit: PolicyLimit) -> Vec<LintFinding> {
    let mut linter = Linter { kind, findings: Vec::new() };
    let (length, most) = (limit.length(text), limit.characters());
    if length > most {
        let subject = limit.subject();
        linter
            .error("", format!("{length} characters, AWS allows {most} for {subject}: shorten or split the document"));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(document @ Value::Object(_)) => linter.document(&document),
        Ok(_) => linter.error("", "not a JSON object with `Version` and `Statement`"),
        Err(error) => linter.error("", format!("not JSON: {error}")),
    }
    linter.findings
}

fn quoted(text: &str) -> String {
    format!("`{}`", sanitize_name(text))
}

const DOCUMENT: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

impl Linter {
    fn error(&mut self, pointer: &str, message: impl Into<String>) {
        self.findings.push(LintFinding { error: true, pointer: pointer.to_owned(), message: message.into() });
    }

    fn warn(&mut self, pointer: &str, message: impl Into<String>) {
        self.findings.push(LintFinding { error: false, pointer: pointer.to_owned(), message: message.into() });
    }

    fn document(&mut self, document: &Value) {
        let Some(members) = document.as_object() else { return };
        for name in members.keys().filter(|name| !DOCUMENT.contains(&name.as_str())) {
            self.error("", format!("unknown member {} of a document; use {}", quoted(name), DOCUMENT.join(", ")));
        }
        match members.get("Version").and_then(Value::as_str) {
            Some("2012-10-17") => {}
            Some("2008-10-17") | None => self.warn(
                "/Version",
                "without `\"Version\": \"2012-10-17\"`, policy variables such as `${aws:username}` are plain text",
            ),
            Some(other) => {
                self.error(
                    "/Version",
                    format!("{} is not a version of the policy language: write `2012-10-17`", quoted(other)),
                );
            }
        }
        let statements = statements(document);
        if statements.is_empty() {
            self.error("/Statement", "no statement");
        }
        let mut sids = BTreeSet::new();
        for (index, statement) in statements.iter().enumerate() {
            let pointer = format!("/Statement/{index}");
            let Value::Object(statement) = statement else {
                self.error(&pointer, "a statement must be an object");
                continue;
            };
            if let Some(sid) = statement.get("Sid").and_then(Value::as_str).filter(|sid| !sid.is_empty()) {
                let allows_space = self.kind == DocumentKind::Bucket;
                if !sid.chars().all(|c| c.is_ascii_alphanumeric() || (c == ' ' && allows_space)) {
                    self.error(&format!("{pointer}/Sid"), format!("{} must have letters and digits only", quoted(sid)));
                }
                if !sids.insert(sid) {
                    self.error(&format!("{pointer}/Sid"), format!("{} is the `Sid` of two statements", quoted(sid)));
                }
            }
            self.statement(&pointer, statement);
        }
    }

    fn statement(&mut self, pointer: &str, statement: &Map<String, Value>) {
        for name in statement.keys().filter(|name| !STATEMENT.contains(&name.as_str())) {
            self.error(pointer, format!("unknown member {} of a statement", quoted(name)));
        }
        let allows = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => {
                self.error(&format!("{pointer}/Effect"), "write `Allow` or `Deny`");
                true
            }
        };
        if statement.contains_key("Action") == statement.contains_key("NotAction") {
            self.error(pointer, "write exactly one of `Action` and `NotAction`");
        }
        let has_resource = statement.contains_key("Resource") || statement.contains_key("NotResource");
        let has_principal = statement.contains_key("Principal") || statement.contains_key("NotPrincipal");
        match self.kind {
            DocumentKind::Identity | DocumentKind::Session => {
                if has_principal {
                    let pointer = format!("{pointer}/Principal");
                    self.error(&pointer, "only bucket policies and trust policies have a `Principal`");
                }
                if !has_resource {
                    self.error(pointer, "write `Resource`: the ARNs that the statement applies to");
                }
            }
            DocumentKind::Trust => {
                if has_resource {
                    let pointer = format!("{pointer}/Resource");
                    self.error(&pointer, "a trust policy applies to its own role: leave `Resource` out");
                }
                if !has_principal {
                    self.error(pointer, "write `Principal`: who may assume the role");
                }
            }
            DocumentKind::Bucket => {
                if !has_principal {
                    self.error(pointer, "write `Principal`: who the statement applies to");
                }
                if !has_resource {
                    self.error(pointer, "write `Resource`: the bucket or its objects");
                }
            }
        }
        self.actions(pointer, statement, allows);
        self.resources(pointer, statement, allows);
        if allows {
            self.prefixes(pointer, statement);
            self.principal(pointer, statement);
        }
    }

    fn actions(&mut self, statement_pointer: &str, statement: &Map<String, Value>, allows: bool) {
        for name in ["Action", "NotAction"] {
            let pointer = format!("{statement_pointer}/{name}");
            for action in strings(statement, name) {
                let is_valid = action.split_once(':').is_some_and(|(service, call)| {
                    !call.is_empty()
                        && !service.is_empty()
                        && service.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                });
                if action != "*" && !is_valid {
                    self.error(&pointer, format!("{} is not an action: write `service:Action`", quoted(action)));
                }
                if let Some(actions) = actions_of_call(action) {
                    self.error(&pointer, format!("{} is an API call, not an action: write {actions}", quoted(action)));
                }
                let is_wildcard = action == "*" || action.ends_with(":*");
                if allows && is_wildcard && name == "Action" && self.kind != DocumentKind::Trust {
                    self.warn(
                        &pointer,
                        format!("{} allows every action, also future ones: name the actions", quoted(action)),
                    );
                }
            }
            if statement.contains_key(name) && strings(statement, name).is_empty() {
                self.error(&pointer, "it is empty");
            }
        }
        if allows && statement.contains_key("NotAction") {
            self.warn(
                &format!("{statement_pointer}/NotAction"),
                "it allows all other actions of all services: name the actions in `Action`",
            );
        }
    }

    fn resources(&mut self, statement_pointer: &str, statement: &Map<String, Value>, allows: bool) {
        let pointer = format!("{statement_pointer}/Resource");
        let resources = strings(statement, "Resource");
        for resource in &resources {
            if *resource != "*" && !resource.starts_with("arn:") {
                self.error(&pointer, format!("{} is not an ARN", quoted(resource)));
            }
        }
        let actions = strings(statement, "Action");
        if !allows {
            return;
        }
        if resources.contains(&"*") {
            if actions.iter().any(|action| action.starts_with("cloudfront:CreateInvalidation")) {
                self.warn(&pointer, "`*` is every distribution: write `arn:aws:cloudfront::ACCOUNT:distribution/ID`");
            } else if actions.iter().any(|action| is_object_action(action) || is_bucket_action(action)) {
                self.warn(&pointer, "`*` is every bucket: write `arn:aws:s3:::BUCKET` and `arn:aws:s3:::BUCKET/*`");
            }
            return;
        }
        let has_objects = resources.iter().any(|arn| is_object(arn));
        let has_bucket = resources.iter().any(|arn| is_bucket(arn));
        for action in actions {
            if is_bucket_action(action) && has_objects && !has_bucket {
                let message = format!("{} applies to a bucket: write `arn:aws:s3:::BUCKET`", quoted(action));
                self.error(&pointer, message);
            }
            if is_object_action(action) && has_bucket && !has_objects {
                let message = format!("{} applies to objects: write `arn:aws:s3:::BUCKET/*`", quoted(action));
                self.error(&pointer, message);
            }
        }
    }

    /// Wildcards without a slash before them: `docs*` matches `docs/` and also `docs2/`.
    fn prefixes(&mut self, pointer: &str, statement: &Map<String, Value>) {
        let is_open = |key: &str| key.strip_suffix('*').is_some_and(|key| !key.is_empty() && !key.ends_with('/'));
        for resource in strings(statement, "Resource") {
            let key = resource.split(":::").nth(1).and_then(|rest| rest.split_once('/')).map(|(_, key)| key);
            if key.is_some_and(is_open) && resource.contains(":s3:::") {
                self.warn(
                    &format!("{pointer}/Resource"),
                    format!("{} matches every key with this beginning: end the prefix with `/`", quoted(resource)),
                );
            }
        }
        let Some(Value::Object(operators)) = statement.get("Condition") else { return };
        for (operator, keys) in operators {
            let Value::Object(keys) = keys else {
                let pointer = format!("{pointer}/Condition/{operator}");
                self.error(&pointer, "an operator must be an object of condition keys and values");
                continue;
            };
            for value in strings(keys, "s3:prefix").into_iter().filter(|value| is_open(value)) {
                self.warn(
                    &format!("{pointer}/Condition/{operator}/s3:prefix"),
                    format!("{} lists every key with this beginning: end the prefix with `/`", quoted(value)),
                );
            }
        }
    }

    fn principal(&mut self, pointer: &str, statement: &Map<String, Value>) {
        if self.kind != DocumentKind::Trust {
            return;
        }
        let pointer = format!("{pointer}/Principal");
        let conditions: Vec<(&String, &Value)> = match statement.get("Condition") {
            Some(Value::Object(operators)) => {
                operators.values().filter_map(Value::as_object).flat_map(|keys| keys.iter()).collect()
            }
            _ => Vec::new(),
        };
        let principal = statement.get("Principal");
        let is_wildcard =
            |value: &Value| value == "*" || value.as_array().is_some_and(|many| many.contains(&Value::from("*")));
        let is_open = principal.is_some_and(|value| is_wildcard(value) || value.get("AWS").is_some_and(is_wildcard));
        if is_open && conditions.is_empty() {
            self.warn(&pointer, "every AWS account may assume the role: name the principals");
        }
        if principal.and_then(|value| value.get("Federated")).is_none() {
            return;
        }
        let values = |suffix: &str| {
            conditions.iter().filter(|(key, _)| key.ends_with(suffix)).map(|(_, value)| *value).collect::<Vec<_>>()
        };
        let subjects = values(":sub");
        if subjects.is_empty() {
            self.warn(&pointer, "every token of this provider may assume the role: add a condition on its `sub`");
        }
        let matches_all = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| text == "*" || text.starts_with("repo:*") || text.starts_with("project_path:*"))
        };
        let is_over_permissive = |subject: &&Value| {
            matches_all(subject) || subject.as_array().is_some_and(|many| many.iter().any(matches_all))
        };
        if subjects.iter().any(is_over_permissive) {
            self.warn(&pointer, "`sub` matches every organization: name the organization or the repository");
        }
        if values(":aud").is_empty() {
            self.warn(&pointer, "tokens for any audience may assume the role: add a condition on `aud`");
        }
    }
}

fn is_object(arn: &str) -> bool {
    arn.contains(":s3:::") && arn.contains('/')
}

fn is_bucket(arn: &str) -> bool {
    arn.contains(":s3:::") && !arn.contains('/')
}

/// S3 actions on buckets. Source: Service Authorization Reference, Amazon S3.
fn is_bucket_action(action: &str) -> bool {
    let Some(name) = action.strip_prefix("s3:") else { return false };
    matches!(name, "ListBucket" | "ListBucketVersions" | "ListBucketMultipartUploads" | "CreateBucket" | "DeleteBucket")
        || ["GetBucket", "PutBucket", "DeleteBucket", "GetLifecycle", "PutLifecycle", "GetEncryption", "PutEncryption"]
            .iter()
            .any(|start| name.starts_with(start))
}

/// S3 actions on objects. Same source.
fn is_object_action(action: &str) -> bool {
    let Some(name) = action.strip_prefix("s3:") else { return false };
    ["GetObject", "PutObject", "DeleteObject", "RestoreObject"].iter().any(|start| name.starts_with(start))
        || matches!(name, "AbortMultipartUpload" | "ListMultipartUploadParts")
}
