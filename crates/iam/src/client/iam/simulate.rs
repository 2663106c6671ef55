//! Simulating what a user or role is allowed to do.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};
use tidegate_publish::AwsError;

use super::IamClient;

impl IamClient {
    /// Whether the own policies of a user or role allow an action on a resource. `context` are the condition keys of the
    /// request with their values. Resource policies and service control policies are not evaluated.
    ///
    /// # Errors
    /// [`AwsError`]; access denied where the caller may not simulate.
    pub async fn is_allowed(
        &self,
        principal: &str,
        action: &str,
        resource: &str,
        context: &[(String, String)],
    ) -> Result<bool, AwsError> {
        let mut request = self
            .client
            .simulate_principal_policy()
            .policy_source_arn(principal)
            .action_names(action)
            .resource_arns(resource);
        for (key, value) in context {
            let entry = ContextEntry::builder()
                .context_key_name(key)
                .context_key_type(ContextKeyTypeEnum::String)
                .context_key_values(value)
                .build();
            request = request.context_entries(entry);
        }
        let output = send!("SimulatePrincipalPolicy", principal, request)?;
        let missing = || AwsError::malformed("SimulatePrincipalPolicy", principal, "the response has no results");
        let result = output.evaluation_results().first().ok_or_else(missing)?;
        Ok(result.eval_decision == PolicyEvaluationDecisionType::Allowed)
    }
}
