//! An installation in the language of Terraform and OpenTofu, as their formatter leaves it.
//!
//! Owns resources, their labels and how they refer to each other. Never decides what there is.

use serde_json::Value;

use super::alarm::PERIOD;
use super::{Alarm, DEAD_LETTER_SECONDS, HANDLER, RUNTIME, Stack, StackRole, TEMPLATE_TAG, UploadTrigger};
use crate::document::terraform::{HclBody, policy_document, quoted, text};

/// The first version of AWS's provider that gives the second permission of a function's URL.
const PROVIDER: &str = ">= 6.29";

/// The first version of the language with everything that stands here.
const LANGUAGE: &str = ">= 1.3";

/// The function's ARN.
const FUNCTION: &str = "aws_lambda_function.tidegate.arn";

/// The template as text.
pub(super) fn template(installation: &Stack) -> String {
    let mut file = HclBody::default();
    head(&mut file, installation);
    file.comment(&installation.execution_role.what);
    role(&mut file, "execution", &installation.execution_role, installation);
    core(&mut file, installation);
    if installation.url {
        url(&mut file);
    }
    for publisher in &installation.publishers {
        file.comment(&publisher.what);
        role(&mut file, &label("publisher", &publisher.name), publisher, installation);
    }
    for upload in &installation.uploads {
        trigger(&mut file, upload, installation);
    }
    for each in &installation.alarms {
        alarm(&mut file, each, installation);
    }
    outputs(&mut file, installation);
    text(&file)
}

/// A label after a name: letters, digits, hyphens and underscores stand as they are, everything else as its number, so that two
/// names never meet.
fn label(kind: &str, name: &str) -> String {
    let mut label = format!("{kind}_");
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') {
            label.push(c);
        } else {
            label.push_str(&format!("_{:x}_", u32::from(c)));
        }
    }
    label
}

fn resource(file: &mut HclBody, kind: &str, label: &str, body: HclBody) {
    file.block(&format!("resource {} {}", quoted(kind), quoted(label)), body);
}

fn tag(body: &mut HclBody, installation: &Stack) {
    body.line("tags", &format!("{{ {TEMPLATE_TAG} = {} }}", quoted(installation.function.name.as_str())));
}

fn head(file: &mut HclBody, installation: &Stack) {
    file.comment("A function that publishes static sites, with what it needs. Written by `tidegate template`.");
    let (mut whole, mut providers) = (HclBody::default(), HclBody::default());
    whole.line("required_version", &quoted(LANGUAGE));
    providers.line("aws", &format!("{{ source = \"hashicorp/aws\", version = {} }}", quoted(PROVIDER)));
    whole.block("required_providers", providers);
    file.block("terraform", whole);
    let mut zip = HclBody::default();
    zip.line("type", "string");
    let target = installation.function.architecture.target();
    zip.line("default", &quoted(&format!("tidegate-lambda-{target}.zip")));
    zip.line("description", &quoted("The zip that `tidegate package` made"));
    file.block("variable \"zip\"", zip);
    file.block("data \"aws_caller_identity\" \"current\"", HclBody::default());
    file.block("data \"aws_region\" \"current\"", HclBody::default());
}

fn role(file: &mut HclBody, label: &str, role: &StackRole, installation: &Stack) {
    policy_document(&role.trust, &format!("trust_{label}"), file);
    let mut body = HclBody::default();
    body.line("name", &quoted(&role.name));
    body.line("path", &quoted(&role.path));
    body.line("description", &quoted(&role.what));
    body.line("assume_role_policy", &format!("data.aws_iam_policy_document.trust_{label}.json"));
    tag(&mut body, installation);
    resource(file, "aws_iam_role", label, body);
    for (at, policy) in role.policies.iter().enumerate() {
        let each = if at == 0 { label.to_owned() } else { format!("more{at}_{label}") };
        policy_document(&policy.document, &each, file);
        let mut body = HclBody::default();
        body.line("name", &quoted(&policy.name));
        body.line("role", &format!("aws_iam_role.{label}.id"));
        body.line("policy", &format!("data.aws_iam_policy_document.{each}.json"));
        resource(file, "aws_iam_role_policy", &each, body);
    }
}

/// The function, and what every function has.
fn core(file: &mut HclBody, installation: &Stack) {
    let function = &installation.function;
    let mut queue = HclBody::default();
    queue.line("name", &quoted(&installation.dead_letters));
    queue.line("message_retention_seconds", &DEAD_LETTER_SECONDS.to_string());
    queue.line("sqs_managed_sse_enabled", "true");
    tag(&mut queue, installation);
    file.comment("Events that failed for good");
    resource(file, "aws_sqs_queue", "dead_letters", queue);

    let mut log = HclBody::default();
    log.line("name", &quoted(&installation.log_group));
    log.line("retention_in_days", &function.log_retention.get().to_string());
    tag(&mut log, installation);
    resource(file, "aws_cloudwatch_log_group", "log", log);

    let mut body = HclBody::default();
    body.line("function_name", &quoted(function.name.as_str()));
    body.line("description", &quoted("Publishes static sites"));
    body.line("role", "aws_iam_role.execution.arn");
    body.line("runtime", &quoted(RUNTIME));
    body.line("handler", &quoted(HANDLER));
    body.line("architectures", &format!("[{}]", quoted(function.architecture.as_str())));
    body.line("memory_size", &function.memory.get().to_string());
    body.line("timeout", &function.timeout.get().to_string());
    body.line("filename", "var.zip");
    body.line("source_code_hash", "filebase64sha256(var.zip)");
    tag(&mut body, installation);
    body.line("depends_on", "[aws_iam_role_policy.execution]");
    let mut logging = HclBody::default();
    logging.line("log_format", &quoted("Text"));
    logging.line("log_group", "aws_cloudwatch_log_group.log.name");
    body.block("logging_config", logging);
    resource(file, "aws_lambda_function", "tidegate", body);

    let mut retries = HclBody::default();
    retries.line("function_name", "aws_lambda_function.tidegate.function_name");
    retries.line("maximum_retry_attempts", &function.retries.get().to_string());
    retries.line("maximum_event_age_in_seconds", &function.event_age.get().to_string());
    let (mut destination, mut failure) = (HclBody::default(), HclBody::default());
    failure.line("destination", "aws_sqs_queue.dead_letters.arn");
    destination.block("on_failure", failure);
    retries.block("destination_config", destination);
    resource(file, "aws_lambda_function_event_invoke_config", "retries", retries);
}

/// The function's URL. Since October 2025 whoever calls it needs two permissions.
/// Source: AWS Lambda developer guide, "Control access to Lambda function URLs".
fn url(file: &mut HclBody) {
    let mut url = HclBody::default();
    url.line("function_name", "aws_lambda_function.tidegate.function_name");
    url.line("authorization_type", &quoted("NONE"));
    file.comment("Where webhooks are sent to: open to the world, and nothing is believed before its signature");
    resource(file, "aws_lambda_function_url", "url", url);
    let mut permitted = |label: &str, action: &str, name: &str, value: &str| {
        let mut body = HclBody::default();
        body.line("function_name", "aws_lambda_function.tidegate.function_name");
        body.line("action", &quoted(action));
        body.line("principal", &quoted("*"));
        body.line(name, value);
        resource(file, "aws_lambda_permission", label, body);
    };
    permitted("url_called", "lambda:InvokeFunctionUrl", "function_url_auth_type", &quoted("NONE"));
    permitted("url_invoked", "lambda:InvokeFunction", "invoked_via_function_url", "true");
}

/// A value on one line.
fn literal(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{name} = {}", literal(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

fn trigger(file: &mut HclBody, upload: &UploadTrigger, installation: &Stack) {
    let site = upload.sites.first().map(ToString::to_string).unwrap_or_default();
    let label = format!("{}_{}", label("uploads", &site), upload.kind());
    let event = upload.event_pattern();
    let (mut pattern, mut detail) = (HclBody::default(), HclBody::default());
    let put = |body: &mut HclBody, name: &str, pointer: &str| {
        body.line(name, &event.pointer(pointer).map(literal).unwrap_or_default());
    };
    put(&mut pattern, "source", "/source");
    put(&mut pattern, "detail-type", "/detail-type");
    put(&mut detail, "bucket", "/detail/bucket");
    put(&mut detail, "object", "/detail/object");
    pattern.group("detail = {", detail, "}");
    let mut rule = HclBody::default();
    rule.line("name", &quoted(&upload.name(installation.function.name.as_str())));
    rule.line("description", &quoted(&upload.described()));
    rule.group("event_pattern = jsonencode({", pattern, "})");
    file.comment(&upload.what());
    resource(file, "aws_cloudwatch_event_rule", &label, rule);
    let mut target = HclBody::default();
    target.line("rule", &format!("aws_cloudwatch_event_rule.{label}.name"));
    target.line("target_id", &quoted("function"));
    target.line("arn", FUNCTION);
    resource(file, "aws_cloudwatch_event_target", &label, target);
    let mut permission = HclBody::default();
    permission.line("function_name", "aws_lambda_function.tidegate.function_name");
    permission.line("action", &quoted("lambda:InvokeFunction"));
    permission.line("principal", &quoted("events.amazonaws.com"));
    permission.line("source_arn", &format!("aws_cloudwatch_event_rule.{label}.arn"));
    resource(file, "aws_lambda_permission", &label, permission);
}

fn alarm(file: &mut HclBody, alarm: &Alarm, installation: &Stack) {
    let (kind, named) = &alarm.dimension;
    let value = match *kind {
        "QueueName" => "aws_sqs_queue.dead_letters.name".to_owned(),
        "FunctionName" => "aws_lambda_function.tidegate.function_name".to_owned(),
        _ => quoted(named),
    };
    let mut body = HclBody::default();
    body.line("alarm_name", &quoted(&alarm.name));
    body.line("alarm_description", &quoted(alarm.what));
    body.line("namespace", &quoted(alarm.namespace));
    body.line("metric_name", &quoted(alarm.metric));
    body.line("dimensions", &format!("{{ {kind} = {value} }}"));
    body.line("statistic", &quoted(alarm.statistic));
    body.line("period", &PERIOD.to_string());
    body.line("evaluation_periods", "1");
    body.line("threshold", "0");
    body.line("comparison_operator", &quoted("GreaterThanThreshold"));
    body.line("treat_missing_data", &quoted("notBreaching"));
    if let Some(topic) = &installation.function.alarm_topic {
        body.line("alarm_actions", &format!("[{}]", quoted(topic.as_str())));
    }
    resource(file, "aws_cloudwatch_metric_alarm", &alarm.label.replace('-', "_"), body);
}

fn outputs(file: &mut HclBody, installation: &Stack) {
    let mut put = |name: &str, value: &str, what: &str| {
        let mut body = HclBody::default();
        body.line("value", value);
        body.line("description", &quoted(what));
        file.block(&format!("output {}", quoted(name)), body);
    };
    put("function_arn", FUNCTION, "The function");
    put("dead_letter_queue", "aws_sqs_queue.dead_letters.url", "The queue of events that failed for good");
    if installation.url {
        put("function_url", "aws_lambda_function_url.url.function_url", "Where webhooks are sent to");
    }
}
