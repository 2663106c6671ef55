//! Arguments of `tidegate policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tidegate_core::config::{DistributionId, FunctionName};
use tidegate_core::location::{Bucket, Location, Prefix};
use tidegate_iam::document::Partition;
use tidegate_iam::policies::{GitHubRepository, TrustedIdentity, TrustedJobs};

use super::account_id;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Generate the policy of a site's publisher role
    Site {
        /// Name of the site in the configuration
        site: String,
        #[command(flatten)]
        output: PolicyOutputArguments,
        #[command(flatten)]
        attach: AttachArguments,
    },
    /// Generate the policy of a user or CI job that runs `tidegate publish`
    ///
    /// It allows reading the sources, keeping the state and assuming the publisher roles.
    Caller {
        /// Names of the sites [default: all of the configuration]
        #[arg(value_name = "SITE")]
        sites: Vec<String>,
        /// Also allow `sts:TagSession`, for callers whose session has transitive tags
        #[arg(long)]
        session_tags: bool,
        #[command(flatten)]
        output: PolicyOutputArguments,
        #[command(flatten)]
        attach: AttachArguments,
    },
    /// Generate the policy of a person who installs the CloudFront function of a site
    Edge {
        /// Name of the site in the configuration
        site: String,
        #[command(flatten)]
        output: PolicyOutputArguments,
        #[command(flatten)]
        attach: AttachArguments,
    },
    /// Generate the policy of the Lambda function's execution role
    Lambda {
        /// Name of the function [default: that of `[function]`]
        #[arg(long, value_name = "NAME", value_parser = function_name)]
        function: Option<FunctionName>,
        #[command(flatten)]
        output: PolicyOutputArguments,
        #[command(flatten)]
        attach: AttachArguments,
    },
    /// Generate the policy of a user or CI job that runs `tidegate publish --step-functions`
    Execution {
        /// Names of the sites [default: all sites]
        #[arg(value_name = "SITE")]
        sites: Vec<String>,
        #[command(flatten)]
        output: PolicyOutputArguments,
        #[command(flatten)]
        attach: AttachArguments,
    },
    /// Generate the policy for a CI job that uploads builds, with `aws s3 cp`, `aws s3 sync` or another tool
    #[command(after_help = "\
Examples:
  tidegate policy uploader docs --apply --role docs-ci
  tidegate policy uploader s3://acme-artifacts/staged/docs/ --replace --apply --user docs-ci
  tidegate policy uploader docs --remove")]
    Uploader(UploaderArguments),
    /// Generate the policy for users of `aws s3 sync`, s3cmd, middleman-s3_sync and similar tools
    S3Sync {
        #[command(flatten)]
        tool: SyncPolicyArguments,
        #[command(flatten)]
        output: PolicyOutputArguments,
        #[command(flatten)]
        attach: AttachArguments,
    },
    /// Generate the policy for a CI pipeline that publishes to S3, ECR and CodeArtifact
    CiPublisher(Box<CiPublisherArguments>),
    /// Generate the trust policy for jobs of GitHub Actions or GitLab CI
    ///
    /// With `--apply`, create the role and the OIDC provider, or set which jobs of the provider an existing role trusts.
    Trust(Box<TrustArguments>),
    /// Generate the role, its trust, its permissions and the workflow file of a CI job
    ///
    /// Prints the workflow file. With `--apply`, also create the role with all that it needs, the OIDC provider included.
    Ci(Box<CiArguments>),
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
    /// Show the changes without applying them
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Who gets a policy, or loses it.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AttachArguments {
    /// Attach the policy to this role
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Vec<String>,
    /// Attach the policy to this user
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Vec<String>,
    /// Attach the policy to this group
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Vec<String>,
    /// Detach and delete the policy; with `--role`, `--user` or `--group`, only detach it from them
    #[arg(long, conflicts_with = "apply")]
    pub(crate) remove: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UploaderArguments {
    /// Prefix that builds are uploaded to, `s3://bucket/prefix/`, or a site of the configuration
    #[arg(value_name = "SITE|S3_URI")]
    pub(crate) place: String,
    /// The prefix is one build that the next one replaces, as `staged` of a site: also allow deleting
    #[arg(long, conflicts_with = "create_only")]
    pub(crate) replace: bool,
    /// Add a bucket policy that denies replacing a build: every upload needs `If-None-Match: *`
    #[arg(long)]
    pub(crate) create_only: bool,
    /// AWS partition [default: that of the site's role, of the credentials, or of the region]
    #[arg(long, value_name = "NAME")]
    pub(crate) partition: Option<Partition>,
    #[command(flatten)]
    pub(crate) output: PolicyOutputArguments,
    #[command(flatten)]
    pub(crate) attach: AttachArguments,
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
    /// AWS partition [default: that of the credentials, or of the region]
    #[arg(long, value_name = "NAME")]
    pub(crate) partition: Option<Partition>,
}

/// An IAM path, such as `/ci/`.
fn iam_path(text: &str) -> Result<String, String> {
    let valid = text.starts_with('/') && text.ends_with('/') && text.len() <= 512;
    if valid && text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("start and end the path with `/`, such as `/ci/`".to_owned())
    }
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
    /// AWS partition [default: that of the credentials, or of the region]
    #[arg(long, value_name = "NAME")]
    pub(crate) partition: Option<Partition>,
    /// IAM path of the policy
    #[arg(long, value_name = "PATH", default_value = "/ci/")]
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) output: PolicyOutputArguments,
    #[command(flatten)]
    pub(crate) attach: AttachArguments,
}

#[derive(Debug, Args)]
#[group(id = "provider", required = true, multiple = false, args = ["github", "gitlab"])]
pub(crate) struct TrustArguments {
    /// GitHub organization or repository, such as `acme`, `acme/docs` or, with ids, `acme@123/docs@456`
    #[arg(long, value_name = "ORG[/REPO]")]
    pub(crate) github: Option<GitHubRepository>,
    /// GitLab project, or all projects of a group, such as `acme/docs` or `acme/*`
    #[arg(long, value_name = "PATH")]
    pub(crate) gitlab: Option<String>,
    #[command(flatten)]
    pub(crate) jobs: TrustedJobsArguments,
    /// IAM path of the role
    #[arg(long, value_name = "PATH", default_value = "/", value_parser = iam_path)]
    pub(crate) path: String,
    /// AWS partition [default: that of the credentials, or of the region]
    #[arg(long, value_name = "NAME")]
    pub(crate) partition: Option<Partition>,
    #[command(flatten)]
    pub(crate) output: PolicyOutputArguments,
}

#[derive(Debug, Args)]
#[group(id = "ci-provider", required = true, multiple = false, args = ["github", "gitlab"])]
pub(crate) struct CiArguments {
    /// Name of the site in the configuration
    pub(crate) site: String,
    /// GitHub repository, such as `acme/docs` or, with ids, `acme@123/docs@456`
    #[arg(long, value_name = "ORG/REPO")]
    pub(crate) github: Option<GitHubRepository>,
    /// GitLab project, such as `acme/docs`
    #[arg(long, value_name = "PATH")]
    pub(crate) gitlab: Option<String>,
    #[command(flatten)]
    pub(crate) jobs: TrustedJobsArguments,
    /// Upload builds to the site's `builds`, from where the Lambda function publishes them, instead of publishing
    #[arg(long)]
    pub(crate) upload: bool,
    /// Directory that the build writes
    #[arg(long, value_name = "DIR", default_value = "public/")]
    pub(crate) from: String,
    /// What to print
    #[arg(short, long, value_enum, default_value = "workflow")]
    pub(crate) format: CiFormat,
    /// Account id [default: that of the site's role, or of the current credentials]
    #[arg(long, value_name = "DIGITS", value_parser = account_id)]
    pub(crate) account: Option<String>,
    /// Name of the role [default: the site's name with `-ci`]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Create or update the role and what it needs in the account
    #[arg(long)]
    pub(crate) apply: bool,
    /// With `--apply`, show the changes without applying them
    #[arg(long, requires = "apply")]
    pub(crate) dry_run: bool,
}

impl CiArguments {
    /// The jobs that are trusted: those of `main` unless others are named.
    pub(crate) fn identity(&self) -> TrustedIdentity {
        let mut identity = self.jobs.identity(self.github.as_ref(), self.gitlab.as_deref());
        match &mut identity {
            TrustedIdentity::GitHub { jobs, .. } | TrustedIdentity::GitLab { jobs, .. } => {
                if jobs.is_empty() {
                    jobs.push(TrustedJobs::Branch("main".to_owned()));
                }
            }
        }
        identity
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CiFormat {
    /// Workflow file
    Workflow,
    /// Policy documents
    Json,
    /// Data sources and resources
    Terraform,
    /// Template
    Cloudformation,
}

/// Which jobs are trusted.
#[derive(Debug, Args)]
pub(crate) struct TrustedJobsArguments {
    /// Trust jobs of this branch, or of branches that match, such as `release/*`; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Vec<String>,
    /// Trust jobs of this tag, or of tags that match, such as `v*`; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) tag: Vec<String>,
    /// Trust jobs of pull requests (GitHub)
    #[arg(long, conflicts_with = "gitlab")]
    pub(crate) pull_requests: bool,
    /// Trust jobs in this environment (GitHub); can be repeated
    #[arg(long, value_name = "NAME", conflicts_with = "gitlab")]
    pub(crate) environment: Vec<String>,
    /// Trust only jobs of this reusable workflow, `OWNER/REPO/.github/workflows/FILE.yml@refs/heads/BRANCH` (GitHub)
    #[arg(long, value_name = "WORKFLOW", conflicts_with = "gitlab")]
    pub(crate) workflow: Option<String>,
    /// Issuer of the tokens, without `https://` [default: that of github.com, or gitlab.com]
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Audience that the jobs request [default: `sts.amazonaws.com` for GitHub, the URL of the host for GitLab]
    #[arg(long, value_name = "TEXT")]
    pub(crate) audience: Option<String>,
}

impl TrustedJobsArguments {
    /// The identity that these arguments trust.
    pub(crate) fn identity(&self, github: Option<&GitHubRepository>, gitlab: Option<&str>) -> TrustedIdentity {
        let mut jobs: Vec<TrustedJobs> = self.branch.iter().cloned().map(TrustedJobs::Branch).collect();
        jobs.extend(self.tag.iter().cloned().map(TrustedJobs::Tag));
        jobs.extend(self.pull_requests.then_some(TrustedJobs::PullRequests));
        jobs.extend(self.environment.iter().cloned().map(TrustedJobs::Environment));
        let audience = self.audience.clone();
        match github {
            Some(repository) => TrustedIdentity::GitHub {
                repository: repository.clone(),
                jobs,
                workflow: self.workflow.clone(),
                issuer: self.host.clone(),
                audience,
            },
            None => TrustedIdentity::GitLab {
                project: gitlab.unwrap_or_default().to_owned(),
                jobs,
                host: self.host.clone().unwrap_or_else(|| "gitlab.com".to_owned()),
                audience,
            },
        }
    }
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
