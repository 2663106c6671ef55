//! Arguments of `tidegate policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tidegate_core::config::{DistributionId, FunctionName};
use tidegate_core::location::{Bucket, Location, Prefix};
use tidegate_iam::document::Partition;

use super::account_id;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Generate the policy of a site's publisher role
    Site {
        /// Name of the site in the configuration
        site: String,
        #[command(flatten)]
        output: PolicyOutputArguments,
    },
    /// Generate the policy of a user or CI job that runs `tidegate publish`
    ///
    /// It allows reading the sources, keeping the state and assuming the publisher roles.
    Caller {
        /// Names of the sites [default: all of the configuration]
        #[arg(value_name = "SITE")]
        sites: Vec<String>,
        #[command(flatten)]
        output: PolicyOutputArguments,
    },
    /// Generate the policy of the Lambda function's execution role
    Lambda {
        /// Name of the function [default: that of `[function]`]
        #[arg(long, value_name = "NAME", value_parser = function_name)]
        function: Option<FunctionName>,
        #[command(flatten)]
        output: PolicyOutputArguments,
    },
    /// Generate the policies for a CI job that may only upload new builds
    ///
    /// One is for the job; the other is a bucket policy that keeps it from replacing a build.
    Uploader(UploaderArguments),
    /// Generate the policy for users of `aws s3 sync`, s3cmd, middleman-s3_sync and similar tools
    S3Sync {
        #[command(flatten)]
        tool: SyncPolicyArguments,
        #[command(flatten)]
        output: PolicyOutputArguments,
    },
    /// Generate the policy for a CI pipeline that publishes to S3, ECR and CodeArtifact
    CiPublisher(Box<CiPublisherArguments>),
    /// Generate the trust policy for jobs of GitHub Actions or GitLab CI
    Trust(TrustArguments),
    /// Report errors and over-permissive statements in a policy
    Lint {
        /// Policy file, or `-` for standard input
        file: PathBuf,
        /// What the policy is attached to
        #[arg(long, value_enum, value_name = "KIND", default_value = "identity")]
        role: Attachment,
        /// Also report permissions that are missing for this purpose
        #[arg(long, value_enum, value_name = "PURPOSE")]
        needs: Option<NeedsFlag>,
        /// Also check with AWS whether root access keys exist, which no policy restricts
        #[arg(long)]
        aws: bool,
    },
}

/// How a policy is printed, or whether it is applied.
#[derive(Debug, Clone, Args)]
pub(crate) struct PolicyOutputArguments {
    /// Output format
    #[arg(short, long, value_enum, default_value = "json")]
    pub(crate) format: PolicyFormat,
    /// Account id [default: that of the roles in the configuration, or of the current credentials]
    #[arg(long, value_name = "DIGITS", value_parser = account_id)]
    pub(crate) account: Option<String>,
    /// Name of the policy [default: named after its purpose]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Create or update the policy in the account
    #[arg(long)]
    pub(crate) apply: bool,
    /// With `--apply`, show the changes without applying them
    #[arg(long, requires = "apply")]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UploaderArguments {
    /// Prefix that builds are uploaded to, `s3://bucket/prefix/`, or a site of the configuration
    pub(crate) staging: String,
    /// AWS partition
    #[arg(long, value_name = "NAME", default_value = "aws")]
    pub(crate) partition: Partition,
    #[command(flatten)]
    pub(crate) output: PolicyOutputArguments,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SyncPolicyArguments {
    /// Target of the tool, `s3://bucket/prefix/`
    pub(crate) target: Location,
    /// Allow invalidating this CloudFront distribution
    #[arg(long, value_name = "ID", value_parser = distribution)]
    pub(crate) distribution: Vec<DistributionId>,
    /// Do not allow deleting
    #[arg(long)]
    pub(crate) no_delete: bool,
    /// Allow setting ACLs, as `s3cmd --acl-public` does
    #[arg(long)]
    pub(crate) acl: bool,
    /// Allow finding the distribution of a bucket, as `s3cmd --cf-invalidate` does
    #[arg(long)]
    pub(crate) find_distribution: bool,
    /// Allow configuring website and versioning of the bucket, as middleman-s3_sync does
    #[arg(long)]
    pub(crate) configure_bucket: bool,
    /// AWS partition
    #[arg(long, value_name = "NAME", default_value = "aws")]
    pub(crate) partition: Partition,
}

fn function_name(text: &str) -> Result<FunctionName, String> {
    FunctionName::try_from(text.to_owned()).map_err(|error| error.to_string())
}

fn distribution(text: &str) -> Result<DistributionId, String> {
    DistributionId::try_from(text.to_owned()).map_err(|error| error.to_string())
}

#[derive(Debug, Args)]
pub(crate) struct CiPublisherArguments {
    /// Bucket of artifacts
    pub(crate) bucket: Bucket,
    /// Prefix of releases in the bucket; ignored with `--dev`
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub(crate) prefix: Prefix,
    /// CodeArtifact domain; ignored with `--dev`
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) codeartifact_domain: Option<String>,
    /// Do not allow deleting images and objects, so that tags such as `latest` cannot move
    #[arg(long)]
    pub(crate) no_delete: bool,
    /// Generate the policy for feature branches: only keys below `--dev-prefix`, no releases
    #[arg(long)]
    pub(crate) dev: bool,
    /// Pattern of keys for artifacts of feature branches
    #[arg(long, value_name = "PATTERN", default_value = "*/feature/")]
    pub(crate) dev_prefix: String,
    /// AWS partition
    #[arg(long, value_name = "NAME", default_value = "aws")]
    pub(crate) partition: Partition,
    /// IAM path of the policy
    #[arg(long, value_name = "PATH", default_value = "/ci/")]
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) output: PolicyOutputArguments,
}

#[derive(Debug, Args)]
#[group(id = "provider", required = true, multiple = false, args = ["github", "gitlab"])]
pub(crate) struct TrustArguments {
    /// GitHub organisation or repository, such as `acme` or `acme/docs`
    #[arg(long, value_name = "ORG[/REPO]")]
    pub(crate) github: Option<String>,
    /// GitLab project, or all projects of a group, such as `acme/docs` or `acme/*`
    #[arg(long, value_name = "PATH")]
    pub(crate) gitlab: Option<String>,
    /// Trust only jobs of this branch
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Option<String>,
    /// Trust only jobs in this GitHub environment
    #[arg(long, value_name = "NAME", conflicts_with = "gitlab")]
    pub(crate) environment: Option<String>,
    /// GitLab host
    #[arg(long, value_name = "HOST", default_value = "gitlab.com")]
    pub(crate) host: String,
    /// Audience that the GitLab jobs request
    #[arg(long, value_name = "TEXT", conflicts_with = "github")]
    pub(crate) audience: Option<String>,
    /// AWS partition
    #[arg(long, value_name = "NAME", default_value = "aws")]
    pub(crate) partition: Partition,
    #[command(flatten)]
    pub(crate) output: PolicyOutputArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyFormat {
    /// Policy documents
    Json,
    /// Data sources and resources
    Terraform,
    /// Template
    Cloudformation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Attachment {
    /// User, group or role
    Identity,
    /// Session of a role
    Session,
    /// Trust policy of a role
    Trust,
    /// Bucket
    Bucket,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NeedsFlag {
    /// Sync a prefix with a directory, with deletes
    Sync,
    /// Sync without deletes
    Upload,
    /// Invalidate a CDN
    Invalidate,
}
