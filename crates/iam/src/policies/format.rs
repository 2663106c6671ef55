//! Grants as JSON, Terraform or CloudFormation.

use serde_json::{Map, Value, json};

use super::{Grant, PolicyKind};
use crate::document::PolicyDocumentError;
use crate::document::cloudformation::logical_id;
use crate::document::terraform::{HclBody, policy_document, quoted, text};

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
            (Self::Terraform, grants) => Ok(terraform(grants)),
            (Self::CloudFormation, grants) => pretty(&template(grants)?),
        }
    }
}

/// The label of a grant in Terraform.
fn label(grant: &Grant) -> String {
    grant.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

fn terraform(grants: &[Grant]) -> String {
    let mut file = HclBody::default();
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
            }
            PolicyKind::Trust => {
                body.line("name", &quoted(&grant.name));
                body.line("path", &quoted(&grant.path));
                body.line("assume_role_policy", &document);
                file.block(&format!("resource \"aws_iam_role\" {}", quoted(&label)), body);
            }
            PolicyKind::Bucket(bucket) => {
                body.line("bucket", &quoted(bucket.as_str()));
                body.line("policy", &document);
                file.block(&format!("resource \"aws_s3_bucket_policy\" {}", quoted(&label)), body);
            }
        }
    }
    text(&file)
}

fn template(grants: &[Grant]) -> Result<Value, PolicyDocumentError> {
    let mut resources = Map::new();
    for grant in grants {
        let document = grant.document.value()?;
        let (kind, properties) = match &grant.attached {
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
        let resource =
            json!({ "Type": kind, "Metadata": { "Reasons": grant.document.reasons() }, "Properties": properties });
        resources.insert(logical_id(&grant.name), resource);
    }
    let descriptions: Vec<&str> = grants.iter().map(|grant| grant.description).collect();
    Ok(json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": descriptions.join(". "),
        "Resources": resources,
    }))
}
