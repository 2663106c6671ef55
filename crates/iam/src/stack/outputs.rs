//! The outputs of a stack, named as in templates of SAM and the CDK.

use super::model::Stack;
use crate::document::PseudoParameter;

/// The value of an output: an attribute of a resource, or a text with pseudo parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OutputValue {
    /// The ARN of the function.
    FunctionArn,
    /// The URL of the function.
    FunctionUrl,
    /// The URL of the dead-letter queue.
    DeadLetterQueueUrl,
    /// The ARN of the state machine.
    StateMachineArn,
    /// A text.
    Text(String),
}

/// An output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StackOutput {
    /// Its name in Terraform.
    pub(super) name: &'static str,
    /// Its name in CloudFormation.
    pub(super) key: &'static str,
    pub(super) description: &'static str,
    pub(super) value: OutputValue,
}

/// The outputs of a stack, apart from the ARNs of the publisher roles.
pub(super) fn outputs(stack: &Stack) -> Vec<StackOutput> {
    let output = |name, key, description, value| StackOutput { name, key, description, value };
    let mut outputs = vec![output("function_arn", "FunctionArn", "ARN of the function", OutputValue::FunctionArn)];
    if stack.url {
        outputs.push(output("function_url", "FunctionUrl", "URL for webhooks", OutputValue::FunctionUrl));
    }
    let role = OutputValue::Text(stack.execution_role_arn());
    outputs.push(output("execution_role_arn", "ExecutionRoleArn", "ARN of the function's execution role", role));
    if stack.state_machine.is_some() {
        outputs.push(output(
            "state_machine_arn",
            "StateMachineArn",
            "ARN of the state machine that has plans carried out in shards",
            OutputValue::StateMachineArn,
        ));
    }
    outputs.push(output(
        "dead_letter_queue_url",
        "DeadLetterQueueUrl",
        "URL of the queue of events that failed after all retries",
        OutputValue::DeadLetterQueueUrl,
    ));
    outputs.push(output(
        "log_group_name",
        "LogGroupName",
        "Log group of the function",
        OutputValue::Text(stack.log_group.clone()),
    ));
    if let Some(state) = &stack.state {
        let state = OutputValue::Text(state.to_string());
        outputs.push(output(
            "state_location",
            "StateLocation",
            "Where releases, leases and manifests are stored",
            state,
        ));
    }
    let url = OutputValue::Text(dashboard_url(stack));
    outputs.push(output("dashboard_url", "DashboardUrl", "Dashboard of the function in the console", url));
    outputs
}

/// The address of the dashboard in the console. Source: AWS Management Console guide, domains by partition.
fn dashboard_url(stack: &Stack) -> String {
    let domain = match stack.partition.as_str() {
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    let (region, name) = (PseudoParameter::Region.text(), &stack.function.name);
    format!("https://{domain}/cloudwatch/home?region={region}#dashboards/dashboard/{name}")
}
