//! What commands share: the AWS connection, the plugin loader, the publisher and publish requests.
//!
//! Only this file and `aws_settings` read the environment.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region};
use directories::ProjectDirs;
use tidegate_core::config::Site;
use tidegate_core::location::Source;
use tidegate_core::request::PublishRequest;
use tidegate_core::timestamp::Timestamp;
use tidegate_host::{CodeCache, CompilerProcess, Engine};
use tidegate_publish::progress::ProgressObserver;
use tidegate_publish::publish::Publisher;
use tidegate_publish::{ComponentLoader, Connection, PluginFiles, PluginLoader};

use crate::arguments::CommonArguments;
use crate::aws_settings;
use crate::emulator::LocalAccount;
use crate::error::CliError;
use crate::progress::TerminalProgress;

/// The region if none is configured. S3 answers with the bucket's region if it is another one.
const REGION: &str = "us-east-1";

/// The AWS connection that the global options select.
pub(crate) struct AwsContext {
    pub(crate) connection: Connection,
    /// The local emulator, with `--local`.
    pub(crate) emulator: Option<LocalAccount>,
    /// Whether a region is configured; otherwise it is [`REGION`].
    pub(crate) region_configured: bool,
}

impl AwsContext {
    pub(crate) async fn open(common: &CommonArguments) -> Result<Self, CliError> {
        if let Some(directory) = &common.local {
            let emulator = LocalAccount::open(directory)?;
            return Ok(Self { connection: emulator.connection(), emulator: Some(emulator), region_configured: true });
        }
        let config = aws_settings::load(common).await?;
        let region_configured = config.region().is_some();
        let config = match config.region() {
            Some(_) => config,
            None => config.into_builder().region(Region::from_static(REGION)).build(),
        };
        let path_style = common.endpoint_url.is_some() || config.endpoint_url().is_some();
        Ok(Self { connection: Connection::new(config, path_style), emulator: None, region_configured })
    }

    /// A connection without credentials, for commands that send no request.
    pub(crate) fn offline() -> Connection {
        let config = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .build();
        Connection::new(config, false)
    }

    /// The site to publish. With the emulator, creates what the site needs and adapts its role.
    pub(crate) async fn site(&self, site: &Site, source: Option<&Source>) -> Result<Site, CliError> {
        match &self.emulator {
            Some(emulator) => emulator.prepare(site, source).await,
            None => Ok(site.clone()),
        }
    }

    /// A publisher with the plugins of a configuration in `directory`.
    pub(crate) fn publisher(&self, common: &CommonArguments, directory: &Path) -> Result<Publisher, CliError> {
        let observer: Arc<dyn ProgressObserver> = Arc::new(TerminalProgress::new(common.json));
        let plugins = PluginLoader::Components(component_loader(directory)?);
        Ok(Publisher::new(self.connection.clone(), plugins, observer))
    }
}

/// Loads the bundled plugins and those in files relative to `directory`, with a cache of compiled code.
pub(crate) fn component_loader(directory: &Path) -> Result<ComponentLoader, CliError> {
    let compiler = CompilerProcess::new().map_err(CliError::system)?;
    let engine = Engine::new().map_err(CliError::system)?.with_compiler(compiler);
    let cache = ProjectDirs::from("", "", "tidegate").map(|dirs| CodeCache::new(&dirs.cache_dir().join("plugins")));
    let bundled = tidegate_bundled_plugins::PLUGINS.iter().map(|plugin| (plugin.name, plugin.bytes)).collect();
    let omitted = tidegate_bundled_plugins::OMITTED;
    let files = PluginFiles { bundled, omitted, directory: directory.to_owned() };
    Ok(ComponentLoader { engine, cache, files })
}

/// The current time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_milliseconds(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A request to publish a source now. Without a name, the release is named after the source.
pub(crate) fn publish_request(site: &Site, source: &Source, release: Option<&str>, cause: &str) -> PublishRequest {
    PublishRequest {
        site: site.name.to_string(),
        release: release.map_or_else(|| source.to_string(), str::to_owned).into(),
        source: source.clone(),
        instant: now().milliseconds(),
        cause: cause.into(),
        revision: None,
    }
}

/// The `Authorization` that clients of the local credential server must send, under the name that the SDKs read it from.
/// Without one, the server creates it. It is a secret, so it is not an argument, which other users can
/// see.
pub(crate) fn container_token() -> Option<String> {
    std::env::var("AWS_CONTAINER_AUTHORIZATION_TOKEN").ok().filter(|token| !token.is_empty())
}
