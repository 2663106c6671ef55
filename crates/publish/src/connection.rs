//! A connection to AWS: the region, endpoint, HTTP client and credentials that the clients of all services share. Entry
//! points read the environment and pass an `SdkConfig`.

mod remembered;
mod time_limits;

use std::sync::Arc;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use tidegate_core::config::BucketOwners;

use remembered::RememberedCredentials;
pub(crate) use time_limits::NoResponse;
use time_limits::{LimitedClient, TimeLimits};

/// Attempts of one request, including the first. More than the SDK's 3, because a large publish is often throttled.
const ATTEMPTS: u32 = 6;

/// How long before its end a session is replaced. A request that was signed before must still arrive in time, and a
/// large body may take a while.
const EXPIRY_MARGIN: Duration = Duration::from_secs(300);

/// How long loading credentials may take, including retries.
const LOAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How clients reach AWS.
#[derive(Debug, Clone)]
pub struct Connection {
    config: SdkConfig,
    path_style: bool,
    owners: Arc<BucketOwners>,
}

impl Connection {
    /// A connection with a loaded configuration. `path_style` addresses buckets as `endpoint/bucket`, which servers
    /// other than AWS need.
    #[must_use]
    pub fn new(config: SdkConfig, path_style: bool) -> Self {
        let config = match config.credentials_provider() {
            Some(provider) => config.to_builder().credentials_provider(Self::remembered(provider)).build(),
            None => config,
        };
        Self { config, path_style, owners: Arc::default() }
    }

    /// The defaults of every entry point: retries, timeouts, and an HTTPS client with the platform's root certificates.
    #[must_use]
    pub fn defaults() -> ConfigLoader {
        Self::loader(TimeLimits::DEFAULT)
    }

    fn loader(limits: TimeLimits) -> ConfigLoader {
        let stalls = StalledStreamProtectionConfig::enabled()
            .upload_enabled(true)
            .download_enabled(true)
            .grace_period(limits.stall);
        aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(TimeoutConfig::builder().connect_timeout(limits.connect).build())
            .stalled_stream_protection(stalls.build())
            .http_client(LimitedClient::shared(Self::https(), limits))
    }

    /// An HTTPS client.
    #[must_use]
    pub fn https() -> SharedHttpClient {
        Builder::new().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring)).build_https()
    }

    /// The same connection with other credentials. The provider is called again before they expire.
    #[must_use]
    pub fn with_provider(&self, provider: impl ProvideCredentials + 'static) -> Self {
        let cache = IdentityCache::lazy().buffer_time(EXPIRY_MARGIN).load_timeout(LOAD_TIMEOUT).build();
        let config = self
            .config
            .to_builder()
            .credentials_provider(Self::remembered(SharedCredentialsProvider::new(provider)))
            .identity_cache(cache)
            .build();
        Self { config, ..self.clone() }
    }

    /// A provider that loads credentials once, and again shortly before they expire.
    #[must_use]
    pub fn remembered(provider: SharedCredentialsProvider) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(RememberedCredentials::new(provider))
    }

    /// Whether the credentials are temporary; `None` if there are none.
    pub async fn is_temporary(&self) -> Option<bool> {
        self.credentials().await.map(|credentials| credentials.session_token().is_some())
    }

    /// When the credentials expire, if they do and the provider knows it.
    pub(crate) async fn expiry(&self) -> Option<std::time::SystemTime> {
        self.credentials().await?.expiry()
    }

    async fn credentials(&self) -> Option<Credentials> {
        self.config.credentials_provider()?.provide_credentials().await.ok()
    }

    /// The same connection, whose S3 requests expect these owners of buckets.
    #[must_use]
    pub fn with_owners(&self, owners: BucketOwners) -> Self {
        Self { owners: Arc::new(owners), ..self.clone() }
    }

    /// The expected owners of buckets.
    pub(crate) fn owners(&self) -> &Arc<BucketOwners> {
        &self.owners
    }

    /// The region that requests go to; empty if none is configured.
    #[must_use]
    pub fn region(&self) -> String {
        self.config.region().map(ToString::to_string).unwrap_or_default()
    }

    /// The configuration of clients.
    #[must_use]
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Whether buckets are addressed as `endpoint/bucket`.
    #[must_use]
    pub fn path_style(&self) -> bool {
        self.path_style
    }
}
