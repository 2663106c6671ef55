//! The function's execution role, which cannot write a site, and the publisher roles that it assumes, one for each site.

use serde::Serialize;
use tidegate_core::config::{FunctionConfig, RoleArn, Site};
use tidegate_core::iam_name::{MAX_NAME, fitted};

use super::account_region::AccountRegion;
use crate::document::PolicyDocument;
use crate::policies::{lambda, site as site_grant, trust_role, trust_service};

/// A role with its inline policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackRole {
    /// Its name.
    pub name: String,
    /// Its path: `/`, `/publishers/`.
    pub path: String,
    /// Its description.
    pub description: String,
    /// Its trust policy.
    pub trust: PolicyDocument,
    /// Its inline policies.
    pub policies: Vec<RolePolicy>,
}

/// An inline policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolePolicy {
    /// Its name.
    pub name: String,
    /// Its document.
    pub document: PolicyDocument,
}

/// The execution role.
pub(super) fn execution_role(sites: &[&Site], place: &AccountRegion, config: &FunctionConfig) -> StackRole {
    let function = config.name.as_str();
    let grant = lambda(sites, place.account(), place.region(), config);
    StackRole {
        name: fitted(&grant.name, MAX_NAME),
        path: "/".to_owned(),
        description: format!("Execution role of the function {function}, which assumes the publisher roles"),
        trust: trust_service("lambda.amazonaws.com").document,
        policies: vec![RolePolicy { name: grant.name, document: grant.document }],
    }
}

/// Adds the publisher role of a site. Sites with the same role share it, each with an inline policy of its own.
pub(super) fn add_publisher(roles: &mut Vec<StackRole>, site: &Site, role: &RoleArn, execution_role: &str) {
    let grant = site_grant(site, role.account(), &[]);
    let policy = RolePolicy { name: grant.name, document: grant.document };
    // A role name is unique in an account, regardless of path and case.
    if let Some(known) = roles.iter_mut().find(|known| known.name.eq_ignore_ascii_case(role.role_name())) {
        known.policies.push(policy);
        "Publishes sites, in sessions limited to one plan".clone_into(&mut known.description);
        return;
    }
    roles.push(StackRole {
        name: role.role_name().to_owned(),
        path: role.path().to_owned(),
        description: format!("Publishes the site {}, in sessions limited to one plan", site.name),
        trust: trust_role(&role.partition(), role.account(), execution_role).document,
        policies: vec![policy],
    });
}
