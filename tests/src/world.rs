//! One account of the stand-in, the publisher in front of it, and whatever a test lets go wrong between the two.

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
use tidegate_publish::progress::NoProgress;
use tidegate_publish::publish::{PlannedPublish, PublishError, Publisher};

use crate::fault::{ApiCall, Faults, InjectedFault};
use crate::parameter_store::ParameterStore;
use crate::plugins::plugin_loader;
use crate::recorder::Recorder;
use crate::secrets_manager::SecretsManager;
use crate::site::SiteState;
use crate::source::{STAGING, Sources};

/// The bucket that sites are published to.
pub const BUCKET: &str = "site";

/// The distribution that shows that bucket.
pub const DISTRIBUTION: &str = "E2EXAMPLE";

/// The instant of every run, so that plans are the same in every run.
pub const INSTANT: u64 = 1_750_000_000_000;

type Script = Box<dyn Fn(&ApiCall) -> Option<InjectedFault> + Send + Sync>;

/// The world of one test.
pub struct World {
    /// The account.
    pub account: LocalAws,
    /// Its secrets.
    pub secrets: SecretsManager,
    /// Its parameters.
    pub parameters: ParameterStore,
    /// What passed between publisher and account.
    pub faults: Faults,
    /// Who signed it.
    pub recorder: Recorder,
    trouble: Arc<Mutex<Option<Script>>>,
    directory: TempDir,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("faults", &self.faults).finish_non_exhaustive()
    }
}

/// One publish that can be repeated: a site's configuration, a source and who asks.
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
    /// An account with an empty site and an empty staging bucket. Parts may be as small as a test likes.
    pub async fn new() -> Self {
        let account = LocalAws::in_memory().unwrap();
        account.s3().create_bucket(BUCKET).await.unwrap();
        account.s3().create_bucket(STAGING).await.unwrap();
        account.s3().set_limits(StoreLimits { smallest_part: 1, ..StoreLimits::default() });
        let origin = S3Origin { bucket: BUCKET.to_owned(), path: String::new() };
        account.cloudfront().create_distribution(DISTRIBUTION, origin, Some("index.html")).unwrap();
        let trouble: Arc<Mutex<Option<Script>>> = Arc::default();
        let asked = Arc::clone(&trouble);
        let faults = Faults::new(move |call| {
            asked.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|script| script(call))
        });
        Self {
            secrets: SecretsManager::add_to(&account),
            parameters: ParameterStore::add_to(&account),
            account,
            faults,
            recorder: Recorder::default(),
            trouble,
            directory: TempDir::new().unwrap(),
        }
    }

    /// From now on, `script` decides what goes wrong.
    pub fn trouble(&self, script: impl Fn(&ApiCall) -> Option<InjectedFault> + Send + Sync + 'static) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(script));
    }

    /// From now on, nothing goes wrong.
    pub fn peace(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Forgets what passed so far.
    pub fn forget(&self) {
        self.faults.forget();
        self.recorder.forget();
    }

    /// A directory of this test.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A client of the account's root, to which nothing happens and which leaves no trace.
    #[must_use]
    pub fn client(&self) -> Client {
        let config = configuration(self.account.http_client(), self.account.root_credentials(), 1);
        let config = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(true)
            .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
            .build();
        Client::from_conf(config)
    }

    /// A publisher with some credentials, whose requests are tried `attempts` times at the most.
    #[must_use]
    pub fn publisher_with(&self, credentials: Credentials, attempts: u32) -> Publisher {
        let http = self.faults.wrap(self.recorder.wrap(self.account.http_client()));
        let connection = Connection::new(configuration(http, credentials, attempts), true);
        Publisher::new(connection, plugin_loader(), Arc::new(NoProgress))
    }

    /// A publisher with the root's credentials to which other things happen than to all others.
    #[must_use]
    pub fn publisher_through(&self, faults: &Faults) -> Publisher {
        let http = faults.wrap(self.account.http_client());
        let connection = Connection::new(configuration(http, self.account.root_credentials(), 1), true);
        Publisher::new(connection, plugin_loader(), Arc::new(NoProgress))
    }

    /// A publisher with the root's credentials, which tries every request once: whatever goes wrong is seen.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        self.publisher_with(self.account.root_credentials(), 1)
    }

    /// Puts objects into the site's bucket.
    pub async fn seed(&self, site: &SiteState) {
        site.seed(&self.client(), BUCKET).await;
    }

    /// What the site's bucket holds.
    pub async fn site(&self) -> SiteState {
        SiteState::of(&self.account, BUCKET).await
    }

    /// Lays a source out.
    pub async fn lay(&self, sources: &Sources) -> Source {
        sources.lay(self.directory(), &self.client()).await
    }

    /// A publish of a source, as the first site of a configuration says.
    pub async fn publish(&self, configuration: &str, sources: &Sources) -> Publish {
        let source = self.lay(sources).await;
        Publish { publisher: self.publisher(), site: site(configuration), request: request(source) }
    }
}

impl Publish {
    /// Makes the plan.
    ///
    /// # Errors
    /// The publisher's.
    pub async fn plan(&self) -> Result<PlannedPublish, PublishError> {
        self.publisher.plan(&self.request, &self.site, Trace::Off).await
    }

    /// Carries a plan out, if its policies approve it.
    pub async fn apply(&self, planned: PlannedPublish) -> PublishReport {
        self.publisher.apply(planned, &self.request, &self.site, Approval::Policies).await
    }

    /// Claims the site, plans and carries the plan out, as entries do.
    ///
    /// # Errors
    /// The publisher's.
    pub async fn go(&self) -> Result<PublishReport, PublishError> {
        self.publisher.publish(&self.request, &self.site, Approval::Policies, None, |_| ()).await
    }

    /// Publishes a saved plan, and only that.
    ///
    /// # Errors
    /// The publisher's.
    pub async fn saved(&self, plan: &Plan, approval: Approval) -> Result<PublishReport, PublishError> {
        self.publisher.publish(&self.request, &self.site, approval, Some(plan), |_| ()).await
    }

    /// Both; the plan must come about.
    pub async fn run(&self) -> PublishReport {
        let planned = self.plan().await.unwrap_or_else(|error| panic!("no plan: {error}"));
        self.apply(planned).await
    }

    /// Makes a plan and says that nothing is left to do.
    pub async fn assert_converged(&self) {
        let planned = self.plan().await.unwrap();
        assert!(planned.plan.is_empty(), "something is left to do: {:#?}", planned.plan.operations);
    }
}

/// The first site of a configuration.
#[must_use]
pub fn site(configuration: &str) -> Site {
    Config::parse(configuration).unwrap().sites.into_iter().next().unwrap()
}

/// A request to publish a source.
#[must_use]
pub fn request(source: Source) -> PublishRequest {
    PublishRequest {
        site: "docs".to_owned(),
        release: "r1".to_owned(),
        source,
        instant: INSTANT,
        cause: "test".to_owned(),
        revision: None,
    }
}

/// What an entry would have loaded.
#[must_use]
pub fn configuration(http: SharedHttpClient, credentials: Credentials, attempts: u32) -> SdkConfig {
    SdkConfig::builder()
        // How fast a busy machine digests in a debug build is not what is tested.
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
