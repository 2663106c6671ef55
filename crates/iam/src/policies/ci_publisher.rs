//! Permissions of a CI pipeline that publishes artifacts to S3, ECR and CodeArtifact: releases, or builds of feature
//! branches (`dev`), which cannot touch a release.

use tidegate_core::location::{Bucket, Location, Prefix};
use tidegate_core::sanitize::sanitize_name;

use super::Grant;
use crate::document::{Partition, PolicyDocument, Statement, bucket_arn, objects_arn};

/// Where a pipeline publishes.
#[derive(Debug, Clone)]
pub struct CiPublisher {
    /// The AWS partition.
    pub partition: Partition,
    /// The account of the bucket, the registry and the domain.
    pub account: String,
    /// Their region.
    pub region: String,
    /// The bucket.
    pub bucket: Bucket,
    /// The prefix of releases.
    pub prefix: Prefix,
    /// The prefix of builds of feature branches, with wildcards: `*/feature/`.
    pub dev_prefix: String,
    /// The CodeArtifact domain, where packages are published.
    pub codeartifact_domain: Option<String>,
    /// Whether images and objects may be deleted, to move tags such as `latest`.
    pub allow_delete: bool,
    /// Whether this is the policy of feature branches.
    pub dev: bool,
    /// The path of the policy.
    pub path: String,
    /// The name of the policy.
    pub name: String,
}

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CiPublisherError {
    /// A pattern that could match releases.
    #[error(
        "invalid prefix of feature branches `{0}`: write folders, with `*` for any of them and `/` at the end, such as `*/feature/`"
    )]
    DevPrefix(String),
    /// Not an IAM path.
    #[error("invalid IAM path `{0}`: start and end it with `/`, such as `/ci/`")]
    Path(String),
    /// Not a region or domain.
    #[error("invalid {1} `{0}`: use lower-case letters, digits and hyphens")]
    Name(String, &'static str),
}

fn check_name(text: &str, kind: &'static str) -> Result<(), CiPublisherError> {
    let is_valid = !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if is_valid { Ok(()) } else { Err(CiPublisherError::Name(sanitize_name(text), kind)) }
}

impl CiPublisher {
    fn check(&self) -> Result<(), CiPublisherError> {
        check_name(&self.region, "region")?;
        if let Some(domain) = &self.codeartifact_domain {
            check_name(domain, "CodeArtifact domain")?;
        }
        let has_valid_chars = self.dev_prefix.chars().all(|c| c.is_ascii_alphanumeric() || "*/._-".contains(c));
        // A pattern of wildcards alone matches every release.
        let has_name = self.dev_prefix.chars().any(|c| c.is_ascii_alphanumeric());
        if !has_valid_chars || !has_name || !self.dev_prefix.ends_with('/') || self.dev_prefix.starts_with('/') {
            return Err(CiPublisherError::DevPrefix(sanitize_name(&self.dev_prefix)));
        }
        let is_path =
            self.path.starts_with('/') && self.path.ends_with('/') && self.path.chars().all(|c| c.is_ascii_graphic());
        if is_path { Ok(()) } else { Err(CiPublisherError::Path(sanitize_name(&self.path))) }
    }

    /// The policy for a role that the pipeline assumes.
    ///
    /// # Errors
    /// [`CiPublisherError`].
    pub fn grant(&self) -> Result<Grant, CiPublisherError> {
        self.check()?;
        let mut statements = vec![
            Statement::allow(["s3:ListBucket"], [bucket_arn(&self.partition, &self.bucket)])
                .because("ListArtifacts", "to list artifacts"),
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
        let description = if self.dev {
            "Lets the pipeline of a feature branch publish artifacts that are not releases"
        } else {
            "Lets a release pipeline publish artifacts to S3, ECR and CodeArtifact"
        };
        Ok(Grant { path: self.path.clone(), ..Grant::policy(&self.name, description, PolicyDocument::new(statements)) })
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
                    .because("DeleteArtifacts", "to move names such as `latest`"),
            );
        }
    }

    fn dev_objects(&self, statements: &mut Vec<Statement>) {
        let root = Location { bucket: self.bucket.clone(), prefix: Prefix::default() };
        let all = objects_arn(&self.partition, &root);
        let dev = format!("{}{}*", all.trim_end_matches('*'), self.dev_prefix);
        // Only the first request of an upload in parts has the tags, so a request without any is allowed.
        statements.push(
            Statement::allow(["s3:PutObject"], [dev.clone()])
                .when("StringEqualsIfExists", "s3:RequestObjectTag/Release", ["false".to_owned()])
                .because("PublishFeature", "to upload artifacts of a feature branch that do not claim to be a release"),
        );
        statements.push(
            Statement::allow(["s3:PutObjectTagging"], [dev.clone()])
                .when("StringEquals", "s3:RequestObjectTag/Release", ["false".to_owned()])
                .because("TagFeature", "to tag artifacts of a feature branch with `Release=false`"),
        );
        statements.push(
            Statement::allow(["s3:AbortMultipartUpload"], [dev])
                .because("AbortUploads", "to abort failed multipart uploads"),
        );
        statements.push(
            Statement::deny(["s3:PutObjectTagging"], [all.clone()])
                .when("StringEquals", "s3:ExistingObjectTag/Release", ["true".to_owned()])
                .because("DenyRetaggingReleases", "to deny changing the tags of a release"),
        );
        statements.push(
            Statement::deny(["s3:PutObject"], [all])
                .when("Null", "s3:if-none-match", ["true".to_owned()])
                .when("Bool", "s3:ObjectCreationOperation", ["true".to_owned()])
                .because(
                    "DenyReplacingObjects",
                    "to deny every write without `If-None-Match: *`, which could replace a release",
                ),
        );
    }

    fn images(&self, statements: &mut Vec<Statement>) {
        let repositories = format!("arn:{}:ecr:{}:{}:repository/*", self.partition, self.region, self.account);
        let actions = [
            "ecr:BatchCheckLayerAvailability",
            // Without it, a tag cannot be moved to an image, and some clients cannot see whether an image exists.
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
        ];
        statements.push(Statement::allow(actions, [repositories.clone()]).because("PublishImages", "to push images"));
        if self.allow_delete && !self.dev {
            statements.push(
                Statement::allow(["ecr:BatchDeleteImage"], [repositories])
                    .because("DeleteImages", "to move tags such as `latest`"),
            );
        }
        statements.push(
            Statement::allow(["ecr:GetAuthorizationToken"], ["*".to_owned()])
                .because("LogInToRegistry", "to log in to the registry; the action has no resource-level permissions"),
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
            .because("ReadPackages", "to read repositories and packages"),
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
                .because("GetCodeArtifactToken", "to get a token for CodeArtifact, and for no other service"),
        );
    }
}
