//! An emulated AWS account with a publisher in front of it, and the faults that a test injects between the two.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use tempfile::TempDir;
use tidegate_core::approval::Approval;
use tidegate_core::config::{Config, Site};
use tidegate_core::location::Source;
use tidegate_core::plan::Plan;
use tidegate_core::report::PublishReport;
use tidegate_core::request::PublishRequest;
use tidegate_emulator::LocalAws;
use tidegate_emulator::cloudfront::S3Origin;
use tidegate_emulator::s3::StoreLimits;
use tidegate_host::sync::Trace;
use tidegate_publish::Connection;
use tidegate_publish::executions::Executions;
use tidegate_publish::progress::NoProgress;
use tidegate_publish::publish::{PlannedPublish, PublishError, Publisher};

use crate::fault::{ApiCall, Faults, InjectedFault};
use crate::parameter_store::ParameterStore;
use crate::plugins::plugin_loader;
use crate::recorder::Recorder;
use crate::secrets_manager::SecretsManager;
use crate::site::BucketContents;
use crate::source::{STAGING, Sources};

/// The bucket that sites are published to.
pub const BUCKET: &str = "site";

/// The distribution that serves that bucket.
pub const DISTRIBUTION: &str = "E2EXAMPLE";

/// The time of every run, in milliseconds since 1970. It is fixed so that plans are reproducible.
pub const INSTANT: u64 = 1_750_000_000_000;

type Script = Box<dyn Fn(&ApiCall) -> Option<InjectedFault> + Send + Sync>;

/// The environment of one test.
pub struct World {
    /// The account.
    pub account: LocalAws,
    /// The secrets of the account.
    pub secrets: SecretsManager,
    /// The parameters of the account.
    pub parameters: ParameterStore,
    /// Records the requests of all publishers, and injects faults into them.
    pub faults: Faults,
    /// Records which credentials signed each request.
    pub recorder: Recorder,
    script: Arc<Mutex<Option<Script>>>,
    directory: TempDir,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("faults", &self.faults).finish_non_exhaustive()
    }
}

/// One publish that can be repeated: a publisher, the configuration of a site, and a request.
pub struct Publish {
    /// The publisher.
    pub publisher: Publisher,
    /// The site.
    pub site: Site,
    /// The request.
    pub request: PublishRequest,
}

impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish").field("request", &self.request).finish_non_exhaustive()
    }
}

impl World {
    /// An account with an empty site and an empty staging bucket. Parts of uploads may have any size.
    pub async fn new() -> Self {
        let account = LocalAws::in_memory().unwrap();
        account.s3().create_bucket(BUCKET).await.unwrap();
        account.s3().create_bucket(STAGING).await.unwrap();
        account.s3().set_limits(StoreLimits { smallest_part: 1, ..StoreLimits::default() });
        let origin = S3Origin { bucket: BUCKET.to_owned(), path: String::new() };
        account.cloudfront().create_distribution(DISTRIBUTION, origin, Some("index.html")).unwrap();
        let script: Arc<Mutex<Option<Script>>> = Arc::default();
        let current = Arc::clone(&script);
        let faults = Faults::new(move |call| {
            current.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|script| script(call))
        });
        Self {
            secrets: SecretsManager::add_to(&account),
            parameters: ParameterStore::add_to(&account),
            account,
            faults,
            recorder: Recorder::default(),
            script,
            directory: TempDir::new().unwrap(),
        }
    }

    /// From now on, `script` selects the requests that fail, and how.
    pub fn inject_faults(&self, script: impl Fn(&ApiCall) -> Option<InjectedFault> + Send + Sync + 'static) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(script));
    }

    /// From now on, no request fails.
    pub fn stop_faults(&self) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Clears the recorded requests.
    pub fn clear_requests(&self) {
        self.faults.clear();
        self.recorder.clear();
    }

    /// The temporary directory of this test.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A client with the root's credentials. Its requests are neither recorded nor subject to faults.
    #[must_use]
    pub fn client(&self) -> Client {
        let config = configuration(self.account.http_client(), self.account.root_credentials(), 1);
        let config = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(true)
            .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
            .build();
        Client::from_conf(config)
    }

    /// A publisher with these credentials, which sends each request at most `attempts` times.
    #[must_use]
    pub fn publisher_with(&self, credentials: Credentials, attempts: u32) -> Publisher {
        let http = self.faults.wrap(self.recorder.wrap(self.account.http_client()));
        let connection = Connection::new(configuration(http, credentials, attempts), true);
        Publisher::new(connection, plugin_loader(), Arc::new(NoProgress))
    }

    /// A publisher with the root's credentials and its own faults, independent of [`Self::inject_faults`].
    #[must_use]
    pub fn publisher_through(&self, faults: &Faults) -> Publisher {
        let http = faults.wrap(self.account.http_client());
        let connection = Connection::new(configuration(http, self.account.root_credentials(), 1), true);
        Publisher::new(connection, plugin_loader(), Arc::new(NoProgress))
    }

    /// A publisher with the root's credentials and no retries, so that every injected fault takes effect.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        self.publisher_with(self.account.root_credentials(), 1)
    }

    /// Writes objects to the site's bucket.
    pub async fn seed(&self, site: &BucketContents) {
        site.seed(&self.client(), BUCKET).await;
    }

    /// The contents of the site's bucket.
    pub async fn site(&self) -> BucketContents {
        BucketContents::of(&self.account, BUCKET).await
    }

    /// Writes a source to where its kind says.
    pub async fn stage(&self, sources: &Sources) -> Source {
        sources.stage(self.directory(), &self.client()).await
    }

    /// Stages a source. Returns its publish to the first site of a configuration.
    pub async fn publish(&self, configuration: &str, sources: &Sources) -> Publish {
        let source = self.stage(sources).await;
        Publish { publisher: self.publisher(), site: site(configuration), request: request(source) }
    }
}

impl Publish {
    /// Plans, without a lock.
    ///
    /// # Errors
    /// The publisher's.
    pub async fn plan(&self) -> Result<PlannedPublish, PublishError> {
        self.publisher.plan(&self.request, &self.site, Trace::Off).await
    }

    /// Applies a plan, if its policies approve it.
    pub async fn apply(&self, planned: PlannedPublish) -> PublishReport {
        self.publisher.apply(planned, &self.request, &self.site, Approval::Policies).await
    }

    /// Locks the site, plans and applies, as the entry points do.
    ///
    /// # Errors
    /// The publisher's.
    pub async fn publish(&self) -> Result<PublishReport, PublishError> {
        self.publisher.publish(&self.request, &self.site, Approval::Policies, None, |_| ()).await
    }

    /// Applies a saved plan, as the entry points do.
    ///
    /// # Errors
    /// The publisher's.
    pub async fn publish_saved(&self, plan: &Plan, approval: Approval) -> Result<PublishReport, PublishError> {
        self.publisher.publish(&self.request, &self.site, approval, Some(plan), |_| ()).await
    }

    /// Plans and applies, without a lock. Panics if there is no plan.
    pub async fn run(&self) -> PublishReport {
        let planned = self.plan().await.unwrap_or_else(|error| panic!("planning failed: {error}"));
        self.apply(planned).await
    }

    /// Checks that a new plan is empty.
    pub async fn assert_converged(&self) {
        let planned = self.plan().await.unwrap();
        assert!(planned.plan.is_empty(), "the site is not up to date: {:#?}", planned.plan.operations);
    }
}

/// The first site of a configuration.
#[must_use]
pub fn site(configuration: &str) -> Site {
    Config::parse(configuration).unwrap().sites.into_iter().next().unwrap()
}

/// A request to publish a source to the site `docs`.
#[must_use]
pub fn request(source: Source) -> PublishRequest {
    PublishRequest {
        site: "docs".to_owned(),
        release: "r1".into(),
        source,
        instant: INSTANT,
        cause: "test".into(),
        revision: None,
    }
}

/// The SDK configuration that an entry point would load.
#[must_use]
pub fn configuration(http: SharedHttpClient, credentials: Credentials, attempts: u32) -> SdkConfig {
    SdkConfig::builder()
        // A debug build on a busy machine may process a stream more slowly than the SDK expects.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http)
        .retry_config(
            RetryConfig::standard().with_max_attempts(attempts).with_initial_backoff(Duration::from_millis(1)),
        )
        .build()
}

/// Executions of an account that has none and cannot be asked, for leases of other runs.
#[must_use]
pub fn no_executions() -> Executions {
    let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
    Executions::new(&Connection::new(config, false))
}
