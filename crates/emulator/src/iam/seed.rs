//! Creates users, roles, managed policies and access keys from tests and the command line, without checking
//! permissions. Names, sizes and quotas are checked as by IAM, except the number of access keys.

use std::fmt;

use aws_credential_types::Credentials;

use super::error::IamError;
use super::kind::EntityKind;
use super::managed::ManagedPolicy;
use super::record::{IamRole, IamUser, KeyOwner, Policies, StoredAccessKey, StoredPolicy};
use super::service::IamService;

/// A long-lived access key.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// `AKIA…`.
    pub id: String,
    /// The secret access key.
    pub secret: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl AccessKey {
    /// The key as AWS SDKs accept it.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials::new(&self.id, &self.secret, None, None, "tidegate-local")
    }
}

impl IamService {
    /// Creates a role with a trust policy and inline policies (name and document), and returns its ARN. Its maximum
    /// session duration is one hour.
    ///
    /// # Errors
    /// The role exists, or an argument is invalid.
    pub fn create_role(&self, name: &str, trust: &str, policies: &[(&str, &str)]) -> Result<String, IamError> {
        let mut role = IamRole::new(trust.to_owned().try_into()?, self.clock.now())?;
        role.permissions.policies = inline(EntityKind::Role, name, policies)?;
        self.change(|state| state.create_role(name, role))
    }

    /// Deletes a role with its policies. Its sessions end at once.
    ///
    /// # Errors
    /// The role does not exist.
    pub fn delete_role(&self, name: &str) -> Result<(), IamError> {
        self.change(|state| state.roles.remove(name))
    }

    /// Creates a user with inline policies (name and document), and returns its ARN.
    ///
    /// # Errors
    /// The user exists, or an argument is invalid.
    pub fn create_user(&self, name: &str, policies: &[(&str, &str)]) -> Result<String, IamError> {
        let mut user = IamUser::new(self.clock.now())?;
        user.permissions.policies = inline(EntityKind::User, name, policies)?;
        self.change(|state| state.create_user(name, user))
    }

    /// Creates an access key of a user, without limiting their number.
    ///
    /// # Errors
    /// The user does not exist.
    pub fn create_access_key(&self, user: &str) -> Result<AccessKey, IamError> {
        let (id, key) = StoredAccessKey::new(KeyOwner::User(user.to_owned()), self.clock.now())?;
        let secret = key.secret.clone();
        self.change(|state| {
            state.users.find(user)?;
            state.keys.put(&id, key)
        })?;
        Ok(AccessKey { id, secret })
    }

    /// Deactivates an access key. Requests that it signs are rejected like those of an unknown key.
    ///
    /// # Errors
    /// The key does not exist.
    pub fn deactivate_access_key(&self, id: &str) -> Result<(), IamError> {
        self.change(|state| {
            state.keys.change(id, |key| {
                key.active = false;
                Ok(())
            })
        })
    }

    /// Creates a managed policy and returns its ARN.
    ///
    /// # Errors
    /// The policy exists, or an argument is invalid.
    pub fn create_policy(&self, name: &str, document: &str) -> Result<String, IamError> {
        let policy = ManagedPolicy::new(name, document.to_owned().try_into()?, self.clock.now())?;
        self.change(|state| state.create_policy(policy))
    }

    /// Adds or replaces an inline policy of a role.
    ///
    /// # Errors
    /// The role does not exist, or the policy is invalid.
    pub fn put_role_policy(&self, role: &str, name: &str, document: &str) -> Result<(), IamError> {
        let document = document.to_owned().try_into()?;
        self.change(|state| state.put_inline_policy(EntityKind::Role, role, name, document))
    }

    /// Adds or replaces an inline policy of a user.
    ///
    /// # Errors
    /// The user does not exist, or the policy is invalid.
    pub fn put_user_policy(&self, user: &str, name: &str, document: &str) -> Result<(), IamError> {
        let document = document.to_owned().try_into()?;
        self.change(|state| state.put_inline_policy(EntityKind::User, user, name, document))
    }

    /// Attaches a managed policy to a role.
    ///
    /// # Errors
    /// The role or the policy does not exist.
    pub fn attach_role_policy(&self, role: &str, policy_arn: &str) -> Result<(), IamError> {
        self.change(|state| state.attach_policy(EntityKind::Role, role, policy_arn))
    }

    /// Attaches a managed policy to a user.
    ///
    /// # Errors
    /// The user or the policy does not exist.
    pub fn attach_user_policy(&self, user: &str, policy_arn: &str) -> Result<(), IamError> {
        self.change(|state| state.attach_policy(EntityKind::User, user, policy_arn))
    }

    /// Sets the permissions boundary of a role to a managed policy.
    ///
    /// # Errors
    /// The role or the policy does not exist.
    pub fn set_role_boundary(&self, role: &str, policy_arn: &str) -> Result<(), IamError> {
        self.change(|state| state.set_role_boundary(role, Some(policy_arn)))
    }

    /// Sets the permissions boundary of a user to a managed policy.
    ///
    /// # Errors
    /// The user or the policy does not exist.
    pub fn set_user_boundary(&self, user: &str, policy_arn: &str) -> Result<(), IamError> {
        self.change(|state| state.set_user_boundary(user, Some(policy_arn)))
    }

    /// Sets a role's maximum session duration, 3,600 to 43,200 seconds.
    ///
    /// # Errors
    /// The role does not exist, or the duration is out of bounds.
    pub fn set_longest_session(&self, role: &str, seconds: u32) -> Result<(), IamError> {
        self.change(|state| state.set_longest_session(role, seconds))
    }
}

fn inline(kind: EntityKind, owner: &str, documents: &[(&str, &str)]) -> Result<Policies, IamError> {
    let mut policies = Policies::default();
    for (name, text) in documents {
        if policies.inline.contains_key(*name) {
            return Err(IamError::EntityAlreadyExists { kind: "policy", name: (*name).to_owned() });
        }
        policies.put(kind, owner, name, StoredPolicy::try_from((*text).to_owned())?)?;
    }
    Ok(policies)
}
