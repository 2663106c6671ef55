//! `tidegate template`.

use tidegate_iam::stack::{AccountRegion, ForeignRole, Publishers, Stack, TemplateFormat};

use crate::arguments::{CommonArguments, TemplateArguments, TemplateTool};
use crate::configuration::Configuration;
use crate::error::{CliError, ExitStatus};
use crate::output::warn;

/// Prints a template, without a request to AWS.
pub(crate) fn template(common: &CommonArguments, arguments: &TemplateArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let publishers = if arguments.without_publishers { Publishers::Excluded } else { Publishers::Included };
    let place = AccountRegion::at_deployment(arguments.account.as_deref());
    let stack = Stack::new(&configuration.config, &place, publishers).map_err(CliError::usage)?;
    let format = match arguments.format {
        TemplateTool::Cloudformation => TemplateFormat::CloudFormation,
        TemplateTool::Terraform => TemplateFormat::Terraform,
    };
    out!("{}", format.write(&stack).map_err(CliError::system)?);
    warn_other_accounts(&stack);
    Ok(ExitStatus::Success)
}

/// Warns of roles in other accounts, which the stack does not create.
pub(crate) fn warn_other_accounts(stack: &Stack) {
    for ForeignRole { site, role } in &stack.foreign_roles {
        warn(format!(
            "the role of `{site}` belongs to the account {}; create it there with the policy of `tidegate policy site {site}` and let it trust the function's role",
            role.account()
        ));
    }
}
