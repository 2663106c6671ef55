//! `tidegate template`, `tidegate install`, `tidegate uninstall`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct TemplateArguments {
    /// For which tool.
    #[arg(short, long, value_enum)]
    pub(crate) format: TemplateForm,
    /// The 12 digits of the account that the function is in; needed only where the configuration's roles are in several.
    #[arg(long, value_name = "DIGITS", value_parser = account)]
    pub(crate) account: Option<String>,
    /// Leaves out the roles that publish sites: somebody made them already.
    #[arg(long)]
    pub(crate) without_publishers: bool,
}

/// 12 digits.
fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.chars().all(|c| c.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{}` is no account, write its 12 digits", text.escape_default()))
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum TemplateForm {
    Cloudformation,
    Terraform,
}

/// How steps are taken.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ApplyFlags {
    /// Shows every step and takes none.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Takes the steps without asking.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InstallArguments {
    /// The package; `tidegate-lambda-<TARGET>.zip`, as `tidegate package` names it, where absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) zip: Option<PathBuf>,
    /// Leaves the roles that publish sites alone: somebody makes them.
    #[arg(long)]
    pub(crate) without_publishers: bool,
    #[command(flatten)]
    pub(crate) taking: ApplyFlags,
}

#[derive(Debug, Args)]
pub(crate) struct UninstallArguments {
    #[command(flatten)]
    pub(crate) taking: ApplyFlags,
}
