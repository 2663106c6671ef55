//! The stack of a configuration: templates, and the uploads that start the function.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, and must name its place"
)]

mod edge_template;
mod owners;
mod settings;
mod state_machine;
mod templates;
mod uploads;

use serde_json::Value;
use tidegate_core::config::Config;
use tidegate_iam::stack::{AccountRegion, Publishers, Stack, TemplateFormat};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-west-1";

/// Sites of every kind: `builds` and `staged`, with and without a role, webhooks with secrets of both stores, a shared location and
/// a shared role.
const CONFIGURATION: &str = r#"
state = "s3://acme-artifacts/tidegate/"

[function]
name = "publisher"
architecture = "arm64"
memory = 512
alarm-topic = "arn:aws:sns:eu-west-1:123456789012:on-call"

[[site]]
name = "docs"
builds = "s3://acme-artifacts/builds/docs/"
target = "s3://docs.acme.com/v1/"
role = "arn:aws:iam::123456789012:role/publishers/tidegate-docs"
cdn = [{ distribution = "E2EXAMPLE", origin-path = "/v1" }]
objects = { acl = "public-read", encryption = "aws:kms", kms-key = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-0000-0000-000000000000" }

[[site]]
name = "mirror"
builds = "s3://acme-artifacts/builds/docs/"
target = "s3://mirror.acme.com/"
role = "arn:aws:iam::123456789012:role/publishers/tidegate-docs"

[[site]]
name = "blog"
staged = "s3://acme-artifacts/staged/our blog.zip"
target = "s3://blog.acme.com/"
role = "arn:aws:iam::123456789012:role/tidegate-blog"

[[site]]
name = "shop"
staged = "s3://acme-other/staged/shop/"
target = "s3://shop.acme.com/"
cdn = [{ distribution = "E3EXAMPLE" }]

[[site]]
name = "hooked"
builds = "s3://acme-artifacts/builds/hooked/"
target = "s3://hooked.acme.com/"
role = "arn:aws:iam::123456789012:role/tidegate-hooked"

[[site.webhook]]
provider = "github"
repository = "acme/hooked"
branch = "main"
secrets = ["secretsmanager:repo/github.com/acme/hooked", "ssm:/tidegate/hooked"]

[[site.webhook]]
provider = "github"
repository = "acme/hooked"
events = ["release"]
tag = "v*"
publish = "artifact"
artifact = "site-*.zip"
token = "secretsmanager:repo/github.com/acme/hooked#token"
secrets = ["secretsmanager:repo/github.com/acme/hooked"]

[[site]]
name = "local"
staged = "public"
target = "s3://local.acme.com/"
"#;

fn config() -> Config {
    Config::parse(CONFIGURATION).unwrap()
}

fn stack(config: &Config, place: &AccountRegion) -> Stack {
    Stack::new(config, place, Publishers::Included).unwrap()
}

/// A stack for a template.
fn template_stack(config: &Config) -> Stack {
    stack(config, &AccountRegion::at_deployment(None))
}

fn cloudformation(stack: &Stack) -> Value {
    serde_json::from_str(&TemplateFormat::CloudFormation.write(stack).unwrap()).unwrap()
}

fn terraform(stack: &Stack) -> String {
    TemplateFormat::Terraform.write(stack).unwrap()
}

/// Whether a value is a statement that is there only with one of the parameters for trust, which are empty by default.
fn is_for_people(value: &Value) -> bool {
    value.pointer("/Fn::If/0").and_then(Value::as_str).is_some_and(|name| name.starts_with("HasTrusted"))
}

/// A template with its pseudo parameters resolved, and the defaults of its parameters.
fn deployed(value: &Value) -> Value {
    match value {
        Value::Object(members) => match members.get("Fn::Sub") {
            Some(Value::String(text)) => {
                let text = text.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION);
                assert!(!text.contains("${AWS"), "{text}");
                Value::String(text)
            }
            _ => Value::Object(members.iter().map(|(name, value)| (name.clone(), deployed(value))).collect()),
        },
        Value::Array(values) => {
            Value::Array(values.iter().filter(|value| !is_for_people(value)).map(deployed).collect())
        }
        other => other.clone(),
    }
}

/// Resources of a type, sorted by logical id.
fn of_kind<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let resources = template["Resources"].as_object().unwrap();
    let mut found: Vec<_> = resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(name, resource)| (name.as_str(), &resource["Properties"]))
        .collect();
    found.sort_by_key(|(name, _)| *name);
    found
}
