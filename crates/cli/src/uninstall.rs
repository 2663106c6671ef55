//! `tidegate uninstall`: deletes the function's stack, and says what is kept.

use serde_json::json;
use tidegate_iam::deploy::{DeployedStack, ResourceDifference};
use tidegate_iam::stack::Publishers;

use crate::arguments::{CommonArguments, UninstallArguments};
use crate::configuration::Configuration;
use crate::error::{CliError, ExitStatus};
use crate::install::{StackRun, confirm};
use crate::output::json_line;
use crate::stack_progress::StackProgress;

/// Deletes the stack of `install`.
pub(crate) async fn uninstall(
    common: &CommonArguments,
    arguments: &UninstallArguments,
) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let run = StackRun::open(common, &configuration.config, &arguments.stack).await?;
    let Some(stack) = run.current().await? else {
        if common.json {
            outln!("{}", json_line(&report(&run, arguments, &[], &[])));
        } else {
            outln!("{}: not installed", run.heading());
        }
        return Ok(ExitStatus::Success);
    };
    let removals = run.deployer.removals(&stack).await?;
    let kept = kept(&run)?;
    if !common.json {
        show(&run, &stack, &removals, &kept);
    }
    if !arguments.apply.dry_run {
        if !arguments.apply.yes && !confirm(common)? {
            errln!("cancelled; nothing was changed");
            return Ok(ExitStatus::Denied);
        }
        let progress = StackProgress::new(common.json);
        run.deployer.delete(&stack, |event| progress.observe(event)).await?;
    }
    if common.json {
        outln!("{}", json_line(&report(&run, arguments, &removals, &kept)));
    }
    Ok(ExitStatus::Success)
}

/// What is kept.
fn kept(run: &StackRun) -> Result<Vec<String>, CliError> {
    let mut kept = vec!["the sites, and the buckets of the configuration with all of their objects".to_owned()];
    if let Some(state) = &run.config.state {
        kept.push(format!("the releases and deployment packages below `{state}`"));
    }
    let stack = run.stack(Publishers::Included)?;
    let mut buckets: Vec<&str> = stack.uploads.iter().map(|upload| upload.bucket.as_str()).collect();
    buckets.sort_unstable();
    buckets.dedup();
    let events = "still sends its events to EventBridge, which others may use";
    kept.extend(buckets.into_iter().map(|bucket| format!("the bucket `{bucket}` {events}")));
    Ok(kept)
}

fn show(run: &StackRun, stack: &DeployedStack, removals: &[ResourceDifference], kept: &[String]) {
    outln!("{}, in {}:", run.heading(), stack.status);
    removals.iter().for_each(|change| outln!("  {change}"));
    outln!("  delete the stack");
    outln!("kept:");
    kept.iter().for_each(|line| outln!("  {line}"));
}

fn report(
    run: &StackRun,
    arguments: &UninstallArguments,
    removals: &[ResourceDifference],
    kept: &[String],
) -> serde_json::Value {
    json!({
        "dry-run": arguments.apply.dry_run,
        "account": run.account,
        "region": run.region,
        "stack": run.deployer.name(),
        "changes": removals,
        "kept": kept,
    })
}
