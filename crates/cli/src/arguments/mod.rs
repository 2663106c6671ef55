//! What people type.
//!
//! Owns names, help and forms. Never acts.

mod account;
mod credentials;
mod invoke;
mod package;
mod policy;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tidegate_core::location::{Location, Source};
use tidegate_core::release::ReleaseId;

pub(crate) use account::{ApplyFlags, InstallArguments, TemplateArguments, TemplateForm, UninstallArguments};
pub(crate) use credentials::{
    BucketArguments, CreateArguments, CredentialsCommand, CredentialsOutput, GroupCommand, ServerArguments,
};
pub(crate) use invoke::{InvokeArguments, PutFlag};
pub(crate) use package::PackageArguments;
pub(crate) use policy::{
    Attachment, CiPublisherArguments, NeedsFlag, PolicyArguments, PolicyCommand, PolicyForm, SyncPolicyArguments,
    TrustArguments, UploaderArguments,
};

/// Publishes sites to S3 and CloudFront through sandboxed plugins: plan, policy, apply.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, propagate_version = true, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 done or nothing to do; 1 denied or on hold; 2 wrong usage or configuration; 3 failed, partial or the CDN was not told."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct CommonArguments {
    /// The configuration.
    #[arg(long, global = true, value_name = "FILE", default_value = "tidegate.toml")]
    pub(crate) config: PathBuf,
    /// Another server than AWS for every service, such as `http://127.0.0.1:9000`.
    #[arg(long, global = true, value_name = "URL", conflicts_with = "local")]
    pub(crate) endpoint_url: Option<String>,
    /// The embedded stand-in of AWS, kept in this directory: no network, no account.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) local: Option<PathBuf>,
    /// JSON for machines on standard output, and nothing for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// More on standard error: -v what happens, -vv its details.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Checks the configuration, its plugins and their settings; asks AWS nothing unless `--aws`.
    Check(CheckArguments),
    /// Shows what a publish would do, and what the policies say of it; changes nothing.
    Plan(PlanArguments),
    /// Publishes a site.
    Publish(PublishArguments),
    /// Shows the releases that a site keeps.
    Releases(SiteArguments),
    /// Publishes an earlier release again: a plan like any other, judged like any other.
    Rollback(RollbackArguments),
    /// Shows how two releases of a site differ.
    Diff(DiffArguments),
    /// Shows which release is live, and what is still to be done.
    Status(SiteArguments),
    /// Tells what plugins did to one object, and why.
    Explain(ExplainArguments),
    /// Makes a prefix equal to a source, without a configuration file.
    Sync(Box<SyncArguments>),
    /// Serves the embedded stand-in with a preview of a site, and publishes whenever its source changes.
    Dev(DevArguments),
    /// Hands out narrow credentials for buckets, temporary or permanent, and takes them back.
    #[command(subcommand)]
    Credentials(CredentialsCommand),
    /// Prints, checks and makes the least policies for those around a site.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Groups of people and systems that publish: with a policy of their own.
    #[command(subcommand)]
    Group(GroupCommand),
    /// Makes the deployment package of a function: program, configuration and compiled plugins.
    Package(PackageArguments),
    /// Acts on an event as the function does: an upload, a webhook, a request; with `--local` without any account.
    Invoke(InvokeArguments),
    /// Prints what an account needs for the function: a template of CloudFormation or Terraform.
    Template(TemplateArguments),
    /// Makes what an account needs for the function, or brings it up to date.
    Install(InstallArguments),
    /// Removes what `install` made; sites, releases and artifacts stay.
    Uninstall(UninstallArguments),
    /// Works with plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Prints a shell's completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Also asks AWS, before anything is uploaded: whether roles may do what the configuration needs, and nothing too wide.
    #[arg(long)]
    pub(crate) aws: bool,
}

/// What is published.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhatArguments {
    /// The site's name in the configuration.
    pub(crate) site: String,
    /// A directory, a `.zip`, `s3://bucket/prefix/` or `s3://bucket/name.zip`; the site's `staged` where absent.
    #[arg(long, value_name = "SOURCE")]
    pub(crate) from: Option<Source>,
    /// A name for what is published, such as a commit; the source where absent.
    #[arg(long, value_name = "NAME")]
    pub(crate) release: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) what: WhatArguments,
    /// Saves the plan, for `publish --plan`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) how: HowArguments,
}

/// How the site is compared with what it should be.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct HowArguments {
    /// Believes the manifest of the live release instead of listing the site: what somebody else changed is not seen. The
    /// site is listed all the same where an earlier run did not finish.
    #[arg(long, conflicts_with = "verify")]
    pub(crate) trust_manifest: bool,
    /// Looks at every object, whatever the manifest says: headers that somebody else changed are seen as well.
    #[arg(long)]
    pub(crate) verify: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArguments {
    /// The site's name in the configuration.
    pub(crate) site: String,
    /// A directory, a `.zip`, `s3://bucket/prefix/` or `s3://bucket/name.zip`; the site's `staged` where absent.
    #[arg(long, value_name = "SOURCE", conflicts_with = "plan")]
    pub(crate) from: Option<Source>,
    /// A name for what is published, such as a commit; the source where absent.
    #[arg(long, value_name = "NAME", conflicts_with = "plan")]
    pub(crate) release: Option<String>,
    /// Carries out a saved plan, if nothing that it was made from has changed.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Approves a plan that a policy holds; a denial stays a denial.
    #[arg(long, requires = "plan")]
    pub(crate) approve: bool,
    /// When what is published was made, such as its commit's time: an older one never replaces a newer one.
    /// RFC 3339, or seconds since 1970 as `git log -1 --format=%ct` prints them.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) commit_time: Option<u64>,
    /// How long to wait for another run that publishes the same site, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) lock_timeout: u64,
    #[command(flatten)]
    pub(crate) how: HowArguments,
}

/// Milliseconds since 1970.
fn moment(text: &str) -> Result<u64, String> {
    let refused = || {
        format!(
            "`{}` is no time, write it as in `2026-11-22T10:00:00Z`, or in seconds since 1970",
            text.escape_default()
        )
    };
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1000).ok_or_else(refused);
    }
    let moment: jiff::Timestamp = text.parse().map_err(|_| refused())?;
    u64::try_from(moment.as_millisecond()).map_err(|_| refused())
}

#[derive(Debug, Args)]
pub(crate) struct SiteArguments {
    /// The site's name in the configuration.
    pub(crate) site: String,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArguments {
    /// The site's name in the configuration.
    pub(crate) site: String,
    /// The release, such as `r42`; the one before the live one where absent.
    pub(crate) release: Option<ReleaseId>,
    /// Shows what would be done and does nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The site's name in the configuration.
    pub(crate) site: String,
    /// A release, such as `r41`.
    pub(crate) from: ReleaseId,
    /// Another release, such as `r42`.
    pub(crate) to: ReleaseId,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    pub(crate) what: WhatArguments,
    /// A key of the site or of the source.
    pub(crate) key: String,
}

#[derive(Debug, Args)]
pub(crate) struct SyncArguments {
    /// A directory, a `.zip`, `s3://bucket/prefix/` or `s3://bucket/name.zip`.
    pub(crate) source: Source,
    /// `s3://bucket/prefix/`.
    pub(crate) target: Location,
    /// Deletes objects that the source lacks.
    #[arg(long)]
    pub(crate) delete: bool,
    /// Leaves out what matches, on both sides, as in a `.gitignore`; with `--include`, the last match decides.
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Takes in again what an earlier `--exclude` left out.
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// `Cache-Control` of every object, or of those that match: `VALUE` or `GLOB=VALUE`.
    #[arg(long, value_name = "[GLOB=]VALUE")]
    pub(crate) cache_control: Vec<String>,
    /// `Content-Type` of every object, or of those that match: `VALUE` or `GLOB=VALUE`.
    #[arg(long, value_name = "[GLOB=]VALUE")]
    pub(crate) content_type: Vec<String>,
    /// Canned ACL. Buckets made since April 2023 refuse every ACL by default.
    #[arg(long, value_enum)]
    pub(crate) acl: Option<AclFlag>,
    /// Server-side encryption: `AES256` or `aws:kms`.
    #[arg(long, value_enum, value_name = "KIND", num_args = 0..=1, default_missing_value = "AES256")]
    pub(crate) sse: Option<SseFlag>,
    /// ARN of the KMS key, for `--sse aws:kms`.
    #[arg(long, value_name = "ARN", requires = "sse")]
    pub(crate) sse_kms_key_id: Option<String>,
    /// Storage class of every object.
    #[arg(long, value_enum)]
    pub(crate) storage_class: Option<StorageClassFlag>,
    /// Distribution to invalidate; its origin path after `:`, as in `E2EXAMPLE:/docs`.
    #[arg(long, visible_alias = "cdn", value_name = "ID[:/PATH]")]
    pub(crate) distribution: Vec<String>,
    /// Shows what would be done and does nothing.
    #[arg(long, visible_alias = "dryrun")]
    pub(crate) dry_run: bool,
    /// Goes on with an empty source.
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Does not compare headers of objects whose bytes are the same: one listing instead of one request an object.
    #[arg(long)]
    pub(crate) content_only: bool,
    /// Most deletes, in number; more are denied.
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_deletes: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct DevArguments {
    #[command(flatten)]
    pub(crate) what: WhatArguments,
    /// Where the preview listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: std::net::SocketAddr,
    /// Where the stand-in itself listens, for other tools; nowhere where absent.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen_aws: Option<std::net::SocketAddr>,
    /// Publishes once and goes on serving, without watching the source.
    #[arg(long)]
    pub(crate) no_watch: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Builds the plugins of a cargo project into components that Tidegate admits.
    Build {
        /// The project's directory.
        #[arg(default_value = ".")]
        directory: PathBuf,
        /// Where components are written.
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// Tells what a component is, without running it: its kind, its contract, its SHA-256.
    Inspect {
        /// The component.
        file: PathBuf,
    },
    /// Lists the bundled plugins.
    List,
}

/// The canned ACLs that make sense for a site.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum AclFlag {
    Private,
    PublicRead,
    AuthenticatedRead,
    AwsExecRead,
    BucketOwnerRead,
    BucketOwnerFullControl,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SseFlag {
    #[value(name = "AES256")]
    Aes256,
    #[value(name = "aws:kms")]
    Kms,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum StorageClassFlag {
    Standard,
    StandardIa,
    OnezoneIa,
    IntelligentTiering,
    ReducedRedundancy,
}
