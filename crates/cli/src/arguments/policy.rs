//! `tidegate policy …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tidegate_core::config::DistributionId;
use tidegate_core::location::{Bucket, Location, Prefix};
use tidegate_iam::document::Partition;

use super::credentials::distribution;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// The publisher role of one site.
    Site {
        /// The site's name in the configuration.
        site: String,
        #[command(flatten)]
        how: PolicyArguments,
    },
    /// Whoever runs tidegate: a person, a CI job. Reads, keeps state, assumes publisher roles.
    Caller {
        /// Sites; all of the configuration where none is named.
        sites: Vec<String>,
        #[command(flatten)]
        how: PolicyArguments,
    },
    /// The function's execution role.
    Lambda {
        /// The function's name; that of `[function]` where absent.
        #[arg(long, value_name = "NAME")]
        function: Option<String>,
        /// Its region.
        #[arg(long, value_name = "REGION", default_value = "us-east-1")]
        region: String,
        #[command(flatten)]
        how: PolicyArguments,
    },
    /// A CI job that may only stage new releases, with the bucket policy that keeps it from replacing one.
    Uploader(UploaderArguments),
    /// Users of middleman-s3_sync, s3cmd, `aws s3 sync` and the like.
    S3Sync {
        #[command(flatten)]
        what: SyncPolicyArguments,
        #[command(flatten)]
        how: PolicyArguments,
    },
    /// The last step of a CI pipeline: S3, ECR and CodeArtifact.
    CiPublisher(Box<CiPublisherArguments>),
    /// Who may assume a role: jobs of GitHub or GitLab, by their own tokens.
    Trust(TrustArguments),
    /// Tells what is wrong, too wide or too long in a policy.
    Lint {
        /// A file, or `-` for standard input.
        file: PathBuf,
        /// What it is attached to.
        #[arg(long, value_enum, default_value = "identity")]
        role: Attachment,
        /// What it is meant for: also tells what it lacks.
        #[arg(long, value_enum)]
        needs: Option<NeedsFlag>,
        /// Also asks AWS whether root keys are in use, which no policy narrows.
        #[arg(long)]
        aws: bool,
    },
}

/// How a policy is written down, and whether it is made.
#[derive(Debug, Clone, Args)]
pub(crate) struct PolicyArguments {
    /// How it is printed.
    #[arg(short, long, value_enum, default_value = "json")]
    pub(crate) format: PolicyForm,
    /// The account's 12 digits; asked of AWS where neither this nor the configuration says it.
    #[arg(long, value_name = "DIGITS")]
    pub(crate) account: Option<String>,
    /// Another name than the one it has by itself.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Makes it in the account, or brings what is there up to date.
    #[arg(long)]
    pub(crate) apply: bool,
    /// With `--apply`: shows what would be done and does nothing.
    #[arg(long, requires = "apply")]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UploaderArguments {
    /// Where releases are staged: `s3://bucket/prefix/`, or a site of the configuration.
    pub(crate) staging: String,
    /// The partition of AWS.
    #[arg(long, value_name = "NAME", default_value = "aws")]
    pub(crate) partition: Partition,
    #[command(flatten)]
    pub(crate) how: PolicyArguments,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SyncPolicyArguments {
    /// Where the site is: `s3://bucket/prefix/`.
    pub(crate) target: Location,
    /// A distribution that shows it.
    #[arg(long, value_name = "ID", value_parser = distribution)]
    pub(crate) distribution: Vec<DistributionId>,
    /// The tool removes nothing.
    #[arg(long)]
    pub(crate) no_delete: bool,
    /// The tool sets ACLs, as `s3cmd --acl-public` does.
    #[arg(long)]
    pub(crate) acl: bool,
    /// The tool looks for the distribution by itself, as `s3cmd --cf-invalidate` does.
    #[arg(long)]
    pub(crate) find_distribution: bool,
    /// The tool sets the bucket's website and versioning, as middleman-s3_sync can.
    #[arg(long)]
    pub(crate) configure_bucket: bool,
    /// The partition of AWS.
    #[arg(long, value_name = "NAME", default_value = "aws")]
    pub(crate) partition: Partition,
}

#[derive(Debug, Args)]
pub(crate) struct CiPublisherArguments {
    /// The bucket of artifacts.
    pub(crate) bucket: Bucket,
    /// The region of bucket, registry and packages.
    #[arg(long, value_name = "REGION")]
    pub(crate) region: String,
    /// Where releases go in the bucket; not looked at with `--dev`.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub(crate) prefix: Prefix,
    /// The domain of CodeArtifact; not looked at with `--dev`.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) codeartifact_domain: Option<String>,
    /// The pipeline may not remove images and objects, so tags such as `latest` cannot move.
    #[arg(long)]
    pub(crate) no_delete: bool,
    /// For feature branches: below `--dev-prefix` alone, and never over a release.
    #[arg(long)]
    pub(crate) dev: bool,
    /// Where feature branches' artifacts go: every key that begins like this, `*` for anything.
    #[arg(long, value_name = "PATTERN", default_value = "*/feature/")]
    pub(crate) dev_prefix: String,
    /// The partition of AWS.
    #[arg(long, value_name = "NAME", default_value = "aws")]
    pub(crate) partition: Partition,
    /// The policy's path.
    #[arg(long, value_name = "PATH", default_value = "/ci/")]
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) how: PolicyArguments,
}

#[derive(Debug, Args)]
#[group(id = "provider", required = true, multiple = false, args = ["github", "gitlab"])]
pub(crate) struct TrustArguments {
    /// An organisation or a repository of GitHub: `acme`, `acme/docs`.
    #[arg(long, value_name = "ORG[/REPO]")]
    pub(crate) github: Option<String>,
    /// A project of GitLab, or all of a group: `acme/docs`, `acme/*`.
    #[arg(long, value_name = "PATH")]
    pub(crate) gitlab: Option<String>,
    /// Only jobs of this branch.
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Option<String>,
    /// Only jobs in this environment; GitHub alone.
    #[arg(long, value_name = "NAME", conflicts_with = "gitlab")]
    pub(crate) environment: Option<String>,
    /// GitLab's host.
    #[arg(long, value_name = "HOST", default_value = "gitlab.com")]
    pub(crate) host: String,
    /// The audience that GitLab's jobs ask for.
    #[arg(long, value_name = "TEXT", conflicts_with = "github")]
    pub(crate) audience: Option<String>,
    /// The partition of AWS.
    #[arg(long, value_name = "NAME", default_value = "aws")]
    pub(crate) partition: Partition,
    #[command(flatten)]
    pub(crate) how: PolicyArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyForm {
    /// The documents.
    Json,
    /// Data sources and resources.
    Terraform,
    /// A template.
    Cloudformation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Attachment {
    /// A user, a group or a role.
    Identity,
    /// A session of a role.
    Session,
    /// A role, saying who may assume it.
    Trust,
    /// A bucket.
    Bucket,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NeedsFlag {
    /// Making a prefix equal to a directory, with `--delete`.
    Sync,
    /// The same without removing anything.
    Upload,
    /// Clearing a CDN's caches.
    Invalidate,
}
