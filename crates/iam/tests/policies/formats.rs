//! The formats that grants are written in.

use serde_json::Value;
use tidegate_iam::document::Partition;
use tidegate_iam::policies::{GrantFormat, uploader, uploader_guard};

use super::all_grants;

const TERRAFORM: &str = r#"# Lets a CI job upload releases; it cannot read, list or delete anything
data "aws_iam_policy_document" "tidegate_uploader" {
  # to upload releases, and to abort failed multipart uploads
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
  description = "Lets a CI job upload releases; it cannot read, list or delete anything"
  policy      = data.aws_iam_policy_document.tidegate_uploader.json
}

# Denies replacing a release in the staging bucket
data "aws_iam_policy_document" "tidegate_uploader_guard" {
  # to deny every write without `If-None-Match: *`, which could replace a release
  statement {
    sid       = "DenyReplacingReleases"
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
fn terraform_has_the_form_of_its_formatter() {
    let staging = "s3://acme/staging".parse().unwrap();
    let grants = [uploader(&Partition::default(), &staging), uploader_guard(&Partition::default(), &staging)];
    pretty_assertions::assert_eq!(GrantFormat::Terraform.write(&grants).unwrap(), TERRAFORM);
}

#[test]
fn every_grant_is_written_in_every_format() {
    for grant in all_grants() {
        let grants = std::slice::from_ref(&grant);
        let document: Value = serde_json::from_str(&GrantFormat::Json.write(grants).unwrap()).unwrap();
        assert_eq!(document["Version"], "2012-10-17");
        let template: Value = serde_json::from_str(&GrantFormat::CloudFormation.write(grants).unwrap()).unwrap();
        let resource = template["Resources"].as_object().unwrap().values().next().unwrap();
        let written = &resource["Properties"];
        let member = if resource["Type"] == "AWS::IAM::Role" { "AssumeRolePolicyDocument" } else { "PolicyDocument" };
        assert_eq!(written[member], document, "{}", grant.name);
        assert!(!resource["Metadata"]["Reasons"].as_object().unwrap().is_empty(), "{}", grant.name);
        let terraform = GrantFormat::Terraform.write(grants).unwrap();
        assert_eq!(terraform.matches("  statement {").count(), grant.document.statements().len());
        assert!(!terraform.contains("\n\n\n") && terraform.lines().all(|line| line.trim_end() == line), "{terraform}");
    }
}

#[test]
fn several_grants_are_keyed_by_kind() {
    let staging = "s3://acme/staging".parse().unwrap();
    let grants = [uploader(&Partition::default(), &staging), uploader_guard(&Partition::default(), &staging)];
    let both: Value = serde_json::from_str(&GrantFormat::Json.write(&grants).unwrap()).unwrap();
    assert_eq!(both.as_object().unwrap().keys().collect::<Vec<_>>(), ["bucket-policy", "policy"]);
}
