//! `tidegate dev`: the stand-in with a preview of the site behind a small CDN cache, published anew on every change.
//!
//! Owns the watching and the serving. The cache holds what it served until it is invalidated, so that a missing
//! invalidation can be seen in a browser.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify_debouncer_full::notify::RecursiveMode;
use notify_debouncer_full::{DebounceEventResult, new_debouncer};
use tidegate_core::approval::Approval;
use tidegate_core::config::{DistributionConfig, DistributionId, OriginPath, Site};
use tidegate_core::location::Source;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::arguments::{CommonArguments, DevArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, request};
use crate::emulator::LocalAccount;
use crate::error::{CliError, ExitStatus};
use crate::publish::print_plan;

/// How long a source must be quiet before it is published: builds write many files.
const QUIET: Duration = Duration::from_millis(300);

/// The distribution of a site that configures none.
const PREVIEW: &str = "EPREVIEW";

/// Where the stand-in is kept where `--local` does not say.
const DIRECTORY: &str = ".tidegate/dev";

/// Serves until interrupted.
pub(crate) async fn dev(common: &CommonArguments, wanted: &DevArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let site = configuration.site(&wanted.what.site)?;
    let source = configuration.source(site, wanted.what.from.as_ref())?;
    let directory = common.local.clone().unwrap_or_else(|| PathBuf::from(DIRECTORY));
    let common = CommonArguments { local: Some(directory), endpoint_url: None, ..common.clone() };
    let session = AwsContext::open(&common).await?;
    let site = session.site(&with_cdn(site)?, Some(&source)).await?;
    let Some(embedded) = &session.embedded else {
        return Err(CliError::Usage("`dev` works with the stand-in only, leave out `--endpoint-url`".to_owned()));
    };

    serve_aws(embedded, wanted).await?;
    serve_preview(embedded, &site, wanted).await?;
    let (changed, mut changes) = mpsc::channel(1);
    let _watch = match (&source, wanted.no_watch) {
        (Source::Directory(path) | Source::Archive(path), false) => Some(watch(path, changed)?),
        _ => None,
    };
    loop {
        publish(&common, &configuration, &session, &site, &source, wanted).await?;
        tokio::select! {
            change = changes.recv(), if !wanted.no_watch => {
                if change.is_none() {
                    // Nothing is watched: a staged prefix has no events here.
                    interrupted().await?;
                    return Ok(ExitStatus::Done);
                }
            }
            end = interrupted() => return end.map(|()| ExitStatus::Done),
        }
    }
}

async fn interrupted() -> Result<(), CliError> {
    tokio::signal::ctrl_c().await.map_err(|error| CliError::System(error.to_string()))
}

/// A preview needs a distribution.
fn with_cdn(site: &Site) -> Result<Site, CliError> {
    let mut site = site.clone();
    if site.cdn.is_empty() {
        let wrong = |error: tidegate_core::config::ValueError| CliError::System(error.to_string());
        let prefix = site.target.prefix.as_str().trim_end_matches('/');
        let path = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        site.cdn.push(DistributionConfig::new(
            DistributionId::try_from(PREVIEW.to_owned()).map_err(wrong)?,
            OriginPath::try_from(path).map_err(wrong)?,
        ));
    }
    Ok(site)
}

async fn publish(
    common: &CommonArguments,
    configuration: &Configuration,
    session: &AwsContext,
    site: &Site,
    source: &Source,
    wanted: &DevArguments,
) -> Result<(), CliError> {
    let request = request(site.name.as_str(), source, wanted.what.release.as_deref(), "watch");
    let publisher = session.publisher(common, &configuration.directory)?;
    // A source that is half written, or denied, is told and waited for: the preview goes on with what there is.
    match publisher.publish(&request, site, Approval::Policies, None, |_| ()).await {
        Ok(report) => {
            drop(publisher);
            print_plan(common, &report)
        }
        Err(error) => {
            drop(publisher);
            CliError::from(error).print(common.json);
            Ok(())
        }
    }
}

async fn serve_preview(embedded: &LocalAccount, site: &Site, wanted: &DevArguments) -> Result<(), CliError> {
    let account = &embedded.account;
    let Some(cdn) = site.cdn.first() else { return Ok(()) };
    let router = tidegate_emulator::preview::router(account.cloudfront(), account.s3(), cdn.distribution.as_str())
        .map_err(|error| CliError::System(error.to_string()))?;
    let listener = listen(wanted.listen).await?;
    let address = listener.local_addr().map_err(|error| CliError::System(error.to_string()))?;
    let below = cdn.visible_prefix(&site.target);
    eprintln!("preview of `{}` through `{}`: http://{address}/{below}", site.name, cdn.distribution);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

async fn serve_aws(embedded: &LocalAccount, wanted: &DevArguments) -> Result<(), CliError> {
    let Some(address) = wanted.listen_aws else { return Ok(()) };
    let listener = listen(address).await?;
    let address = listener.local_addr().map_err(|error| CliError::System(error.to_string()))?;
    eprintln!("stand-in of AWS: http://{address}");
    let account = embedded.account.clone();
    tokio::spawn(account.serve(listener, std::future::pending()));
    Ok(())
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|error| {
        CliError::System(format!("`{address}` cannot be listened on: {error}; choose another with `--listen`"))
    })
}

/// Tells of every change below a path, once it is quiet.
fn watch(path: &Path, changed: mpsc::Sender<()>) -> Result<impl Sized, CliError> {
    let told = |error: notify_debouncer_full::notify::Error| {
        CliError::System(format!("`{}` cannot be watched: {error}", path.display()))
    };
    let mut debouncer = new_debouncer(QUIET, None, move |events: DebounceEventResult| {
        let real = events.is_ok_and(|events| events.iter().any(|event| !event.kind.is_access()));
        if real {
            // A full channel means that a publish is due already.
            let _due = changed.try_send(());
        }
    })
    .map_err(told)?;
    debouncer.watch(path, RecursiveMode::Recursive).map_err(told)?;
    Ok(debouncer)
}
