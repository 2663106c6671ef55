//! Asking IAM what a role may do, before anything is tried.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};
use tidegate_publish::AwsError;

use super::IamClient;

/// One question: may it do this, there, in a request like this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulationRequest {
    /// `s3:PutObject`.
    pub action: String,
    /// An ARN.
    pub resource: String,
    /// Keys of the request with their values.
    pub context: Vec<(String, String)>,
}

/// IAM's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimulationResult {
    /// It may.
    Allowed,
    /// Nothing allows it.
    Missing,
    /// Something denies it.
    Denied,
}

impl IamClient {
    /// What a user or a role may do by its own policies. Resource policies and service control policies are not looked at:
    /// IAM's simulation does not know those of other resources.
    ///
    /// # Errors
    /// [`AwsError`]; one that is denied where the caller may not simulate.
    pub async fn simulate(&self, arn: &str, asked: &SimulationRequest) -> Result<SimulationResult, AwsError> {
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
        let answer = request.send().await.map_err(|error| AwsError::new("SimulatePrincipalPolicy", arn, &error))?;
        let first = answer.evaluation_results().first();
        match first.map(|result| &result.eval_decision) {
            Some(PolicyEvaluationDecisionType::Allowed) => Ok(SimulationResult::Allowed),
            Some(PolicyEvaluationDecisionType::ExplicitDeny) => Ok(SimulationResult::Denied),
            Some(_) => Ok(SimulationResult::Missing),
            None => Err(AwsError::malformed("SimulatePrincipalPolicy", arn, "the answer has no results")),
        }
    }
}
