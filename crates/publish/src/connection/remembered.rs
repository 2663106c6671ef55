//! Credentials that are loaded once and used by every client. The SDK's cache serves requests only; whether credentials
//! are temporary and when they expire is asked beside it, and loading them can run a program or a request.

use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::Mutex;

use super::EXPIRY_MARGIN;

/// How long credentials without an expiry are used, as in the SDK's cache.
const WITHOUT_EXPIRY: Duration = Duration::from_secs(900);

/// A provider that remembers its last credentials until shortly before they expire.
#[derive(Debug)]
pub(super) struct RememberedCredentials {
    provider: SharedCredentialsProvider,
    last: Mutex<Option<(Credentials, Instant)>>,
}

impl RememberedCredentials {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, last: Mutex::default() }
    }

    async fn load(&self) -> Result<Credentials, CredentialsError> {
        // Held while loading, so that concurrent callers load once.
        let mut last = self.last.lock().await;
        if let Some((credentials, loaded)) = last.as_ref()
            && is_fresh(credentials, *loaded)
        {
            return Ok(credentials.clone());
        }
        let credentials = self.provider.provide_credentials().await?;
        *last = Some((credentials.clone(), Instant::now()));
        Ok(credentials)
    }
}

impl ProvideCredentials for RememberedCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

fn is_fresh(credentials: &Credentials, loaded: Instant) -> bool {
    match credentials.expiry() {
        Some(end) => end.duration_since(SystemTime::now()).is_ok_and(|left| left > EXPIRY_MARGIN),
        None => loaded.elapsed() < WITHOUT_EXPIRY,
    }
}
