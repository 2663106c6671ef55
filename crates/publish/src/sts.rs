//! STS: the only place that names its SDK. Credentials for one purpose, and who the caller is.
//!
//! Owns the requests, and that credentials are made anew before they end. Never decides what credentials may do: policy
//! documents come from `tidegate-host`.

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

/// How long a session of a run lasts. A chained session lasts an hour at most: the Lambda's own role is one link of the
/// chain. Source: IAM user guide, "Roles terms and concepts", role chaining.
const DURATION: Duration = Duration::from_secs(3600);

/// A client of STS.
#[derive(Debug, Clone)]
pub struct Sts {
    client: Client,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StsCaller {
    /// 12 digits.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
    /// The caller's unique id.
    pub user_id: String,
}

impl StsCaller {
    /// Whether these are the account's root keys, which nobody can narrow.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.arn.ends_with(":root")
    }
}

/// The sessions of one role for one purpose, one after the other.
#[derive(Debug)]
struct RoleSession {
    sts: Sts,
    role: RoleArn,
    name: String,
    policy: String,
    /// Made before anything was asked for, so that a role that cannot be assumed is told as that.
    first: Mutex<Option<Credentials>>,
}

impl RoleSession {
    async fn next(&self) -> Result<Credentials, CredentialsError> {
        if let Some(first) = self.first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Ok(first);
        }
        tracing::info!(role = self.role.as_str(), "the session is about to end, another one follows");
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
    /// Makes a client.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()) }
    }

    /// Credentials of `role`, narrowed to what `policy` allows, for an hour.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn assume(&self, role: &RoleArn, session: &str, policy: &str) -> Result<Credentials, AwsError> {
        self.assume_for(role, session, policy, DURATION).await
    }

    /// Credentials of `role`, narrowed to what `policy` allows.
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
        let answer = self
            .client
            .assume_role()
            .role_arn(role.as_str())
            .role_session_name(fitted(session, MAX_NAME))
            .policy(policy)
            .duration_seconds(i32::try_from(duration.as_secs()).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| AwsError::new("AssumeRole", role.as_str(), &error))?;
        let made = answer
            .credentials
            .ok_or_else(|| AwsError::malformed("AssumeRole", role.as_str(), "the answer has no credentials"))?;
        let expires = SystemTime::try_from(made.expiration).ok();
        Ok(Credentials::new(
            made.access_key_id,
            made.secret_access_key,
            Some(made.session_token),
            expires,
            "tidegate session",
        ))
    }

    /// A connection as `role`, narrowed to what `policy` allows, for as long as it is used.
    ///
    /// # Errors
    /// [`AwsError`], where the role cannot be assumed now.
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

    /// Who calls.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn caller(&self) -> Result<StsCaller, AwsError> {
        let answer = self.client.get_caller_identity().send().await;
        let answer = answer.map_err(|error| AwsError::new("GetCallerIdentity", "the caller", &error))?;
        match (answer.account, answer.arn, answer.user_id) {
            (Some(account), Some(arn), Some(user_id)) => Ok(StsCaller { account, arn, user_id }),
            _ => Err(AwsError::malformed("GetCallerIdentity", "the caller", "the answer does not say who calls")),
        }
    }
}
