//! Grants as people keep them: JSON, Terraform, CloudFormation.
//!
//! Owns what stands around a document. Every statement comes with the reason for it, in its name or beside it.

use serde_json::{Map, Value, json};

use super::{Grant, PolicyKind};
use crate::document::PolicyDocumentError;
use crate::document::cloudformation::logical;
use crate::document::terraform::{HclBody, policy_document, quoted, text};

/// How grants are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantFormat {
    /// The documents themselves.
    Json,
    /// Data sources, and a resource for each.
    Terraform,
    /// A template.
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
    /// The grants as one text that ends in a line feed.
    ///
    /// # Errors
    /// [`PolicyDocumentError`], a defect of Tidegate.
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

/// A name that Terraform takes.
fn label(grant: &Grant) -> String {
    grant.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

fn terraform(grants: &[Grant]) -> String {
    let mut file = HclBody::default();
    for grant in grants {
        let label = label(grant);
        file.comment(grant.what);
        policy_document(&grant.document, &label, &mut file);
        let document = format!("data.aws_iam_policy_document.{label}.json");
        let mut body = HclBody::default();
        match &grant.attached {
            PolicyKind::Policy => {
                body.line("name", &quoted(&grant.name));
                body.line("path", &quoted(&grant.path));
                body.line("description", &quoted(grant.what));
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
                    "Description": grant.what,
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
            json!({ "Type": kind, "Metadata": { "Why": grant.document.reasons() }, "Properties": properties });
        resources.insert(logical(&grant.name), resource);
    }
    let what: Vec<&str> = grants.iter().map(|grant| grant.what).collect();
    Ok(json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": what.join(". "),
        "Resources": resources,
    }))
}
