//! The kinds of entities that have policies: users, roles and groups. Holds what differs between them, so that the rest
//! is written once.

use super::quota;

/// A kind of entity that has policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntityKind {
    User,
    Role,
    Group,
}

impl EntityKind {
    pub(super) const ALL: [Self; 3] = [Self::User, Self::Role, Self::Group];

    /// The kind in messages and ARNs.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
            Self::Group => "group",
        }
    }

    /// An inline policy of the kind, in messages.
    pub(super) fn inline_noun(self) -> &'static str {
        match self {
            Self::User => "user policy",
            Self::Role => "role policy",
            Self::Group => "group policy",
        }
    }

    /// The parameter and the element with a name of the kind.
    pub(super) fn name_parameter(self) -> &'static str {
        match self {
            Self::User => "UserName",
            Self::Role => "RoleName",
            Self::Group => "GroupName",
        }
    }

    /// Quota of all inline policies of one entity together, in characters without white space.
    pub(super) fn inline_size(self) -> usize {
        match self {
            Self::User => quota::USER_POLICY_SIZE,
            Self::Role => quota::ROLE_POLICY_SIZE,
            Self::Group => quota::GROUP_POLICY_SIZE,
        }
    }

    /// The name of the quota on attached policies.
    pub(super) fn attached_quota(self) -> &'static str {
        match self {
            Self::User => "PoliciesPerUser",
            Self::Role => "PoliciesPerRole",
            Self::Group => "PoliciesPerGroup",
        }
    }
}
