//! What the last step of a CI pipeline needs that publishes artifacts: to S3, ECR and CodeArtifact.
//!
//! Owns both modes: releases, and releases of feature branches (`dev`) that can never touch a release.

use tidegate_core::location::{Bucket, Location, Prefix};

use super::Grant;
use crate::document::{Partition, PolicyDocument, Statement, bucket_arn, objects_arn};

/// Who publishes where.
#[derive(Debug, Clone)]
pub struct CiPublisher {
    /// The partition of AWS.
    pub partition: Partition,
    /// The account that holds the stores.
    pub account: String,
    /// Their region.
    pub region: String,
    /// The bucket.
    pub bucket: Bucket,
    /// Where releases go in it.
    pub prefix: Prefix,
    /// Where feature branches' go: a pattern such as `*/feature/`, below which every key may be written.
    pub dev_prefix: String,
    /// The domain of CodeArtifact, where packages are published.
    pub codeartifact_domain: Option<String>,
    /// Whether images and objects may be removed, to move tags such as `latest`.
    pub allow_delete: bool,
    /// Whether this is for feature branches.
    pub dev: bool,
    /// The policy's path.
    pub path: String,
    /// The policy's name.
    pub name: String,
}

/// Why there is no such policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CiPublisherError {
    /// A pattern that reaches further than it says.
    #[error(
        "`{0}` is no place of feature branches: write folders, `*` for any of them, and end with `/`, as in `*/feature/`"
    )]
    DevPrefix(String),
    /// Not a path of IAM.
    #[error("`{0}` is no path, write `/` or `/ci/`")]
    Path(String),
    /// Not a region or a domain.
    #[error("`{0}` is no {1}: lower-case letters, digits and hyphens make one")]
    Name(String, &'static str),
}

fn plain(text: &str, what: &'static str) -> Result<(), CiPublisherError> {
    let fine = !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if fine { Ok(()) } else { Err(CiPublisherError::Name(text.escape_default().to_string(), what)) }
}

impl CiPublisher {
    fn check(&self) -> Result<(), CiPublisherError> {
        plain(&self.region, "region")?;
        if let Some(domain) = &self.codeartifact_domain {
            plain(domain, "domain of CodeArtifact")?;
        }
        let folders = self.dev_prefix.chars().all(|c| c.is_ascii_alphanumeric() || "*/._-".contains(c));
        // `*` alone, or a pattern of nothing but wildcards, is every release.
        let some = self.dev_prefix.chars().any(|c| c.is_ascii_alphanumeric());
        if !folders || !some || !self.dev_prefix.ends_with('/') || self.dev_prefix.starts_with('/') {
            return Err(CiPublisherError::DevPrefix(self.dev_prefix.escape_default().to_string()));
        }
        let path =
            self.path.starts_with('/') && self.path.ends_with('/') && self.path.chars().all(|c| c.is_ascii_graphic());
        if path { Ok(()) } else { Err(CiPublisherError::Path(self.path.escape_default().to_string())) }
    }

    /// The policy, for a role that the pipeline assumes.
    ///
    /// # Errors
    /// [`CiPublisherError`] names what to write.
    pub fn grant(&self) -> Result<Grant, CiPublisherError> {
        self.check()?;
        let mut statements = vec![
            Statement::allow(["s3:ListBucket"], [bucket_arn(&self.partition, &self.bucket)])
                .because("ListArtifacts", "to see what is published"),
        ];
        if self.dev {
            self.dev_objects(&mut statements);
        } else {
            self.objects(&mut statements);
        }
        self.images(&mut statements);
        if let (false, Some(domain)) = (self.dev, &self.codeartifact_domain) {
            self.packages(domain, &mut statements);
        }
        let what = if self.dev {
            "What a pipeline of a feature branch needs to publish artifacts that are no releases"
        } else {
            "What a release pipeline needs to publish artifacts to S3, ECR and CodeArtifact"
        };
        Ok(Grant { path: self.path.clone(), ..Grant::policy(&self.name, what, PolicyDocument::new(statements)) })
    }

    fn objects(&self, statements: &mut Vec<Statement>) {
        let place = Location { bucket: self.bucket.clone(), prefix: self.prefix.clone() };
        let objects = objects_arn(&self.partition, &place);
        let actions = ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"];
        statements.push(
            Statement::allow(actions, [objects.clone()])
                .because("PublishArtifacts", "to upload artifacts and tag them"),
        );
        if self.allow_delete {
            statements.push(
                Statement::allow(["s3:DeleteObject"], [objects])
                    .because("ReplaceFloating", "to replace what names such as `latest` stand for"),
            );
        }
    }

    fn dev_objects(&self, statements: &mut Vec<Statement>) {
        let root = Location { bucket: self.bucket.clone(), prefix: Prefix::default() };
        let all = objects_arn(&self.partition, &root);
        let dev = format!("{}{}*", all.trim_end_matches('*'), self.dev_prefix);
        statements.push(
            Statement::allow(["s3:PutObject", "s3:PutObjectTagging"], [dev.clone()])
                .when("StringEquals", "s3:RequestObjectTag/Release", ["false".to_owned()])
                .because(
                    "PublishFeature",
                    "to upload artifacts of a feature branch, which say of themselves that they are no release",
                ),
        );
        statements.push(
            Statement::allow(["s3:AbortMultipartUpload"], [dev])
                .because("GiveUpUploads", "to give up an upload in parts that failed"),
        );
        statements.push(
            Statement::deny(["s3:PutObjectTagging"], [all.clone()])
                .when("StringEquals", "s3:ExistingObjectTag/Release", ["true".to_owned()])
                .because("NeverRetagARelease", "a release stays a release"),
        );
        statements.push(
            Statement::deny(["s3:PutObject"], [all])
                .when("Null", "s3:if-none-match", ["true".to_owned()])
                .when("Bool", "s3:ObjectCreationOperation", ["true".to_owned()])
                .because(
                    "NeverReplaceAnObject",
                    "a put that may replace an object could replace a release, whose tags nobody looks at then",
                ),
        );
    }

    fn images(&self, statements: &mut Vec<Statement>) {
        let repositories = format!("arn:{}:ecr:{}:{}:repository/*", self.partition, self.region, self.account);
        let mut actions = vec![
            "ecr:BatchCheckLayerAvailability",
            "ecr:CompleteLayerUpload",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
        ];
        if self.allow_delete && !self.dev {
            actions.push("ecr:BatchDeleteImage");
        }
        statements.push(
            Statement::allow(actions, [repositories])
                .because("PublishImages", "to push images, and to move tags where deletes are allowed"),
        );
        statements.push(
            Statement::allow(["ecr:GetAuthorizationToken"], ["*".to_owned()])
                .because("LogInToRegistry", "to log in to the registry, for which AWS knows no narrower resource"),
        );
    }

    fn packages(&self, domain: &str, statements: &mut Vec<Statement>) {
        let arn = |kind: &str, rest: &str| {
            format!("arn:{}:codeartifact:{}:{}:{kind}/{domain}{rest}", self.partition, self.region, self.account)
        };
        statements.push(
            Statement::allow(["codeartifact:GetAuthorizationToken"], [arn("domain", "")])
                .because("LogInToDomain", "to log in to the domain"),
        );
        statements.push(
            Statement::allow(
                ["codeartifact:GetRepositoryEndpoint", "codeartifact:ReadFromRepository"],
                [arn("repository", "/*")],
            )
            .because("ReadPackages", "to find repositories and what they hold"),
        );
        statements.push(
            Statement::allow(
                ["codeartifact:PublishPackageVersion", "codeartifact:PutPackageMetadata"],
                [arn("package", "/*")],
            )
            .because("PublishPackages", "to publish packages"),
        );
        statements.push(
            Statement::allow(["sts:GetServiceBearerToken"], ["*".to_owned()])
                .when("StringEquals", "sts:AWSServiceName", ["codeartifact.amazonaws.com".to_owned()])
                .because("TokenForCodeArtifact", "to get the token that CodeArtifact asks for, and no other service's"),
        );
    }
}
