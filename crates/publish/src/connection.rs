//! A connection to AWS: region, endpoint, HTTP client and credentials that the clients of all services share.
//!
//! Owns how clients are configured. Never reads an environment: entries do, and hand over an `SdkConfig`.

use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

/// Attempts of one request, the first included. Throttling during a large publish is ordinary, so more than the SDK's 3.
const ATTEMPTS: u32 = 6;

/// How long one connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long before its end a session is not used any more: a request that was signed just before it must still arrive, and
/// a large body may take a while.
const MARGIN: Duration = Duration::from_secs(300);

/// How long getting the next session may take, with its retries.
const LOAD: Duration = Duration::from_secs(60);

/// How clients reach AWS.
#[derive(Debug, Clone)]
pub struct Connection {
    config: SdkConfig,
    path_style: bool,
}

impl Connection {
    /// Takes what an entry loaded. `path_style` addresses buckets as `endpoint/bucket`, which servers other than AWS
    /// need.
    #[must_use]
    pub fn new(config: SdkConfig, path_style: bool) -> Self {
        Self { config, path_style }
    }

    /// The defaults that every entry starts from: retries, timeouts and an HTTPS client with the platform's roots.
    #[must_use]
    pub fn defaults() -> aws_config::ConfigLoader {
        aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build())
            .http_client(Self::https())
    }

    /// An HTTPS client.
    #[must_use]
    pub fn https() -> SharedHttpClient {
        Builder::new().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring)).build_https()
    }

    /// The same connection with other credentials, whose provider is asked again before they end.
    #[must_use]
    pub fn with_provider(&self, provider: impl ProvideCredentials + 'static) -> Self {
        let cache = IdentityCache::lazy().buffer_time(MARGIN).load_timeout(LOAD).build();
        let config = self
            .config
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(provider))
            .identity_cache(cache)
            .build();
        Self { config, path_style: self.path_style }
    }

    /// The region that requests go to; empty where nothing named one.
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
