//! The account and region of a stack.

use serde::Serialize;

use crate::document::PseudoParameter;

/// The account and region of a stack, or [`PseudoParameter`]s for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountRegion {
    account: String,
    region: String,
    /// The account id, where it is known.
    known_account: Option<String>,
}

impl AccountRegion {
    /// A known account and region.
    #[must_use]
    pub fn known(account: &str, region: &str) -> Self {
        Self { account: account.to_owned(), region: region.to_owned(), known_account: Some(account.to_owned()) }
    }

    /// The account and region that a template is deployed to. `account` is its id where it is known: it decides which roles
    /// are created.
    #[must_use]
    pub fn at_deployment(account: Option<&str>) -> Self {
        Self {
            account: PseudoParameter::Account.text(),
            region: PseudoParameter::Region.text(),
            known_account: account.map(str::to_owned),
        }
    }

    /// The account id, or its pseudo parameter.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The region, or its pseudo parameter.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The account id, where it is known.
    pub(super) fn known_account(&self) -> Option<&str> {
        self.known_account.as_deref()
    }
}
