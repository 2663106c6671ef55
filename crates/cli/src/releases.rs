//! `tidegate releases`, `rollback`, `diff` and `status`.
//!
//! Owns the drawing of what they answer. The answers themselves are `tidegate_publish::publish`'s.

use anstyle::{AnsiColor, Style};
use tidegate_core::approval::Approval;
use tidegate_core::config::Site;
use tidegate_core::location::Source;
use tidegate_core::release::ReleaseEntry;
use tidegate_publish::publish::{Publisher, ReleaseChangeKind, ReleaseComparison, SiteStatus};

use crate::arguments::{CommonArguments, DiffArguments, RollbackArguments, SiteArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, request};
use crate::error::{CliError, ExitStatus};
use crate::publish::{carry_out, json, preview};

const FAINT: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Most keys that are drawn; `--json` has all of them.
const SHOWN: usize = 200;

async fn open(common: &CommonArguments, name: &str) -> Result<(Publisher, Site, AwsContext), CliError> {
    let configuration = Configuration::load(&common.config)?;
    let site = configuration.site(name)?;
    let session = AwsContext::open(common).await?;
    let site = session.site(site, None).await?;
    let publisher = session.publisher(common, &configuration.directory)?;
    Ok((publisher, site, session))
}

/// Shows the releases that a site keeps.
pub(crate) async fn releases(common: &CommonArguments, wanted: &SiteArguments) -> Result<ExitStatus, CliError> {
    let (publisher, site, _session) = open(common, &wanted.site).await?;
    let status = publisher.status(&site).await?;
    drop(publisher);
    if common.json {
        let told = serde_json::json!({
            "site": site.name, "releases": status.releases, "live": status.live.map(|live| live.id), "passed": status.skipped,
        });
        println!("{}", json(&told)?);
        return Ok(ExitStatus::Done);
    }
    if status.releases.is_empty() {
        anstream::println!("{}: nothing was released yet", site.name);
    }
    for past in status.releases.iter().rev() {
        line(past, &status);
    }
    for passed in status.skipped.iter().rev() {
        let what = if passed.superseded { "superseded by" } else { "the same as" };
        anstream::println!("  {FAINT}{}  {}  {what} {}{FAINT:#}", when(passed.instant), passed.release, passed.by);
    }
    Ok(ExitStatus::Done)
}

fn line(past: &ReleaseEntry, status: &SiteStatus) {
    let live = status.live.as_ref().is_some_and(|live| live.id == past.id);
    let style = if live { AnsiColor::Green.on_default() } else { Style::new() };
    let mark = if live { format!("  {style}live{style:#}") } else { String::new() };
    let state = match past.manifest {
        None => format!("  {FAINT}not finished{FAINT:#}"),
        Some(manifest) if manifest != past.id => format!("  {FAINT}the same as {manifest}{FAINT:#}"),
        Some(_) => String::new(),
    };
    anstream::println!(
        "  {style}{:<8}{style:#} {}  {}  {FAINT}{}{FAINT:#}{mark}{state}",
        past.id.to_string(),
        when(past.instant),
        past.release,
        past.cause,
    );
}

/// A moment as people write it, in UTC.
fn when(milliseconds: u64) -> String {
    let moment = i64::try_from(milliseconds).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    moment.map_or_else(|| milliseconds.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// Publishes an earlier release again.
pub(crate) async fn rollback(common: &CommonArguments, wanted: &RollbackArguments) -> Result<ExitStatus, CliError> {
    let (publisher, site, _session) = open(common, &wanted.site).await?;
    let past = publisher.earlier(&site, wanted.release).await?;
    let request = request(site.name.as_str(), &Source::Release(past.id), Some(&past.release), "rollback");
    if wanted.dry_run {
        return preview(common, publisher, &request, &site).await;
    }
    carry_out(common, publisher, None, &request, &site, Approval::Policies).await
}

/// Shows how two releases differ.
pub(crate) async fn diff(common: &CommonArguments, wanted: &DiffArguments) -> Result<ExitStatus, CliError> {
    let (publisher, site, _session) = open(common, &wanted.site).await?;
    let found = publisher.compare(&site, wanted.from, wanted.to).await?;
    drop(publisher);
    if common.json {
        println!("{}", json(&found)?);
    } else {
        draw(&found);
    }
    Ok(ExitStatus::Done)
}

fn draw(found: &ReleaseComparison) {
    anstream::println!("{BOLD}{}{BOLD:#} {FAINT}→{FAINT:#} {BOLD}{}{BOLD:#}", found.from, found.to);
    for change in found.changes.iter().take(SHOWN) {
        let (style, sign) = match change.kind {
            ReleaseChangeKind::Added => (AnsiColor::Green.on_default(), "+"),
            ReleaseChangeKind::Removed => (AnsiColor::Red.on_default(), "-"),
            ReleaseChangeKind::Headers => (AnsiColor::Cyan.on_default(), "±"),
            ReleaseChangeKind::Content | ReleaseChangeKind::Redirect => (AnsiColor::Yellow.on_default(), "~"),
        };
        anstream::println!("  {style}{sign} {}{style:#}  {FAINT}{}{FAINT:#}", change.key, change.kind);
        for header in &change.headers {
            anstream::println!("      {FAINT}{header}{FAINT:#}");
        }
    }
    match found.changes.len().checked_sub(SHOWN) {
        Some(rest) if rest > 0 => anstream::println!("  {FAINT}and {rest} more, `--json` shows all{FAINT:#}"),
        _ => {}
    }
    anstream::println!("  {} differ, {} are the same", found.changes.len(), found.same);
}

/// Shows how a site stands.
pub(crate) async fn status(common: &CommonArguments, wanted: &SiteArguments) -> Result<ExitStatus, CliError> {
    let (publisher, site, _session) = open(common, &wanted.site).await?;
    let status = publisher.status(&site).await?;
    drop(publisher);
    if common.json {
        println!("{}", json(&serde_json::json!({ "site": site.name, "status": status }))?);
        return Ok(ExitStatus::Done);
    }
    match &status.live {
        None => anstream::println!("{BOLD}{}{BOLD:#}  nothing was released yet", site.name),
        Some(live) => {
            anstream::println!("{BOLD}{}{BOLD:#}", site.name);
            line(live, &status);
        }
    }
    let ids = |ids: &[tidegate_core::release::ReleaseId]| {
        ids.iter().map(ToString::to_string).collect::<Vec<String>>().join(", ")
    };
    if !status.pending_invalidations.is_empty() {
        anstream::println!(
            "  the CDN was not told all of {}: the next publish tells it",
            ids(&status.pending_invalidations)
        );
    }
    if !status.unfinished.is_empty() {
        anstream::println!("  {} did not finish: the next publish does", ids(&status.unfinished));
    }
    if let Some(lease) = &status.lease {
        anstream::println!("  `{}` is being published right now", lease.release);
    }
    Ok(ExitStatus::Done)
}
