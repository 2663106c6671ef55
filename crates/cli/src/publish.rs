//! `tidegate plan` and `tidegate publish`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::approval::Approval;
use tidegate_core::config::{DistributionConfig, DistributionId, FunctionConfig, OriginPath, Site};
use tidegate_core::finding::Finding;
use tidegate_core::location::Location;
use tidegate_core::plan::{Plan, WriteEstimate};
use tidegate_core::plan_review::{Judgement, Verdict};
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_core::request::{PublishRequest, Revision};
use tidegate_host::sync::Trace;
use tidegate_publish::cloudfront::{BucketDistribution, CloudFront};
use tidegate_publish::publish::{PlannedPublish, PublishError, Publisher};

use crate::arguments::{CommonArguments, CompareArguments, PlanArguments, PublishArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, now, publish_request};
use crate::error::{CliError, ExitStatus};
use crate::execution;
use crate::interrupt::{self, OperationCount};
use crate::output::{print_json, write_file};
use crate::render;

/// One publish of one site.
pub(crate) struct PublishRun<'a> {
    pub(crate) context: &'a AwsContext,
    pub(crate) request: &'a PublishRequest,
    pub(crate) site: Site,
    /// Whether the distributions that read the target are looked up, instead of those of the site.
    pub(crate) find_distributions: bool,
    /// The plan that must still hold.
    pub(crate) saved: Option<&'a Plan>,
    pub(crate) approval: Approval,
    /// Adapts a finding to the command.
    pub(crate) adapt_finding: fn(&mut Finding),
    /// How a held plan is approved, for people.
    pub(crate) how_to_approve: Option<String>,
    /// The function that publishes the site.
    pub(crate) function: Option<&'a FunctionConfig>,
}

impl<'a> PublishRun<'a> {
    /// A publish without a saved plan, which no person approved.
    pub(crate) fn new(context: &'a AwsContext, request: &'a PublishRequest, site: Site) -> Self {
        Self {
            context,
            request,
            site,
            find_distributions: false,
            saved: None,
            approval: Approval::Policies,
            adapt_finding: |_| (),
            how_to_approve: None,
            function: None,
        }
    }

    /// The site as the account has it.
    async fn site(&self) -> Result<Site, CliError> {
        let mut site = self.context.site(&self.site, Some(&self.request.source)).await?;
        if self.find_distributions {
            site.cdn = find_distributions(self.context, &site.target).await?;
        }
        Ok(site)
    }

    fn adapt(&self, findings: &mut [Finding], judgements: &mut [Judgement]) {
        let judged = judgements.iter_mut().flat_map(|judgement| &mut judgement.findings);
        findings.iter_mut().chain(judged).for_each(self.adapt_finding);
    }
}

/// The distributions that read the target, by its bucket and their origin paths.
async fn find_distributions(context: &AwsContext, target: &Location) -> Result<Vec<DistributionConfig>, CliError> {
    let mut found = Vec::new();
    for BucketDistribution { id, origin_path } in CloudFront::new(&context.connection).of_bucket(&target.bucket).await?
    {
        let id: DistributionId = id.try_into().map_err(CliError::system)?;
        let path: OriginPath = origin_path.try_into().map_err(CliError::system)?;
        let cdn = DistributionConfig::new(id, path);
        if cdn.leads_to(target) {
            found.push(cdn);
        }
    }
    if found.is_empty() {
        return Err(CliError::Usage(format!(
            "no distribution of this account reads `{target}`; name one with `--distribution ID`, or leave out `--cf-invalidate`"
        )));
    }
    Ok(found)
}

/// Shows a plan, and saves it with `--out`.
pub(crate) async fn plan(common: &CommonArguments, arguments: &PlanArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let site = configuration.site(&arguments.source.site)?;
    let source = configuration.source(site, arguments.source.from.as_ref())?;
    let context = AwsContext::open(common).await?;
    let request = publish_request(site, &source, arguments.source.release.as_deref(), "cli");
    let mut publisher = context.publisher(common, &configuration.directory)?;
    let mut site = site.clone();
    arguments.source.reading.apply(&mut publisher, &mut site);
    set_comparison(&mut publisher, arguments.compare);
    let how_to_approve = match &arguments.out {
        Some(path) => format!("tidegate publish {} --plan {} --approve", site.name, path.display()),
        None => approve_publish(&site),
    };
    let function = Some(&configuration.config.function).filter(|_| site.builds.is_some() || !site.webhooks.is_empty());
    let how_to_approve = Some(how_to_approve);
    let run = PublishRun { how_to_approve, function, ..PublishRun::new(&context, &request, site) };
    preview(common, publisher, run, arguments.out.as_deref()).await
}

fn approve_publish(site: &Site) -> String {
    format!("tidegate plan {0} --out plan.json, then tidegate publish {0} --plan plan.json --approve", site.name)
}

/// Publishes a source, or applies a saved plan.
pub(crate) async fn publish(common: &CommonArguments, arguments: &PublishArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let site = configuration.site(&arguments.site)?;
    if arguments.step_functions {
        return Box::pin(execution::publish(common, arguments, &configuration)).await;
    }
    let saved = arguments.plan.as_deref().map(|path| load_plan(path, &arguments.site)).transpose()?;
    let request = match &saved {
        Some(saved) => saved_request(saved, "cli"),
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
    let mut publisher = context.publisher(common, &configuration.directory)?;
    let mut site = site.clone();
    arguments.reading.apply(&mut publisher, &mut site);
    set_comparison(&mut publisher, arguments.compare);
    publisher.lock_timeout = Duration::from_secs(arguments.lock_timeout);
    let approval = if arguments.approve { Approval::Person } else { Approval::Policies };
    let how_to_approve = match &arguments.plan {
        Some(path) => format!("tidegate publish {} --plan {} --approve", site.name, path.display()),
        None => approve_publish(&site),
    };
    let run = PublishRun {
        saved: saved.as_ref(),
        approval,
        how_to_approve: Some(how_to_approve),
        ..PublishRun::new(&context, &request, site)
    };
    apply(common, publisher, run).await
}

/// The request of a saved plan. Plugins see the time of the run, so it is an input of the plan.
pub(crate) fn saved_request(saved: &Plan, cause: &str) -> PublishRequest {
    PublishRequest {
        site: saved.site.clone(),
        release: saved.release.clone(),
        source: saved.source.clone(),
        instant: saved.instant,
        cause: cause.into(),
        revision: None,
    }
}

fn set_comparison(publisher: &mut Publisher, compare: CompareArguments) {
    publisher.trust_manifest = compare.trust_manifest;
    publisher.verify = compare.verify;
}

/// Shows the plan without applying it, and saves it at `out`.
pub(crate) async fn preview(
    common: &CommonArguments,
    publisher: Publisher,
    run: PublishRun<'_>,
    out: Option<&Path>,
) -> Result<ExitStatus, CliError> {
    let site = run.site().await?;
    let mut planned = publisher.plan(run.request, &site, Trace::Off).await?;
    drop(publisher);
    if let Some(path) = out {
        write_file(path, "plan", |file| planned.plan.write_to(file))?;
    }
    run.adapt(&mut planned.findings, &mut planned.judgements);
    let estimate = planned.estimate().await?;
    let status = show(common, &planned, estimate.as_ref())?;
    let invocation = |function: &FunctionConfig| Duration::from_secs(function.timeout.get().into());
    let when = run.function.and_then(|function| function.distribute_when(invocation(function)));
    if let (Some(estimate), Some(when)) = (estimate, when)
        && when.holds(&estimate)
        && !common.json
    {
        outln!("  by the function, Step Functions would carry it out: {estimate}");
    }
    let verdicts = || planned.judgements.iter().map(Judgement::enforced_verdict);
    if verdicts().any(|verdict| verdict == Verdict::Hold) && verdicts().all(|verdict| verdict != Verdict::Deny) {
        print_how_to_approve(common, &run);
    }
    Ok(status)
}

fn print_how_to_approve(common: &CommonArguments, run: &PublishRun<'_>) {
    if let Some(how) = run.how_to_approve.as_ref().filter(|_| !common.json) {
        outln!("  to approve it: {how}");
    }
}

/// Publishes, and prints the report.
pub(crate) async fn apply(
    common: &CommonArguments,
    mut publisher: Publisher,
    run: PublishRun<'_>,
) -> Result<ExitStatus, CliError> {
    let before_writes = |planned: &PlannedPublish| {
        if !common.json && common.verbose > 0 {
            render::plan(&planned.plan);
            render::trust(&planned.plan.inputs.plugins);
        }
    };
    let site = run.site().await?;
    let progress = Arc::new(OperationCount::new(Arc::clone(&publisher.observer)));
    publisher.observer = progress.clone();
    publisher.cancel = interrupt::token()?;
    let report = publisher.publish(run.request, &site, run.approval, run.saved, before_writes).await;
    drop(publisher);
    let mut report = match report {
        Err(PublishError::Interrupted) => return Err(progress.interrupted()),
        report => report?,
    };
    drop(progress);
    run.adapt(&mut report.findings, &mut report.judgements);
    print_report(common, &report)?;
    if report.outcome == Outcome::Held {
        print_how_to_approve(common, &run);
    }
    Ok(report.outcome.into())
}

/// Prints a report.
pub(crate) fn print_report(common: &CommonArguments, report: &PublishReport) -> Result<(), CliError> {
    if common.json {
        return print_json(report);
    }
    out!("{report}");
    if common.verbose > 0 {
        render::usage(&report.usage, &report.judgements);
    }
    Ok(())
}

/// Prints a plan with its verdicts. Exits as a publish would if only the policies decide.
fn show(
    common: &CommonArguments,
    planned: &PlannedPublish,
    estimate: Option<&WriteEstimate>,
) -> Result<ExitStatus, CliError> {
    if common.json {
        print_json(&serde_json::json!({
            "plan": planned.plan,
            "digest": planned.plan.digest().ok(),
            "judgements": planned.judgements,
            "exclusions": planned.exclusions,
            "findings": planned.findings,
            "observed": planned.observed,
            "usage": planned.usage,
            "milliseconds": planned.milliseconds,
            "estimate": estimate,
        }))?;
    } else {
        render::plan(&planned.plan);
        render::excluded_folders(&planned.exclusions);
        render::trust(&planned.plan.inputs.plugins);
        render::observed(&planned.observed);
        render::findings(&planned.findings);
        render::judgements(&planned.judgements);
        if common.verbose > 0 {
            render::usage(&planned.usage, &planned.judgements);
        }
    }
    let allowed = |judgement: &Judgement| judgement.enforced_verdict() == Verdict::Allow;
    Ok(if planned.judgements.iter().all(allowed) { ExitStatus::Success } else { ExitStatus::Denied })
}

/// Reads a saved plan, which must be for `site`.
pub(crate) fn load_plan(path: &Path, site: &str) -> Result<Plan, CliError> {
    let file = File::open(path).map_err(CliError::read("plan", path))?;
    // Not read whole: the text of a large plan is many times the size of the value.
    let plan: Plan = serde_json::from_reader(BufReader::new(file)).map_err(|error| {
        CliError::Usage(format!("`{}` is not a plan of this version of Tidegate: {error}", path.display()))
    })?;
    if plan.site == site {
        Ok(plan)
    } else {
        Err(CliError::Usage(format!("the plan is for the site `{}`, not for `{site}`", plan.site)))
    }
}
