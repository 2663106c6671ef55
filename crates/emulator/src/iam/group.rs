//! Groups of users. A user stores its groups, so that its permissions can be found from the user.

use super::error::{IamError, Obstacle};
use super::kind::EntityKind;
use super::name::{MAX_POLICY_NAME_LENGTH, check_name};
use super::record::{IamGroup, IamUser};
use super::state::IamState;
use super::{arn, quota};

impl IamState {
    /// Stores a new group and returns its ARN.
    pub(super) fn create_group(&mut self, name: &str, group: IamGroup) -> Result<String, IamError> {
        check_name(name, MAX_POLICY_NAME_LENGTH)?;
        let arn = arn::entity(EntityKind::Group, &group.path, name);
        self.groups.create(name, group)?;
        Ok(arn)
    }

    pub(super) fn delete_group(&mut self, name: &str) -> Result<(), IamError> {
        let group = self.groups.find(name)?;
        let members = self.members(name).next().map(|_| Obstacle::Membership);
        match members.or_else(|| group.policies.obstacle()) {
            Some(obstacle) => Err(IamError::DeleteConflict { name: name.to_owned(), obstacle }),
            None => self.groups.remove(name),
        }
    }

    /// The users in a group, by name.
    pub(super) fn members(&self, group: &str) -> impl Iterator<Item = (&String, &IamUser)> {
        self.users.iter().filter(move |(_, user)| user.groups.contains(group))
    }

    /// Adds a user to a group, which may already contain it.
    pub(super) fn add_to_group(&mut self, user: &str, group: &str) -> Result<(), IamError> {
        self.groups.find(group)?;
        self.users.change(user, |user| {
            user.groups.insert(group.to_owned());
            if user.groups.len() > quota::GROUPS {
                return Err(IamError::LimitExceeded { quota: "GroupsPerUser", limit: quota::GROUPS });
            }
            Ok(())
        })
    }

    pub(super) fn remove_from_group(&mut self, user: &str, group: &str) -> Result<(), IamError> {
        self.groups.find(group)?;
        self.users.change(user, |record| {
            if record.groups.remove(group) {
                Ok(())
            } else {
                Err(IamError::NoSuchEntity { kind: "user in the group", name: user.to_owned() })
            }
        })
    }
}
