//! Arguments of `tidegate template`, `install` and `uninstall`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tidegate_core::location::{Location, Source};
use tidegate_iam::policies::TrustedArn;

use super::account_id;

#[derive(Debug, Args)]
pub(crate) struct TemplateArguments {
    /// Tool that the template is for
    #[arg(short, long, value_enum)]
    pub(crate) format: TemplateTool,
    /// Account id of the function, if the roles in the configuration belong to several accounts
    #[arg(long, value_name = "DIGITS", value_parser = account_id)]
    pub(crate) account: Option<String>,
    /// Leave out the publisher roles, because they exist
    #[arg(long)]
    pub(crate) without_publishers: bool,
    /// Print the CloudFront function of this site instead of the Lambda function
    #[arg(long, value_name = "SITE", conflicts_with_all = ["account", "without_publishers"])]
    pub(crate) edge: Option<String>,
    /// With `--edge`: no error pages for the distribution
    #[arg(long, requires = "edge")]
    pub(crate) no_error_pages: bool,
    /// With `--edge`: add the response headers policy of this build
    ///
    /// Plans a publish of it, without writing anything.
    #[arg(long, value_name = "SOURCE", requires = "edge")]
    pub(crate) from: Option<Source>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum TemplateTool {
    Cloudformation,
    Terraform,
}

/// Whether changes are applied.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ApplyFlags {
    /// Show every change and its policy documents without applying it
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Apply without asking for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
}

/// The stack of the function.
#[derive(Debug, Args)]
pub(crate) struct StackArguments {
    /// Name of the CloudFormation stack [default: the name of the function]
    #[arg(long, value_name = "NAME", value_parser = stack_name)]
    pub(crate) stack_name: Option<String>,
    /// Role that CloudFormation assumes to change the resources [default: the role that the stack has, or the caller]
    #[arg(long, value_name = "ARN")]
    pub(crate) service_role: Option<TrustedArn>,
}

#[derive(Debug, Args)]
pub(crate) struct InstallArguments {
    /// Deployment package [default: `tidegate-lambda-TARGET.zip`, as `tidegate package` names it]
    #[arg(long, value_name = "FILE")]
    pub(crate) zip: Option<PathBuf>,
    /// Where to upload the package [default: `_lambda/` below `state`]
    #[arg(long, value_name = "S3_PREFIX")]
    pub(crate) upload_to: Option<Location>,
    /// Leave out the publisher roles, because they exist
    #[arg(long)]
    pub(crate) without_publishers: bool,
    /// Let this user, role or account assume the publisher roles too, to run `plan`, `publish` and `rollback`
    #[arg(long, value_name = "ARN", conflicts_with = "without_publishers")]
    pub(crate) trust: Vec<TrustedArn>,
    /// Let the user or role of the current credentials assume the publisher roles too
    #[arg(long, conflicts_with = "without_publishers")]
    pub(crate) trust_caller: bool,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
    #[command(flatten)]
    pub(crate) apply: ApplyFlags,
}

#[derive(Debug, Args)]
pub(crate) struct UninstallArguments {
    #[command(flatten)]
    pub(crate) stack: StackArguments,
    #[command(flatten)]
    pub(crate) apply: ApplyFlags,
}

/// A name of a stack. Source: CloudFormation API reference, `CreateChangeSet`.
fn stack_name(text: &str) -> Result<String, String> {
    let is_valid = text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if is_valid { Ok(text.to_owned()) } else { Err("use letters, digits and `-`, and start with a letter".to_owned()) }
}
