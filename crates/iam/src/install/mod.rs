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
use tidegate_publish::{CloudError, Connection};

use crate::client::{Buckets, Iam};
use crate::stack::Installation;
use crate::stack::install::{Found, Step};
use functions::Functions;
use logs::Logs;
use queues::Queues;
pub use zip::{Zip, ZipError};

/// How long a step is tried again that needs what the step before it made: a new role is not known everywhere at once, and a
/// function that is being changed takes no second change. Sources: IAM user guide, "Troubleshoot IAM"; AWS Lambda developer guide,
/// "Lambda function states".
const SETTLING: Duration = Duration::from_secs(120);

/// Changes an account.
#[derive(Debug, Clone)]
pub struct Installer {
    iam: Iam,
    buckets: Buckets,
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
    pub cause: CloudError,
    /// How many steps were done before it.
    pub done: usize,
}

impl Installer {
    /// With the caller's own connection.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self {
            iam: Iam::new(connection),
            buckets: Buckets::new(connection),
            functions: Functions::new(connection),
            queues: Queues::new(connection),
            logs: Logs::new(connection),
        }
    }

    /// What is there of an installation.
    ///
    /// # Errors
    /// [`CloudError`].
    pub async fn found(&self, wanted: &Installation) -> Result<Found, CloudError> {
        let function = self.functions.look(wanted.function.name.as_str()).await?;
        let mut found = Found {
            queue: self.queues.look(&wanted.dead_letters).await?,
            log: self.logs.look(&wanted.log_group).await?,
            function,
            ..Found::default()
        };
        let mut buckets: BTreeSet<_> = wanted.uploads.iter().map(|upload| upload.bucket.clone()).collect();
        buckets.extend(found.function.iter().flat_map(|function| function.permissions.values().flatten().cloned()));
        for bucket in buckets {
            if let Some(entries) = self.buckets.notifications(&bucket).await? {
                found.notifications.insert(bucket, entries);
            }
        }
        // Roles of an earlier configuration are those that trust the standing role.
        let mut names: BTreeSet<String> = wanted.named.iter().cloned().collect();
        names.extend(self.iam.roles_trusting(&wanted.standing_arn()).await?);
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
    pub async fn take(&self, steps: &[Step], zip: Option<&Zip>, mut tell: impl FnMut(&Step)) -> Result<(), StepError> {
        for (done, step) in steps.iter().enumerate() {
            tell(step);
            let pauses = ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(500))
                .with_max_delay(Duration::from_secs(8))
                .without_max_times()
                .with_total_delay(Some(SETTLING));
            (|| self.step(step, zip))
                .retry(pauses)
                .when(|error: &CloudError| done > 0 && settles(step, error))
                .await
                .map_err(|cause| StepError { step: step.to_string(), cause, done })?;
        }
        Ok(())
    }

    async fn step(&self, step: &Step, zip: Option<&Zip>) -> Result<(), CloudError> {
        match step {
            Step::CreateRole { .. }
            | Step::SetTrust { .. }
            | Step::PutRolePolicy { .. }
            | Step::DeleteRolePolicy { .. }
            | Step::DeleteRole { .. } => self.iam.take_step(step).await,
            Step::CreateQueue { queue, owner } => self.queues.create(queue, owner).await,
            Step::SetQueue { url, .. } => self.queues.set(url).await,
            Step::DeleteQueue { url, .. } => self.queues.delete(url).await,
            Step::CreateLogGroup { group, owner } => self.logs.create(group, owner).await,
            Step::SetRetention { group, days } => self.logs.retain(group, *days).await,
            Step::DeleteLogGroup { group } => self.logs.delete(group).await,
            Step::SetNotifications { bucket, function, entries } => {
                self.buckets.set_notifications(bucket, function, entries).await
            }
            of_function => self.functions.take(of_function, zip).await,
        }
    }
}

/// Whether a failure may only mean that the step before it is not known everywhere, or not done yet.
fn settles(step: &Step, error: &CloudError) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    match step {
        Step::PutRolePolicy { .. } => code == "NoSuchEntity",
        // A name is free again a minute after its queue was deleted. Source: SQS API reference, `DeleteQueue`.
        Step::CreateQueue { .. } => code.contains("QueueDeletedRecently"),
        // The role cannot be assumed by Lambda yet, or may not send to the queue yet.
        Step::CreateFunction { .. } | Step::UpdateFunction { .. } | Step::SetRetries { .. } => {
            code == "ResourceConflictException"
                || (code == "InvalidParameterValueException" && error.why.contains("role"))
        }
        Step::UpdateCode { .. } | Step::Permit { .. } | Step::CreateUrl { .. } | Step::DeleteFunction { .. } => {
            code == "ResourceConflictException"
        }
        // S3 asks whether it may invoke the function.
        Step::SetNotifications { .. } => code == "InvalidArgument" && error.why.contains("Unable to validate"),
        _ => false,
    }
}
