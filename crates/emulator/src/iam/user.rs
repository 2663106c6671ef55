//! Users and their access keys.

use super::error::{IamError, Obstacle};
use super::kind::EntityKind;
use super::name::{MAX_NAME_LENGTH, check_name};
use super::record::{IamUser, KeyOwner, StoredAccessKey};
use super::state::IamState;
use super::{arn, quota};

impl IamState {
    /// Stores a new user and returns its ARN.
    pub(super) fn create_user(&mut self, name: &str, user: IamUser) -> Result<String, IamError> {
        check_name(name, MAX_NAME_LENGTH)?;
        self.check_boundary(user.permissions.boundary.as_deref())?;
        let arn = arn::entity(EntityKind::User, &user.path, name);
        self.users.create(name, user)?;
        Ok(arn)
    }

    pub(super) fn delete_user(&mut self, name: &str) -> Result<(), IamError> {
        let user = self.users.find(name)?;
        let obstacle = if self.access_keys(name).next().is_some() {
            Some(Obstacle::AccessKeys)
        } else if !user.groups.is_empty() {
            Some(Obstacle::Membership)
        } else {
            user.permissions.policies.obstacle()
        };
        match obstacle {
            Some(obstacle) => Err(IamError::DeleteConflict { name: name.to_owned(), obstacle }),
            None => self.users.remove(name),
        }
    }

    /// The keys of a user, ordered by ID.
    pub(super) fn access_keys(&self, user: &str) -> impl Iterator<Item = (&String, &StoredAccessKey)> {
        self.keys.iter().filter(move |(_, key)| matches!(&key.owner, KeyOwner::User(name) if name == user))
    }

    /// Stores a new access key, within the quota of the user.
    pub(super) fn create_access_key(&mut self, user: &str, id: &str, key: StoredAccessKey) -> Result<(), IamError> {
        self.users.find(user)?;
        if self.access_keys(user).count() >= quota::ACCESS_KEYS {
            return Err(IamError::LimitExceeded { quota: "AccessKeysPerUser", limit: quota::ACCESS_KEYS });
        }
        self.keys.put(id, key)
    }

    pub(super) fn set_access_key(&mut self, user: &str, id: &str, active: bool) -> Result<(), IamError> {
        self.check_access_key(user, id)?;
        self.keys.change(id, |key| {
            key.active = active;
            Ok(())
        })
    }

    pub(super) fn delete_access_key(&mut self, user: &str, id: &str) -> Result<(), IamError> {
        self.check_access_key(user, id)?;
        self.keys.remove(id)
    }

    fn check_access_key(&self, user: &str, id: &str) -> Result<(), IamError> {
        self.users.find(user)?;
        if self.access_keys(user).any(|(known, _)| known == id) {
            Ok(())
        } else {
            Err(IamError::NoSuchEntity { kind: "access key", name: id.to_owned() })
        }
    }
}
