//! Roles of an installation: looked at with their tag, and changed one thing at a time.

use std::collections::BTreeMap;

use aws_sdk_iam::types::Tag;
use tidegate_publish::aws_error::{AwsError, if_exists};

use super::read::pages;
use super::{IamClient, decoded};
use crate::stack::TAG;
use crate::stack::install::{FoundRole, InstallStep};

impl IamClient {
    /// A role with its tag and its inline policies; nothing where there is no such role.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn installed_role(&self, role: &str) -> Result<Option<FoundRole>, AwsError> {
        let Some(trust) = self.role(role).await? else { return Ok(None) };
        let tags = pages!(self.client, list_role_tags, "ListRoleTags", role, tags, role_name = role);
        let names = pages!(self.client, list_role_policies, "ListRolePolicies", role, policy_names, role_name = role);
        let mut policies = BTreeMap::new();
        for name in names {
            let answer = self.client.get_role_policy().role_name(role).policy_name(&name).send().await;
            let answer = if_exists(answer.map_err(|error| AwsError::new("GetRolePolicy", role, &error)))?;
            policies.extend(answer.map(|answer| (name, decoded(answer.policy_document()))));
        }
        let owner = tags.into_iter().find(|tag| tag.key() == TAG).map(|tag| tag.value);
        Ok(Some(FoundRole { owner, trust, policies }))
    }

    /// Names of roles whose trust policy names an ARN.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn roles_trusting(&self, arn: &str) -> Result<Vec<String>, AwsError> {
        let roles = pages!(self.client, list_roles, "ListRoles", "the account", roles);
        let named = format!("\"{arn}\"");
        let trusts = |trust: Option<&str>| trust.map(decoded).is_some_and(|trust| trust.contains(&named));
        let found = roles.into_iter().filter(|role| trusts(role.assume_role_policy_document()));
        Ok(found.map(|role| role.role_name).collect())
    }

    /// Takes one step that is about a role.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn apply_step(&self, step: &InstallStep) -> Result<(), AwsError> {
        let client = &self.client;
        match step {
            InstallStep::CreateRole { role, path, description, trust, owner } => {
                let tag = Tag::builder().key(TAG).value(owner).build();
                let tag = tag.map_err(|error| AwsError::malformed("CreateRole", role, error.to_string()))?;
                let request = client
                    .create_role()
                    .role_name(role)
                    .path(path)
                    .description(description)
                    .assume_role_policy_document(trust)
                    .tags(tag);
                sent!("CreateRole", role, request)
            }
            InstallStep::SetTrust { role, trust } => {
                let request = client.update_assume_role_policy().role_name(role).policy_document(trust);
                sent!("UpdateAssumeRolePolicy", role, request)
            }
            InstallStep::PutRolePolicy { role, name, policy } => {
                let request = client.put_role_policy().role_name(role).policy_name(name).policy_document(policy);
                sent!("PutRolePolicy", role, request)
            }
            InstallStep::DeleteRolePolicy { role, name } => {
                sent!("DeleteRolePolicy", role, client.delete_role_policy().role_name(role).policy_name(name))
            }
            InstallStep::DeleteRole { role } => sent!("DeleteRole", role, client.delete_role().role_name(role)),
            other => Err(AwsError::malformed("CreateRole", other.to_string(), "this step is not about a role")),
        }
    }
}
