//! Managed policies of the account. Those of AWS cannot be changed, and a policy in use cannot be deleted.

use jiff::Timestamp;

use super::arn;
use super::document::IdentityPolicy;
use super::error::{IamError, Obstacle};
use super::managed::{ManagedPolicy, PolicyVersion};
use super::name::{MAX_POLICY_NAME_LENGTH, check_name};
use super::permission::{check_arn, no_such_policy};
use super::quota::{self, MANAGED_POLICY_SIZE};
use super::record::{Permissions, Policies, StoredPolicy};
use super::state::IamState;

/// How many identities use a managed policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PolicyUsage {
    /// Users, roles and groups that it is attached to.
    pub(super) attachments: usize,
    /// Users and roles whose boundary it is.
    pub(super) boundaries: usize,
}

impl IamState {
    /// Stores a new policy and returns its ARN.
    pub(super) fn create_policy(&mut self, policy: ManagedPolicy) -> Result<String, IamError> {
        check_name(&policy.name, MAX_POLICY_NAME_LENGTH)?;
        check_size(&policy.name, &policy.default.document)?;
        // The name must be unique even if the paths, and so the ARNs, differ.
        if self.policies.iter().any(|(_, known)| known.name.eq_ignore_ascii_case(&policy.name)) {
            return Err(IamError::EntityAlreadyExists { kind: "policy", name: policy.name });
        }
        let arn = arn::policy(&policy.path, &policy.name);
        self.policies.put(&arn, policy)?;
        Ok(arn)
    }

    pub(super) fn delete_policy(&mut self, arn: &str) -> Result<(), IamError> {
        self.check_own(arn)?;
        let usage = self.usage(arn);
        let obstacle = if usage.attachments + usage.boundaries > 0 {
            Some(Obstacle::Attachments)
        } else {
            self.find_policy(arn)?.has_others().then_some(Obstacle::Versions)
        };
        match obstacle {
            Some(obstacle) => Err(IamError::DeleteConflict { name: arn.to_owned(), obstacle }),
            None => self.policies.remove(arn),
        }
    }

    pub(super) fn create_policy_version(
        &mut self,
        arn: &str,
        document: StoredPolicy<IdentityPolicy>,
        now: Timestamp,
        set_as_default: bool,
    ) -> Result<PolicyVersion, IamError> {
        self.check_own(arn)?;
        check_size(arn, &document)?;
        self.policies.change(arn, |policy| policy.add(document, now, set_as_default))
    }

    pub(super) fn set_default_policy_version(&mut self, arn: &str, id: &str) -> Result<(), IamError> {
        self.check_own(arn)?;
        self.policies.change(arn, |policy| policy.set_default(id))
    }

    pub(super) fn delete_policy_version(&mut self, arn: &str, id: &str) -> Result<(), IamError> {
        self.check_own(arn)?;
        self.policies.change(arn, |policy| policy.remove(id))
    }

    pub(super) fn usage(&self, arn: &str) -> PolicyUsage {
        let has = |policies: &Policies| policies.attached.contains(arn);
        let identities = || {
            let users = self.users.iter().map(|(_, user)| &user.permissions);
            users.chain(self.roles.iter().map(|(_, role)| &role.permissions))
        };
        let groups = self.groups.iter().filter(|(_, group)| has(&group.policies)).count();
        let bounded = |permissions: &&Permissions| permissions.boundary.as_deref() == Some(arn);
        PolicyUsage {
            attachments: groups + identities().filter(|permissions| has(&permissions.policies)).count(),
            boundaries: identities().filter(bounded).count(),
        }
    }

    /// Checks that a policy exists and is the account's own.
    fn check_own(&self, arn: &str) -> Result<(), IamError> {
        check_arn(arn)?;
        if self.aws_policies.contains_key(arn) {
            return Err(IamError::AwsManaged(arn.to_owned()));
        }
        self.policies.get(arn).map(drop).ok_or_else(|| no_such_policy(arn))
    }
}

fn check_size(name: &str, document: &StoredPolicy<IdentityPolicy>) -> Result<(), IamError> {
    let (size, limit) = (quota::size([document.text.as_str()]), MANAGED_POLICY_SIZE);
    if size > limit {
        return Err(IamError::TooLarge { kind: "managed policy", name: name.to_owned(), size, limit });
    }
    Ok(())
}
