//! Looking at what is there. "Not there" is an answer, not an error.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_publish::aws_error::{AwsError, if_exists};

use super::{IamClient, decoded};
use crate::changes::{FoundGroup, FoundPolicy, FoundUser};

/// A user, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserInfo {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// When it was made, as RFC 3339 has it.
    pub created: String,
}

/// A role, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleInfo {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its longest session, in seconds.
    pub longest_session: Option<i32>,
    /// Who may assume it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<serde_json::Value>,
    /// Its inline policies by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<BTreeMap<String, serde_json::Value>>,
    /// Managed policies that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attached: Option<Vec<String>>,
}

/// How much of each role is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleFilter {
    /// What one listing answers.
    Names,
    /// Its policies too, with requests of their own.
    Details,
}

/// Every page of a listing: the request, and the member of its answer.
macro_rules! pages {
    ($client:expr, $call:ident, $name:literal, $subject:expr, $items:ident $(, $set:ident = $value:expr)*) => {{
        let mut found = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let answer = $client
                .$call()
                $(.$set($value))*
                .set_marker(marker.take())
                .send()
                .await
                .map_err(|error| AwsError::new($name, $subject, &error))?;
            let more = answer.is_truncated;
            marker = answer.marker.clone();
            found.extend(answer.$items().iter().cloned());
            if !more || marker.is_none() {
                break;
            }
        }
        found
    }};
}
pub(super) use pages;

impl IamClient {
    /// Inline policies of a user by name; nothing where there is no such user.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn user_policies(&self, user: &str) -> Result<Option<BTreeMap<String, String>>, AwsError> {
        let Some(names) = if_exists(self.user_policy_names(user).await)? else { return Ok(None) };
        let mut policies = BTreeMap::new();
        for name in names {
            let answer = self.client.get_user_policy().user_name(user).policy_name(&name).send().await;
            let answer = answer.map_err(|error| AwsError::new("GetUserPolicy", user, &error))?;
            policies.insert(name, decoded(answer.policy_document()));
        }
        Ok(Some(policies))
    }

    async fn user_policy_names(&self, user: &str) -> Result<Vec<String>, AwsError> {
        Ok(pages!(self.client, list_user_policies, "ListUserPolicies", user, policy_names, user_name = user))
    }

    /// Everything that keeps IAM from removing a user; nothing where there is no such user.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn user(&self, user: &str) -> Result<Option<FoundUser>, AwsError> {
        let Some(policies) = if_exists(self.user_policy_names(user).await)? else { return Ok(None) };
        let keys = pages!(self.client, list_access_keys, "ListAccessKeys", user, access_key_metadata, user_name = user);
        let attached = pages!(
            self.client,
            list_attached_user_policies,
            "ListAttachedUserPolicies",
            user,
            attached_policies,
            user_name = user
        );
        let groups = pages!(self.client, list_groups_for_user, "ListGroupsForUser", user, groups, user_name = user);
        Ok(Some(FoundUser {
            keys: keys.into_iter().filter_map(|key| key.access_key_id).collect(),
            policies,
            attached: attached.into_iter().filter_map(|policy| policy.policy_arn).collect(),
            groups: groups.into_iter().map(|group| group.group_name).collect(),
        }))
    }

    /// All users.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn users(&self) -> Result<Vec<UserInfo>, AwsError> {
        let users = pages!(self.client, list_users, "ListUsers", "the account", users);
        let told = users.into_iter().map(|user| UserInfo {
            created: user.create_date.to_string(),
            name: user.user_name,
            path: user.path,
            arn: user.arn,
        });
        Ok(told.collect())
    }

    /// All roles.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn roles(&self, how: RoleFilter) -> Result<Vec<RoleInfo>, AwsError> {
        let roles = pages!(self.client, list_roles, "ListRoles", "the account", roles);
        let mut told = Vec::with_capacity(roles.len());
        for role in roles {
            let trust = role.assume_role_policy_document.as_deref().map(decoded);
            let mut one = RoleInfo {
                trust: trust.filter(|_| how == RoleFilter::Details).and_then(|text| serde_json::from_str(&text).ok()),
                name: role.role_name,
                path: role.path,
                arn: role.arn,
                description: role.description,
                longest_session: role.max_session_duration,
                policies: None,
                attached: None,
            };
            if how == RoleFilter::Details {
                let name = one.name.as_str();
                one.policies = Some(self.role_policies(name).await?);
                let attached = pages!(
                    self.client,
                    list_attached_role_policies,
                    "ListAttachedRolePolicies",
                    name,
                    attached_policies,
                    role_name = name
                );
                one.attached = Some(attached.into_iter().filter_map(|policy| policy.policy_arn).collect());
            }
            told.push(one);
        }
        Ok(told)
    }

    async fn role_policies(&self, role: &str) -> Result<BTreeMap<String, serde_json::Value>, AwsError> {
        let names = pages!(self.client, list_role_policies, "ListRolePolicies", role, policy_names, role_name = role);
        let mut policies = BTreeMap::new();
        for name in names {
            let answer = self.client.get_role_policy().role_name(role).policy_name(&name).send().await;
            let answer = answer.map_err(|error| AwsError::new("GetRolePolicy", role, &error))?;
            let text = decoded(answer.policy_document());
            policies.insert(name, serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text)));
        }
        Ok(policies)
    }

    /// A role's trust policy; nothing where there is no such role.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn role(&self, role: &str) -> Result<Option<String>, AwsError> {
        let answer = self.client.get_role().role_name(role).send().await;
        let answer = if_exists(answer.map_err(|error| AwsError::new("GetRole", role, &error)))?;
        Ok(answer
            .and_then(|answer| answer.role)
            .map(|role| role.assume_role_policy_document.as_deref().map(decoded).unwrap_or_default()))
    }

    /// What there is of a managed policy.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn policy(&self, arn: &str) -> Result<FoundPolicy, AwsError> {
        let answer = self.client.get_policy().policy_arn(arn).send().await;
        let answer = if_exists(answer.map_err(|error| AwsError::new("GetPolicy", arn, &error)))?;
        let Some(current) = answer.and_then(|answer| answer.policy).and_then(|policy| policy.default_version_id) else {
            return Ok(FoundPolicy::default());
        };
        let answer = self.client.get_policy_version().policy_arn(arn).version_id(&current).send().await;
        let answer = answer.map_err(|error| AwsError::new("GetPolicyVersion", arn, &error))?;
        let document = answer.policy_version.and_then(|version| version.document).as_deref().map(decoded);
        let versions = pages!(self.client, list_policy_versions, "ListPolicyVersions", arn, versions, policy_arn = arn);
        let mut versions: Vec<String> = versions
            .into_iter()
            .filter(|version| !version.is_default_version)
            .filter_map(|version| version.version_id)
            .collect();
        versions.sort_by_key(|id| id.trim_start_matches('v').parse::<u64>().unwrap_or_default());
        Ok(FoundPolicy { document: Some(document.unwrap_or_default()), versions })
    }

    /// Names of all groups.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn groups(&self) -> Result<Vec<String>, AwsError> {
        let groups = pages!(self.client, list_groups, "ListGroups", "the account", groups);
        Ok(groups.into_iter().map(|group| group.group_name).collect())
    }

    /// A group with its users and policies; nothing where there is no such group.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn group(&self, group: &str) -> Result<Option<FoundGroup>, AwsError> {
        let Some(users) = if_exists(self.group_users(group).await)? else { return Ok(None) };
        let names =
            pages!(self.client, list_group_policies, "ListGroupPolicies", group, policy_names, group_name = group);
        let mut policies = Vec::new();
        for name in names {
            let answer = self.client.get_group_policy().group_name(group).policy_name(&name).send().await;
            let answer = answer.map_err(|error| AwsError::new("GetGroupPolicy", group, &error))?;
            policies.push((name, decoded(answer.policy_document())));
        }
        let attached = pages!(
            self.client,
            list_attached_group_policies,
            "ListAttachedGroupPolicies",
            group,
            attached_policies,
            group_name = group
        );
        let attached = attached.into_iter().filter_map(|policy| policy.policy_arn).collect();
        Ok(Some(FoundGroup { users, policies, attached }))
    }

    async fn group_users(&self, group: &str) -> Result<Vec<String>, AwsError> {
        let users = pages!(self.client, get_group, "GetGroup", group, users, group_name = group);
        Ok(users.into_iter().map(|user| user.user_name).collect())
    }

    /// Whether the account's root has access keys, which nobody can narrow. Nothing where the caller may not know.
    ///
    /// # Errors
    /// [`AwsError`], but for a refusal.
    pub async fn root_has_keys(&self) -> Result<Option<bool>, AwsError> {
        let answer = self.client.get_account_summary().send().await;
        match answer.map_err(|error| AwsError::new("GetAccountSummary", "the account", &error)) {
            Ok(answer) => {
                let key = aws_sdk_iam::types::SummaryKeyType::AccountAccessKeysPresent;
                Ok(answer.summary_map().and_then(|summary| summary.get(&key)).map(|count| *count > 0))
            }
            Err(error) if error.is_denied() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
