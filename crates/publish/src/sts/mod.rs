//! STS requests: role sessions that renew themselves, and the identity of the caller. Nothing else in this crate names
//! the STS SDK.

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

/// How long a session of a run lasts. A chained session lasts at most one hour, and a session that is assumed by the
/// role of the Lambda function is chained. Source: IAM user guide, "Roles terms and concepts", role chaining.
const SESSION_DURATION: Duration = Duration::from_secs(3600);

/// An STS client.
#[derive(Debug, Clone)]
pub struct Sts {
    client: Client,
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

/// Provides credentials of one role. Each session replaces the one before.
#[derive(Debug)]
struct RoleSession {
    sts: Sts,
    role: RoleArn,
    name: String,
    policy: String,
    /// The first session. It is created before the provider is used, so that a role that cannot be assumed is reported
    /// as such.
    first: Mutex<Option<Credentials>>,
}

impl RoleSession {
    async fn next(&self) -> Result<Credentials, CredentialsError> {
        if let Some(first) = self.first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Ok(first);
        }
        tracing::info!(role = self.role.as_str(), "the session expires soon; creating the next one");
        self.sts.assume(&self.role, &self.name, &self.policy).await.map_err(CredentialsError::provider_error)
    }
}

impl ProvideCredentials for RoleSession {
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
        Self { client: Client::new(connection.config()) }
    }

    /// Credentials of `role`, restricted to what `policy` allows, for one hour.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn assume(&self, role: &RoleArn, session: &str, policy: &str) -> Result<Credentials, AwsError> {
        self.assume_for(role, session, policy, SESSION_DURATION).await
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
        let credentials = output
            .credentials
            .ok_or_else(|| AwsError::malformed("AssumeRole", role.as_str(), "the response has no credentials"))?;
        let expires = SystemTime::try_from(credentials.expiration).ok();
        Ok(Credentials::new(
            credentials.access_key_id,
            credentials.secret_access_key,
            Some(credentials.session_token),
            expires,
            "tidegate session",
        ))
    }

    /// A connection as `role`, restricted to what `policy` allows. Its sessions are renewed for as long as it is used.
    ///
    /// # Errors
    /// [`AwsError`] if the role cannot be assumed.
    pub async fn session(
        &self,
        connection: &Connection,
        role: &RoleArn,
        name: &str,
        policy: &str,
    ) -> Result<Connection, AwsError> {
        let first = Mutex::new(Some(self.assume(role, name, policy).await?));
        let session = RoleSession {
            sts: self.clone(),
            role: role.clone(),
            name: name.to_owned(),
            policy: policy.to_owned(),
            first,
        };
        Ok(connection.with_provider(session))
    }

    /// The identity of the caller.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn caller(&self) -> Result<StsCaller, AwsError> {
        let output = self.client.get_caller_identity().send().await;
        let output = output.map_err(|error| AwsError::new("GetCallerIdentity", "the caller", &error))?;
        match (output.account, output.arn, output.user_id) {
            (Some(account), Some(arn), Some(user_id)) => Ok(StsCaller { account, arn, user_id }),
            _ => Err(AwsError::malformed("GetCallerIdentity", "the caller", "the response has no identity")),
        }
    }
}
