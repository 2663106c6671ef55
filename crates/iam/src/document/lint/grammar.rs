//! The grammar of documents and statements: members, effects, statement ids, and which members a kind of document has.
//! Source: IAM user guide, "Grammar of the IAM JSON policy language".

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::statements::statements;
use super::{DocumentKind, Linter, quoted};

const DOCUMENT: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

impl Linter {
    pub(super) fn document(&mut self, document: &Value) {
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
                // S3 does not restrict the characters of a `Sid`, IAM and STS do.
                if self.kind != DocumentKind::Bucket && !sid.chars().all(|c| c.is_ascii_alphanumeric()) {
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
        for (one, other) in [("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal")] {
            if statement.contains_key(one) && statement.contains_key(other) {
                self.error(pointer, format!("write exactly one of `{one}` and `{other}`"));
            }
        }
        if !statement.contains_key("Action") && !statement.contains_key("NotAction") {
            self.error(pointer, "write exactly one of `Action` and `NotAction`");
        }
        self.members_of_kind(pointer, statement);
        self.actions(pointer, statement, allows);
        self.resources(pointer, statement, allows);
        let conditions = self.conditions(pointer, statement, allows);
        if self.kind == DocumentKind::Trust {
            self.trust(pointer, statement, allows, &conditions);
        } else if allows && statement.contains_key("NotPrincipal") {
            let pointer = format!("{pointer}/NotPrincipal");
            self.warn(&pointer, "everyone except these principals is allowed: name the principals in `Principal`");
        }
    }

    /// Which members a statement must and must not have.
    fn members_of_kind(&mut self, pointer: &str, statement: &Map<String, Value>) {
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
    }
}
