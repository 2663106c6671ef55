//! `tidegate template`: what an account needs, for other tools to make.
//!
//! Owns reading what was typed and printing what came. What is needed is `tidegate_iam::account`'s to say.

use tidegate_iam::stack::{Installation, Place, Publishers, Template};

use crate::arguments::{Common, TemplateArguments, TemplateForm};
use crate::configuration::Configuration;
use crate::error::{Ending, Trouble};

/// Prints a template. Asks AWS nothing.
pub(crate) fn template(common: &Common, wanted: &TemplateArguments) -> Result<Ending, Trouble> {
    let configuration = Configuration::load(&common.config)?;
    let publishers = if wanted.without_publishers { Publishers::Kept } else { Publishers::Made };
    let place = Place::open(wanted.account.as_deref());
    let installation = Installation::new(&configuration.config, &place, publishers)
        .map_err(|error| Trouble::Usage(error.to_string()))?;
    let form = match wanted.format {
        TemplateForm::Cloudformation => Template::CloudFormation,
        TemplateForm::Terraform => Template::Terraform,
    };
    print!("{}", form.write(&installation).map_err(|error| Trouble::Machine(error.to_string()))?);
    tell_of_elsewhere(&installation);
    Ok(Ending::Done)
}

/// Roles of other accounts are made there.
pub(crate) fn tell_of_elsewhere(installation: &Installation) {
    let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
    for (site, role) in &installation.elsewhere {
        anstream::eprintln!(
            "{yellow}warning{yellow:#}: the role of `{site}` is in the account {}: make it there, with the policy of `tidegate policy site {site}`, and let it trust the function's role",
            role.account()
        );
    }
}
