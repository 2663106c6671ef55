//! Reading users, groups, roles and policies.

use std::collections::BTreeMap;

use aws_sdk_iam::types::SummaryKeyType;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;
use tidegate_publish::aws_error::{AwsError, if_exists};

use super::IamClient;
use crate::changes::{FoundGroup, FoundPolicy, FoundRole, FoundUser, PolicyTargets, TAG};

/// The subject of calls that list users, groups or roles, for errors.
const ACCOUNT: &str = "the account";

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserInfo {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// Its creation date, as RFC 3339.
    pub created: String,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleInfo {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// Its description.
    pub description: Option<String>,
    /// Its maximum session duration, in seconds.
    pub max_session_duration: Option<i32>,
    /// Its trust policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<Value>,
    /// Its inline policies by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<BTreeMap<String, Value>>,
    /// ARNs of attached managed policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attached: Option<Vec<String>>,
}

/// How much of each role to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleFilter {
    /// What `ListRoles` returns.
    Names,
    /// Also its policies, which takes more requests for each role.
    Details,
}

/// All items of a paginated call.
macro_rules! list {
    ($call:literal, $subject:expr, $request:expr) => {
        $request
            .into_paginator()
            .items()
            .send()
            .try_collect()
            .await
            .map_err(|error| AwsError::new($call, $subject, &error))
    };
}

/// IAM returns policy documents percent-encoded.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl IamClient {
    /// Inline policies of a user by name.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn user_policies(&self, user: &str) -> Result<Option<BTreeMap<String, String>>, AwsError> {
        let Some(names) = self.user_policy_names(user).await? else { return Ok(None) };
        let mut policies = BTreeMap::new();
        for name in names {
            let request = self.client.get_user_policy().user_name(user).policy_name(&name);
            let output = send!("GetUserPolicy", user, request)?;
            policies.insert(name, decode(output.policy_document()));
        }
        Ok(Some(policies))
    }

    async fn user_policy_names(&self, user: &str) -> Result<Option<Vec<String>>, AwsError> {
        if_exists(list!("ListUserPolicies", user, self.client.list_user_policies().user_name(user)))
    }

    /// What a user has.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn user(&self, user: &str) -> Result<Option<FoundUser>, AwsError> {
        let client = &self.client;
        let Some(policies) = self.user_policy_names(user).await? else { return Ok(None) };
        let keys: Vec<_> = list!("ListAccessKeys", user, client.list_access_keys().user_name(user))?;
        let attached: Vec<_> =
            list!("ListAttachedUserPolicies", user, client.list_attached_user_policies().user_name(user))?;
        let groups: Vec<_> = list!("ListGroupsForUser", user, client.list_groups_for_user().user_name(user))?;
        Ok(Some(FoundUser {
            keys: keys.into_iter().filter_map(|key| key.access_key_id).collect(),
            policies,
            attached: attached.into_iter().filter_map(|policy| policy.policy_arn).collect(),
            groups: groups.into_iter().map(|group| group.group_name).collect(),
        }))
    }

    /// ARN of a user's permissions boundary; `None` also where the caller may not read the user.
    ///
    /// # Errors
    /// [`AwsError`] other than access denied.
    pub async fn user_boundary(&self, user: &str) -> Result<Option<String>, AwsError> {
        match if_exists(send!("GetUser", user, self.client.get_user().user_name(user))) {
            Ok(output) => {
                let boundary = output.and_then(|output| output.user).and_then(|user| user.permissions_boundary);
                Ok(boundary.and_then(|boundary| boundary.permissions_boundary_arn))
            }
            Err(error) if error.is_denied() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All users.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn users(&self) -> Result<Vec<UserInfo>, AwsError> {
        let users: Vec<_> = list!("ListUsers", ACCOUNT, self.client.list_users())?;
        let users = users.into_iter().map(|user| UserInfo {
            created: user.create_date.to_string(),
            name: user.user_name,
            path: user.path,
            arn: user.arn,
        });
        Ok(users.collect())
    }

    /// All roles.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn roles(&self, filter: RoleFilter) -> Result<Vec<RoleInfo>, AwsError> {
        let json = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
        let roles: Vec<_> = list!("ListRoles", ACCOUNT, self.client.list_roles())?;
        let mut infos = Vec::with_capacity(roles.len());
        for role in roles {
            let mut info = RoleInfo {
                name: role.role_name,
                path: role.path,
                arn: role.arn,
                description: role.description,
                max_session_duration: role.max_session_duration,
                trust: None,
                policies: None,
                attached: None,
            };
            if filter == RoleFilter::Details {
                let name = info.name.as_str();
                let request = self.client.list_attached_role_policies().role_name(name);
                let attached: Vec<_> = list!("ListAttachedRolePolicies", name, request)?;
                let policies = self.role_policies(name).await?;
                info.trust = role.assume_role_policy_document.as_deref().map(decode).map(json);
                info.policies = Some(policies.into_iter().map(|(name, text)| (name, json(text))).collect());
                info.attached = Some(attached.into_iter().filter_map(|policy| policy.policy_arn).collect());
            }
            infos.push(info);
        }
        Ok(infos)
    }

    /// Inline policies of a role by name.
    async fn role_policies(&self, role: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let names: Vec<String> = list!("ListRolePolicies", role, self.client.list_role_policies().role_name(role))?;
        let mut policies = BTreeMap::new();
        for name in names {
            let request = self.client.get_role_policy().role_name(role).policy_name(&name);
            let output = if_exists(send!("GetRolePolicy", role, request))?;
            policies.extend(output.map(|output| (name, decode(output.policy_document()))));
        }
        Ok(policies)
    }

    /// The trust policy of a role.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn role(&self, role: &str) -> Result<Option<String>, AwsError> {
        let output = if_exists(send!("GetRole", role, self.client.get_role().role_name(role)))?;
        let role = output.and_then(|output| output.role);
        Ok(role.map(|role| role.assume_role_policy_document.as_deref().map(decode).unwrap_or_default()))
    }

    /// The audiences of an OpenID Connect provider.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn provider_audiences(&self, arn: &str) -> Result<Option<Vec<String>>, AwsError> {
        let request = self.client.get_open_id_connect_provider().open_id_connect_provider_arn(arn);
        let output = if_exists(send!("GetOpenIDConnectProvider", arn, request))?;
        Ok(output.map(|output| output.client_id_list.unwrap_or_default()))
    }

    /// A role with its owner tag and its inline policies.
    pub(crate) async fn role_with_policies(&self, role: &str) -> Result<Option<FoundRole>, AwsError> {
        let output = if_exists(send!("GetRole", role, self.client.get_role().role_name(role)))?;
        let Some(found) = output.and_then(|output| output.role) else { return Ok(None) };
        let trust = found.assume_role_policy_document.as_deref().map(decode).unwrap_or_default();
        let tags: Vec<_> = list!("ListRoleTags", role, self.client.list_role_tags().role_name(role))?;
        let owner = tags.into_iter().find(|tag| tag.key() == TAG).map(|tag| tag.value);
        Ok(Some(FoundRole { owner, trust, policies: self.role_policies(role).await? }))
    }

    /// The document and the versions of a managed policy.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn policy(&self, arn: &str) -> Result<FoundPolicy, AwsError> {
        let output = if_exists(send!("GetPolicy", arn, self.client.get_policy().policy_arn(arn)))?;
        let Some(current) = output.and_then(|output| output.policy).and_then(|policy| policy.default_version_id) else {
            return Ok(FoundPolicy::default());
        };
        let request = self.client.get_policy_version().policy_arn(arn).version_id(&current);
        let output = send!("GetPolicyVersion", arn, request)?;
        let document = output.policy_version.and_then(|version| version.document).as_deref().map(decode);
        let versions: Vec<_> = list!("ListPolicyVersions", arn, self.client.list_policy_versions().policy_arn(arn))?;
        let others = versions.into_iter().filter(|version| !version.is_default_version);
        let mut versions: Vec<String> = others.filter_map(|version| version.version_id).collect();
        versions.sort_by_key(|id| id.trim_start_matches('v').parse::<u64>().unwrap_or_default());
        Ok(FoundPolicy { document: Some(document.unwrap_or_default()), versions })
    }

    /// The users, groups and roles that a managed policy is attached to.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn attached_to(&self, arn: &str) -> Result<PolicyTargets, AwsError> {
        let mut targets = PolicyTargets::default();
        let mut pages = self.client.list_entities_for_policy().policy_arn(arn).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = match if_exists(page.map_err(|error| AwsError::new("ListEntitiesForPolicy", arn, &error)))? {
                Some(page) => page,
                None => break,
            };
            targets.users.extend(page.policy_users.unwrap_or_default().into_iter().filter_map(|one| one.user_name));
            targets.groups.extend(page.policy_groups.unwrap_or_default().into_iter().filter_map(|one| one.group_name));
            targets.roles.extend(page.policy_roles.unwrap_or_default().into_iter().filter_map(|one| one.role_name));
        }
        Ok(targets)
    }

    /// The first of these users, groups and roles that does not exist, with its kind.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn missing_target(&self, targets: &PolicyTargets) -> Result<Option<(&'static str, String)>, AwsError> {
        let client = &self.client;
        for name in &targets.users {
            if if_exists(send!("GetUser", name, client.get_user().user_name(name)))?.is_none() {
                return Ok(Some(("user", name.clone())));
            }
        }
        for name in &targets.groups {
            if if_exists(send!("GetGroup", name, client.get_group().group_name(name)))?.is_none() {
                return Ok(Some(("group", name.clone())));
            }
        }
        for name in &targets.roles {
            if if_exists(send!("GetRole", name, client.get_role().role_name(name)))?.is_none() {
                return Ok(Some(("role", name.clone())));
            }
        }
        Ok(None)
    }

    /// The ARN of the user or role whose policies apply to a caller. The ARN of a session lacks the path of its role, which
    /// roles of single sign-on have. `None` for the root user and for other principals.
    ///
    /// # Errors
    /// [`AwsError`] other than access denied. Without access to the role, its path is taken to be `/`; roles of single
    /// sign-on never have that path, so their ARN is not known then.
    pub async fn principal_of(&self, caller: &str) -> Result<Option<String>, AwsError> {
        let Some((head, rest)) = caller.split_once(":assumed-role/") else {
            // Some servers return the service `sts` for users, too.
            return Ok(caller.contains(":user/").then(|| caller.replacen(":sts:", ":iam:", 1)));
        };
        let name = rest.split('/').next().unwrap_or_default();
        let without_path = || {
            let is_sso = name.starts_with("AWSReservedSSO_");
            (!is_sso).then(|| format!("{}:role/{name}", head.replacen(":sts:", ":iam:", 1)))
        };
        match if_exists(send!("GetRole", name, self.client.get_role().role_name(name))) {
            Ok(Some(output)) => Ok(output.role.map(|role| role.arn)),
            Ok(None) => Ok(without_path()),
            Err(error) if error.is_denied() => Ok(without_path()),
            Err(error) => Err(error),
        }
    }

    /// Names of all groups.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn groups(&self) -> Result<Vec<String>, AwsError> {
        let groups: Vec<_> = list!("ListGroups", ACCOUNT, self.client.list_groups())?;
        Ok(groups.into_iter().map(|group| group.group_name).collect())
    }

    /// A group with its users and policies.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn group(&self, group: &str) -> Result<Option<FoundGroup>, AwsError> {
        let client = &self.client;
        let users: Option<Vec<_>> = if_exists(list!("GetGroup", group, client.get_group().group_name(group)))?;
        let Some(users) = users else { return Ok(None) };
        let names: Vec<String> = list!("ListGroupPolicies", group, client.list_group_policies().group_name(group))?;
        let mut policies = Vec::new();
        for name in names {
            let request = client.get_group_policy().group_name(group).policy_name(&name);
            let output = send!("GetGroupPolicy", group, request)?;
            policies.push((name, decode(output.policy_document())));
        }
        let attached: Vec<_> =
            list!("ListAttachedGroupPolicies", group, client.list_attached_group_policies().group_name(group))?;
        Ok(Some(FoundGroup {
            users: users.into_iter().map(|user| user.user_name).collect(),
            policies,
            attached: attached.into_iter().filter_map(|policy| policy.policy_arn).collect(),
        }))
    }

    /// Whether the root user has access keys, which no policy can restrict. `None` where the caller may not read the
    /// account summary.
    ///
    /// # Errors
    /// [`AwsError`] other than access denied.
    pub async fn root_has_keys(&self) -> Result<Option<bool>, AwsError> {
        match send!("GetAccountSummary", ACCOUNT, self.client.get_account_summary()) {
            Ok(output) => {
                let summary = output.summary_map();
                let count = summary.and_then(|summary| summary.get(&SummaryKeyType::AccountAccessKeysPresent));
                Ok(count.map(|count| *count > 0))
            }
            Err(error) if error.is_denied() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
