//! A stack as a CloudFormation template.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use tidegate_core::config::QueueArn;

use super::alarm::{Alarm, AlarmDimension};
use super::dashboard::dashboard;
use super::definition::definition;
use super::model::Stack;
use super::outputs::{OutputValue, outputs};
use super::role::StackRole;
use super::settings::{
    ALARM_PERIOD, DEAD_LETTER_SECONDS, DESCRIPTION, FUNCTION_DESCRIPTION, HANDLER, RUNTIME, SITE_ROLE_PREFIX,
};
use super::state_machine::StateMachine;
use super::trusted_principals::{PARAMETERS, TrustParameter, conditional_statements};
use super::upload::UploadTrigger;
use crate::changes::TAG;
use crate::document::PolicyDocumentError;
use crate::document::cloudformation::{logical_id, substitute, substitute_json};

/// Resources by logical id.
#[derive(Default)]
struct Resources {
    ids: BTreeSet<String>,
    resources: Map<String, Value>,
}

impl Resources {
    /// A unique logical id for a name. It has letters and digits only, so `docs-a` and `docsA` would be the same.
    fn id(&mut self, name: &str) -> String {
        let mut id = logical_id(name);
        while !self.ids.insert(id.clone()) {
            id.push('X');
        }
        id
    }

    fn put(&mut self, id: &str, kind: &str, properties: Value) {
        self.ids.insert(id.to_owned());
        self.resources.insert(id.to_owned(), json!({ "Type": kind, "Properties": substitute(properties) }));
    }

    /// Sets an attribute of a resource, such as `DeletionPolicy`.
    fn set_attribute(&mut self, id: &str, attribute: &str, value: Value) {
        if let Some(resource) = self.resources.get_mut(id).and_then(Value::as_object_mut) {
            resource.insert(attribute.to_owned(), value);
        }
    }
}

fn reference(id: &str) -> Value {
    json!({ "Ref": id })
}

fn arn(id: &str) -> Value {
    json!({ "Fn::GetAtt": [id, "Arn"] })
}

pub(super) fn template(stack: &Stack) -> Result<String, PolicyDocumentError> {
    let mut resources = Resources::default();
    if let Some(own) = stack.own_execution_role() {
        role(&mut resources, "ExecutionRole", own, stack, &[])?;
    }
    core(&mut resources, stack);
    if stack.url {
        url(&mut resources);
    }
    if let Some(machine) = &stack.state_machine {
        state_machine(&mut resources, machine, stack)?;
    }
    let mut publishers = Vec::new();
    for publisher in &stack.publishers {
        let id = resources.id(&format!("{SITE_ROLE_PREFIX}{}", publisher.name));
        role(&mut resources, &id, publisher, stack, &conditional_statements(stack))?;
        publishers.push((id, publisher));
    }
    for upload in &stack.uploads {
        trigger(&mut resources, upload, stack);
    }
    for queue in &stack.function.queues {
        mapping(&mut resources, queue, stack);
    }
    for each in &stack.alarms {
        alarm(&mut resources, each, stack);
    }
    let body = substitute_json(&dashboard(stack));
    let properties = json!({ "DashboardName": stack.function.name, "DashboardBody": body });
    resources.put("Dashboard", "AWS::CloudWatch::Dashboard", properties);
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": DESCRIPTION,
        "Parameters": parameters(stack),
        "Conditions": conditions(stack),
        "Resources": resources.resources,
        "Outputs": output_values(stack, &publishers),
    });
    let text = serde_json::to_string_pretty(&template).map_err(|error| PolicyDocumentError::Json(error.to_string()))?;
    Ok(text + "\n")
}

fn conditions(stack: &Stack) -> Value {
    let mut conditions = Map::new();
    let has_version = json!({ "Fn::Not": [{ "Fn::Equals": [reference("CodeVersion"), ""] }] });
    conditions.insert("HasVersion".to_owned(), has_version);
    for (name, condition) in trust_parameters(stack).map(TrustParameter::condition) {
        conditions.insert(name.to_owned(), condition);
    }
    Value::Object(conditions)
}

fn parameters(stack: &Stack) -> Value {
    let mut parameters = json!({
        "CodeBucket": {
            "Type": "String",
            "Description": "The bucket with the deployment package of `tidegate package`, in the region of this stack",
        },
        "CodeKey": {
            "Type": "String",
            "Description": "The key of the deployment package. CloudFormation detects a new package by its key or version only",
        },
        "CodeVersion": {
            "Type": "String",
            "Default": "",
            "Description": "The version of the deployment package, in a versioned bucket",
        },
    });
    if let Some(members) = parameters.as_object_mut() {
        members.extend(trust_parameters(stack).map(|one| (one.name.to_owned(), one.definition())));
    }
    parameters
}

/// The parameters with whom the publisher roles trust, if there are such roles.
fn trust_parameters(stack: &Stack) -> impl Iterator<Item = &'static TrustParameter> {
    PARAMETERS.iter().filter(move |_| !stack.publishers.is_empty())
}

fn tags(stack: &Stack) -> Value {
    json!([{ "Key": TAG, "Value": stack.function.name }])
}

/// A role. `trusted` are further statements of its trust policy.
fn role(
    resources: &mut Resources,
    id: &str,
    role: &StackRole,
    stack: &Stack,
    trusted: &[Value],
) -> Result<(), PolicyDocumentError> {
    let (mut policies, mut reasons) = (Vec::new(), role.trust.reasons());
    for policy in &role.policies {
        policies.push(json!({ "PolicyName": policy.name, "PolicyDocument": policy.document.value()? }));
        reasons.extend(policy.document.reasons());
    }
    let mut trust = role.trust.value()?;
    if let Some(statements) = trust.get_mut("Statement").and_then(Value::as_array_mut) {
        statements.extend_from_slice(trusted);
    }
    let mut properties = json!({
        "RoleName": role.name,
        "Path": role.path,
        "Description": role.description,
        "AssumeRolePolicyDocument": trust,
        "Policies": policies,
        "Tags": tags(stack),
    });
    if let (Some(boundary), Some(members)) = (stack.boundary(), properties.as_object_mut()) {
        members.insert("PermissionsBoundary".to_owned(), json!(boundary));
    }
    resources.put(id, "AWS::IAM::Role", properties);
    resources.set_attribute(id, "Metadata", json!({ "Reasons": reasons }));
    Ok(())
}

/// The function, its queue and its log group.
fn core(resources: &mut Resources, stack: &Stack) {
    let function = &stack.function;
    resources.put(
        "DeadLetters",
        "AWS::SQS::Queue",
        json!({
            "QueueName": stack.dead_letters,
            "MessageRetentionPeriod": DEAD_LETTER_SECONDS,
            "SqsManagedSseEnabled": true,
            "Tags": tags(stack),
        }),
    );
    resources.put(
        "Log",
        "AWS::Logs::LogGroup",
        json!({
            "LogGroupName": stack.log_group,
            "RetentionInDays": function.log_retention,
            "Tags": tags(stack),
        }),
    );
    // As with `tidegate uninstall`. If they were retained, a new stack could not create them again.
    for stateful in ["DeadLetters", "Log"] {
        resources.set_attribute(stateful, "DeletionPolicy", json!("Delete"));
        resources.set_attribute(stateful, "UpdateReplacePolicy", json!("Delete"));
    }
    resources.put(
        "Function",
        "AWS::Lambda::Function",
        json!({
            "FunctionName": function.name,
            "Description": FUNCTION_DESCRIPTION,
            "Role": stack.function.role.as_ref().map_or_else(|| arn("ExecutionRole"), |role| json!(role)),
            "Runtime": RUNTIME,
            "Handler": HANDLER,
            "Architectures": [function.architecture],
            "MemorySize": function.memory,
            "Timeout": function.timeout,
            "Code": {
                "S3Bucket": reference("CodeBucket"),
                "S3Key": reference("CodeKey"),
                "S3ObjectVersion": { "Fn::If": ["HasVersion", reference("CodeVersion"), reference("AWS::NoValue")] },
            },
            "LoggingConfig": { "LogGroup": reference("Log") },
            // A long run continues in other invocations of the function.
            "RecursiveLoop": "Allow",
            "Tags": tags(stack),
        }),
    );
    resources.put(
        "Retries",
        "AWS::Lambda::EventInvokeConfig",
        json!({
            "FunctionName": reference("Function"),
            "Qualifier": "$LATEST",
            "MaximumRetryAttempts": function.retries,
            "MaximumEventAgeInSeconds": function.event_age,
            "DestinationConfig": { "OnFailure": { "Destination": arn("DeadLetters") } },
        }),
    );
}

fn state_machine(resources: &mut Resources, machine: &StateMachine, stack: &Stack) -> Result<(), PolicyDocumentError> {
    role(resources, "StateMachineRole", &machine.role, stack, &[])?;
    let mut properties = json!({
        "StateMachineName": machine.name,
        "StateMachineType": "STANDARD",
        "RoleArn": arn("StateMachineRole"),
        "Tags": tags(stack),
    });
    // As a text: CloudFormation may pass numbers in an object on as texts.
    if let Some(members) = properties.as_object_mut() {
        members.insert("DefinitionString".to_owned(), substitute_json(&definition(stack)));
    }
    resources.put("StateMachine", "AWS::StepFunctions::StateMachine", properties);
    Ok(())
}

/// The function URL. Since October 2025 a caller needs two permissions.
/// Source: AWS Lambda developer guide, "Control access to Lambda function URLs".
fn url(resources: &mut Resources) {
    let url = json!({ "TargetFunctionArn": arn("Function"), "AuthType": "NONE" });
    resources.put("Url", "AWS::Lambda::Url", url);
    let called = json!({
        "FunctionName": arn("Function"),
        "Action": "lambda:InvokeFunctionUrl",
        "Principal": "*",
        "FunctionUrlAuthType": "NONE",
    });
    resources.put("UrlCalled", "AWS::Lambda::Permission", called);
    let invoked = json!({
        "FunctionName": arn("Function"),
        "Action": "lambda:InvokeFunction",
        "Principal": "*",
        "InvokedViaFunctionUrl": true,
    });
    resources.put("UrlInvoked", "AWS::Lambda::Permission", invoked);
}

fn trigger(resources: &mut Resources, upload: &UploadTrigger, stack: &Stack) {
    let name = upload.name(stack.function.name.as_str());
    let site = upload.sites.first().map(ToString::to_string).unwrap_or_default();
    let rule = resources.id(&format!("uploads-{site}-{}", upload.kind()));
    let properties = json!({
        "Name": name,
        "Description": upload.description(),
        "EventPattern": upload.event_pattern(),
        "State": "ENABLED",
        "Targets": [{ "Id": "function", "Arn": arn("Function") }],
    });
    resources.put(&rule, "AWS::Events::Rule", properties);
    let permission = json!({
        "FunctionName": arn("Function"),
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": arn(&rule),
    });
    let id = resources.id(&format!("{rule}-permitted"));
    resources.put(&id, "AWS::Lambda::Permission", permission);
}

/// Messages of a queue. Lambda deletes those that the function does not report as failed.
fn mapping(resources: &mut Resources, queue: &QueueArn, stack: &Stack) {
    let properties = json!({
        "FunctionName": reference("Function"),
        "EventSourceArn": queue.as_str(),
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "Tags": tags(stack),
    });
    let id = resources.id(&format!("queue-{}", queue.name()));
    resources.put(&id, "AWS::Lambda::EventSourceMapping", properties);
    let least = stack.function.timeout.queue_visibility();
    let note = format!("The visibility timeout of the queue must be {least} seconds or more");
    resources.set_attribute(&id, "Metadata", json!({ "Queue": note }));
}

fn alarm(resources: &mut Resources, alarm: &Alarm, stack: &Stack) {
    // A reference, so that CloudFormation creates the resource before the alarm.
    let value = match alarm.dimension {
        AlarmDimension::QueueName => json!({ "Fn::GetAtt": ["DeadLetters", "QueueName"] }),
        AlarmDimension::FunctionName => reference("Function"),
        AlarmDimension::StateMachineArn => reference("StateMachine"),
    };
    let mut properties = json!({
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "Namespace": alarm.namespace,
        "MetricName": alarm.metric,
        "Dimensions": [{ "Name": alarm.dimension.as_str(), "Value": value }],
        "Statistic": alarm.statistic,
        "Period": ALARM_PERIOD,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    });
    if let (Some(topic), Some(members)) = (&stack.function.alarm_topic, properties.as_object_mut()) {
        members.insert("AlarmActions".to_owned(), json!([topic]));
    }
    let id = resources.id(&format!("alarm-{}", alarm.label));
    resources.put(&id, "AWS::CloudWatch::Alarm", properties);
}

fn output_values(stack: &Stack, publishers: &[(String, &StackRole)]) -> Value {
    let mut values = Map::new();
    for output in outputs(stack) {
        let value = match output.value {
            OutputValue::FunctionArn => arn("Function"),
            OutputValue::FunctionUrl => json!({ "Fn::GetAtt": ["Url", "FunctionUrl"] }),
            OutputValue::DeadLetterQueueUrl => reference("DeadLetters"),
            OutputValue::StateMachineArn => reference("StateMachine"),
            OutputValue::Text(text) => substitute(Value::String(text)),
        };
        values.insert(output.key.to_owned(), json!({ "Description": output.description, "Value": value }));
    }
    for (id, role) in publishers {
        let description = format!("ARN of the role {}", role.name);
        values.insert(format!("{id}Arn"), json!({ "Description": description, "Value": arn(id) }));
    }
    Value::Object(values)
}
