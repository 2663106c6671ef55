//! Actions and resources: names that are no actions, actions that do not fit their resources, and patterns that match more
//! than intended. IAM compares actions without regard to case.

use serde_json::{Map, Value};

use super::super::actions::actions_of_call;
use super::super::statements::strings;
use super::{DocumentKind, Linter, quoted};

impl Linter {
    pub(super) fn actions(&mut self, statement_pointer: &str, statement: &Map<String, Value>, allows: bool) {
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
        if allows && statement.contains_key("NotAction") && self.kind != DocumentKind::Trust {
            self.warn(
                &format!("{statement_pointer}/NotAction"),
                "it allows all other actions of all services: name the actions in `Action`",
            );
        }
    }

    pub(super) fn resources(&mut self, statement_pointer: &str, statement: &Map<String, Value>, allows: bool) {
        let pointer = format!("{statement_pointer}/Resource");
        let resources = strings(statement, "Resource");
        for resource in &resources {
            if *resource != "*" && !starts_with(resource, "arn:") {
                self.error(&pointer, format!("{} is not an ARN", quoted(resource)));
            }
        }
        if !allows {
            return;
        }
        let actions: Vec<String> = strings(statement, "Action").into_iter().map(str::to_ascii_lowercase).collect();
        let uses_s3 = actions.iter().any(|action| is_object_action(action) || is_bucket_action(action));
        if resources.contains(&"*") {
            if actions.iter().any(|action| action.starts_with("cloudfront:createinvalidation")) {
                self.warn(&pointer, "`*` is every distribution: write `arn:aws:cloudfront::ACCOUNT:distribution/ID`");
            } else if uses_s3 {
                self.warn(&pointer, "`*` is every bucket: write `arn:aws:s3:::BUCKET` and `arn:aws:s3:::BUCKET/*`");
            }
            return;
        }
        let scopes: Vec<ResourceScope<'_>> = resources.iter().map(|arn| ResourceScope::of(arn)).collect();
        for (arn, scope) in resources.iter().zip(&scopes) {
            match scope {
                ResourceScope::OpenBucket("*") if uses_s3 => self.warn(
                    &pointer,
                    format!(
                        "{} is every bucket and every object: write `arn:aws:s3:::BUCKET` and `arn:aws:s3:::BUCKET/*`",
                        quoted(arn)
                    ),
                ),
                ResourceScope::OpenBucket(_) if uses_s3 => self.warn(
                    &pointer,
                    format!(
                        "{} matches other buckets too, with all their objects: write `arn:aws:s3:::BUCKET` and `arn:aws:s3:::BUCKET/*`",
                        quoted(arn)
                    ),
                ),
                ResourceScope::Objects { bucket, .. } if bucket.contains(['*', '?']) && uses_s3 => self.warn(
                    &pointer,
                    format!("{} matches objects of other buckets too: write `arn:aws:s3:::BUCKET/*`", quoted(arn)),
                ),
                ResourceScope::Objects { key, .. } if is_open(key) => self.warn(
                    &pointer,
                    format!("{} matches every key with this beginning: end the prefix with `/`", quoted(arn)),
                ),
                _ => {}
            }
        }
        for action in strings(statement, "Action") {
            let lower = action.to_ascii_lowercase();
            if is_bucket_action(&lower) && !scopes.is_empty() && scopes.iter().all(|one| one.is_only_objects()) {
                let message = format!("{} applies to a bucket: write `arn:aws:s3:::BUCKET`", quoted(action));
                self.error(&pointer, message);
            }
            let is_bucket = |one: &ResourceScope<'_>| matches!(one, ResourceScope::Bucket);
            if is_object_action(&lower) && !scopes.is_empty() && scopes.iter().all(is_bucket) {
                let message = format!("{} applies to objects: write `arn:aws:s3:::BUCKET/*`", quoted(action));
                self.error(&pointer, message);
            }
        }
    }
}

/// What a resource can be.
enum ResourceScope<'a> {
    /// One bucket.
    Bucket,
    /// A bucket name with a wildcard, which matches buckets and objects: `*` also matches `/`.
    OpenBucket(&'a str),
    /// Objects whose buckets and keys match.
    Objects { bucket: &'a str, key: &'a str },
    /// Not of S3, or an access point.
    Other,
}

impl<'a> ResourceScope<'a> {
    fn of(arn: &'a str) -> Self {
        let mut parts = arn.splitn(6, ':');
        let is_s3 = parts.nth(2).is_some_and(|service| service.eq_ignore_ascii_case("s3"));
        let is_global = parts.next() == Some("") && parts.next() == Some("");
        match (is_s3 && is_global).then(|| parts.next()).flatten() {
            None => Self::Other,
            Some(name) => match name.split_once('/') {
                Some((bucket, key)) => Self::Objects { bucket, key },
                None if name.contains('*') => Self::OpenBucket(name),
                None => Self::Bucket,
            },
        }
    }

    fn is_only_objects(&self) -> bool {
        matches!(self, Self::Objects { .. })
    }
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

/// A wildcard without a slash before it: `docs*` matches `docs/` and also `docs2/`.
pub(super) fn is_open(key: &str) -> bool {
    key.strip_suffix('*').is_some_and(|key| !key.is_empty() && !key.ends_with('/'))
}

/// S3 actions on buckets, in lower case. Source: Service Authorization Reference, Amazon S3.
fn is_bucket_action(action: &str) -> bool {
    let Some(name) = action.strip_prefix("s3:") else { return false };
    ["listbucket", "createbucket", "getbucket", "putbucket", "deletebucket"]
        .iter()
        .chain(&["getlifecycle", "putlifecycle", "getencryption", "putencryption", "getreplication", "putreplication"])
        .chain(&["getaccelerate", "putaccelerate", "getinventory", "putinventory", "getmetrics", "putmetrics"])
        .chain(&["getanalytics", "putanalytics", "getintelligenttiering", "putintelligenttiering"])
        .any(|start| name.starts_with(start))
}

/// S3 actions on objects, in lower case. Same source.
fn is_object_action(action: &str) -> bool {
    let Some(name) = action.strip_prefix("s3:") else { return false };
    ["getobject", "putobject", "deleteobject", "restoreobject", "replicateobject", "updateobject"]
        .iter()
        .any(|start| name.starts_with(start))
        || matches!(name, "abortmultipartupload" | "listmultipartuploadparts" | "bypassgovernanceretention")
}
