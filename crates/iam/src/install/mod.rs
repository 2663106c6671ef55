//! Making and removing what an account needs for the function: looks at what is there, and takes the steps that
//! `crate::account` lists, one after the other.
//!
//! Owns the order of requests, and what a failure half way leaves. Never decides on a step.

mod functions;
mod logs;
mod queues;
mod zip;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tidegate_publish::{AwsError, Connection};

use crate::client::{BucketClient, IamClient};
use crate::stack::Stack;
use crate::stack::install::{FoundStack, InstallStep};
use functions::Functions;
use logs::Logs;
use queues::Queues;
pub use zip::{PackageZip, PackageZipError};

/// How long a step is tried again that needs what the step before it made: a new role is not known everywhere at once, and a
/// function that is being changed takes no second change. Sources: IAM user guide, "Troubleshoot IAM"; AWS Lambda developer guide,
/// "Lambda function states".
const SETTLING: Duration = Duration::from_secs(120);

/// Changes an account.
#[derive(Debug, Clone)]
pub struct Installer {
    iam: IamClient,
    buckets: BucketClient,
    functions: Functions,
    queues: Queues,
    logs: Logs,
}

/// A step that failed, and what had been done before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not {step}: {cause}; {done} steps before it were done, run the same command again to go on")]
pub struct StepError {
    /// The step.
    pub step: String,
    /// Why.
    pub cause: AwsError,
    /// How many steps were done before it.
    pub done: usize,
}

impl Installer {
    /// With the caller's own connection.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self {
            iam: IamClient::new(connection),
            buckets: BucketClient::new(connection),
            functions: Functions::new(connection),
            queues: Queues::new(connection),
            logs: Logs::new(connection),
        }
    }

    /// What is there of an installation.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn read_stack(&self, wanted: &Stack) -> Result<FoundStack, AwsError> {
        let function = self.functions.read(wanted.function.name.as_str()).await?;
        let mut found = FoundStack {
            queue: self.queues.read(&wanted.dead_letters).await?,
            log: self.logs.read(&wanted.log_group).await?,
            function,
            ..FoundStack::default()
        };
        let mut buckets: BTreeSet<_> = wanted.uploads.iter().map(|upload| upload.bucket.clone()).collect();
        buckets.extend(found.function.iter().flat_map(|function| function.permissions.values().flatten().cloned()));
        for bucket in buckets {
            if let Some(entries) = self.buckets.notifications(&bucket).await? {
                found.notifications.insert(bucket, entries);
            }
        }
        // Roles of an earlier configuration are those that trust the execution role.
        let mut names: BTreeSet<String> = wanted.named.iter().cloned().collect();
        names.extend(self.iam.roles_trusting(&wanted.execution_role_arn()).await?);
        let mut roles = BTreeMap::new();
        for name in names {
            if let Some(role) = self.iam.installed_role(&name).await? {
                roles.insert(name, role);
            }
        }
        found.roles = roles;
        Ok(found)
    }

    /// Takes the steps. `tell` hears of each before it is taken. `zip` is the package, where a step needs one.
    ///
    /// # Errors
    /// [`StepError`] names the step, and how many were done.
    pub async fn apply(
        &self,
        steps: &[InstallStep],
        zip: Option<&PackageZip>,
        mut tell: impl FnMut(&InstallStep),
    ) -> Result<(), StepError> {
        for (done, step) in steps.iter().enumerate() {
            tell(step);
            let pauses = ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(500))
                .with_max_delay(Duration::from_secs(8))
                .without_max_times()
                .with_total_delay(Some(SETTLING));
            (|| self.step(step, zip))
                .retry(pauses)
                .when(|error: &AwsError| done > 0 && is_propagating(step, error))
                .await
                .map_err(|cause| StepError { step: step.to_string(), cause, done })?;
        }
        Ok(())
    }

    async fn step(&self, step: &InstallStep, zip: Option<&PackageZip>) -> Result<(), AwsError> {
        match step {
            InstallStep::CreateRole { .. }
            | InstallStep::SetTrust { .. }
            | InstallStep::PutRolePolicy { .. }
            | InstallStep::DeleteRolePolicy { .. }
            | InstallStep::DeleteRole { .. } => self.iam.apply_step(step).await,
            InstallStep::CreateQueue { queue, owner } => self.queues.create(queue, owner).await,
            InstallStep::SetQueue { url, .. } => self.queues.set(url).await,
            InstallStep::DeleteQueue { url, .. } => self.queues.delete(url).await,
            InstallStep::CreateLogGroup { group, owner } => self.logs.create(group, owner).await,
            InstallStep::SetRetention { group, days } => self.logs.retain(group, *days).await,
            InstallStep::DeleteLogGroup { group } => self.logs.delete(group).await,
            InstallStep::SetNotifications { bucket, function, entries } => {
                self.buckets.set_notifications(bucket, function, entries).await
            }
            of_function => self.functions.apply(of_function, zip).await,
        }
    }
}

/// Whether a failure may only mean that the step before it is not known everywhere, or not done yet.
fn is_propagating(step: &InstallStep, error: &AwsError) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    match step {
        InstallStep::PutRolePolicy { .. } => code == "NoSuchEntity",
        // A name is free again a minute after its queue was deleted. Source: SQS API reference, `DeleteQueue`.
        InstallStep::CreateQueue { .. } => code.contains("QueueDeletedRecently"),
        // The role cannot be assumed by Lambda yet, or may not send to the queue yet.
        InstallStep::CreateFunction { .. } | InstallStep::UpdateFunction { .. } | InstallStep::SetRetries { .. } => {
            code == "ResourceConflictException"
                || (code == "InvalidParameterValueException" && error.why.contains("role"))
        }
        InstallStep::UpdateCode { .. }
        | InstallStep::Permit { .. }
        | InstallStep::CreateUrl { .. }
        | InstallStep::DeleteFunction { .. } => code == "ResourceConflictException",
        // S3 asks whether it may invoke the function.
        InstallStep::SetNotifications { .. } => code == "InvalidArgument" && error.why.contains("Unable to validate"),
        _ => false,
    }
}
