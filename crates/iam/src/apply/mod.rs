//! Taking the steps that `crate::provision` lists, one after the other.
//!
//! Owns looking at what is there, the order, and what a failure half way leaves. Never decides on a step.

mod found;

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tidegate_publish::{AwsError, Connection, Sts};

use crate::changes::IamChange;
use crate::client::{BucketClient, ChangeResult, IamClient};
use crate::credentials::{IssuedCredentials, SecretValue};

/// How long a step is tried again that needs what the step before it made: a new role is not known everywhere at once.
/// Source: IAM user guide, "Troubleshoot IAM", changes that are not always immediately visible.
const SETTLING: Duration = Duration::from_secs(60);

/// Changes an account.
#[derive(Debug, Clone)]
pub struct Provisioner {
    iam: IamClient,
    buckets: BucketClient,
    sts: Sts,
}

/// A step that failed, and what had been done before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not {step}: {cause}{}", undone(*.done))]
pub struct ProvisionError {
    /// The step.
    pub step: String,
    /// Why.
    pub cause: AwsError,
    /// How many steps were done before it.
    pub done: usize,
}

impl ProvisionError {
    /// Steps that should have given out credentials gave out none: a defect of Tidegate.
    #[must_use]
    pub fn nothing() -> Self {
        let cause = AwsError::malformed("AssumeRole", "the session", "no step gave out credentials");
        Self { step: "make credentials".to_owned(), cause, done: 0 }
    }
}

fn undone(done: usize) -> String {
    match done {
        0 => "; nothing was changed".to_owned(),
        1 => "; the one step before it was done, run the same command again to go on".to_owned(),
        many => format!("; the {many} steps before it were done, run the same command again to go on"),
    }
}

impl Provisioner {
    /// With the caller's own connection.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { iam: IamClient::new(connection), buckets: BucketClient::new(connection), sts: Sts::new(connection) }
    }

    /// The account's identities.
    #[must_use]
    pub fn iam(&self) -> &IamClient {
        &self.iam
    }

    /// The account's buckets.
    #[must_use]
    pub fn buckets(&self) -> &BucketClient {
        &self.buckets
    }

    /// Who calls.
    #[must_use]
    pub fn sts(&self) -> &Sts {
        &self.sts
    }

    /// Takes the steps. `tell` hears of each before it is taken. The answer has the credentials that the last step that
    /// made some gave out.
    ///
    /// # Errors
    /// [`ProvisionError`] names the step, and how many were done.
    pub async fn apply(
        &self,
        changes: &[IamChange],
        mut tell: impl FnMut(&IamChange),
    ) -> Result<Option<IssuedCredentials>, ProvisionError> {
        let mut issued = None;
        for (done, change) in changes.iter().enumerate() {
            tell(change);
            // What a step before this one made may not be known everywhere yet.
            let fresh = done > 0;
            let pauses = ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(500))
                .with_max_delay(Duration::from_secs(8))
                .without_max_times()
                .with_total_delay(Some(SETTLING));
            let taken = (|| self.apply_change(change))
                .retry(pauses)
                .when(|error: &AwsError| fresh && is_propagating(change, error))
                .await
                .map_err(|cause| ProvisionError { step: change.to_string(), cause, done })?;
            issued = taken.or(issued);
        }
        Ok(issued)
    }

    async fn apply_change(&self, change: &IamChange) -> Result<Option<IssuedCredentials>, AwsError> {
        if let IamChange::AssumeRole { role, session, seconds, policy } = change {
            let duration = Duration::from_secs((*seconds).into());
            let made = self.sts.assume_for(role, session, policy, duration).await?;
            let expires = made.expiry().map(aws_smithy_types::DateTime::from).map(|end| end.to_string());
            return Ok(Some(IssuedCredentials {
                user: None,
                access_key_id: made.access_key_id().to_owned(),
                secret_access_key: SecretValue::new(made.secret_access_key()),
                session_token: made.session_token().map(SecretValue::new),
                created: None,
                expires,
            }));
        }
        if self.buckets.apply(change).await? {
            return Ok(None);
        }
        match self.iam.apply(change).await? {
            ChangeResult::Issued(issued) => Ok(Some(issued)),
            ChangeResult::Done | ChangeResult::NotMine => Ok(None),
        }
    }
}

/// Whether a failure may only mean that the step before it is not known everywhere.
fn is_propagating(change: &IamChange, error: &AwsError) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    match change {
        IamChange::AssumeRole { .. } => code == "AccessDenied",
        IamChange::SetBucketPolicy { .. } => matches!(code, "AccessDenied" | "OperationAborted" | "NoSuchBucket"),
        IamChange::AllowPublicAccess { .. } | IamChange::SetWebsite { .. } => {
            matches!(code, "OperationAborted" | "NoSuchBucket")
        }
        IamChange::PutUserPolicy { .. } | IamChange::CreateAccessKey { .. } | IamChange::PutGroupPolicy { .. } => {
            code == "NoSuchEntity"
        }
        // The role may be new; a policy that is not there is a mistake.
        IamChange::AttachRolePolicy { .. } => code == "NoSuchEntity" && !error.why.contains("olicy"),
        // The group may be new; a user that is not there is a mistake.
        IamChange::AddUserToGroup { .. } => code == "NoSuchEntity" && error.why.contains("group"),
        _ => false,
    }
}
