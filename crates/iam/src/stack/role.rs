//! The two kinds of roles: the function's own, which cannot write a site, and one for each site, which the function assumes.
//!
//! Owns who trusts whom and under which names policies stand. What they say is `grant`'s.

use serde::Serialize;
use tidegate_core::config::{RoleArn, Site};
use tidegate_core::iam_name::{MAX_NAME, fitted};

use super::AccountRegion;
use crate::document::PolicyDocument;
use crate::policies::{lambda, site as site_grant, trust_role, trust_service};

/// A role with its inline policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackRole {
    /// Its name.
    pub name: String,
    /// Its path: `/`, `/publishers/`.
    pub path: String,
    /// What it is for, a sentence without its full stop.
    pub what: String,
    /// Who may assume it.
    pub trust: PolicyDocument,
    /// What it may do.
    pub policies: Vec<RolePolicy>,
}

/// An inline policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolePolicy {
    /// Its name.
    pub name: String,
    /// What it says.
    pub document: PolicyDocument,
}

/// The role that the function runs as.
pub(super) fn execution_role(sites: &[&Site], place: &AccountRegion, function: &str) -> StackRole {
    let grant = lambda(sites, place.account(), place.region(), function);
    StackRole {
        name: fitted(&grant.name, MAX_NAME),
        path: "/".to_owned(),
        what: format!("What the function {function} runs as. It assumes publisher roles"),
        trust: trust_service("lambda.amazonaws.com").document,
        policies: vec![RolePolicy { name: grant.name, document: grant.document }],
    }
}

/// The role that publishes a site. Sites that name the same one share it, each with a policy of its own.
pub(super) fn publisher(roles: &mut Vec<StackRole>, site: &Site, arn: &RoleArn, standing: &str) {
    let grant = site_grant(site, arn.account(), &[]);
    let policy = RolePolicy { name: grant.name, document: grant.document };
    let (path, name) = (arn.path(), arn.role_name());
    // Names are unique in an account, whatever the path, and whatever the case.
    if let Some(known) = roles.iter_mut().find(|role| role.name.eq_ignore_ascii_case(name)) {
        known.policies.push(policy);
        "Publishes sites, in sessions that the function narrows to one plan".clone_into(&mut known.what);
        return;
    }
    roles.push(StackRole {
        name: name.to_owned(),
        path: path.to_owned(),
        what: format!("Publishes the site {}, in sessions that the function narrows to one plan", site.name),
        trust: trust_role(&arn.partition(), arn.account(), standing).document,
        policies: vec![policy],
    });
}
