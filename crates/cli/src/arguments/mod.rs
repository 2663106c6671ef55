//! Arguments, options and help of every command.

mod credentials;
mod edge;
mod header_argument;
mod invoke;
mod package;
mod plugin_tools;
mod policy;
mod publish;
mod stack;
mod sync;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tidegate_core::arn::Partition;
use tidegate_plugin_build::{Language, ProjectKind};

pub(crate) use credentials::{
    BucketArguments, CreateArguments, CredentialsCommand, CredentialsOutput, GroupCommand, ServerArguments,
};
pub(crate) use edge::{EdgeChangeArguments, EdgeCommand, EdgeSite, EdgeTryArguments};
pub(crate) use header_argument::HeaderArgument;
pub(crate) use invoke::{InvokeArguments, PutTarget};
pub(crate) use package::PackageArguments;
pub(crate) use plugin_tools::{
    EdgeDialectFlag, PluginBenchArguments, PluginCheckArguments, PluginInputArguments, PluginProfileArguments,
    PluginRecordArguments, PluginReplayArguments, PluginRunArguments,
};
pub(crate) use policy::{
    AttachArguments, Attachment, CiArguments, CiFormat, CiPublisherArguments, NeedsFlag, PolicyCommand, PolicyFormat,
    PolicyOutputArguments, SyncPolicyArguments, TrustArguments, UploaderArguments,
};
pub(crate) use publish::{
    CompareArguments, DevArguments, DiffArguments, ExplainArguments, PlanArguments, PublishArguments, ReadArguments,
    RollbackArguments, SiteArguments,
};
pub(crate) use stack::{
    ApplyFlags, InstallArguments, StackArguments, TemplateArguments, TemplateTool, UninstallArguments,
};
pub(crate) use sync::{CredentialsFlag, StagedHeadersFlag, SyncArguments};

/// Publish static sites to S3 and CloudFront through sandboxed plugins and policies
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, propagate_version = true, disable_help_subcommand = true)]
#[command(after_help = "\
Exit codes:
  0  success, up to date, or superseded by a newer release
  1  denied by policy, or held for approval
  2  usage or configuration error
  3  failed, partial, or live with an invalidation pending
  130  interrupted")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct CommonArguments {
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = "tidegate.toml", help_heading = GLOBAL)]
    pub(crate) config: PathBuf,
    /// Send every request to this URL instead of AWS, such as `http://127.0.0.1:9000`
    #[arg(long, global = true, value_name = "URL", value_parser = endpoint_url, conflicts_with = "local", help_heading = GLOBAL)]
    pub(crate) endpoint_url: Option<String>,
    /// AWS region [default: `AWS_REGION`, then that of the profile]
    #[arg(long, global = true, value_name = "REGION", value_parser = region, help_heading = GLOBAL)]
    pub(crate) region: Option<String>,
    /// Profile of `~/.aws/config` [default: `AWS_PROFILE`]
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "local", help_heading = GLOBAL)]
    pub(crate) profile: Option<String>,
    /// Use the local AWS emulator and keep its data in this directory
    #[arg(long, global = true, value_name = "DIR", help_heading = GLOBAL)]
    pub(crate) local: Option<PathBuf>,
    /// Print one JSON value instead of text
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,
    /// Log to standard error (-v progress, -vv details)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = GLOBAL)]
    pub(crate) verbose: u8,
}

impl CommonArguments {
    /// The partition of `--region`; `aws` without one.
    pub(crate) fn partition(&self) -> Partition {
        Partition::of_region(self.region.as_deref().unwrap_or_default())
    }
}

const GLOBAL: &str = "Global options";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check the configuration, its plugins and their settings
    ///
    /// Sends no request to AWS unless `--aws` is given. Plugins in S3 are not checked.
    Check(CheckArguments),
    /// Show what a publish would change
    ///
    /// Compares the source with the site, asks the policies for their verdicts, and changes nothing. Exits with 1 if a
    /// policy would deny or hold the plan.
    #[command(after_help = "\
Examples:
  tidegate plan docs                          Plan what the configuration names
  tidegate plan docs --from public/           Plan another directory
  tidegate plan docs --out plan.json          Save the plan for `tidegate publish --plan`")]
    Plan(PlanArguments),
    /// Publish a site
    ///
    /// Plans the publish, asks the policies for their verdicts, applies the plan, invalidates the CDN and prints a report.
    #[command(after_help = "\
Examples:
  tidegate publish docs                       Publish what the configuration names
  tidegate publish docs --from site.zip --release \"$(git rev-parse HEAD)\"
                                              Publish a zip, named after the commit
  tidegate publish docs --plan plan.json      Apply a saved plan
  tidegate publish docs --plan plan.json --approve
                                              Apply a saved plan that a policy holds")]
    Publish(PublishArguments),
    /// Make an S3 prefix match a source, without a configuration
    #[command(after_help = "\
Examples:
  tidegate sync public/ s3://docs.example.com/ --delete --dry-run
  tidegate sync public/ s3://docs.example.com/ --delete --distribution E2EXAMPLE
  tidegate sync public/ s3://docs.example.com/docs/ --exclude '*.map' --include 'vendor/*.map'
  tidegate sync public/ s3://docs.example.com/ \\
      --cache-control 'public, max-age=600' --cache-control '*.html=no-cache'")]
    Sync(Box<SyncArguments>),
    /// Preview a site locally and republish it on every change
    ///
    /// Runs the local AWS emulator with a small CDN cache in front of the site, until interrupted.
    Dev(DevArguments),
    /// Show what plugins did to one object, and why
    Explain(ExplainArguments),
    /// Show the live release and what is pending
    Status(SiteArguments),
    /// List the releases of a site
    Releases(SiteArguments),
    /// Show the differences between two releases
    Diff(DiffArguments),
    /// Publish an earlier release again
    ///
    /// A rollback is planned and checked by the policies like every publish, and makes a new release. A second rollback
    /// returns to the release that the first one left; name a release to go further back.
    Rollback(RollbackArguments),
    /// Build the deployment package of the Lambda function
    ///
    /// The package holds the function's program, the configuration and the compiled plugins.
    Package(PackageArguments),
    /// Print a CloudFormation or Terraform template for the Lambda function
    ///
    /// Sends no request to AWS.
    Template(TemplateArguments),
    /// Create or update the Lambda function and its resources
    ///
    /// Uploads the package, shows a change set of the CloudFormation stack with every policy that changes, and executes it.
    /// CloudFormation rolls back a change that fails.
    Install(InstallArguments),
    /// Delete the CloudFormation stack of the Lambda function
    ///
    /// Sites, releases and builds are kept.
    Uninstall(UninstallArguments),
    /// Install and check the CloudFront function of a site
    #[command(subcommand)]
    Edge(EdgeCommand),
    /// Handle an event on this machine as the Lambda function does
    ///
    /// With `--local`, no AWS account is needed. Without it, the event is handled for real, with your own credentials.
    Invoke(InvokeArguments),
    /// Create and revoke bucket-scoped credentials
    #[command(subcommand)]
    Credentials(CredentialsCommand),
    /// Generate, apply and lint IAM policies
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Manage IAM groups of users that publish
    #[command(subcommand)]
    Group(GroupCommand),
    /// Build, check and run plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Print shell completions
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Also check the permissions of each site's role with AWS
    ///
    /// Reports permissions that are missing for a publish, and those that are over-permissive.
    #[arg(long)]
    pub(crate) aws: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Create the project of a plugin: an example that builds, and a small site to try it on
    New {
        /// Name of the plugin, and of its new folder
        name: String,
        /// Language: rust, javascript, typescript, python, c or go
        #[arg(long = "lang", value_name = "LANGUAGE", default_value = "javascript")]
        language: Language,
        /// Kind: sync or policy
        #[arg(long, value_name = "KIND", default_value = "sync")]
        kind: ProjectKind,
        /// Directory to create the folder in
        #[arg(long, value_name = "DIR", default_value = ".")]
        directory: PathBuf,
    },
    /// Build the plugins of a project in any of the languages
    Build {
        /// Directory of the project
        #[arg(value_name = "DIR", default_value = ".")]
        directory: PathBuf,
        /// Directory to write the components to
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// Check a plugin: contract, imports, size, structure, settings, and a run without objects
    #[command(alias = "inspect")]
    Check(PluginCheckArguments),
    /// Run a plugin over a source and show what it decides and costs
    ///
    /// Runs under the limits of every run, and writes nothing. Exits with 1 if the plugin fails, or if a policy would deny or
    /// hold the plan.
    #[command(after_help = "\
Examples:
  tidegate plugin run no_drafts.wasm --from public/
  tidegate plugin run no_drafts.wasm --from public/ --settings '{\"marker\":\"DRAFT\"}'
  tidegate plugin run . --from public/ --watch      Build the project, run it, and repeat on every change
  tidegate plugin run guard --from public/ --against s3://docs.example.com/")]
    Run(PluginRunArguments),
    /// Measure time, fuel and memory of a plugin in repeated runs
    Bench(PluginBenchArguments),
    /// Write where the fuel of a plugin goes, as collapsed stacks for flame graphs
    Profile(PluginProfileArguments),
    /// Record a run: what a plugin is given, reads and answers
    Record(PluginRecordArguments),
    /// Run a plugin with a record and compare its answers
    ///
    /// Needs neither the source nor AWS. Exits with 1 if an answer differs.
    Replay(PluginReplayArguments),
    /// List the bundled plugins
    List,
}

/// A URL that requests can be sent to.
fn endpoint_url(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(text.to_owned()),
        _ => Err("use a URL with its scheme, such as `http://127.0.0.1:9000`".to_owned()),
    }
}

/// An AWS region. It becomes part of host names and of ARNs in policies.
fn region(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        Ok(text.to_owned())
    } else {
        Err("use the name of a region, such as `eu-central-1`".to_owned())
    }
}

/// An AWS account id.
fn account_id(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.chars().all(|c| c.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account id has 12 digits".to_owned())
    }
}
