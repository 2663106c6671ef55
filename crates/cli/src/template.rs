//! `tidegate template`: what an account needs, for other tools to make.
//!
//! Owns reading what was typed and printing what came. What is needed is `tidegate_iam::account`'s to say.

use tidegate_iam::stack::{AccountRegion, Publishers, Stack, TemplateFormat};

use crate::arguments::{CommonArguments, TemplateArguments, TemplateForm};
use crate::configuration::Configuration;
use crate::error::{CliError, ExitStatus};

/// Prints a template. Asks AWS nothing.
pub(crate) fn template(common: &CommonArguments, wanted: &TemplateArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let publishers = if wanted.without_publishers { Publishers::Kept } else { Publishers::Made };
    let place = AccountRegion::open(wanted.account.as_deref());
    let installation =
        Stack::new(&configuration.config, &place, publishers).map_err(|error| CliError::Usage(error.to_string()))?;
    let form = match wanted.format {
        TemplateForm::Cloudformation => TemplateFormat::CloudFormation,
        TemplateForm::Terraform => TemplateFormat::Terraform,
    };
    print!("{}", form.write(&installation).map_err(|error| CliError::System(error.to_string()))?);
    warn_other_accounts(&installation);
    Ok(ExitStatus::Done)
}

/// Roles of other accounts are made there.
pub(crate) fn warn_other_accounts(installation: &Stack) {
    let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
    for (site, role) in &installation.elsewhere {
        anstream::eprintln!(
            "{yellow}warning{yellow:#}: the role of `{site}` is in the account {}: make it there, with the policy of `tidegate policy site {site}`, and let it trust the function's role",
            role.account()
        );
    }
}
