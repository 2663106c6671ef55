//! Grants as people keep them.

use serde_json::Value;
use tidegate_iam::document::Partition;
use tidegate_iam::policies::{GrantFormat, uploader, uploader_guard};

use super::all;

const TERRAFORM: &str = r#"# What a CI job needs that stages releases; it cannot read, list or remove anything
data "aws_iam_policy_document" "tidegate_uploader" {
  # to upload releases, and to give up an upload in parts that failed
  statement {
    sid    = "StageReleases"
    effect = "Allow"

    actions = [
      "s3:PutObject",
      "s3:AbortMultipartUpload",
    ]

    resources = ["arn:aws:s3:::acme/staging/*"]
  }
}

resource "aws_iam_policy" "tidegate_uploader" {
  name        = "tidegate-uploader"
  path        = "/"
  description = "What a CI job needs that stages releases; it cannot read, list or remove anything"
  policy      = data.aws_iam_policy_document.tidegate_uploader.json
}

# The staging bucket refuses whoever would replace a release
data "aws_iam_policy_document" "tidegate_uploader_guard" {
  # whoever writes here must say that the key is new: If-None-Match: *
  statement {
    sid       = "NeverReplaceARelease"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["arn:aws:s3:::acme/staging/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "s3:ObjectCreationOperation"
      values   = ["true"]
    }

    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }
  }
}

resource "aws_s3_bucket_policy" "tidegate_uploader_guard" {
  bucket = "acme"
  policy = data.aws_iam_policy_document.tidegate_uploader_guard.json
}
"#;

#[test]
fn terraform_is_as_its_formatter_leaves_it() {
    let staging = "s3://acme/staging".parse().unwrap();
    let grants = [uploader(&Partition::default(), &staging), uploader_guard(&Partition::default(), &staging)];
    pretty_assertions::assert_eq!(GrantFormat::Terraform.write(&grants).unwrap(), TERRAFORM);
}

#[test]
fn every_grant_is_written_in_every_form() {
    for grant in all() {
        let grants = std::slice::from_ref(&grant);
        let document: Value = serde_json::from_str(&GrantFormat::Json.write(grants).unwrap()).unwrap();
        assert_eq!(document["Version"], "2012-10-17");
        let template: Value = serde_json::from_str(&GrantFormat::CloudFormation.write(grants).unwrap()).unwrap();
        let resource = template["Resources"].as_object().unwrap().values().next().unwrap();
        let written = &resource["Properties"];
        let found = if resource["Type"] == "AWS::IAM::Role" { "AssumeRolePolicyDocument" } else { "PolicyDocument" };
        assert_eq!(written[found], document, "{}", grant.name);
        assert!(!resource["Metadata"]["Why"].as_object().unwrap().is_empty(), "{}", grant.name);
        let terraform = GrantFormat::Terraform.write(grants).unwrap();
        assert_eq!(terraform.matches("  statement {").count(), grant.document.statements().len());
        assert!(!terraform.contains("\n\n\n") && terraform.lines().all(|line| line.trim_end() == line), "{terraform}");
    }
}

#[test]
fn several_grants_are_told_apart() {
    let staging = "s3://acme/staging".parse().unwrap();
    let grants = [uploader(&Partition::default(), &staging), uploader_guard(&Partition::default(), &staging)];
    let both: Value = serde_json::from_str(&GrantFormat::Json.write(&grants).unwrap()).unwrap();
    assert_eq!(both.as_object().unwrap().keys().collect::<Vec<_>>(), ["bucket-policy", "policy"]);
}
