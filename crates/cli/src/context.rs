//! What a command works with: a connection, an engine, and somebody who shows how it goes.
//!
//! Owns how options become those. The one place that reads the environment, through the AWS SDK's own chain.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region};
use directories::ProjectDirs;
use tidegate_core::config::Site;
use tidegate_core::location::Source;
use tidegate_core::request::PublishRequest;
use tidegate_core::timestamp::Timestamp;
use tidegate_host::{CodeCache, Engine};
use tidegate_publish::progress::ProgressObserver;
use tidegate_publish::publish::Publisher;
use tidegate_publish::{ComponentLoader, Connection, PluginLoader};

use crate::arguments::CommonArguments;
use crate::bundled::PluginFiles;
use crate::emulator::LocalAccount;
use crate::error::CliError;
use crate::progress::TerminalProgress;

/// Where requests go where nothing names a region. S3 answers with the right one, and the SDK's chain comes first.
const REGION: &str = "us-east-1";

/// A connection as the options say, and the stand-in where it leads there.
pub(crate) struct AwsContext {
    pub(crate) connection: Connection,
    pub(crate) embedded: Option<LocalAccount>,
    /// Whether somebody said which region; where nobody did, it is [`REGION`].
    pub(crate) region_named: bool,
}

impl AwsContext {
    pub(crate) async fn open(common: &CommonArguments) -> Result<Self, CliError> {
        if let Some(directory) = &common.local {
            let embedded = LocalAccount::open(directory)?;
            return Ok(Self { connection: embedded.connection(), embedded: Some(embedded), region_named: true });
        }
        let mut loader = Connection::defaults();
        if let Some(url) = &common.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let config = loader.load().await;
        let region_named = config.region().is_some();
        let config = match config.region() {
            Some(_) => config,
            None => config.into_builder().region(Region::from_static(REGION)).build(),
        };
        let path_style = common.endpoint_url.is_some() || config.endpoint_url().is_some();
        Ok(Self { connection: Connection::new(config, path_style), embedded: None, region_named })
    }

    /// A connection that reaches nothing, for commands that ask AWS nothing.
    pub(crate) fn offline() -> Connection {
        let config = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .build();
        Connection::new(config, false)
    }

    /// The site as this session can publish it: the stand-in has its own account and makes what is missing.
    pub(crate) async fn site(&self, site: &Site, source: Option<&Source>) -> Result<Site, CliError> {
        match &self.embedded {
            Some(embedded) => embedded.prepare(site, source).await,
            None => Ok(site.clone()),
        }
    }

    pub(crate) fn publisher(&self, common: &CommonArguments, directory: &Path) -> Result<Publisher, CliError> {
        let observer: Arc<dyn ProgressObserver> = Arc::new(TerminalProgress::new(common.json));
        Ok(Publisher::new(self.connection.clone(), PluginLoader::Components(components(directory)?), observer))
    }
}

/// An engine, compiled code from earlier runs, and components.
pub(crate) fn components(directory: &Path) -> Result<ComponentLoader, CliError> {
    let engine = Engine::new().map_err(|error| CliError::System(error.to_string()))?;
    let cache = ProjectDirs::from("", "", "tidegate").map(|places| CodeCache::new(&places.cache_dir().join("plugins")));
    Ok(ComponentLoader { engine, cache, library: Arc::new(PluginFiles { directory: PathBuf::from(directory) }) })
}

/// This moment.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_milliseconds(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A request of this moment.
pub(crate) fn request(site: &str, source: &Source, release: Option<&str>, cause: &str) -> PublishRequest {
    PublishRequest {
        site: site.to_owned(),
        release: release.map_or_else(|| source.to_string(), str::to_owned),
        source: source.clone(),
        instant: now().milliseconds(),
        cause: cause.to_owned(),
        revision: None,
    }
}

/// What callers of the local server must send as `Authorization`, under the name that the SDKs read it from; anybody on this
/// machine may ask where there is none. A secret, so never an argument: others can read those.
pub(crate) fn container_token() -> Option<String> {
    std::env::var("AWS_CONTAINER_AUTHORIZATION_TOKEN").ok().filter(|token| !token.is_empty())
}
