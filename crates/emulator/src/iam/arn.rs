//! The ARNs of this account.

use super::kind::EntityKind;
use super::name::EntityPath;

/// The emulator's only account. AWS assigns no such number, so its ARNs cannot be confused with real ones.
pub const ACCOUNT_ID: &str = "000000000000";

/// The account's root.
#[must_use]
pub(crate) fn root() -> String {
    format!("arn:aws:iam::{ACCOUNT_ID}:root")
}

/// A user, a role or a group.
pub(super) fn entity(kind: EntityKind, path: &EntityPath, name: &str) -> String {
    format!("{}{path}{name}", entities(kind))
}

/// The prefix, up to the path, of the ARNs of all users, roles or groups.
pub(super) fn entities(kind: EntityKind) -> String {
    format!("arn:aws:iam::{ACCOUNT_ID}:{}", kind.noun())
}

/// A user.
#[must_use]
pub(crate) fn user(path: &EntityPath, name: &str) -> String {
    entity(EntityKind::User, path, name)
}

/// A role.
#[must_use]
pub(crate) fn role(path: &EntityPath, name: &str) -> String {
    entity(EntityKind::Role, path, name)
}

/// A customer managed policy of the account.
#[must_use]
pub(crate) fn policy(path: &EntityPath, name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT_ID}:policy{path}{name}")
}

/// An AWS managed policy.
#[must_use]
pub(crate) fn aws_policy(path: &EntityPath, name: &str) -> String {
    format!("arn:aws:iam::aws:policy{path}{name}")
}

/// Whether this can be the ARN of a managed policy of any account.
pub(super) fn is_policy(arn: &str) -> bool {
    let account = arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":policy/"));
    account.is_some_and(|(account, name)| {
        let numbered = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        (numbered || account == "aws") && !name.is_empty() && !name.ends_with('/')
    })
}

/// A session of a role. It does not contain the role's path.
#[must_use]
pub(crate) fn session(role: &str, name: &str) -> String {
    format!("arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role}/{name}")
}

/// A CloudFront distribution.
#[must_use]
pub(crate) fn distribution(id: &str) -> String {
    format!("arn:aws:cloudfront::{ACCOUNT_ID}:distribution/{id}")
}

/// A key value store of CloudFront.
#[must_use]
pub(crate) fn key_value_store(id: &str) -> String {
    format!("arn:aws:cloudfront::{ACCOUNT_ID}:key-value-store/{id}")
}

/// A CloudFront function.
#[must_use]
pub(crate) fn function(name: &str) -> String {
    format!("arn:aws:cloudfront::{ACCOUNT_ID}:function/{name}")
}

/// A response headers policy of CloudFront.
#[must_use]
pub(crate) fn headers_policy(id: &str) -> String {
    format!("arn:aws:cloudfront::{ACCOUNT_ID}:response-headers-policy/{id}")
}

/// An origin access control of CloudFront.
#[must_use]
pub(crate) fn access_control(id: &str) -> String {
    format!("arn:aws:cloudfront::{ACCOUNT_ID}:origin-access-control/{id}")
}
