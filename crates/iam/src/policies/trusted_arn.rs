//! Principals that a publisher role trusts beside the function: people, CI roles and whole accounts.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use tidegate_core::arn::{Arn, Partition};
use tidegate_core::sanitize::sanitize_name;

use super::{Grant, PolicyKind};
use crate::document::{PolicyDocument, Principal, Statement};

/// The ARN of a user, a role or an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TrustedArn(String);

/// Not the ARN of a user, a role or an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid principal `{0}`: use the ARN of a role, a user or an account, such as `arn:aws:iam::123456789012:role/NAME`; of a session, use its role"
)]
pub struct TrustedArnError(String);

impl TrustedArn {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ARN of its account's root, which stands for the account in a trust policy.
    pub(crate) fn account_root(&self) -> Option<String> {
        let arn = Arn::parse(&self.0)?;
        Some(format!("arn:{}:iam::{}:root", arn.partition, arn.account))
    }

    /// Whether it is a whole account.
    pub(crate) fn is_account(&self) -> bool {
        self.0.ends_with(":root")
    }

    /// The partition and the account.
    #[must_use]
    pub fn place(&self) -> (Partition, String) {
        Arn::parse(&self.0).map(|arn| (arn.partition, arn.account.to_owned())).unwrap_or_default()
    }
}

impl FromStr for TrustedArn {
    type Err = TrustedArnError;
    fn from_str(text: &str) -> Result<Self, TrustedArnError> {
        let is_principal = Arn::parse(text).is_some_and(|arn| {
            let is_named = |kind: &str| arn.resource.strip_prefix(kind).is_some_and(|name| !name.is_empty());
            arn.service == "iam"
                && arn.region.is_empty()
                && (arn.resource == "root" || is_named("role/") || is_named("user/"))
        });
        if is_principal { Ok(Self(text.to_owned())) } else { Err(TrustedArnError(sanitize_name(text))) }
    }
}

impl fmt::Display for TrustedArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Trusts users, roles and accounts. The principals of the document are accounts, and users and roles are a condition: IAM
/// stores a user or role that is a principal by its id, so it would have to exist first, and would no longer be trusted
/// after it was created again. `sts:TagSession` is for callers whose session has transitive tags, which are passed on.
/// Sources: IAM user guide, "AWS JSON policy elements: Principal" and "Pass session tags in AWS STS".
#[must_use]
pub fn trust_people(people: &[TrustedArn]) -> Grant {
    let actions = ["sts:AssumeRole", "sts:TagSession"];
    let roots = |is_account: bool| -> Vec<String> {
        let these = people.iter().filter(|arn| arn.is_account() == is_account);
        these.filter_map(TrustedArn::account_root).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let (accounts, homes) = (roots(true), roots(false));
    let mut statements = Vec::new();
    if !homes.is_empty() {
        let named: BTreeSet<String> = people.iter().filter(|arn| !arn.is_account()).map(ToString::to_string).collect();
        statements.push(
            Statement::allow(actions, [])
                .of(Principal::Aws(homes))
                .when("ArnEquals", "aws:PrincipalArn", named)
                .because("TrustPeople", "to trust these users and roles, and no other principal of their accounts"),
        );
    }
    if !accounts.is_empty() {
        statements.push(
            Statement::allow(actions, [])
                .of(Principal::Aws(accounts))
                .because("TrustAccounts", "to trust principals of these accounts that may assume the role"),
        );
    }
    let document = PolicyDocument::new(statements);
    Grant {
        attached: PolicyKind::Trust,
        ..Grant::policy("tidegate-trust", "Trusts users, roles and accounts", document)
    }
}
