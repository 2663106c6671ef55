//! The formats that grants are written in.

use serde_json::Value;
use tidegate_iam::changes::PolicyTargets;
use tidegate_iam::document::Partition;
use tidegate_iam::policies::{
    GrantFormat, TrustedIdentity, TrustedJobs, trust, trust_service, uploader, uploader_guard,
};

use super::{all_grants, ci_publisher};

const TERRAFORM: &str = r#"# Lets a CI job upload builds; it cannot read them
data "aws_iam_policy_document" "tidegate_uploader_acme_staging_28b573c2" {
  # to upload builds, and to abort failed multipart uploads
  statement {
    sid    = "UploadBuilds"
    effect = "Allow"

    actions = [
      "s3:PutObject",
      "s3:AbortMultipartUpload",
    ]

    resources = ["arn:aws:s3:::acme/staging/*"]
  }

  # to compare with what is there, as `sync` does
  statement {
    sid       = "ListUploads"
    effect    = "Allow"
    actions   = ["s3:ListBucket"]
    resources = ["arn:aws:s3:::acme"]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["staging/*"]
    }
  }
}

resource "aws_iam_policy" "tidegate_uploader_acme_staging_28b573c2" {
  name        = "tidegate-uploader-acme-staging-28b573c2"
  path        = "/"
  description = "Lets a CI job upload builds; it cannot read them"
  policy      = data.aws_iam_policy_document.tidegate_uploader_acme_staging_28b573c2.json
}

# Denies replacing a build in the bucket
data "aws_iam_policy_document" "tidegate_uploader_guard_acme_staging_dbc58feb" {
  # to deny every write without `If-None-Match: *`, which could replace a build
  statement {
    sid       = "DenyReplacingBuilds1d11efbf"
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

resource "aws_s3_bucket_policy" "tidegate_uploader_guard_acme_staging_dbc58feb" {
  bucket = "acme"
  policy = data.aws_iam_policy_document.tidegate_uploader_guard_acme_staging_dbc58feb.json
}

output "policy_arn" {
  value       = aws_iam_policy.tidegate_uploader_acme_staging_28b573c2.arn
  description = "ARN of the policy"
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
fn the_policy_of_a_pipeline_is_a_module_with_a_variable_for_each_setting() {
    for dev in [false, true] {
        let publisher = ci_publisher(dev);
        let terraform = publisher.terraform(&PolicyTargets::default()).unwrap();
        for (variable, default) in [
            ("partition", "\"aws\""),
            ("account_id", "\"123456789012\""),
            ("region", "\"eu-west-1\""),
            ("s3_bucket_name", "\"acme-dist\""),
            ("s3_prefix", "\"release/\""),
            ("s3_dev_prefix", "\"*/feature/\""),
            ("codeartifact_domain_name", "\"acme\""),
            ("allow_delete", "true"),
            ("dev", if dev { "true" } else { "false" }),
            ("iam_policy_path", "\"/ci/\""),
            ("iam_policy_name", "\"publisher\""),
        ] {
            let (_, rest) = terraform.split_once(&format!("variable \"{variable}\" {{")).unwrap();
            let block = rest.split("\n}\n").next().unwrap();
            assert!(block.contains(&format!("default     = {default}")), "{block}");
            assert!(terraform.contains(&format!("var.{variable}")), "{variable} is not used");
        }
        // Nothing but the defaults has the values, and no name stands for a variable any more.
        assert_eq!(terraform.matches("acme-dist").count(), 1, "{terraform}");
        assert!(!terraform.contains("tidegate-"), "{terraform}");
        // With its defaults, the module has the actions of the policy.
        let document = publisher.grant().unwrap().document;
        for statement in document.statements() {
            assert!(statement.actions().iter().all(|action| terraform.contains(&format!("\"{action}\""))));
        }
        assert!(terraform.lines().all(|line| line.trim_end() == line), "{terraform}");
    }
}

#[test]
fn several_grants_are_keyed_by_kind() {
    let staging = "s3://acme/staging".parse().unwrap();
    let grants = [uploader(&Partition::default(), &staging), uploader_guard(&Partition::default(), &staging)];
    let both: Value = serde_json::from_str(&GrantFormat::Json.write(&grants).unwrap()).unwrap();
    assert_eq!(both.as_object().unwrap().keys().collect::<Vec<_>>(), ["bucket-policy", "policy"]);
}

#[test]
fn templates_attach_the_policy() {
    let staging = "s3://acme/staging".parse().unwrap();
    let grants = [uploader(&Partition::default(), &staging), uploader_guard(&Partition::default(), &staging)];
    let names = |name: &str| vec![name.to_owned()];
    let targets = PolicyTargets { users: names("lea"), groups: names("editors"), roles: names("docs-ci") };
    let terraform = GrantFormat::Terraform.write_attached(&grants, &targets).unwrap();
    for (kind, name) in [("user", "lea"), ("group", "editors"), ("role", "docs-ci")] {
        assert!(terraform.contains(&format!("resource \"aws_iam_{kind}_policy_attachment\"")), "{terraform}");
        assert!(terraform.contains(&format!("\"{name}\"")), "{terraform}");
    }
    let text = GrantFormat::CloudFormation.write_attached(&grants, &targets).unwrap();
    let template: Value = serde_json::from_str(&text).unwrap();
    let resources = template["Resources"].as_object().unwrap();
    let (id, policy) = resources.iter().find(|(_, one)| one["Type"] == "AWS::IAM::ManagedPolicy").unwrap();
    let properties = &policy["Properties"];
    assert_eq!(
        (&properties["Users"][0], &properties["Groups"][0], &properties["Roles"][0]),
        (&"lea".into(), &"editors".into(), &"docs-ci".into())
    );
    assert_eq!(template["Outputs"]["PolicyArn"]["Value"]["Ref"], Value::from(id.as_str()));
}

#[test]
fn a_trust_policy_in_terraform_has_its_oidc_provider() {
    let identity = TrustedIdentity::GitLab {
        project: "acme/docs".to_owned(),
        jobs: vec![TrustedJobs::Branch("main".to_owned())],
        host: "gitlab.example.com".to_owned(),
        audience: Some("tidegate".to_owned()),
    };
    let grant = trust(&Partition::default(), "123456789012", &identity).unwrap();
    let file = GrantFormat::Terraform.write(&[grant]).unwrap();
    let provider = r#"variable "create_oidc_provider" {
  type        = bool
  default     = true
  description = "Whether to create the OIDC provider; false if the account has it"
}

resource "aws_iam_openid_connect_provider" "ci" {
  count          = var.create_oidc_provider ? 1 : 0
  url            = "https://gitlab.example.com"
  client_id_list = ["tidegate"]
}
"#;
    assert!(file.starts_with(provider), "{file}");
    assert!(file.contains("= [aws_iam_openid_connect_provider.ci]\n"), "{file}");
    let others = GrantFormat::Terraform.write(&[trust_service("lambda.amazonaws.com")]).unwrap();
    assert!(!others.contains("oidc") && !others.contains("openid"), "{others}");
}
