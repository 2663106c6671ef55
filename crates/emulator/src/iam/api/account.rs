//! The account as a whole in the API.

use super::super::quota;
use super::super::record::KeyOwner;
use super::call::{ActionResult, IamCall};
use super::target::PolicyTarget;
use crate::xml::XmlElement;

/// The number of entities of every kind and the quotas. Kinds that the emulator does not support count as zero.
pub(super) fn summary(call: IamCall<'_>) -> ActionResult {
    let state = call.allow(&PolicyTarget::account())?.read();
    let root_keys = state.keys.iter().any(|(_, key)| key.owner == KeyOwner::Root && key.active);
    let versions: usize = state.policies.iter().map(|(_, policy)| policy.versions().len()).sum();
    let entries = [
        ("AccessKeysPerUserQuota", quota::ACCESS_KEYS),
        ("AccountAccessKeysPresent", usize::from(root_keys)),
        ("AccountMFAEnabled", 0),
        ("AccountPasswordPresent", 0),
        ("AccountSigningCertificatesPresent", 0),
        ("AssumeRolePolicySizeQuota", quota::TRUST_POLICY_SIZE),
        ("AttachedPoliciesPerGroupQuota", quota::ATTACHED_POLICIES),
        ("AttachedPoliciesPerRoleQuota", quota::ATTACHED_POLICIES),
        ("AttachedPoliciesPerUserQuota", quota::ATTACHED_POLICIES),
        ("GroupPolicySizeQuota", quota::GROUP_POLICY_SIZE),
        ("Groups", state.groups.len()),
        ("GroupsPerUserQuota", quota::GROUPS),
        ("GroupsQuota", quota::ACCOUNT_GROUPS),
        ("InstanceProfiles", 0),
        ("MFADevices", 0),
        ("MFADevicesInUse", 0),
        ("Policies", state.policies.len()),
        ("PoliciesQuota", quota::POLICIES),
        ("PolicySizeQuota", quota::MANAGED_POLICY_SIZE),
        ("PolicyVersionsInUse", versions),
        ("Providers", 0),
        ("RolePolicySizeQuota", quota::ROLE_POLICY_SIZE),
        ("Roles", state.roles.len()),
        ("RolesQuota", quota::ROLES),
        ("ServerCertificates", 0),
        ("UserPolicySizeQuota", quota::USER_POLICY_SIZE),
        ("Users", state.users.len()),
        ("UsersQuota", quota::USERS),
        ("VersionsPerPolicyQuota", quota::VERSIONS),
    ];
    let entries = entries.into_iter().map(|(key, value)| {
        XmlElement::new("entry").with(XmlElement::text("key", key)).with(XmlElement::text("value", &value))
    });
    Ok(vec![XmlElement::new("SummaryMap").with_each(entries)])
}
