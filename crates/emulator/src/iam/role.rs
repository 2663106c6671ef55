//! Roles: creation, changes and deletion.

use super::arn;
use super::document::TrustPolicy;
use super::error::IamError;
use super::kind::EntityKind;
use super::name::{MAX_NAME_LENGTH, check_name};
use super::provider::check_shared_issuers;
use super::quota::{self, SESSION_DURATIONS, TRUST_POLICY_SIZE};
use super::record::{IamRole, StoredPolicy, Tags};
use super::state::IamState;

impl IamState {
    /// Stores a new role and returns its ARN.
    pub(super) fn create_role(&mut self, name: &str, role: IamRole) -> Result<String, IamError> {
        check_name(name, MAX_NAME_LENGTH)?;
        self.check_trust(name, &role.trust)?;
        check_longest_session(role.longest_session)?;
        self.check_boundary(role.permissions.boundary.as_deref())?;
        let arn = arn::entity(EntityKind::Role, &role.path, name);
        self.roles.create(name, role)?;
        Ok(arn)
    }

    pub(super) fn set_trust(&mut self, name: &str, trust: StoredPolicy<TrustPolicy>) -> Result<(), IamError> {
        self.check_trust(name, &trust)?;
        self.roles.change(name, |role| {
            role.trust = trust;
            Ok(())
        })
    }

    /// Adds tags to a role. A tag that it has, ignoring case, gets the new value.
    pub(super) fn tag_role(&mut self, name: &str, tags: Tags) -> Result<(), IamError> {
        self.roles.change(name, |role| {
            role.tags.retain(|known, _| !tags.keys().any(|key| key.eq_ignore_ascii_case(known)));
            role.tags.extend(tags);
            check_tags(&role.tags)
        })
    }

    pub(super) fn delete_role(&mut self, name: &str) -> Result<(), IamError> {
        match self.roles.find(name)?.permissions.policies.obstacle() {
            Some(obstacle) => Err(IamError::DeleteConflict { name: name.to_owned(), obstacle }),
            None => self.roles.remove(name),
        }
    }

    /// Rejects a trust policy that is too long, or that names a user or role that does not exist.
    fn check_trust(&self, role: &str, trust: &StoredPolicy<TrustPolicy>) -> Result<(), IamError> {
        let (size, limit) = (quota::size([trust.text.as_str()]), TRUST_POLICY_SIZE);
        if size > limit {
            return Err(IamError::TooLarge { kind: "trust policy", name: role.to_owned(), size, limit });
        }
        check_shared_issuers(&trust.policy)?;
        let prefix = arn::root().trim_end_matches("root").to_owned();
        for named in trust.policy.named_arns() {
            let is_own = named.starts_with(&prefix) && named != arn::root();
            if is_own && !matches!(self.entity_of(named), Some((EntityKind::User | EntityKind::Role, _))) {
                return Err(IamError::UnknownPrincipal(named.to_owned()));
            }
        }
        Ok(())
    }
}

pub(super) fn check_tags(tags: &Tags) -> Result<(), IamError> {
    if tags.len() > quota::TAGS {
        return Err(IamError::LimitExceeded { quota: "TagsPerResource", limit: quota::TAGS });
    }
    Ok(())
}

fn check_longest_session(seconds: u32) -> Result<(), IamError> {
    if SESSION_DURATIONS.contains(&seconds) { Ok(()) } else { Err(IamError::SessionDuration(seconds)) }
}
