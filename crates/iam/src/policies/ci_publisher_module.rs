//! The policy of a CI pipeline as a Terraform module: every setting is a variable, with the chosen value as its default.
//!
//! The documents are made of a publisher whose settings are names of their own, which become references to variables. What
//! depends on a setting is a document of its own, and `source_policy_documents` joins those that apply.

use tidegate_core::location::{Bucket, Prefix};

use super::Grant;
use super::ci_publisher::{CiPublisher, CiPublisherError};
use super::format::attachments;
use crate::changes::PolicyTargets;
use crate::document::terraform::{HclBody, policy_document, quoted, text};
use crate::document::{Partition, PolicyDocument, Statement};

/// A setting: the name in documents, the variable, and its description.
struct Setting {
    stands_for: &'static str,
    variable: &'static str,
    description: &'static str,
}

const PARTITION: Setting =
    Setting { stands_for: "aws-tidegate-partition", variable: "partition", description: "AWS partition" };
const ACCOUNT: Setting = Setting {
    stands_for: "tidegate-account",
    variable: "account_id",
    description: "Account of the bucket, the registry and the domain",
};
const REGION: Setting = Setting { stands_for: "tidegate-region", variable: "region", description: "Their region" };
const BUCKET: Setting =
    Setting { stands_for: "tidegate-bucket", variable: "s3_bucket_name", description: "Bucket of artifacts" };
const PREFIX: Setting = Setting {
    stands_for: "tidegate-prefix/",
    variable: "s3_prefix",
    description: "Prefix of releases, empty or with a slash at its end; ignored with dev",
};
const DEV_PREFIX: Setting = Setting {
    stands_for: "tidegate-dev-prefix/",
    variable: "s3_dev_prefix",
    description: "Pattern of keys for artifacts of feature branches, with a slash at its end",
};
const DOMAIN: Setting = Setting {
    stands_for: "tidegate-domain",
    variable: "codeartifact_domain_name",
    description: "CodeArtifact domain, or empty; ignored with dev",
};

const SETTINGS: [Setting; 7] = [PARTITION, ACCOUNT, REGION, BUCKET, PREFIX, DEV_PREFIX, DOMAIN];

impl CiPublisher {
    /// The policy in Terraform, with a variable for each setting.
    ///
    /// # Errors
    /// [`CiPublisherError`].
    pub fn terraform(&self, targets: &PolicyTargets) -> Result<String, CiPublisherError> {
        let grant = self.grant()?;
        let mut file = HclBody::default();
        self.write_variables(&mut file);
        let release = Self { dev: false, allow_delete: false, codeartifact_domain: None, ..self.generic()? };
        let base = release.grant()?;
        let deleting = Self { allow_delete: true, ..release.clone() }.grant()?;
        let packages = Self { codeartifact_domain: Some(DOMAIN.stands_for.to_owned()), ..release.clone() }.grant()?;
        let dev = Self { dev: true, ..release }.grant()?;
        for (name, document) in [
            ("release", &base.document),
            ("delete", &beyond(&deleting, &base)),
            ("packages", &beyond(&packages, &base)),
            ("dev", &dev.document),
        ] {
            policy_document(document, &format!("publisher_{name}"), &mut file);
        }
        let json = |name: &str| format!("data.aws_iam_policy_document.publisher_{name}.json");
        let mut joined = HclBody::default();
        joined.group(
            "source_policy_documents = concat(",
            {
                let mut lists = HclBody::default();
                lists.item(&format!("[{}],", json("release")));
                lists.item(&format!("var.allow_delete ? [{}] : [],", json("delete")));
                lists.item(&format!("var.codeartifact_domain_name != \"\" ? [{}] : [],", json("packages")));
                lists
            },
            ")",
        );
        file.block("data \"aws_iam_policy_document\" \"publisher\"", joined);
        let mut policy = HclBody::default();
        policy.line("name", "var.iam_policy_name");
        policy.line("path", "var.iam_policy_path");
        policy.line("description", &quoted(grant.description));
        policy.line("policy", &format!("var.dev ? {} : data.aws_iam_policy_document.publisher.json", json("dev")));
        file.block("resource \"aws_iam_policy\" \"publisher\"", policy);
        attachments(&mut file, "publisher", targets);
        let mut output = HclBody::default();
        output.line("value", "aws_iam_policy.publisher.arn");
        output.line("description", &quoted("ARN of the policy"));
        file.block("output \"policy_arn\"", output);
        Ok(SETTINGS.iter().fold(text(&file), |text, setting| {
            text.replace(setting.stands_for, &format!("${{var.{}}}", setting.variable))
        }))
    }

    /// The same publisher with names that stand for variables.
    fn generic(&self) -> Result<Self, CiPublisherError> {
        let invalid = |name: &str| CiPublisherError::Name(name.to_owned(), "name");
        Ok(Self {
            partition: Partition::try_from(PARTITION.stands_for.to_owned())
                .map_err(|_| invalid(PARTITION.stands_for))?,
            account: ACCOUNT.stands_for.to_owned(),
            region: REGION.stands_for.to_owned(),
            bucket: Bucket::new(BUCKET.stands_for).map_err(|_| invalid(BUCKET.stands_for))?,
            prefix: Prefix::new(PREFIX.stands_for).map_err(|_| invalid(PREFIX.stands_for))?,
            dev_prefix: DEV_PREFIX.stands_for.to_owned(),
            ..self.clone()
        })
    }

    fn write_variables(&self, file: &mut HclBody) {
        let domain = self.codeartifact_domain.clone().unwrap_or_default();
        let values = [
            self.partition.to_string(),
            self.account.clone(),
            self.region.clone(),
            self.bucket.to_string(),
            self.prefix.as_str().to_owned(),
            self.dev_prefix.clone(),
            domain,
        ];
        for (setting, value) in SETTINGS.iter().zip(&values) {
            variable(file, setting.variable, "string", &quoted(value), setting.description);
        }
        let delete = "Whether images and objects may be deleted, to move tags such as `latest`; ignored with dev";
        variable(file, "allow_delete", "bool", &self.allow_delete.to_string(), delete);
        let dev = "Whether this is the policy of feature branches, which cannot touch a release";
        variable(file, "dev", "bool", &self.dev.to_string(), dev);
        variable(file, "iam_policy_path", "string", &quoted(&self.path), "Path of the policy");
        variable(file, "iam_policy_name", "string", &quoted(&self.name), "Name of the policy");
    }
}

fn variable(file: &mut HclBody, name: &str, kind: &str, default: &str, description: &str) {
    let mut body = HclBody::default();
    body.line("type", kind);
    body.line("default", default);
    body.line("description", &quoted(description));
    file.block(&format!("variable {}", quoted(name)), body);
}

/// The statements of a grant that another one does not have.
fn beyond(grant: &Grant, base: &Grant) -> PolicyDocument {
    let known = base.document.statements();
    let others = grant.document.statements().iter().filter(|statement| !known.contains(statement));
    PolicyDocument::new(others.cloned().collect::<Vec<Statement>>())
}
