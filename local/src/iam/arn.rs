//! ARNs of this account: one function for each kind of thing that has one.

use super::ACCOUNT_ID;

/// The account's root.
#[must_use]
pub fn root() -> String {
    format!("arn:aws:iam::{ACCOUNT_ID}:root")
}

/// A user.
#[must_use]
pub fn user(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT_ID}:user/{name}")
}

/// A role.
#[must_use]
pub fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT_ID}:role/{name}")
}

/// A managed policy of the account's own.
#[must_use]
pub fn policy(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT_ID}:policy/{name}")
}

/// A session of a role.
#[must_use]
pub fn session(role: &str, name: &str) -> String {
    format!("arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role}/{name}")
}

/// A CloudFront distribution.
#[must_use]
pub fn distribution(id: &str) -> String {
    format!("arn:aws:cloudfront::{ACCOUNT_ID}:distribution/{id}")
}
