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

use crate::arguments::{CommonArguments, CompareArguments, PlanArguments, PublishArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, now, publish_request};
use crate::error::{CliError, ExitStatus};
use crate::output::{print_json, write_file};
use crate::render;

/// One publish of one site.
pub(crate) struct PublishRun<'a> {
    pub(crate) request: &'a PublishRequest,
    pub(crate) site: &'a Site,
    /// The plan that must still hold.
    pub(crate) saved: Option<&'a Plan>,
    pub(crate) approval: Approval,
}

impl<'a> PublishRun<'a> {
    /// A publish without a saved plan, which no person approved.
    pub(crate) fn new(request: &'a PublishRequest, site: &'a Site) -> Self {
        Self { request, site, saved: None, approval: Approval::Policies }
    }
}

/// Shows a plan, and saves it with `--out`.
pub(crate) async fn plan(common: &CommonArguments, arguments: &PlanArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let site = configuration.site(&arguments.source.site)?;
    let source = configuration.source(site, arguments.source.from.as_ref())?;
    let context = AwsContext::open(common).await?;
    let site = context.site(site, Some(&source)).await?;
    let request = publish_request(&site, &source, arguments.source.release.as_deref(), "cli");
    let mut publisher = context.publisher(common, &configuration.directory)?;
    set_comparison(&mut publisher, arguments.compare);
    let planned = publisher.plan(&request, &site, Trace::Off).await?;
    drop(publisher);
    if let Some(path) = &arguments.out {
        write_file(path, "plan", &planned.plan.to_bytes().map_err(CliError::system)?)?;
    }
    show(common, &planned)
}

/// Publishes a source, or applies a saved plan.
pub(crate) async fn publish(common: &CommonArguments, arguments: &PublishArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let site = configuration.site(&arguments.site)?;
    let saved = arguments.plan.as_deref().map(load_plan).transpose()?;
    if let Some(saved) = saved.as_ref().filter(|saved| saved.site != arguments.site) {
        let message = format!("the plan is for the site `{}`, not for `{}`", saved.site, arguments.site);
        return Err(CliError::Usage(message));
    }
    let request = match &saved {
        // Plugins see the time of the run, so it is an input of the plan.
        Some(saved) => PublishRequest {
            site: saved.site.clone(),
            release: saved.release.clone(),
            source: saved.source.clone(),
            instant: saved.instant,
            cause: "cli".to_owned(),
            revision: None,
        },
        None => {
            let source = configuration.source(site, arguments.from.as_ref())?;
            publish_request(site, &source, arguments.release.as_deref(), "cli")
        }
    };
    let revision = arguments.commit_time.map(Revision::of_commit);
    if revision.as_ref().is_some_and(|revision| revision.is_in_future_of(now().milliseconds())) {
        let message =
            "`--commit-time` is in the future; check the clock of the machine that made the commit, or omit it";
        return Err(CliError::Usage(message.to_owned()));
    }
    let request = PublishRequest { revision, ..request };
    let context = AwsContext::open(common).await?;
    let site = context.site(site, Some(&request.source)).await?;
    let mut publisher = context.publisher(common, &configuration.directory)?;
    set_comparison(&mut publisher, arguments.compare);
    publisher.lock_timeout = Duration::from_secs(arguments.lock_timeout);
    let approval = if arguments.approve { Approval::Person } else { Approval::Policies };
    let run = PublishRun { saved: saved.as_ref(), approval, ..PublishRun::new(&request, &site) };
    apply(common, publisher, run).await
}

fn set_comparison(publisher: &mut Publisher, compare: CompareArguments) {
    publisher.trust_manifest = compare.trust_manifest;
    publisher.verify = compare.verify;
}

/// Shows the plan without applying it.
pub(crate) async fn preview(
    common: &CommonArguments,
    publisher: Publisher,
    run: PublishRun<'_>,
) -> Result<ExitStatus, CliError> {
    let planned = publisher.plan(run.request, run.site, Trace::Off).await?;
    drop(publisher);
    show(common, &planned)
}

/// Publishes, and prints the report.
pub(crate) async fn apply(
    common: &CommonArguments,
    publisher: Publisher,
    run: PublishRun<'_>,
) -> Result<ExitStatus, CliError> {
    let before_writes = |planned: &PlannedPublish| {
        if !common.json && common.verbose > 0 {
            render::plan(&planned.plan);
        }
    };
    let report = publisher.publish(run.request, run.site, run.approval, run.saved, before_writes).await?;
    drop(publisher);
    print_report(common, &report)?;
    Ok(report.outcome.into())
}

/// Prints a report.
pub(crate) fn print_report(common: &CommonArguments, report: &PublishReport) -> Result<(), CliError> {
    if common.json {
        return print_json(report);
    }
    out!("{report}");
    Ok(())
}

/// Prints a plan with its verdicts. Exits as a publish would if only the policies decide.
fn show(common: &CommonArguments, planned: &PlannedPublish) -> Result<ExitStatus, CliError> {
    if common.json {
        print_json(&serde_json::json!({
            "plan": planned.plan,
            "digest": planned.plan.digest().ok(),
            "judgements": planned.judgements,
            "findings": planned.findings,
            "usage": planned.usage,
            "milliseconds": planned.milliseconds,
        }))?;
    } else {
        render::plan(&planned.plan);
        render::findings(&planned.findings);
        render::judgements(&planned.judgements);
    }
    let allowed = |judgement: &Judgement| judgement.verdict == Verdict::Allow;
    Ok(if planned.judgements.iter().all(allowed) { ExitStatus::Success } else { ExitStatus::Denied })
}

fn load_plan(path: &Path) -> Result<Plan, CliError> {
    let bytes = std::fs::read(path).map_err(CliError::read("plan", path))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        CliError::Usage(format!("`{}` is not a plan of this version of Tidegate: {error}", path.display()))
    })
}
