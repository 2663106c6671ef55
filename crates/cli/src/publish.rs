//! `tidegate plan` and `tidegate publish`.

use std::path::Path;
use std::time::Duration;

use tidegate_core::approval::Approval;
use tidegate_core::config::Site;
use tidegate_core::plan::Plan;
use tidegate_core::plan_review::{Judgement, Verdict};
use tidegate_core::report::PublishReport;
use tidegate_core::request::{PublishRequest, Revision};
use tidegate_host::sync::Trace;
use tidegate_publish::publish::{PlannedPublish, Publisher};

use crate::arguments::{CommonArguments, PlanArguments, PublishArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, request};
use crate::error::{CliError, ExitStatus};
use crate::render;

/// Shows a plan, and saves it where asked.
pub(crate) async fn plan(common: &CommonArguments, wanted: &PlanArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let site = configuration.site(&wanted.what.site)?;
    let source = configuration.source(site, wanted.what.from.as_ref())?;
    let session = AwsContext::open(common).await?;
    let site = session.site(site, Some(&source)).await?;
    let request = request(site.name.as_str(), &source, wanted.what.release.as_deref(), "cli");
    let mut publisher = session.publisher(common, &configuration.directory)?;
    (publisher.trust_manifest, publisher.verify) = (wanted.how.trust_manifest, wanted.how.verify);
    let planned = publisher.plan(&request, &site, Trace::Off).await?;
    drop(publisher);
    if let Some(path) = &wanted.out {
        save(&planned.plan, path)?;
    }
    show(common, &planned)?;
    Ok(verdict(&planned.judgements))
}

/// Publishes a source, or carries out a saved plan.
pub(crate) async fn publish(common: &CommonArguments, wanted: &PublishArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let site = configuration.site(&wanted.site)?;
    let saved = wanted.plan.as_deref().map(load).transpose()?;
    if let Some(saved) = &saved
        && saved.site != wanted.site
    {
        let message = format!("the plan is for the site `{}`, not for `{}`", saved.site, wanted.site);
        return Err(CliError::Usage(message));
    }
    let request = match &saved {
        // The run's instant is one of the plan's inputs: plugins see it.
        Some(saved) => PublishRequest {
            site: saved.site.clone(),
            release: saved.release.clone(),
            source: saved.source.clone(),
            instant: saved.instant,
            cause: "cli".to_owned(),
            revision: None,
        },
        None => {
            let source = configuration.source(site, wanted.from.as_ref())?;
            request(site.name.as_str(), &source, wanted.release.as_deref(), "cli")
        }
    };
    let request = PublishRequest { revision: wanted.commit_time.map(Revision::at), ..request };
    let session = AwsContext::open(common).await?;
    let site = session.site(site, Some(&request.source)).await?;
    let mut publisher = session.publisher(common, &configuration.directory)?;
    (publisher.trust_manifest, publisher.verify) = (wanted.how.trust_manifest, wanted.how.verify);
    publisher.lock_timeout = Duration::from_secs(wanted.lock_timeout);
    let approval = if wanted.approve { Approval::Person } else { Approval::Policies };
    carry_out(common, publisher, saved.as_ref(), &request, &site, approval).await
}

/// Shows what would be done, and does nothing.
pub(crate) async fn preview(
    common: &CommonArguments,
    publisher: Publisher,
    request: &PublishRequest,
    site: &Site,
) -> Result<ExitStatus, CliError> {
    let planned = publisher.plan(request, site, Trace::Off).await?;
    drop(publisher);
    show(common, &planned)?;
    Ok(verdict(&planned.judgements))
}

/// Publishes, and tells what became of it.
pub(crate) async fn carry_out(
    common: &CommonArguments,
    publisher: Publisher,
    saved: Option<&Plan>,
    request: &PublishRequest,
    site: &Site,
    approval: Approval,
) -> Result<ExitStatus, CliError> {
    let look = |planned: &PlannedPublish| {
        if !common.json && common.verbose > 0 {
            render::plan(&planned.plan);
        }
    };
    let report = publisher.publish(request, site, approval, saved, look).await?;
    drop(publisher);
    print_plan(common, &report)?;
    Ok(ExitStatus::of(report.outcome))
}

/// Prints a report.
pub(crate) fn print_plan(common: &CommonArguments, report: &PublishReport) -> Result<(), CliError> {
    if common.json {
        println!("{}", json(report)?);
    } else {
        anstream::print!("{report}");
    }
    Ok(())
}

/// Prints a plan with its judgements.
pub(crate) fn show(common: &CommonArguments, planned: &PlannedPublish) -> Result<(), CliError> {
    if common.json {
        let value = serde_json::json!({
            "plan": planned.plan,
            "digest": planned.plan.digest().ok(),
            "judgements": planned.judgements,
            "findings": planned.findings,
            "usage": planned.usage,
            "milliseconds": planned.milliseconds,
        });
        println!("{}", json(&value)?);
    } else {
        render::plan(&planned.plan);
        render::findings(&planned.findings);
        render::judgements(&planned.judgements);
    }
    Ok(())
}

/// What a plan would end with.
pub(crate) fn verdict(judgements: &[Judgement]) -> ExitStatus {
    if judgements.iter().all(|judgement| judgement.verdict == Verdict::Allow) {
        ExitStatus::Done
    } else {
        ExitStatus::Denied
    }
}

pub(crate) fn json(value: &impl serde::Serialize) -> Result<String, CliError> {
    serde_json::to_string(value)
        .map_err(|error| CliError::System(format!("the answer cannot be written as JSON: {error}")))
}

fn save(plan: &Plan, path: &Path) -> Result<(), CliError> {
    write(path, "the plan", &plan.to_bytes().map_err(|error| CliError::System(error.to_string()))?)
}

/// Writes a file beside its place and moves it there, so that nobody reads half of one.
pub(crate) fn write(path: &Path, what: &str, bytes: &[u8]) -> Result<(), CliError> {
    let told =
        |error: std::io::Error| CliError::System(format!("{what} cannot be written to `{}`: {error}", path.display()));
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    std::fs::write(&beside, bytes).map_err(told)?;
    std::fs::rename(&beside, path).map_err(told)
}

fn load(path: &Path) -> Result<Plan, CliError> {
    let bytes = std::fs::read(path)
        .map_err(|error| CliError::Usage(format!("the plan `{}` cannot be read: {error}", path.display())))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        CliError::Usage(format!("`{}` is no plan of this version of Tidegate: {error}", path.display()))
    })
}
