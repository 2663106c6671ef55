//! Asking IAM what a role may do, before anything is tried.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};
use tidegate_publish::CloudError;

use super::Iam;

/// One question: may it do this, there, in a request like this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `s3:PutObject`.
    pub action: String,
    /// An ARN.
    pub resource: String,
    /// Keys of the request with their values.
    pub context: Vec<(String, String)>,
}

/// IAM's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// It may.
    Allowed,
    /// Nothing allows it.
    Missing,
    /// Something denies it.
    Denied,
}

impl Iam {
    /// What a user or a role may do by its own policies. Resource policies and service control policies are not looked at:
    /// IAM's simulation does not know those of other resources.
    ///
    /// # Errors
    /// [`CloudError`]; one that is denied where the caller may not simulate.
    pub async fn simulate(&self, arn: &str, asked: &Asked) -> Result<Decided, CloudError> {
        let mut request = self
            .client
            .simulate_principal_policy()
            .policy_source_arn(arn)
            .action_names(&asked.action)
            .resource_arns(&asked.resource);
        for (key, value) in &asked.context {
            let entry = ContextEntry::builder()
                .context_key_name(key)
                .context_key_type(ContextKeyTypeEnum::String)
                .context_key_values(value)
                .build();
            request = request.context_entries(entry);
        }
        let answer = request.send().await.map_err(|error| CloudError::new("SimulatePrincipalPolicy", arn, &error))?;
        let first = answer.evaluation_results().first();
        match first.map(|result| &result.eval_decision) {
            Some(PolicyEvaluationDecisionType::Allowed) => Ok(Decided::Allowed),
            Some(PolicyEvaluationDecisionType::ExplicitDeny) => Ok(Decided::Denied),
            Some(_) => Ok(Decided::Missing),
            None => Err(CloudError::malformed("SimulatePrincipalPolicy", arn, "the answer has no results")),
        }
    }
}
