//! What is wrong, too wide or too long in a policy document that somebody else wrote.
//!
//! Owns the rules, each with what to write instead. Never changes a document, and never says what one allows: IAM does.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::concern::LintFinding;
use super::statements::{statements, texts};

/// What a document is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyRole {
    /// A user, a group or a role.
    Identity,
    /// A session of a role.
    Session,
    /// A role, saying who may assume it.
    Trust,
    /// A bucket.
    Bucket,
}

/// How long a document may be. Source: IAM user guide, "IAM and AWS STS quotas"; Amazon S3 user guide, "Bucket policies".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyLimit {
    /// A session policy: 2,048 characters, white space counts.
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
    /// A bucket's policy: 20 KiB.
    Bucket,
}

impl PolicyLimit {
    /// Most characters.
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

    /// How long a text is by its count: IAM leaves white space out, STS and S3 do not.
    #[must_use]
    pub fn length(self, text: &str) -> usize {
        match self {
            Self::Session => text.chars().count(),
            Self::Bucket => text.len(),
            _ => text.chars().filter(|c| !c.is_whitespace()).count(),
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Session => "a session policy",
            Self::User => "all inline policies of a user",
            Self::Group => "all inline policies of a group",
            Self::Role => "all inline policies of a role",
            Self::Managed => "a managed policy",
            Self::Trust => "a trust policy",
            Self::Bucket => "a bucket's policy",
        }
    }
}

struct Lint {
    role: PolicyRole,
    concerns: Vec<LintFinding>,
}

/// Everything to say about a document.
#[must_use]
pub fn lint(text: &str, role: PolicyRole, limit: PolicyLimit) -> Vec<LintFinding> {
    let mut lint = Lint { role, concerns: Vec::new() };
    let length = limit.length(text);
    if length > limit.characters() {
        let most = limit.characters();
        lint.wrong("", format!("it has {length} characters, {} may have {most}: shorten or split it", limit.what()));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(whole @ Value::Object(_)) => lint.document(&whole),
        Ok(_) => lint.wrong("", "it is no JSON object with `Version` and `Statement`".to_owned()),
        Err(error) => lint.wrong("", format!("it is no JSON: {error}")),
    }
    lint.concerns
}

fn quoted(text: &str) -> String {
    format!("`{}`", text.escape_debug())
}

const DOCUMENT: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

impl Lint {
    fn wrong(&mut self, place: &str, what: String) {
        self.concerns.push(LintFinding { wrong: true, place: place.to_owned(), what });
    }

    fn warn(&mut self, place: &str, what: String) {
        self.concerns.push(LintFinding { wrong: false, place: place.to_owned(), what });
    }

    fn document(&mut self, whole: &Value) {
        let Some(document) = whole.as_object() else { return };
        for name in document.keys().filter(|name| !DOCUMENT.contains(&name.as_str())) {
            self.wrong("", format!("a document has no {}, it has {}", quoted(name), DOCUMENT.join(", ")));
        }
        match document.get("Version").and_then(Value::as_str) {
            Some("2012-10-17") => {}
            Some("2008-10-17") | None => {
                self.warn(
                    "/Version",
                    "without `\"Version\": \"2012-10-17\"`, variables such as `${aws:username}` are plain text"
                        .to_owned(),
                );
            }
            Some(other) => self.wrong("/Version", format!("{} is no version, write `2012-10-17`", quoted(other))),
        }
        let statements = statements(whole);
        if statements.is_empty() {
            self.wrong("/Statement", "there is no statement".to_owned());
        }
        let mut sids = BTreeSet::new();
        for (at, statement) in statements.iter().enumerate() {
            let place = format!("/Statement/{at}");
            let Value::Object(statement) = statement else {
                self.wrong(&place, "a statement is an object".to_owned());
                continue;
            };
            if let Some(sid) = statement.get("Sid").and_then(Value::as_str).filter(|sid| !sid.is_empty()) {
                let plain =
                    sid.chars().all(|c| c.is_ascii_alphanumeric() || (c == ' ' && self.role == PolicyRole::Bucket));
                if !plain {
                    self.wrong(&format!("{place}/Sid"), format!("{} may hold letters and digits only", quoted(sid)));
                }
                if !sids.insert(sid) {
                    self.wrong(&format!("{place}/Sid"), format!("{} names two statements", quoted(sid)));
                }
            }
            self.statement(&place, statement);
        }
    }

    fn statement(&mut self, place: &str, statement: &Map<String, Value>) {
        for name in statement.keys().filter(|name| !STATEMENT.contains(&name.as_str())) {
            self.wrong(place, format!("a statement has no {}", quoted(name)));
        }
        let allows = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => {
                self.wrong(&format!("{place}/Effect"), "write `Allow` or `Deny`".to_owned());
                true
            }
        };
        if statement.contains_key("Action") == statement.contains_key("NotAction") {
            self.wrong(place, "write exactly one of `Action` and `NotAction`".to_owned());
        }
        let has_resource = statement.contains_key("Resource") || statement.contains_key("NotResource");
        let has_principal = statement.contains_key("Principal") || statement.contains_key("NotPrincipal");
        match self.role {
            PolicyRole::Identity | PolicyRole::Session => {
                if has_principal {
                    self.wrong(
                        &format!("{place}/Principal"),
                        "only a bucket's policy or a trust policy names a principal".to_owned(),
                    );
                }
                if !has_resource {
                    self.wrong(place, "write `Resource`, the ARNs that it is about".to_owned());
                }
            }
            PolicyRole::Trust => {
                if has_resource {
                    self.wrong(
                        &format!("{place}/Resource"),
                        "a trust policy is about its own role, leave `Resource` out".to_owned(),
                    );
                }
                if !has_principal {
                    self.wrong(place, "write `Principal`: who may assume the role".to_owned());
                }
            }
            PolicyRole::Bucket => {
                if !has_principal {
                    self.wrong(place, "write `Principal`: whom it is about".to_owned());
                }
                if !has_resource {
                    self.wrong(place, "write `Resource`, the bucket or its objects".to_owned());
                }
            }
        }
        self.actions(place, statement, allows);
        self.resources(place, statement, allows);
        if allows {
            self.prefixes(place, statement);
            self.principal(place, statement);
        }
    }

    fn actions(&mut self, place: &str, statement: &Map<String, Value>, allows: bool) {
        for name in ["Action", "NotAction"] {
            let at = format!("{place}/{name}");
            for action in texts(statement, name) {
                let named = action.split_once(':').is_some_and(|(service, call)| {
                    !call.is_empty()
                        && !service.is_empty()
                        && service.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                });
                if action != "*" && !named {
                    self.wrong(&at, format!("{} is no action, write `service:Action`", quoted(action)));
                }
                if let Some(right) = super::actions::instead(action) {
                    self.wrong(&at, format!("{} is a call and no action, write {right}", quoted(action)));
                }
                let all = action == "*" || action.ends_with(":*");
                if allows && all && name == "Action" && self.role != PolicyRole::Trust {
                    self.warn(
                        &at,
                        format!("{} allows everything there is and will be, name the actions", quoted(action)),
                    );
                }
            }
            if statement.contains_key(name) && texts(statement, name).is_empty() {
                self.wrong(&at, "it is empty".to_owned());
            }
        }
        if allows && statement.contains_key("NotAction") {
            self.warn(
                &format!("{place}/NotAction"),
                "it allows all other actions of all services, name the ones that are meant".to_owned(),
            );
        }
    }

    fn resources(&mut self, place: &str, statement: &Map<String, Value>, allows: bool) {
        let at = format!("{place}/Resource");
        let resources = texts(statement, "Resource");
        for resource in &resources {
            if *resource != "*" && !resource.starts_with("arn:") {
                self.wrong(&at, format!("{} is no ARN", quoted(resource)));
            }
        }
        let actions = texts(statement, "Action");
        if !allows {
            return;
        }
        if resources.contains(&"*") {
            if actions.iter().any(|action| action.starts_with("cloudfront:CreateInvalidation")) {
                self.warn(
                    &at,
                    "`*` lets it invalidate every distribution, write `arn:aws:cloudfront::ACCOUNT:distribution/ID`"
                        .to_owned(),
                );
            } else if actions.iter().any(|action| is_of_object(action) || is_of_bucket(action)) {
                self.warn(
                    &at,
                    "`*` is every bucket, write `arn:aws:s3:::BUCKET` and `arn:aws:s3:::BUCKET/*`".to_owned(),
                );
            }
            return;
        }
        let on_objects = resources.iter().any(|arn| is_object(arn));
        let on_bucket = resources.iter().any(|arn| is_bucket(arn));
        for action in actions {
            if is_of_bucket(action) && on_objects && !on_bucket {
                self.wrong(
                    &at,
                    format!("{} is about a bucket, which `arn:aws:s3:::BUCKET` names, without `/*`", quoted(action)),
                );
            }
            if is_of_object(action) && on_bucket && !on_objects {
                self.wrong(&at, format!("{} is about objects, which `arn:aws:s3:::BUCKET/*` names", quoted(action)));
            }
        }
    }

    /// `docs*` is `docs/`, and `docs2/` as well.
    fn prefixes(&mut self, place: &str, statement: &Map<String, Value>) {
        for resource in texts(statement, "Resource") {
            let key = resource.split(":::").nth(1).and_then(|rest| rest.split_once('/')).map(|(_, key)| key);
            let open =
                key.and_then(|key| key.strip_suffix('*')).is_some_and(|key| !key.is_empty() && !key.ends_with('/'));
            if open && resource.contains(":s3:::") {
                self.warn(
                    &format!("{place}/Resource"),
                    format!("{} reaches every key that begins alike, end the prefix with `/`", quoted(resource)),
                );
            }
        }
        let Some(Value::Object(operators)) = statement.get("Condition") else { return };
        for (operator, keys) in operators {
            let Value::Object(keys) = keys else {
                self.wrong(&format!("{place}/Condition/{operator}"), "it holds keys with values".to_owned());
                continue;
            };
            for value in texts(keys, "s3:prefix") {
                let open = value.strip_suffix('*').is_some_and(|rest| !rest.is_empty() && !rest.ends_with('/'));
                if open {
                    self.warn(
                        &format!("{place}/Condition/{operator}/s3:prefix"),
                        format!("{} lists every key that begins alike, end the prefix with `/`", quoted(value)),
                    );
                }
            }
        }
    }

    fn principal(&mut self, place: &str, statement: &Map<String, Value>) {
        if self.role != PolicyRole::Trust {
            return;
        }
        let at = format!("{place}/Principal");
        let conditions: Vec<(&String, &Value)> = match statement.get("Condition") {
            Some(Value::Object(operators)) => {
                operators.values().filter_map(Value::as_object).flat_map(|keys| keys.iter()).collect()
            }
            _ => Vec::new(),
        };
        let principal = statement.get("Principal");
        let anybody =
            |value: &Value| value == "*" || value.as_array().is_some_and(|many| many.contains(&Value::from("*")));
        let open = principal.is_some_and(|value| anybody(value) || value.get("AWS").is_some_and(anybody));
        if open && conditions.is_empty() {
            self.warn(&at, "anybody with an AWS account may assume the role, name who may".to_owned());
        }
        if principal.and_then(|value| value.get("Federated")).is_none() {
            return;
        }
        let named = |end: &str| {
            conditions.iter().filter(|(key, _)| key.ends_with(end)).map(|(_, value)| *value).collect::<Vec<_>>()
        };
        let subjects = named(":sub");
        if subjects.is_empty() {
            self.warn(
                &at,
                "whoever has a token of this provider may assume the role, add a condition on its `sub`".to_owned(),
            );
        }
        let wide = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| text == "*" || text.starts_with("repo:*") || text.starts_with("project_path:*"))
        };
        if subjects.iter().any(|value| wide(value) || value.as_array().is_some_and(|many| many.iter().any(wide))) {
            self.warn(&at, "its `sub` is anybody's, name the organisation or the repository".to_owned());
        }
        if named(":aud").is_empty() {
            self.warn(&at, "a token for another audience is taken as well, add a condition on its `aud`".to_owned());
        }
    }
}

fn is_object(arn: &str) -> bool {
    arn.contains(":s3:::") && arn.contains('/')
}

fn is_bucket(arn: &str) -> bool {
    arn.contains(":s3:::") && !arn.contains('/')
}

/// Actions of S3 whose resource is a bucket. Source: Service Authorization Reference, Amazon S3.
fn is_of_bucket(action: &str) -> bool {
    let Some(name) = action.strip_prefix("s3:") else { return false };
    matches!(name, "ListBucket" | "ListBucketVersions" | "ListBucketMultipartUploads" | "CreateBucket" | "DeleteBucket")
        || ["GetBucket", "PutBucket", "DeleteBucket", "GetLifecycle", "PutLifecycle", "GetEncryption", "PutEncryption"]
            .iter()
            .any(|start| name.starts_with(start))
}

/// Actions of S3 whose resource is an object. Same source.
fn is_of_object(action: &str) -> bool {
    let Some(name) = action.strip_prefix("s3:") else { return false };
    ["GetObject", "PutObject", "DeleteObject", "RestoreObject"].iter().any(|start| name.starts_with(start))
        || matches!(name, "AbortMultipartUpload" | "ListMultipartUploadParts")
}
