//! Changing one thing.

use tidegate_publish::AwsError;

use super::IamClient;
use crate::changes::IamChange;
use crate::credentials::{IssuedCredentials, SecretValue};

impl IamClient {
    /// Takes one step; an access key is the answer to the step that makes one. A step that is not IAM's is left alone, and
    /// the answer says so.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn apply(&self, change: &IamChange) -> Result<ChangeResult, AwsError> {
        let client = &self.client;
        macro_rules! done {
            ($name:literal, $subject:expr, $request:expr) => {{
                sent!($name, $subject, $request)?;
                Ok(ChangeResult::Done)
            }};
        }
        match change {
            IamChange::CreateUser { user, boundary } => {
                let request = client.create_user().user_name(user).set_permissions_boundary(boundary.clone());
                done!("CreateUser", user, request)
            }
            IamChange::PutUserPolicy { user, name, policy } => {
                let request = client.put_user_policy().user_name(user).policy_name(name).policy_document(policy);
                done!("PutUserPolicy", user, request)
            }
            IamChange::CreateAccessKey { user } => self.access_key(user).await,
            IamChange::DeleteAccessKey { user, key } => {
                done!("DeleteAccessKey", user, client.delete_access_key().user_name(user).access_key_id(key))
            }
            IamChange::DeleteUserPolicy { user, name } => {
                done!("DeleteUserPolicy", user, client.delete_user_policy().user_name(user).policy_name(name))
            }
            IamChange::DetachUserPolicy { user, arn } => {
                done!("DetachUserPolicy", user, client.detach_user_policy().user_name(user).policy_arn(arn))
            }
            IamChange::DeleteUser { user } => done!("DeleteUser", user, client.delete_user().user_name(user)),
            IamChange::CreateRole { role, trust, description, longest_session } => {
                let request = client
                    .create_role()
                    .role_name(role)
                    .assume_role_policy_document(trust)
                    .description(description)
                    .max_session_duration(i32::try_from(*longest_session).unwrap_or(i32::MAX));
                done!("CreateRole", role, request)
            }
            IamChange::AttachRolePolicy { role, arn } => {
                done!("AttachRolePolicy", role, client.attach_role_policy().role_name(role).policy_arn(arn))
            }
            IamChange::CreatePolicy { name, path, description, policy } => {
                let request = client
                    .create_policy()
                    .policy_name(name)
                    .path(path)
                    .description(description)
                    .policy_document(policy);
                done!("CreatePolicy", name, request)
            }
            IamChange::UpdatePolicy { arn, drop, policy } => {
                if let Some(version) = drop {
                    let request = client.delete_policy_version().policy_arn(arn).version_id(version);
                    request.send().await.map_err(|error| AwsError::new("DeletePolicyVersion", arn, &error))?;
                }
                let request =
                    client.create_policy_version().policy_arn(arn).policy_document(policy).set_as_default(true);
                done!("CreatePolicyVersion", arn, request)
            }
            IamChange::CreateGroup { group } => done!("CreateGroup", group, client.create_group().group_name(group)),
            IamChange::PutGroupPolicy { group, name, policy } => {
                let request = client.put_group_policy().group_name(group).policy_name(name).policy_document(policy);
                done!("PutGroupPolicy", group, request)
            }
            IamChange::AddUserToGroup { group, user } => {
                done!("AddUserToGroup", user, client.add_user_to_group().group_name(group).user_name(user))
            }
            IamChange::RemoveUserFromGroup { group, user } => {
                done!("RemoveUserFromGroup", user, client.remove_user_from_group().group_name(group).user_name(user))
            }
            IamChange::DeleteGroupPolicy { group, name } => {
                done!("DeleteGroupPolicy", group, client.delete_group_policy().group_name(group).policy_name(name))
            }
            IamChange::DetachGroupPolicy { group, arn } => {
                done!("DetachGroupPolicy", group, client.detach_group_policy().group_name(group).policy_arn(arn))
            }
            IamChange::DeleteGroup { group } => done!("DeleteGroup", group, client.delete_group().group_name(group)),
            IamChange::CreateBucket { .. }
            | IamChange::AllowPublicAccess { .. }
            | IamChange::SetBucketPolicy { .. }
            | IamChange::SetWebsite { .. }
            | IamChange::AssumeRole { .. } => Ok(ChangeResult::NotMine),
        }
    }

    async fn access_key(&self, user: &str) -> Result<ChangeResult, AwsError> {
        let answer = self.client.create_access_key().user_name(user).send().await;
        let answer = answer.map_err(|error| AwsError::new("CreateAccessKey", user, &error))?;
        let key = answer
            .access_key
            .ok_or_else(|| AwsError::malformed("CreateAccessKey", user, "the answer has no access key"))?;
        Ok(ChangeResult::Issued(IssuedCredentials {
            user: Some(key.user_name),
            access_key_id: key.access_key_id,
            secret_access_key: SecretValue::new(key.secret_access_key),
            session_token: None,
            created: key.create_date.map(|date| date.to_string()),
            expires: None,
        }))
    }
}

/// What became of a step.
#[derive(Debug)]
pub(crate) enum ChangeResult {
    /// It is done.
    Done,
    /// It is done, and gave out credentials.
    Issued(IssuedCredentials),
    /// It is another service's.
    NotMine,
}
