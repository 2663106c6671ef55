//! `tidegate releases`, `rollback`, `diff` and `status`.

use anstyle::Style;
use tidegate_core::approval::Approval;
use tidegate_core::config::Site;
use tidegate_core::location::Source;
use tidegate_core::release::{ReleaseEntry, ReleaseId};
use tidegate_core::text::rest;
use tidegate_publish::publish::{Publisher, ReleaseChangeKind, ReleaseComparison, SiteStatus};

use crate::arguments::{CommonArguments, DiffArguments, RollbackArguments, SiteArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, publish_request};
use crate::error::{CliError, ExitStatus};
use crate::execution_progress;
use crate::output::{BOLD, CYAN, DIM, GREEN, RED, SHOWN, YELLOW, print_json};
use crate::publish::{PublishRun, apply, load_plan, preview, saved_request};

/// A site, and the publisher that reads its releases.
struct OpenSite {
    publisher: Publisher,
    site: Site,
    context: AwsContext,
}

impl OpenSite {
    async fn open(common: &CommonArguments, name: &str) -> Result<Self, CliError> {
        let configuration = Configuration::load(&common.config)?;
        let site = configuration.site(name)?;
        let context = AwsContext::open(common).await?;
        let site = context.site(site, None).await?;
        let publisher = context.publisher(common, &configuration.directory)?;
        Ok(Self { publisher, site, context })
    }
}

/// Lists the releases of a site.
pub(crate) async fn releases(common: &CommonArguments, arguments: &SiteArguments) -> Result<ExitStatus, CliError> {
    let OpenSite { publisher, site, context: _context } = OpenSite::open(common, &arguments.site).await?;
    let status = publisher.status(&site).await?;
    drop(publisher);
    if common.json {
        print_json(&serde_json::json!({
            "site": site.name,
            "releases": status.releases.iter().filter(|entry| entry.manifest.is_some()).collect::<Vec<_>>(),
            "unfinished": status.unfinished,
            "live": status.live.map(|live| live.id),
            "skipped": status.skipped,
        }))?;
        return Ok(ExitStatus::Success);
    }
    let mut releases = status.releases.iter().rev().filter(|entry| entry.manifest.is_some()).peekable();
    if releases.peek().is_none() {
        outln!("{}: no releases", site.name);
    } else {
        print_header();
    }
    for release in releases {
        print_release(release, &status);
    }
    print_unfinished(&status);
    for (position, skipped) in status.skipped.iter().rev().enumerate() {
        if position == 0 {
            outln!("skipped requests:");
        }
        let what = if skipped.superseded { "superseded by" } else { "same as" };
        outln!("  {DIM}{}  {}  {what} {}{DIM:#}", time(skipped.instant), skipped.release, skipped.by);
    }
    Ok(ExitStatus::Success)
}

fn print_header() {
    outln!("  {DIM}{:<8} {:<19}  {}{DIM:#}", "RELEASE", "TIME (UTC)", "NAME, CAUSE");
}

fn print_unfinished(status: &SiteStatus) {
    if !status.unfinished.is_empty() {
        let runs: Vec<String> = status.unfinished.iter().map(ToString::to_string).collect();
        outln!("  unfinished: {}; the next publish finishes it", runs.join(", "));
    }
}

fn print_release(release: &ReleaseEntry, status: &SiteStatus) {
    let live = status.live.as_ref().is_some_and(|live| live.id == release.id);
    let style = if live { GREEN } else { Style::new() };
    let live = if live { format!("  {style}live{style:#}") } else { String::new() };
    let state = match release.manifest {
        Some(manifest) if manifest != release.id => format!("  {DIM}same as {manifest}{DIM:#}"),
        Some(_) | None => String::new(),
    };
    outln!(
        "  {style}{:<8}{style:#} {}  {}  {DIM}{}{DIM:#}{live}{state}",
        release.id.to_string(),
        time(release.instant),
        release.release,
        release.cause,
    );
}

/// A time in UTC.
fn time(milliseconds: u64) -> String {
    let time = i64::try_from(milliseconds).ok().and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
    time.map_or_else(|| milliseconds.to_string(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// Publishes an earlier release again.
pub(crate) async fn rollback(common: &CommonArguments, arguments: &RollbackArguments) -> Result<ExitStatus, CliError> {
    let OpenSite { publisher, site, context } = OpenSite::open(common, &arguments.site).await?;
    let saved = arguments.plan.as_deref().map(|path| load_plan(path, &arguments.site)).transpose()?;
    let wanted = match saved.as_ref().map(|saved| &saved.source) {
        None => arguments.release,
        Some(Source::Release(id)) => Some(*id),
        Some(_) => {
            let message = "the plan is not for a rollback; apply it with `tidegate publish --plan`";
            return Err(CliError::Usage(message.to_owned()));
        }
    };
    let earlier = publisher.earlier(&site, wanted).await?;
    let status = publisher.status(&site).await?;
    if !common.json {
        announce(&site, &status, Rollback { to: &earlier, wanted });
    }
    let request = match &saved {
        Some(saved) => saved_request(saved, "rollback"),
        None => publish_request(&site, &Source::Release(earlier.id), Some(earlier.release.as_str()), "rollback"),
    };
    let file = arguments.plan.as_ref().or(arguments.out.as_ref());
    let how_to_approve = match file {
        Some(path) => format!("tidegate rollback {} --plan {} --approve", site.name, path.display()),
        None => format!(
            "tidegate rollback {0} {1} --out plan.json, then tidegate rollback {0} --plan plan.json --approve",
            site.name, earlier.id
        ),
    };
    let run = PublishRun {
        saved: saved.as_ref(),
        approval: if arguments.approve { Approval::Person } else { Approval::Policies },
        how_to_approve: Some(how_to_approve),
        ..PublishRun::new(&context, &request, site)
    };
    if arguments.dry_run || arguments.out.is_some() {
        preview(common, publisher, run, arguments.out.as_deref()).await
    } else {
        apply(common, publisher, run).await
    }
}

/// A release to go back to.
#[derive(Clone, Copy)]
struct Rollback<'a> {
    to: &'a ReleaseEntry,
    /// The release that was named.
    wanted: Option<ReleaseId>,
}

/// Prints which release is left for which. A rollback after a rollback returns.
fn announce(site: &Site, status: &SiteStatus, rollback: Rollback<'_>) {
    let Some(live) = &status.live else { return };
    let name = |entry: &ReleaseEntry| format!("{} (`{}`)", entry.id, entry.release);
    let (from, to) = (name(live), name(rollback.to));
    if rollback.wanted.is_none() && live.cause == "rollback" {
        outln!("rollback from {from} to {to}, which was live before the last rollback");
        outln!("  {DIM}to go further back, name a release that `tidegate releases {}` lists{DIM:#}", site.name);
    } else {
        outln!("rollback from {from} to {to}");
    }
}

/// Shows the differences between two releases.
pub(crate) async fn diff(common: &CommonArguments, arguments: &DiffArguments) -> Result<ExitStatus, CliError> {
    let OpenSite { publisher, site, context: _context } = OpenSite::open(common, &arguments.site).await?;
    let comparison = publisher.compare(&site, arguments.from, arguments.to).await?;
    drop(publisher);
    if common.json {
        print_json(&comparison)?;
    } else {
        print_comparison(&comparison);
    }
    Ok(ExitStatus::Success)
}

fn print_comparison(comparison: &ReleaseComparison) {
    outln!("{BOLD}{}{BOLD:#} {DIM}→{DIM:#} {BOLD}{}{BOLD:#}", comparison.from, comparison.to);
    for change in comparison.changes.iter().take(SHOWN) {
        let (style, sign) = match change.kind {
            ReleaseChangeKind::Added => (GREEN, "+"),
            ReleaseChangeKind::Removed => (RED, "-"),
            ReleaseChangeKind::Headers => (CYAN, "±"),
            ReleaseChangeKind::Content | ReleaseChangeKind::Redirect => (YELLOW, "~"),
        };
        outln!("  {style}{sign} {}{style:#}  {DIM}{}{DIM:#}", change.key, change.kind);
        for header in &change.headers {
            outln!("      {DIM}{header}{DIM:#}");
        }
    }
    if let Some(rest) = rest(comparison.changes.len(), SHOWN, "change") {
        outln!("  {DIM}{rest}{DIM:#}");
    }
    outln!("  {} changed, {} unchanged", comparison.changes.len(), comparison.same);
}

/// Shows the live release and what is pending.
pub(crate) async fn status(common: &CommonArguments, arguments: &SiteArguments) -> Result<ExitStatus, CliError> {
    let OpenSite { publisher, site, context: _context } = OpenSite::open(common, &arguments.site).await?;
    let (status, shards) = tokio::try_join!(publisher.status(&site), publisher.shard_progress(&site))?;
    drop(publisher);
    if common.json {
        print_json(&serde_json::json!({ "site": site.name, "status": status, "shards": shards }))?;
        return Ok(ExitStatus::Success);
    }
    match &status.live {
        None => outln!("{BOLD}{}{BOLD:#}  no releases", site.name),
        Some(live) => {
            outln!("{BOLD}{}{BOLD:#}", site.name);
            print_header();
            print_release(live, &status);
        }
    }
    let list = |ids: &[ReleaseId]| ids.iter().map(ToString::to_string).collect::<Vec<String>>().join(", ");
    if !status.pending_invalidations.is_empty() {
        let releases = list(&status.pending_invalidations);
        outln!("  invalidation pending: {releases}; the next publish sends it");
    }
    print_unfinished(&status);
    if let Some(lease) = &status.lease {
        outln!("  publish in progress: `{}`", lease.release);
    }
    if let Some(shards) = &shards {
        execution_progress::print(shards);
    }
    Ok(ExitStatus::Success)
}
