//! `tidegate template`.

use tidegate_core::edge::HeaderPlan;
use tidegate_host::sync::Trace;
use tidegate_iam::edge_template::edge_template;
use tidegate_iam::stack::{
    AccountRegion, ForeignRole, OwnerSetting, Publishers, Stack, TemplateFormat, assumed_owners,
};

use crate::arguments::{CommonArguments, TemplateArguments, TemplateTool};
use crate::configuration::Configuration;
use crate::context::{AwsContext, publish_request};
use crate::edge_spec::edge_spec;
use crate::error::{CliError, ExitStatus};
use crate::output::{DIM, warn};

/// Prints a template. Without `--from`, it sends no request to AWS.
pub(crate) async fn template(common: &CommonArguments, arguments: &TemplateArguments) -> Result<ExitStatus, CliError> {
    let mut configuration = Configuration::load(&common.config)?;
    configuration.config.set_default_partition(&common.partition());
    let format = match arguments.format {
        TemplateTool::Cloudformation => TemplateFormat::CloudFormation,
        TemplateTool::Terraform => TemplateFormat::Terraform,
    };
    if let Some(site) = &arguments.edge {
        let site = configuration.site(site)?;
        let mut spec = edge_spec(site, arguments.no_error_pages)?;
        if let Some(from) = &arguments.from {
            let source = configuration.source(site, Some(from))?;
            let context = AwsContext::open(common).await?;
            let site = context.site(site, Some(&source)).await?;
            let publisher = context.publisher(common, &configuration.directory)?;
            let request = publish_request(&site, &source, None, "template");
            let planned = publisher.plan(&request, &site, Trace::Off).await?;
            spec.headers = HeaderPlan::new(&planned.edge.headers).policy.into_iter().collect();
        }
        out!("{}", edge_template(&spec, format).map_err(CliError::system)?);
        return Ok(ExitStatus::Success);
    }
    let publishers = if arguments.without_publishers { Publishers::Excluded } else { Publishers::Included };
    let place = AccountRegion::at_deployment(arguments.account.as_deref());
    let stack = Stack::new(&configuration.config, &place, publishers).map_err(CliError::usage)?;
    out!("{}", format.write(&stack).map_err(CliError::system)?);
    warn_other_accounts(&stack);
    print_owners(
        &assumed_owners(&configuration.config, &place),
        "if this account owns the buckets, name it in the configuration",
    );
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

/// Prints lines to add to the configuration, which is never changed.
pub(crate) fn print_owners(settings: &[OwnerSetting], advice: &str) {
    if settings.is_empty() {
        return;
    }
    errln!("{DIM}# {advice}, so that S3 refuses a bucket of the same name in another account:{DIM:#}");
    for setting in settings {
        let place = match &setting.site {
            Some(site) => format!("in the [[site]] `{site}`"),
            None => "above the first [[site]]".to_owned(),
        };
        errln!("{DIM}#   {setting}  {place}{DIM:#}");
    }
}
