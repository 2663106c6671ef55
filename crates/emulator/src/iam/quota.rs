//! IAM's quotas. Source: IAM User Guide, "IAM and AWS STS quotas", default values.

/// Access keys of one user.
pub(super) const ACCESS_KEYS: usize = 2;
/// Groups that one user is in.
pub(super) const GROUPS: usize = 10;
/// Managed policies attached to one user, role or group.
pub(super) const ATTACHED_POLICIES: usize = 10;
/// Versions of one managed policy.
pub(super) const VERSIONS: usize = 5;
/// Tags of one user or role.
pub(super) const TAGS: usize = 50;
/// Users of an account.
pub(super) const USERS: usize = 5_000;
/// Groups of an account.
pub(super) const ACCOUNT_GROUPS: usize = 300;
/// Roles of an account.
pub(super) const ROLES: usize = 1_000;
/// Customer managed policies of an account.
pub(super) const POLICIES: usize = 1_500;

/// Inline policies of one user together, in characters without white space.
pub(super) const USER_POLICY_SIZE: usize = 2_048;
/// Inline policies of one group together.
pub(super) const GROUP_POLICY_SIZE: usize = 5_120;
/// Inline policies of one role together.
pub(super) const ROLE_POLICY_SIZE: usize = 10_240;
/// One managed policy.
pub(super) const MANAGED_POLICY_SIZE: usize = 6_144;
/// A trust policy.
pub(super) const TRUST_POLICY_SIZE: usize = 2_048;

/// Default of a role's maximum session duration, in seconds. Source: `MaxSessionDuration` of IAM's `CreateRole`, as for
/// the bounds.
pub(super) const DEFAULT_SESSION_DURATION: u32 = 3_600;
/// Bounds of a role's maximum session duration, in seconds.
pub(super) const SESSION_DURATIONS: std::ops::RangeInclusive<u32> = 3_600..=43_200;

/// The size of policies as quotas count it: characters without white space.
pub(super) fn size<'a>(texts: impl IntoIterator<Item = &'a str>) -> usize {
    texts.into_iter().flat_map(str::chars).filter(|character| !character.is_whitespace()).count()
}
