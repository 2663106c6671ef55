//! Applying changes: reading what an account has, and making one [`Change`] after the other.

mod read;

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tidegate_publish::{AwsError, Connection, Sts};

use crate::changes::{BucketChange, Change, CredentialsChange, GroupChange, RoleChange, UserChange};
use crate::client::{BucketClient, IamClient};
use crate::credentials::{IssuedCredentials, SecretValue};

/// How long a change is retried while an earlier one has not taken effect everywhere. Source: IAM user guide, "Troubleshoot
/// IAM".
const PROPAGATION: Duration = Duration::from_secs(60);

/// Reads and changes an AWS account.
#[derive(Debug, Clone)]
pub struct Provisioner {
    iam: IamClient,
    buckets: BucketClient,
    sts: Sts,
}

/// A change that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not {change}: {cause}; {}", progress(*.done))]
pub struct StepError {
    /// The change.
    pub change: String,
    /// Why it failed.
    pub cause: AwsError,
    /// How many changes were made before it.
    pub done: usize,
}

fn progress(done: usize) -> String {
    match done {
        0 => "nothing was changed".to_owned(),
        1 => "1 change was made before it; run the same command again to continue".to_owned(),
        many => format!("{many} changes were made before it; run the same command again to continue"),
    }
}

impl StepError {
    /// No change issued the credentials that were asked for: a bug in Tidegate.
    #[must_use]
    pub fn no_credentials() -> Self {
        let cause = AwsError::malformed("AssumeRole", "the session", "no change issued credentials");
        Self { change: "create credentials".to_owned(), cause, done: 0 }
    }
}

impl Provisioner {
    /// A provisioner with the caller's connection.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { iam: IamClient::new(connection), buckets: BucketClient::new(connection), sts: Sts::new(connection) }
    }

    /// The client of IAM.
    #[must_use]
    pub fn iam(&self) -> &IamClient {
        &self.iam
    }

    /// The client of S3 for buckets.
    #[must_use]
    pub fn buckets(&self) -> &BucketClient {
        &self.buckets
    }

    /// The client of STS.
    #[must_use]
    pub fn sts(&self) -> &Sts {
        &self.sts
    }

    /// Makes the changes in order, and calls `on_start` before each. Returns the credentials of the last change that
    /// issued any.
    ///
    /// # Errors
    /// [`StepError`], at the first change that fails.
    pub async fn apply(
        &self,
        changes: &[Change],
        mut on_start: impl FnMut(&Change),
    ) -> Result<Option<IssuedCredentials>, StepError> {
        let mut issued = None;
        for (done, change) in changes.iter().enumerate() {
            on_start(change);
            let earlier = changes.get(..done).unwrap_or_default();
            let delays = ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(500))
                .with_max_delay(Duration::from_secs(8))
                .without_max_times()
                .with_total_delay(Some(PROPAGATION));
            let credentials = (|| self.apply_change(change))
                .retry(delays)
                .when(|error: &AwsError| is_propagating(change, earlier, error))
                .await
                .map_err(|cause| StepError { change: change.to_string(), cause, done })?;
            issued = credentials.or(issued);
        }
        Ok(issued)
    }

    async fn apply_change(&self, change: &Change) -> Result<Option<IssuedCredentials>, AwsError> {
        match change {
            Change::Credentials(change) => return self.issue(change).await.map(Some),
            Change::User(change) => self.iam.change_user(change).await?,
            Change::Group(change) => self.iam.change_group(change).await?,
            Change::Role(change) => self.iam.change_role(change).await?,
            Change::Provider(change) => self.iam.change_provider(change).await?,
            Change::Policy(change) => self.iam.change_policy(change).await?,
            Change::Bucket(change) => self.buckets.change(change).await?,
        }
        Ok(None)
    }

    async fn issue(&self, change: &CredentialsChange) -> Result<IssuedCredentials, AwsError> {
        let (role, session, seconds, policy) = match change {
            CredentialsChange::CreateAccessKey { user } => return self.iam.create_access_key(user).await,
            CredentialsChange::AssumeRole { role, session, seconds, policy } => (role, session, *seconds, policy),
        };
        let credentials = self.sts.assume_for(role, session, policy, Duration::from_secs(seconds.into())).await?;
        let expires = credentials.expiry().map(aws_smithy_types::DateTime::from).map(|end| end.to_string());
        Ok(IssuedCredentials {
            user: None,
            access_key_id: credentials.access_key_id().to_owned(),
            secret_access_key: SecretValue::new(credentials.secret_access_key()),
            session_token: credentials.session_token().map(SecretValue::new),
            created: None,
            expires,
        })
    }
}

/// Whether a change may have failed only because an earlier one of the same run has not taken effect everywhere yet. AWS
/// has no error code for that, so the code is judged by the kind of change that failed and of those before it.
fn is_propagating(change: &Change, earlier: &[Change], error: &AwsError) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    let may_propagate = match change {
        // Not for `AddUserToGroup`: the group's policy was put before it, so it is the user that does not exist.
        Change::User(UserChange::PutUserPolicy { .. } | UserChange::AttachUserPolicy { .. })
        | Change::Group(GroupChange::PutGroupPolicy { .. } | GroupChange::AttachGroupPolicy { .. })
        | Change::Role(RoleChange::PutRolePolicy { .. } | RoleChange::AttachRolePolicy { .. })
        | Change::Credentials(CredentialsChange::CreateAccessKey { .. }) => code == "NoSuchEntity",
        Change::Credentials(CredentialsChange::AssumeRole { .. }) => code == "AccessDenied",
        Change::Bucket(BucketChange::SetBucketPolicy { .. }) => {
            matches!(code, "AccessDenied" | "OperationAborted" | "NoSuchBucket")
        }
        Change::Bucket(BucketChange::AllowPublicAccess { .. } | BucketChange::SetWebsite { .. }) => {
            matches!(code, "OperationAborted" | "NoSuchBucket")
        }
        _ => false,
    };
    may_propagate && !earlier.is_empty()
}
