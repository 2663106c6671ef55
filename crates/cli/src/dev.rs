//! `tidegate dev`: the local emulator with a preview of a site, republished on every change of its source.
//!
//! The preview is a distribution with a private bucket behind it, as the tutorial creates it. Its cache keeps responses
//! until they are invalidated, so a missing invalidation shows in the browser.

use std::net::SocketAddr;
use std::path::PathBuf;

use tidegate_core::approval::Approval;
use tidegate_core::config::{DistributionConfig, DistributionId, OriginPath, Site};
use tidegate_core::listing_filter::ListingFilter;
use tidegate_core::location::Source;
use tidegate_emulator::cloudfront::OriginAccess;
use tidegate_publish::CancellationToken;
use tidegate_publish::publish::PublishError;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::arguments::{CommonArguments, DevArguments, ReadArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, publish_request};
use crate::dev_edge::install_edge;
use crate::emulator::LocalAccount;
use crate::error::{CliError, ExitStatus};
use crate::interrupt;
use crate::output::warn;
use crate::print_error::print_error;
use crate::publish::print_report;
use crate::watch::SourceWatcher;

/// The distribution of a site that has none in the configuration.
const PREVIEW_DISTRIBUTION: &str = "EPREVIEW";

/// The directory of the emulator without `--local`.
const EMULATOR_DIRECTORY: &str = ".tidegate/dev";

/// Serves until interrupted.
pub(crate) async fn dev(common: &CommonArguments, arguments: &DevArguments) -> Result<ExitStatus, CliError> {
    if common.endpoint_url.is_some() || common.profile.is_some() {
        let message = "`dev` publishes to the local AWS emulator only; remove `--endpoint-url` and `--profile`, or use `tidegate publish`";
        return Err(CliError::Usage(message.to_owned()));
    }
    let configuration = Configuration::load(&common.config)?;
    let site = configuration.site(&arguments.source.site)?;
    let source = configuration.source(site, arguments.source.from.as_ref())?;
    let directory = common.local.clone().unwrap_or_else(|| PathBuf::from(EMULATOR_DIRECTORY));
    let common = CommonArguments { local: Some(directory), ..common.clone() };
    let context = AwsContext::open(&common).await?;
    let site = context.site(&with_distribution(site)?, Some(&source)).await?;
    let Some(emulator) = &context.emulator else {
        return Err(CliError::System("the local AWS emulator is not open".to_owned()));
    };
    if let Some(address) = arguments.listen_aws {
        serve_aws(emulator, address).await?;
    }
    prepare_distribution(emulator, &site, arguments.website)?;
    // A website endpoint has no function in front of it.
    let site = if arguments.website { Site { edge: None, ..site } } else { install_edge(&context, site).await? };
    serve_preview(emulator, &site, arguments.listen).await?;
    let (changed, mut changes) = mpsc::channel(1);
    // A source in S3 is not watched: then the channel is closed.
    let mut watcher = match (&source, arguments.no_watch) {
        (Source::Directory(path), false) => {
            Some(SourceWatcher::new(path, ListingFilter::new(&site.sync, &site.strip_prefix), changed)?)
        }
        (Source::Archive(path), false) => Some(SourceWatcher::new(path, ListingFilter::default(), changed)?),
        _ => None,
    };
    // One token for all publishes, so that a signal during a publish is not lost.
    let cancel = interrupt::token()?;
    let preview = Preview {
        common: &common,
        reading: &arguments.source.reading,
        configuration: &configuration,
        context: &context,
        site: &site,
        cancel: &cancel,
    };
    let mut explains_folders = !arguments.website;
    while !cancel.is_cancelled() {
        preview.publish(&source, arguments.source.release.as_deref()).await?;
        if explains_folders && let Some(folder) = folder_without_index(emulator, &site) {
            warn(format!(
                "`/{folder}` is an error: behind CloudFront, only `/` of a private bucket has an index document; \
                 configure `[site.edge]`, or preview a website endpoint with `--website`"
            ));
            explains_folders = false;
        }
        tokio::select! {
            () = cancel.cancelled() => {}
            change = changes.recv() => match (change, &mut watcher) {
                (Some(()), Some(watcher)) => watcher.renew(),
                _ => cancel.cancelled().await,
            },
        }
    }
    Ok(ExitStatus::Success)
}

/// The site with a distribution, which a preview needs.
fn with_distribution(site: &Site) -> Result<Site, CliError> {
    let mut site = site.clone();
    if site.cdn.is_empty() {
        let prefix = site.target.prefix.as_str().trim_end_matches('/');
        let path = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        site.cdn.push(DistributionConfig::new(
            DistributionId::try_from(PREVIEW_DISTRIBUTION.to_owned()).map_err(CliError::system)?,
            OriginPath::try_from(path).map_err(CliError::system)?,
        ));
    }
    Ok(site)
}

/// What stays the same over all publishes of a preview.
struct Preview<'a> {
    common: &'a CommonArguments,
    reading: &'a ReadArguments,
    configuration: &'a Configuration,
    context: &'a AwsContext,
    site: &'a Site,
    /// Ends the preview.
    cancel: &'a CancellationToken,
}

impl Preview<'_> {
    /// Publishes the source and prints the report or the error. After an error, such as for a half-written build, the
    /// preview keeps serving the last state.
    async fn publish(&self, source: &Source, release: Option<&str>) -> Result<(), CliError> {
        let request = publish_request(self.site, source, release, "watch");
        let mut publisher = self.context.publisher(self.common, &self.configuration.directory)?;
        publisher.cancel = self.cancel.clone();
        let mut site = self.site.clone();
        self.reading.apply(&mut publisher, &mut site);
        let report = publisher.publish(&request, &site, Approval::Policies, None, |_| ()).await;
        drop(publisher);
        match report {
            Ok(report) => print_report(self.common, &report),
            Err(PublishError::Interrupted) => Ok(()),
            Err(error) => {
                print_error(&CliError::from(error), self.common.json);
                Ok(())
            }
        }
    }
}

/// Makes the distribution of a preview what visitors of the site would have.
fn prepare_distribution(emulator: &LocalAccount, site: &Site, website: bool) -> Result<(), CliError> {
    let access = if website { OriginAccess::Website } else { OriginAccess::Control };
    emulator.set_origin_access(site, access)
}

/// A folder of the site whose index document no visitor gets by the folder's address.
fn folder_without_index(emulator: &LocalAccount, site: &Site) -> Option<String> {
    if site.edge.is_some() {
        return None;
    }
    let cdn = site.cdn.first()?;
    let distribution = emulator.account.cloudfront().distribution(cdn.distribution.as_str()).ok()?;
    if distribution.served().viewer_request.is_some() {
        return None;
    }
    let target = &site.target;
    let objects = emulator.account.s3().list(target.bucket.as_str(), target.prefix.as_str()).ok()?;
    let visible = cdn.visible_prefix(target);
    objects.iter().find_map(|(key, _)| {
        let path = key.strip_prefix(target.prefix.as_str())?;
        path.strip_suffix("/index.html").map(|folder| format!("{visible}{folder}/"))
    })
}

async fn serve_preview(emulator: &LocalAccount, site: &Site, address: SocketAddr) -> Result<(), CliError> {
    let account = &emulator.account;
    let Some(cdn) = site.cdn.first() else { return Ok(()) };
    let router = tidegate_emulator::preview::router(account.cloudfront(), account.s3(), cdn.distribution.as_str())
        .map_err(CliError::system)?;
    let (listener, address) = listen(address, "--listen").await?;
    let path = cdn.visible_prefix(&site.target);
    errln!("preview of `{}` through `{}`: http://{address}/{path}", site.name, cdn.distribution);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

async fn serve_aws(emulator: &LocalAccount, address: SocketAddr) -> Result<(), CliError> {
    let (listener, address) = listen(address, "--listen-aws").await?;
    errln!("local AWS emulator: http://{address}");
    let account = emulator.account.clone();
    tokio::spawn(account.serve(listener, std::future::pending()));
    Ok(())
}

/// Listens on an address; returns the address with the port that the system chose for port 0.
pub(crate) async fn listen(address: SocketAddr, option: &'static str) -> Result<(TcpListener, SocketAddr), CliError> {
    let failed = |error| CliError::Listen { address, error, option };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
