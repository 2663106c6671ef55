//! Arguments of `tidegate template`, `install` and `uninstall`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tidegate_core::location::Source;
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

#[derive(Debug, Args)]
pub(crate) struct InstallArguments {
    /// Deployment package [default: `tidegate-lambda-TARGET.zip`, as `tidegate package` names it]
    #[arg(long, value_name = "FILE")]
    pub(crate) zip: Option<PathBuf>,
    /// Leave the publisher roles unchanged
    #[arg(long)]
    pub(crate) without_publishers: bool,
    /// Let this user, role or account assume the publisher roles too, to run `plan`, `publish` and `rollback`
    #[arg(long, value_name = "ARN", conflicts_with = "without_publishers")]
    pub(crate) trust: Vec<TrustedArn>,
    /// Let the user or role of the current credentials assume the publisher roles too
    #[arg(long, conflicts_with = "without_publishers")]
    pub(crate) trust_caller: bool,
    #[command(flatten)]
    pub(crate) apply: ApplyFlags,
}

#[derive(Debug, Args)]
pub(crate) struct UninstallArguments {
    #[command(flatten)]
    pub(crate) apply: ApplyFlags,
}
