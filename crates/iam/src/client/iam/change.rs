//! Changing users, groups, roles and managed policies.

use aws_sdk_iam::types::Tag;
use tidegate_publish::AwsError;

use super::IamClient;
use crate::changes::{GroupChange, PolicyChange, ProviderChange, RoleChange, TAG, UserChange};
use crate::credentials::{IssuedCredentials, SecretValue};

impl IamClient {
    pub(crate) async fn change_user(&self, change: &UserChange) -> Result<(), AwsError> {
        let client = &self.client;
        match change {
            UserChange::CreateUser { user, boundary } => {
                let request = client.create_user().user_name(user).set_permissions_boundary(boundary.clone());
                send!("CreateUser", user, request).map(drop)
            }
            UserChange::PutUserPolicy { user, name, policy } => {
                let request = client.put_user_policy().user_name(user).policy_name(name).policy_document(policy);
                send!("PutUserPolicy", user, request).map(drop)
            }
            UserChange::DeleteUserPolicy { user, name } => {
                let request = client.delete_user_policy().user_name(user).policy_name(name);
                send!("DeleteUserPolicy", user, request).map(drop)
            }
            UserChange::AttachUserPolicy { user, arn } => {
                let request = client.attach_user_policy().user_name(user).policy_arn(arn);
                send!("AttachUserPolicy", user, request).map(drop)
            }
            UserChange::DetachUserPolicy { user, arn } => {
                let request = client.detach_user_policy().user_name(user).policy_arn(arn);
                send!("DetachUserPolicy", user, request).map(drop)
            }
            UserChange::DeleteAccessKey { user, key } => {
                let request = client.delete_access_key().user_name(user).access_key_id(key);
                send!("DeleteAccessKey", user, request).map(drop)
            }
            UserChange::DeleteUser { user } => {
                send!("DeleteUser", user, client.delete_user().user_name(user)).map(drop)
            }
        }
    }

    pub(crate) async fn change_group(&self, change: &GroupChange) -> Result<(), AwsError> {
        let client = &self.client;
        match change {
            GroupChange::CreateGroup { group } => {
                send!("CreateGroup", group, client.create_group().group_name(group)).map(drop)
            }
            GroupChange::PutGroupPolicy { group, name, policy } => {
                let request = client.put_group_policy().group_name(group).policy_name(name).policy_document(policy);
                send!("PutGroupPolicy", group, request).map(drop)
            }
            GroupChange::DeleteGroupPolicy { group, name } => {
                let request = client.delete_group_policy().group_name(group).policy_name(name);
                send!("DeleteGroupPolicy", group, request).map(drop)
            }
            GroupChange::AttachGroupPolicy { group, arn } => {
                let request = client.attach_group_policy().group_name(group).policy_arn(arn);
                send!("AttachGroupPolicy", group, request).map(drop)
            }
            GroupChange::DetachGroupPolicy { group, arn } => {
                let request = client.detach_group_policy().group_name(group).policy_arn(arn);
                send!("DetachGroupPolicy", group, request).map(drop)
            }
            GroupChange::AddUserToGroup { group, user } => {
                let request = client.add_user_to_group().group_name(group).user_name(user);
                send!("AddUserToGroup", user, request).map(drop)
            }
            GroupChange::RemoveUserFromGroup { group, user } => {
                let request = client.remove_user_from_group().group_name(group).user_name(user);
                send!("RemoveUserFromGroup", user, request).map(drop)
            }
            GroupChange::DeleteGroup { group } => {
                send!("DeleteGroup", group, client.delete_group().group_name(group)).map(drop)
            }
        }
    }

    pub(crate) async fn change_role(&self, change: &RoleChange) -> Result<(), AwsError> {
        let client = &self.client;
        match change {
            RoleChange::CreateRole { role, path, description, trust, max_session_duration, owner } => {
                let tag = owner.as_ref().map(|owner| Tag::builder().key(TAG).value(owner).build()).transpose();
                let tag = tag.map_err(|error| AwsError::malformed("CreateRole", role, error.to_string()))?;
                let seconds = max_session_duration.and_then(|seconds| i32::try_from(seconds).ok());
                let request = client
                    .create_role()
                    .role_name(role)
                    .path(path)
                    .description(description)
                    .assume_role_policy_document(trust)
                    .set_max_session_duration(seconds)
                    .set_tags(tag.map(|tag| vec![tag]));
                send!("CreateRole", role, request).map(drop)
            }
            RoleChange::SetTrust { role, trust, .. } => {
                let request = client.update_assume_role_policy().role_name(role).policy_document(trust);
                send!("UpdateAssumeRolePolicy", role, request).map(drop)
            }
            RoleChange::PutRolePolicy { role, name, policy } => {
                let request = client.put_role_policy().role_name(role).policy_name(name).policy_document(policy);
                send!("PutRolePolicy", role, request).map(drop)
            }
            RoleChange::DeleteRolePolicy { role, name } => {
                let request = client.delete_role_policy().role_name(role).policy_name(name);
                send!("DeleteRolePolicy", role, request).map(drop)
            }
            RoleChange::AttachRolePolicy { role, arn } => {
                let request = client.attach_role_policy().role_name(role).policy_arn(arn);
                send!("AttachRolePolicy", role, request).map(drop)
            }
            RoleChange::DetachRolePolicy { role, arn } => {
                let request = client.detach_role_policy().role_name(role).policy_arn(arn);
                send!("DetachRolePolicy", role, request).map(drop)
            }
            RoleChange::DeleteRole { role } => {
                send!("DeleteRole", role, client.delete_role().role_name(role)).map(drop)
            }
        }
    }

    pub(crate) async fn change_provider(&self, change: &ProviderChange) -> Result<(), AwsError> {
        match change {
            ProviderChange::CreateProvider { url, audience } => {
                let request = self.client.create_open_id_connect_provider().url(url).client_id_list(audience);
                send!("CreateOpenIDConnectProvider", url, request).map(drop)
            }
            ProviderChange::AddAudience { arn, audience } => {
                let request = self
                    .client
                    .add_client_id_to_open_id_connect_provider()
                    .open_id_connect_provider_arn(arn)
                    .client_id(audience);
                send!("AddClientIDToOpenIDConnectProvider", arn, request).map(drop)
            }
        }
    }

    pub(crate) async fn change_policy(&self, change: &PolicyChange) -> Result<(), AwsError> {
        let client = &self.client;
        match change {
            PolicyChange::CreatePolicy { name, path, description, policy } => {
                let request = client
                    .create_policy()
                    .policy_name(name)
                    .path(path)
                    .description(description)
                    .policy_document(policy);
                send!("CreatePolicy", name, request).map(drop)
            }
            PolicyChange::DeletePolicyVersion { arn, version } => {
                let request = client.delete_policy_version().policy_arn(arn).version_id(version);
                send!("DeletePolicyVersion", arn, request).map(drop)
            }
            PolicyChange::DeletePolicy { arn } => {
                send!("DeletePolicy", arn, client.delete_policy().policy_arn(arn)).map(drop)
            }
            PolicyChange::UpdatePolicy { arn, delete_version, policy } => {
                if let Some(version) = delete_version {
                    let request = client.delete_policy_version().policy_arn(arn).version_id(version);
                    send!("DeletePolicyVersion", arn, request)?;
                }
                let request =
                    client.create_policy_version().policy_arn(arn).policy_document(policy).set_as_default(true);
                send!("CreatePolicyVersion", arn, request).map(drop)
            }
        }
    }

    pub(crate) async fn create_access_key(&self, user: &str) -> Result<IssuedCredentials, AwsError> {
        let output = send!("CreateAccessKey", user, self.client.create_access_key().user_name(user))?;
        let key = output
            .access_key
            .ok_or_else(|| AwsError::malformed("CreateAccessKey", user, "the response has no access key"))?;
        Ok(IssuedCredentials {
            user: Some(key.user_name),
            access_key_id: key.access_key_id,
            secret_access_key: SecretValue::new(key.secret_access_key),
            session_token: None,
            created: key.create_date.map(|date| date.to_string()),
            expires: None,
        })
    }
}
