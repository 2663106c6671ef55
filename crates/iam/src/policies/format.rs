//! Grants as JSON, Terraform or CloudFormation.

use serde_json::{Map, Value, json};

use super::{Grant, PolicyKind};
use crate::changes::PolicyTargets;
use crate::document::cloudformation::logical_id;
use crate::document::terraform::{HclBody, policy_document, quoted, text};
use crate::document::{PolicyDocumentError, Principal};

/// A format for grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantFormat {
    /// The documents alone.
    Json,
    /// A data source and a resource for each.
    Terraform,
    /// A CloudFormation template, as JSON.
    CloudFormation,
}

impl PolicyKind {
    fn key(&self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Trust => "trust",
            Self::Bucket(_) => "bucket-policy",
        }
    }
}

impl GrantFormat {
    /// The grants as one text, with a final line feed.
    ///
    /// # Errors
    /// [`PolicyDocumentError`], a bug in Tidegate.
    pub fn write(self, grants: &[Grant]) -> Result<String, PolicyDocumentError> {
        self.write_attached(grants, &PolicyTargets::default())
    }

    /// The same, with managed policies attached to users, groups and roles, which JSON does not show.
    ///
    /// # Errors
    /// As [`GrantFormat::write`].
    pub fn write_attached(self, grants: &[Grant], targets: &PolicyTargets) -> Result<String, PolicyDocumentError> {
        let pretty = |value: &Value| {
            let text =
                serde_json::to_string_pretty(value).map_err(|error| PolicyDocumentError::Json(error.to_string()));
            text.map(|text| text + "\n")
        };
        match (self, grants) {
            (Self::Json, [one]) => one.document.pretty().map(|text| text + "\n"),
            (Self::Json, many) => {
                let mut all = Map::new();
                for grant in many {
                    all.insert(grant.attached.key().to_owned(), grant.document.value()?);
                }
                pretty(&Value::Object(all))
            }
            (Self::Terraform, grants) => Ok(terraform(grants, targets)),
            (Self::CloudFormation, grants) => pretty(&template(grants, targets)?),
        }
    }
}

/// The label of a grant in Terraform.
fn label(grant: &Grant) -> String {
    grant.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

/// The only managed policy of the grants.
fn only_policy(grants: &[Grant]) -> Option<&Grant> {
    let mut policies = grants.iter().filter(|grant| grant.attached == PolicyKind::Policy);
    policies.next().filter(|_| policies.next().is_none())
}

fn terraform(grants: &[Grant], targets: &PolicyTargets) -> String {
    let mut file = HclBody::default();
    if let Some(provider) = grants.iter().find_map(OidcProvider::of) {
        provider.write(&mut file);
    }
    for grant in grants {
        let label = label(grant);
        file.comment(grant.description);
        policy_document(&grant.document, &label, &mut file);
        let document = format!("data.aws_iam_policy_document.{label}.json");
        let mut body = HclBody::default();
        match &grant.attached {
            PolicyKind::Policy => {
                body.line("name", &quoted(&grant.name));
                body.line("path", &quoted(&grant.path));
                body.line("description", &quoted(grant.description));
                body.line("policy", &document);
                file.block(&format!("resource \"aws_iam_policy\" {}", quoted(&label)), body);
                attachments(&mut file, &label, targets);
            }
            PolicyKind::Trust => {
                body.line("name", &quoted(&grant.name));
                body.line("path", &quoted(&grant.path));
                body.line("assume_role_policy", &document);
                if OidcProvider::of(grant).is_some() {
                    body.line("depends_on", "[aws_iam_openid_connect_provider.ci]");
                }
                file.block(&format!("resource \"aws_iam_role\" {}", quoted(&label)), body);
            }
            PolicyKind::Bucket(bucket) => {
                body.line("bucket", &quoted(bucket.as_str()));
                body.line("policy", &document);
                file.block(&format!("resource \"aws_s3_bucket_policy\" {}", quoted(&label)), body);
            }
        }
    }
    if let Some(policy) = only_policy(grants) {
        let mut output = HclBody::default();
        output.line("value", &format!("aws_iam_policy.{}.arn", label(policy)));
        output.line("description", &quoted("ARN of the policy"));
        file.block("output \"policy_arn\"", output);
    }
    text(&file)
}

/// The OIDC provider that a role trusts.
struct OidcProvider<'a> {
    host: &'a str,
    audiences: &'a [String],
}

impl<'a> OidcProvider<'a> {
    fn of(grant: &'a Grant) -> Option<Self> {
        let statement = grant.document.statements().iter().find(|statement| statement.principal().is_some())?;
        let Some(Principal::Federated(arn)) = statement.principal() else { return None };
        let (_, host) = arn.split_once(":oidc-provider/")?;
        let audiences = statement.conditions().get("StringEquals")?.get(format!("{host}:aud").as_str())?;
        Some(Self { host, audiences })
    }

    /// An account has one provider for a host, so it may exist.
    fn write(&self, file: &mut HclBody) {
        let mut variable = HclBody::default();
        variable.line("type", "bool");
        variable.line("default", "true");
        let description = "Whether to create the OIDC provider; false if the account has it";
        variable.line("description", &quoted(description));
        file.block("variable \"create_oidc_provider\"", variable);
        let mut provider = HclBody::default();
        provider.line("count", "var.create_oidc_provider ? 1 : 0");
        provider.line("url", &quoted(&format!("https://{}", self.host)));
        provider.list("client_id_list", self.audiences.iter().map(|audience| quoted(audience)).collect());
        file.block("resource \"aws_iam_openid_connect_provider\" \"ci\"", provider);
    }
}

/// A resource for each user, group and role that has the policy.
pub(super) fn attachments(file: &mut HclBody, policy: &str, targets: &PolicyTargets) {
    for (kind, names) in [("user", &targets.users), ("group", &targets.groups), ("role", &targets.roles)] {
        for (index, name) in names.iter().enumerate() {
            let mut body = HclBody::default();
            body.line(kind, &quoted(name));
            body.line("policy_arn", &format!("aws_iam_policy.{policy}.arn"));
            let label = format!("{policy}_{kind}{index}");
            file.block(&format!("resource \"aws_iam_{kind}_policy_attachment\" {}", quoted(&label)), body);
        }
    }
}

fn template(grants: &[Grant], targets: &PolicyTargets) -> Result<Value, PolicyDocumentError> {
    let mut resources = Map::new();
    for grant in grants {
        let document = grant.document.value()?;
        let (kind, mut properties) = match &grant.attached {
            PolicyKind::Policy => (
                "AWS::IAM::ManagedPolicy",
                json!({
                    "ManagedPolicyName": grant.name,
                    "Path": grant.path,
                    "Description": grant.description,
                    "PolicyDocument": document,
                }),
            ),
            PolicyKind::Trust => (
                "AWS::IAM::Role",
                json!({ "RoleName": grant.name, "Path": grant.path, "AssumeRolePolicyDocument": document }),
            ),
            PolicyKind::Bucket(bucket) => {
                ("AWS::S3::BucketPolicy", json!({ "Bucket": bucket.as_str(), "PolicyDocument": document }))
            }
        };
        if let (PolicyKind::Policy, Some(members)) = (&grant.attached, properties.as_object_mut()) {
            for (name, names) in [("Users", &targets.users), ("Groups", &targets.groups), ("Roles", &targets.roles)] {
                if !names.is_empty() {
                    members.insert(name.to_owned(), json!(names));
                }
            }
        }
        let resource =
            json!({ "Type": kind, "Metadata": { "Reasons": grant.document.reasons() }, "Properties": properties });
        resources.insert(logical_id(&grant.name), resource);
    }
    let descriptions: Vec<&str> = grants.iter().map(|grant| grant.description).collect();
    let mut template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": descriptions.join(". "),
        "Resources": resources,
    });
    if let (Some(policy), Some(members)) = (only_policy(grants), template.as_object_mut()) {
        let value = json!({ "Ref": logical_id(&policy.name) });
        let outputs = json!({ "PolicyArn": { "Description": "ARN of the policy", "Value": value } });
        members.insert("Outputs".to_owned(), outputs);
    }
    Ok(template)
}
