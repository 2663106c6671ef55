//! Creates users, roles and access keys from tests and the command line, without checking
//! permissions. Names, sizes and quotas are checked as by IAM, except the number of access keys.

use std::fmt;

use aws_credential_types::Credentials;

use super::error::IamError;
use super::kind::EntityKind;
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
