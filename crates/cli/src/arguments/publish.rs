//! Arguments of `tidegate plan`, `publish`, `dev`, `explain` and of the commands for releases.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tidegate_core::config::{ArchiveLimit, Site};
use tidegate_core::location::Source;
use tidegate_core::release::ReleaseId;
use tidegate_publish::publish::Publisher;

/// A site and what to publish to it.
#[derive(Debug, Clone, Args)]
pub(crate) struct SiteSourceArguments {
    /// Name of the site in the configuration
    pub(crate) site: String,
    /// Directory, `.zip`, `s3://bucket/prefix/` or `s3://bucket/name.zip` [default: `staged` of the site]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) from: Option<Source>,
    /// Name for what is published, such as a commit [default: the source]
    #[arg(long, value_name = "NAME")]
    pub(crate) release: Option<String>,
    #[command(flatten)]
    pub(crate) reading: ReadArguments,
}

/// How a source is read.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReadArguments {
    /// Follow symbolic links that lead out of the source directory
    #[arg(long)]
    pub(crate) follow_external_links: bool,
    /// Raise a limit of zips: `entries`, `entry-bytes`, `total-bytes` or `ratio`
    #[arg(long, value_name = "LIMIT=NUMBER")]
    pub(crate) archive_limit: Vec<ArchiveLimit>,
}

impl ReadArguments {
    /// Applies them to one run.
    pub(crate) fn apply(&self, publisher: &mut Publisher, site: &mut Site) {
        publisher.options.follow_external_links = self.follow_external_links;
        self.archive_limit.iter().for_each(|limit| site.archive_limits.set(*limit));
    }
}

/// How the current state of the site is determined.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct CompareArguments {
    /// Trust the manifest of the live release instead of listing the site
    ///
    /// Changes made outside Tidegate are not detected. The site is listed nevertheless if an earlier run is unfinished.
    #[arg(long, conflicts_with = "verify")]
    pub(crate) trust_manifest: bool,
    /// Check the headers of every object, whatever the manifest says
    #[arg(long)]
    pub(crate) verify: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) source: SiteSourceArguments,
    /// Save the plan for `publish --plan`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) compare: CompareArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArguments {
    /// Name of the site in the configuration
    pub(crate) site: String,
    /// Directory, `.zip`, `s3://bucket/prefix/` or `s3://bucket/name.zip` [default: `staged` of the site]
    #[arg(long, value_name = "SOURCE", conflicts_with = "plan")]
    pub(crate) from: Option<Source>,
    /// Name for what is published, such as a commit [default: the source]
    #[arg(long, value_name = "NAME", conflicts_with = "plan")]
    pub(crate) release: Option<String>,
    #[command(flatten)]
    pub(crate) reading: ReadArguments,
    /// Apply a saved plan, unless something it was made from has changed
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Approve a plan that a policy holds; a denied plan stays denied
    #[arg(long, requires = "plan")]
    pub(crate) approve: bool,
    /// Time of the commit: an older one never replaces a newer one
    ///
    /// RFC 3339, or seconds since 1970 as `git log -1 --format=%ct` prints them.
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    pub(crate) commit_time: Option<u64>,
    /// Seconds to wait while another run publishes the site
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) lock_timeout: u64,
    /// Have the state machine of the function's stack publish, and follow it; the source must be in S3
    #[arg(long, conflicts_with_all = ["plan", "approve"])]
    pub(crate) step_functions: bool,
    #[command(flatten)]
    pub(crate) compare: CompareArguments,
}

/// Milliseconds since 1970.
fn timestamp(text: &str) -> Result<u64, String> {
    let invalid = || "use RFC 3339, such as `2026-11-25T12:00:00Z`, or seconds since 1970".to_owned();
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1000).ok_or_else(invalid);
    }
    let time: jiff::Timestamp = text.parse().map_err(|_| invalid())?;
    u64::try_from(time.as_millisecond()).map_err(|_| invalid())
}

#[derive(Debug, Args)]
pub(crate) struct DevArguments {
    #[command(flatten)]
    pub(crate) source: SiteSourceArguments,
    /// Address of the preview
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Preview the website endpoint of the bucket instead of a private bucket
    #[arg(long)]
    pub(crate) website: bool,
    /// Also serve the emulator itself at this address, for other tools
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen_aws: Option<SocketAddr>,
    /// Publish once and keep serving, without watching the source
    #[arg(long)]
    pub(crate) no_watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    pub(crate) source: SiteSourceArguments,
    /// Key on the site or in the source
    pub(crate) key: String,
}

#[derive(Debug, Args)]
pub(crate) struct SiteArguments {
    /// Name of the site in the configuration
    pub(crate) site: String,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// Name of the site in the configuration
    pub(crate) site: String,
    /// First release, such as `r41`
    pub(crate) from: ReleaseId,
    /// Second release, such as `r42`
    pub(crate) to: ReleaseId,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArguments {
    /// Name of the site in the configuration
    pub(crate) site: String,
    /// Release, such as `r42` [default: the one that was live before]
    #[arg(conflicts_with = "plan")]
    pub(crate) release: Option<ReleaseId>,
    /// Show the plan without applying it
    #[arg(long, conflicts_with = "plan")]
    pub(crate) dry_run: bool,
    /// Save the plan for `rollback --plan` without applying it
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub(crate) out: Option<PathBuf>,
    /// Apply a saved plan, unless something it was made from has changed
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Approve a plan that a policy holds; a denied plan stays denied
    #[arg(long, requires = "plan")]
    pub(crate) approve: bool,
}
