//! STS requests: sessions that renew themselves, and the identity of the caller. Nothing else in this crate names the STS
//! SDK.

mod scoped;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_sts::Client;
use tidegate_core::config::RoleArn;
use tidegate_core::iam_name::{MAX_NAME, fitted};

use crate::aws_error::AwsError;
use crate::connection::Connection;
use scoped::ScopedRequest;

/// How long a session of a run lasts. A chained session lasts at most one hour, and a session that is assumed by the
/// role of the Lambda function is chained. Source: IAM user guide, "Roles terms and concepts", role chaining.
const SESSION_DURATION: Duration = Duration::from_secs(3600);

/// How much longer than a session the caller's credentials must last: the clocks of this machine and of STS differ.
const EXPIRY_TOLERANCE: Duration = Duration::from_secs(300);

/// What errors about the caller's own credentials name.
const CALLER: &str = "the caller";

/// An STS client.
#[derive(Debug, Clone)]
pub struct Sts {
    client: Client,
    connection: Connection,
}

/// The identity of the caller.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StsCaller {
    /// The account id, 12 digits.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
    /// The caller's unique id in IAM.
    pub user_id: String,
}

impl StsCaller {
    /// Whether these are the account's root credentials, which no policy can restrict.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.arn.ends_with(":root")
    }
}

/// Temporary credentials to ask for.
#[derive(Debug, Clone)]
pub enum SessionRequest {
    /// A session of a role, restricted to what `policy` allows.
    Role {
        /// The role.
        role: RoleArn,
        /// The name of the session.
        name: String,
        /// The session policy.
        policy: String,
    },
    /// The caller's own session, restricted to what `policy` allows. The caller's credentials must be temporary.
    Scoped {
        /// What CloudTrail records, 2 to 256 characters.
        description: String,
        /// The scope down policy.
        policy: String,
    },
    /// A session of the user that the caller's access key belongs to, with the same permissions.
    User,
}

/// Provides credentials. Each session replaces the one before.
#[derive(Debug)]
struct RenewedSession {
    sts: Sts,
    request: SessionRequest,
    /// The first session. It is created before the provider is used, so that an error is reported as that of STS.
    first: Mutex<Option<Credentials>>,
}

impl RenewedSession {
    async fn next(&self) -> Result<Credentials, CredentialsError> {
        if let Some(first) = self.first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Ok(first);
        }
        tracing::info!("the session expires soon; creating the next one");
        self.sts.create(&self.request).await.map_err(CredentialsError::provider_error)
    }
}

impl ProvideCredentials for RenewedSession {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.next())
    }
}

impl Sts {
    /// Creates a client.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()), connection: connection.clone() }
    }

    /// Temporary credentials.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn create(&self, request: &SessionRequest) -> Result<Credentials, AwsError> {
        match request {
            SessionRequest::Role { role, name, policy } => self.assume_for(role, name, policy, SESSION_DURATION).await,
            SessionRequest::Scoped { description, policy } => self.scope(policy, description).await,
            SessionRequest::User => self.session_token().await,
        }
    }

    /// Credentials of `role`, restricted to what `policy` allows, for `duration`.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn assume_for(
        &self,
        role: &RoleArn,
        session: &str,
        policy: &str,
        duration: Duration,
    ) -> Result<Credentials, AwsError> {
        let output = self
            .client
            .assume_role()
            .role_arn(role.as_str())
            .role_session_name(fitted(session, MAX_NAME))
            .policy(policy)
            .duration_seconds(i32::try_from(duration.as_secs()).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| AwsError::new("AssumeRole", role.as_str(), &error))?;
        session_credentials("AssumeRole", role.as_str(), output.credentials)
    }

    async fn scope(&self, policy: &str, description: &str) -> Result<Credentials, AwsError> {
        let call = "GetScopedCredentials";
        let Some(http) = self.connection.config().http_client() else {
            return Err(AwsError::malformed(call, CALLER, "the connection has no HTTP client"));
        };
        // Without a duration the credentials last as long as the caller's, which can be 36 hours.
        let left = self.connection.expiry().await.and_then(|end| end.duration_since(SystemTime::now()).ok());
        let duration =
            left.filter(|left| *left > SESSION_DURATION + EXPIRY_TOLERANCE).map(|_| SESSION_DURATION.as_secs());
        let output = ScopedRequest { policy, description, duration }.send(&self.client, http).await;
        let output = output.map_err(|error| AwsError::new(call, CALLER, &error))?;
        session_credentials(call, CALLER, output.credentials)
    }

    async fn session_token(&self) -> Result<Credentials, AwsError> {
        let output = self.client.get_session_token().send().await;
        let output = output.map_err(|error| AwsError::new("GetSessionToken", CALLER, &error))?;
        session_credentials("GetSessionToken", CALLER, output.credentials)
    }

    /// A connection with temporary credentials. They are renewed for as long as it is used.
    ///
    /// # Errors
    /// [`AwsError`] if STS does not provide them.
    pub async fn session(&self, request: SessionRequest) -> Result<Connection, AwsError> {
        let first = Mutex::new(Some(self.create(&request).await?));
        Ok(self.connection.with_provider(RenewedSession { sts: self.clone(), request, first }))
    }

    /// The identity of the caller.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn caller(&self) -> Result<StsCaller, AwsError> {
        let output = self.client.get_caller_identity().send().await;
        let output = output.map_err(|error| AwsError::new("GetCallerIdentity", CALLER, &error))?;
        match (output.account, output.arn, output.user_id) {
            (Some(account), Some(arn), Some(user_id)) => Ok(StsCaller { account, arn, user_id }),
            _ => Err(AwsError::malformed("GetCallerIdentity", CALLER, "the response has no identity")),
        }
    }
}

fn session_credentials(
    call: &'static str,
    subject: &str,
    credentials: Option<aws_sdk_sts::types::Credentials>,
) -> Result<Credentials, AwsError> {
    let credentials =
        credentials.ok_or_else(|| AwsError::malformed(call, subject, "the response has no credentials"))?;
    let expires = SystemTime::try_from(credentials.expiration).ok();
    let (id, secret) = (credentials.access_key_id, credentials.secret_access_key);
    Ok(Credentials::new(id, secret, Some(credentials.session_token), expires, "tidegate session"))
}
