//! The target of a call: its ARN, its name in AWS's error messages, and condition keys.
//!
//! Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Identity and Access
//! Management (IAM)".

use super::super::arn;
use super::super::arn::ACCOUNT_ID;
use super::super::caller::AccessDenied;
use super::super::kind::EntityKind;
use super::super::name::EntityPath;
use super::super::record::Tags;
use super::super::service::IamService;

/// The target of a call.
pub(super) struct PolicyTarget {
    pub(super) arn: String,
    /// The name in error messages: kind and name of an existing entity, otherwise the ARN.
    label: String,
    pub(super) context: Vec<(String, String)>,
}

impl PolicyTarget {
    fn of(arn: String, label: String) -> Self {
        Self { arn, label, context: Vec::new() }
    }

    /// An entity to create.
    pub(super) fn new(kind: EntityKind, path: &EntityPath, name: &str) -> Self {
        let arn = arn::entity(kind, path, name);
        Self::of(arn.clone(), arn)
    }

    /// A policy to create.
    pub(super) fn new_policy(path: &EntityPath, name: &str) -> Self {
        Self::of(arn::policy(path, name), format!("policy {name}"))
    }

    /// A user, role or group by name. A missing one gets the ARN that it would have at `/`, so that a caller without
    /// permission does not learn whether it exists.
    pub(super) fn existing(iam: &IamService, kind: EntityKind, name: &str) -> Self {
        let state = iam.read();
        let arn = state.arn_of(kind, name).unwrap_or_else(|| arn::entity(kind, &EntityPath::default(), name));
        let tags = match kind {
            EntityKind::User => state.users.get(name).map(|user| &user.tags),
            EntityKind::Role => state.roles.get(name).map(|role| &role.tags),
            EntityKind::Group => None,
        };
        let mut target = Self::of(arn, format!("{} {name}", kind.noun()));
        for (key, value) in tags.into_iter().flatten() {
            target.context.push((format!("aws:ResourceTag/{key}"), value.clone()));
            target.context.push((format!("iam:ResourceTag/{key}"), value.clone()));
        }
        target
    }

    /// The same for an action whose permission can depend on the boundary of the user or role.
    pub(super) fn bounded(iam: &IamService, kind: EntityKind, name: &str) -> Self {
        let boundary = iam.read().boundary(kind, name).ok().flatten().map(str::to_owned);
        Self::existing(iam, kind, name).with_boundary(boundary.as_deref())
    }

    /// A managed policy by ARN.
    pub(super) fn policy(arn: &str) -> Self {
        Self::of(arn.to_owned(), format!("policy {arn}"))
    }

    /// An OpenID Connect provider by ARN.
    pub(super) fn provider(arn: &str) -> Self {
        Self::of(arn.to_owned(), arn.to_owned())
    }

    /// All users, roles or groups whose path starts with `prefix`.
    pub(super) fn list(kind: EntityKind, prefix: &str) -> Self {
        let arn = format!("{}{prefix}", arn::entities(kind));
        Self::of(arn.clone(), arn)
    }

    /// All managed policies whose path starts with `prefix`.
    pub(super) fn list_policies(prefix: &str) -> Self {
        Self::of(format!("arn:aws:iam::{ACCOUNT_ID}:policy{prefix}"), format!("policy path {prefix}"))
    }

    /// A simulated identity with an unknown ARN.
    pub(super) fn policy_source(arn: &str) -> Self {
        Self::of(arn.to_owned(), arn.to_owned())
    }

    /// The account.
    pub(super) fn account() -> Self {
        Self::of("*".to_owned(), "*".to_owned())
    }

    /// The account's root.
    pub(super) fn root() -> Self {
        Self::of(arn::root(), arn::root())
    }

    pub(super) fn with_boundary(self, boundary: Option<&str>) -> Self {
        match boundary {
            Some(arn) => self.with("iam:PermissionsBoundary", arn),
            None => self,
        }
    }

    pub(super) fn with_policy(self, arn: &str) -> Self {
        self.with("iam:PolicyARN", arn)
    }

    pub(super) fn with_tags(self, tags: &Tags) -> Self {
        tags.iter().fold(self, |target, (key, value)| {
            target.with(&format!("aws:RequestTag/{key}"), value).with("aws:TagKeys", key)
        })
    }

    fn with(mut self, key: &str, value: &str) -> Self {
        self.context.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Replaces the resource of an error by the label that AWS uses in messages.
    pub(super) fn denied(&self, denied: AccessDenied) -> AccessDenied {
        AccessDenied { resource: self.label.clone(), ..denied }
    }
}
