//! An installation as a template of CloudFormation.
//!
//! Owns resources, their names in the template and how they refer to each other. Never decides what there is.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::alarm::PERIOD;
use super::{Alarm, DEAD_LETTER_SECONDS, Stack, StackRole, TEMPLATE_TAG, UploadTrigger};
use crate::document::PolicyDocumentError;
use crate::document::cloudformation::{logical, substituted};

/// Resources by their names, each unlike the others.
#[derive(Default)]
struct Resources {
    names: BTreeSet<String>,
    found: Map<String, Value>,
}

impl Resources {
    /// A name for what people named so. CloudFormation takes letters and digits, so `docs-a` and `docsA` would meet.
    fn name(&mut self, text: &str) -> String {
        let mut name = logical(text);
        while !self.names.insert(name.clone()) {
            name.push('X');
        }
        name
    }

    fn put(&mut self, name: &str, kind: &str, properties: Value) {
        self.names.insert(name.to_owned());
        self.found.insert(name.to_owned(), json!({ "Type": kind, "Properties": substituted(properties) }));
    }

    /// Tells people something about a resource.
    fn tell(&mut self, name: &str, member: &str, value: Value) {
        if let Some(resource) = self.found.get_mut(name).and_then(Value::as_object_mut) {
            resource.insert(member.to_owned(), value);
        }
    }
}

fn reference(name: &str) -> Value {
    json!({ "Ref": name })
}

fn arn(name: &str) -> Value {
    json!({ "Fn::GetAtt": [name, "Arn"] })
}

/// The template as text.
pub(super) fn template(installation: &Stack) -> Result<String, PolicyDocumentError> {
    let mut resources = Resources::default();
    role(&mut resources, "ExecutionRole", &installation.execution_role, installation)?;
    core(&mut resources, installation);
    if installation.url {
        url(&mut resources);
    }
    for publisher in &installation.publishers {
        let name = resources.name(&format!("publisher-{}", publisher.name));
        role(&mut resources, &name, publisher, installation)?;
    }
    for upload in &installation.uploads {
        trigger(&mut resources, upload, installation);
    }
    for each in &installation.alarms {
        alarm(&mut resources, each, installation);
    }
    let whole = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "A function that publishes static sites, with what it needs. Written by tidegate template",
        "Parameters": parameters(),
        "Conditions": { "HasVersion": { "Fn::Not": [{ "Fn::Equals": [reference("CodeVersion"), ""] }] } },
        "Resources": resources.found,
        "Outputs": outputs(installation),
    });
    let text = serde_json::to_string_pretty(&whole).map_err(|error| PolicyDocumentError::Json(error.to_string()))?;
    Ok(text + "\n")
}

fn parameters() -> Value {
    json!({
        "CodeBucket": {
            "Type": "String",
            "Description": "The bucket with the zip that `tidegate package` made, in the region of this stack",
        },
        "CodeKey": {
            "Type": "String",
            "Description": "The key of the zip. A new zip needs a new key or a version: CloudFormation sees no other change",
        },
        "CodeVersion": {
            "Type": "String",
            "Default": "",
            "Description": "The version of the zip, in a bucket that has versions",
        },
    })
}

fn tags(installation: &Stack) -> Value {
    json!([{ "Key": TEMPLATE_TAG, "Value": installation.function.name }])
}

fn role(
    resources: &mut Resources,
    name: &str,
    role: &StackRole,
    installation: &Stack,
) -> Result<(), PolicyDocumentError> {
    let (mut policies, mut reasons) = (Vec::new(), role.trust.reasons());
    for policy in &role.policies {
        policies.push(json!({ "PolicyName": policy.name, "PolicyDocument": policy.document.value()? }));
        reasons.extend(policy.document.reasons());
    }
    let properties = json!({
        "RoleName": role.name,
        "Path": role.path,
        "Description": role.what,
        "AssumeRolePolicyDocument": role.trust.value()?,
        "Policies": policies,
        "Tags": tags(installation),
    });
    resources.put(name, "AWS::IAM::Role", properties);
    resources.tell(name, "Metadata", json!({ "Why": reasons }));
    Ok(())
}

/// The function, and what every function has.
fn core(resources: &mut Resources, installation: &Stack) {
    let function = &installation.function;
    resources.put(
        "DeadLetters",
        "AWS::SQS::Queue",
        json!({
            "QueueName": installation.dead_letters,
            "MessageRetentionPeriod": DEAD_LETTER_SECONDS,
            "SqsManagedSseEnabled": true,
            "Tags": tags(installation),
        }),
    );
    resources.put(
        "Log",
        "AWS::Logs::LogGroup",
        json!({
            "LogGroupName": installation.log_group,
            "RetentionInDays": function.log_retention,
            "Tags": tags(installation),
        }),
    );
    // What they hold goes with the function, as it does with `tidegate uninstall`: kept, they would stand in the way of the next.
    for stateful in ["DeadLetters", "Log"] {
        resources.tell(stateful, "DeletionPolicy", json!("Delete"));
        resources.tell(stateful, "UpdateReplacePolicy", json!("Delete"));
    }
    resources.put(
        "Function",
        "AWS::Lambda::Function",
        json!({
            "FunctionName": function.name,
            "Description": "Publishes static sites",
            "Role": arn("ExecutionRole"),
            "Runtime": super::RUNTIME,
            "Handler": super::HANDLER,
            "Architectures": [function.architecture],
            "MemorySize": function.memory,
            "Timeout": function.timeout,
            "Code": {
                "S3Bucket": reference("CodeBucket"),
                "S3Key": reference("CodeKey"),
                "S3ObjectVersion": { "Fn::If": ["HasVersion", reference("CodeVersion"), reference("AWS::NoValue")] },
            },
            "LoggingConfig": { "LogGroup": reference("Log") },
            "Tags": tags(installation),
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

/// The function's URL. Since October 2025 whoever calls it needs two permissions.
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

fn trigger(resources: &mut Resources, upload: &UploadTrigger, installation: &Stack) {
    let name = upload.name(installation.function.name.as_str());
    let site = upload.sites.first().map(ToString::to_string).unwrap_or_default();
    let rule = resources.name(&format!("uploads-{site}-{}", upload.kind()));
    let properties = json!({
        "Name": name,
        "Description": upload.described(),
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
    let permitted = resources.name(&format!("{rule}-permitted"));
    resources.put(&permitted, "AWS::Lambda::Permission", permission);
}

fn alarm(resources: &mut Resources, alarm: &Alarm, installation: &Stack) {
    let (kind, named) = &alarm.dimension;
    // By reference, so that an alarm comes after what it watches.
    let value = match *kind {
        "QueueName" => json!({ "Fn::GetAtt": ["DeadLetters", "QueueName"] }),
        "FunctionName" => reference("Function"),
        _ => json!(named),
    };
    let mut properties = json!({
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.what,
        "Namespace": alarm.namespace,
        "MetricName": alarm.metric,
        "Dimensions": [{ "Name": kind, "Value": value }],
        "Statistic": alarm.statistic,
        "Period": PERIOD,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    });
    if let (Some(topic), Some(members)) = (&installation.function.alarm_topic, properties.as_object_mut()) {
        members.insert("AlarmActions".to_owned(), json!([topic]));
    }
    let name = resources.name(&format!("alarm-{}", alarm.label));
    resources.put(&name, "AWS::CloudWatch::Alarm", properties);
}

fn outputs(installation: &Stack) -> Value {
    let mut outputs = Map::new();
    let mut put = |name: &str, what: &str, value: Value| {
        outputs.insert(name.to_owned(), json!({ "Description": what, "Value": value }));
    };
    put("FunctionArn", "The function", arn("Function"));
    put("DeadLetterQueue", "The queue of events that failed for good", reference("DeadLetters"));
    if installation.url {
        put("FunctionUrl", "Where webhooks are sent to", json!({ "Fn::GetAtt": ["Url", "FunctionUrl"] }));
    }
    Value::Object(outputs)
}
