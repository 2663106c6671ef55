//! The policies of users, roles and groups: inline policies, attached managed policies and boundaries, with their
//! quotas.

use super::document::IdentityPolicy;
use super::error::{IamError, Obstacle};
use super::kind::EntityKind;
use super::managed::ManagedPolicy;
use super::name::{MAX_POLICY_NAME_LENGTH, check_name};
use super::record::{Policies, StoredPolicy};
use super::state::IamState;
use super::{arn, quota};

impl Policies {
    /// Adds or replaces an inline policy.
    pub(super) fn put(
        &mut self,
        kind: EntityKind,
        owner: &str,
        name: &str,
        document: StoredPolicy<IdentityPolicy>,
    ) -> Result<(), IamError> {
        check_name(name, MAX_POLICY_NAME_LENGTH)?;
        self.inline.insert(name.to_owned(), document);
        let size = quota::size(self.inline.values().map(|document| document.text.as_str()));
        let limit = kind.inline_size();
        if size > limit {
            return Err(IamError::TooLarge { kind: kind.inline_noun(), name: owner.to_owned(), size, limit });
        }
        Ok(())
    }

    /// Why the owner of these policies cannot be deleted.
    pub(super) fn obstacle(&self) -> Option<Obstacle> {
        if !self.inline.is_empty() {
            Some(Obstacle::InlinePolicies)
        } else if !self.attached.is_empty() {
            Some(Obstacle::AttachedPolicies)
        } else {
            None
        }
    }
}

impl IamState {
    /// The policies of a user, role or group.
    pub(super) fn policies_of(&self, kind: EntityKind, name: &str) -> Result<&Policies, IamError> {
        Ok(match kind {
            EntityKind::User => &self.users.find(name)?.permissions.policies,
            EntityKind::Role => &self.roles.find(name)?.permissions.policies,
            EntityKind::Group => &self.groups.find(name)?.policies,
        })
    }

    fn change_policies(
        &mut self,
        kind: EntityKind,
        name: &str,
        change: impl FnOnce(&mut Policies) -> Result<(), IamError>,
    ) -> Result<(), IamError> {
        match kind {
            EntityKind::User => self.users.change(name, |user| change(&mut user.permissions.policies)),
            EntityKind::Role => self.roles.change(name, |role| change(&mut role.permissions.policies)),
            EntityKind::Group => self.groups.change(name, |group| change(&mut group.policies)),
        }
    }

    pub(super) fn inline_policy(
        &self,
        kind: EntityKind,
        owner: &str,
        name: &str,
    ) -> Result<&StoredPolicy<IdentityPolicy>, IamError> {
        let found = self.policies_of(kind, owner)?.inline.get(name);
        found.ok_or_else(|| IamError::NoSuchEntity { kind: kind.inline_noun(), name: name.to_owned() })
    }

    pub(super) fn put_inline_policy(
        &mut self,
        kind: EntityKind,
        owner: &str,
        name: &str,
        document: StoredPolicy<IdentityPolicy>,
    ) -> Result<(), IamError> {
        self.change_policies(kind, owner, |policies| policies.put(kind, owner, name, document))
    }

    pub(super) fn delete_inline_policy(&mut self, kind: EntityKind, owner: &str, name: &str) -> Result<(), IamError> {
        self.change_policies(kind, owner, |policies| match policies.inline.remove(name) {
            Some(_) => Ok(()),
            None => Err(IamError::NoSuchEntity { kind: kind.inline_noun(), name: name.to_owned() }),
        })
    }

    /// Attaches a managed policy, which may already be attached.
    pub(super) fn attach_policy(&mut self, kind: EntityKind, owner: &str, arn: &str) -> Result<(), IamError> {
        self.find_policy(arn)?;
        self.change_policies(kind, owner, |policies| {
            policies.attached.insert(arn.to_owned());
            if policies.attached.len() > quota::ATTACHED_POLICIES {
                let quota = kind.attached_quota();
                return Err(IamError::LimitExceeded { quota, limit: quota::ATTACHED_POLICIES });
            }
            Ok(())
        })
    }

    pub(super) fn detach_policy(&mut self, kind: EntityKind, owner: &str, arn: &str) -> Result<(), IamError> {
        check_arn(arn)?;
        self.change_policies(
            kind,
            owner,
            |policies| {
                if policies.attached.remove(arn) { Ok(()) } else { Err(no_such_policy(arn)) }
            },
        )
    }

    pub(super) fn boundary(&self, kind: EntityKind, name: &str) -> Result<Option<&str>, IamError> {
        Ok(match kind {
            EntityKind::User => self.users.find(name)?.permissions.boundary.as_deref(),
            EntityKind::Role => self.roles.find(name)?.permissions.boundary.as_deref(),
            EntityKind::Group => None,
        })
    }

    pub(super) fn set_user_boundary(&mut self, name: &str, arn: Option<&str>) -> Result<(), IamError> {
        self.check_boundary(arn)?;
        self.users.change(name, |user| set_boundary(&mut user.permissions.boundary, name, arn))
    }

    pub(super) fn set_role_boundary(&mut self, name: &str, arn: Option<&str>) -> Result<(), IamError> {
        self.check_boundary(arn)?;
        self.roles.change(name, |role| set_boundary(&mut role.permissions.boundary, name, arn))
    }

    pub(super) fn check_boundary(&self, arn: Option<&str>) -> Result<(), IamError> {
        arn.map_or(Ok(()), |arn| self.find_policy(arn).map(drop))
    }

    /// A managed policy that must exist.
    pub(super) fn find_policy(&self, arn: &str) -> Result<&ManagedPolicy, IamError> {
        check_arn(arn)?;
        self.policy(arn).ok_or_else(|| no_such_policy(arn))
    }
}

fn set_boundary(boundary: &mut Option<String>, name: &str, arn: Option<&str>) -> Result<(), IamError> {
    if arn.is_none() && boundary.is_none() {
        return Err(IamError::NoSuchEntity { kind: "permissions boundary", name: name.to_owned() });
    }
    *boundary = arn.map(str::to_owned);
    Ok(())
}

pub(super) fn check_arn(arn: &str) -> Result<(), IamError> {
    if arn::is_policy(arn) { Ok(()) } else { Err(IamError::PolicyArn(arn.to_owned())) }
}

pub(super) fn no_such_policy(arn: &str) -> IamError {
    IamError::NoSuchEntity { kind: "policy", name: arn.to_owned() }
}
