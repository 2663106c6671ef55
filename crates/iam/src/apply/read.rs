//! Reading what an account has.

use std::collections::BTreeSet;

use tidegate_core::arn::Arn;
use tidegate_publish::AwsError;

use super::Provisioner;
use crate::changes::{
    CiJobSpec, CredentialsKind, CredentialsSpec, FoundCiJob, FoundIdentity, FoundPolicy, PolicySpec, SHARED_ROLE,
};
use crate::policies::PolicyKind;
use crate::stack::Stack;
use crate::stack::install::FoundStack;

impl Provisioner {
    /// Reads the buckets and the user or role of requested credentials.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn read_identity(&self, spec: &CredentialsSpec) -> Result<FoundIdentity, AwsError> {
        let mut found = FoundIdentity::default();
        for bucket in &spec.grant.buckets {
            if let Some(access) = self.buckets.bucket(bucket).await? {
                found.buckets.insert(bucket.clone(), access);
            }
        }
        match &spec.kind {
            CredentialsKind::Permanent { user, .. } => {
                let user = user.clone().unwrap_or_else(|| spec.grant.user_name());
                found.user = self.iam.user_policies(&user).await?;
            }
            CredentialsKind::Temporary(_) => found.role = self.iam.stack_role(SHARED_ROLE).await?,
        }
        Ok(found)
    }

    /// Reads the policy, role or bucket policy of a grant.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn read_policy(&self, spec: PolicySpec<'_>) -> Result<FoundPolicy, AwsError> {
        let document = match &spec.grant.attached {
            PolicyKind::Policy => return self.iam.policy(&spec.arn()).await,
            PolicyKind::Trust => self.iam.role(&spec.grant.name).await?,
            PolicyKind::Bucket(bucket) => self.buckets.bucket_policy(bucket).await?,
        };
        Ok(FoundPolicy { document, versions: Vec::new() })
    }

    /// Reads what a CI job needs.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn read_ci_job(&self, spec: CiJobSpec<'_>) -> Result<FoundCiJob, AwsError> {
        let provider = spec.identity.provider(spec.partition, spec.account);
        let mut found =
            FoundCiJob { audiences: self.iam.provider_audiences(&provider).await?, ..FoundCiJob::default() };
        for grant in spec.grants {
            match &grant.attached {
                PolicyKind::Trust => {
                    let role = self.iam.stack_role(&grant.name).await?;
                    found.roles.extend(role.map(|role| (grant.name.clone(), role)));
                }
                PolicyKind::Bucket(bucket) => found.bucket_policy = self.buckets.bucket_policy(bucket).await?,
                PolicyKind::Policy => {}
            }
        }
        Ok(found)
    }

    /// Reads the function with everything that belongs to it.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn read_stack(&self, stack: &Stack) -> Result<FoundStack, AwsError> {
        let mut found = FoundStack {
            queue: self.queues.read(&stack.dead_letters).await?,
            log_group: self.log_groups.read(&stack.log_group).await?,
            function: self.functions.read(stack.function.name.as_str()).await?,
            ..FoundStack::default()
        };
        for queue in &stack.function.queues {
            if let Some(current) = self.queues.read_events(queue).await? {
                found.event_queues.insert(queue.clone(), current);
            }
        }
        let mut buckets: BTreeSet<_> = stack.uploads.iter().map(|upload| upload.bucket.clone()).collect();
        buckets.extend(found.function.iter().flat_map(|function| function.permissions.values().flatten().cloned()));
        for bucket in buckets {
            if let Some(entries) = self.buckets.notifications(&bucket).await? {
                found.notifications.insert(bucket, entries);
            }
        }
        let function = stack.function_arn();
        let entries = found.notifications.values().flatten().filter(|entry| !entry.is_ours(&function));
        let targets: BTreeSet<String> = entries.map(|entry| entry.target.clone()).collect();
        for target in targets {
            if self.is_missing(&target, stack).await? {
                found.missing_targets.insert(target);
            }
        }
        // Publisher roles of an earlier configuration trust the execution role.
        let mut names: BTreeSet<String> = stack.role_names.iter().cloned().collect();
        names.extend(self.iam.roles_trusting(&stack.execution_role_arn()).await?);
        for name in names {
            if let Some(role) = self.iam.stack_role(&name).await? {
                found.roles.insert(name, role);
            }
        }
        Ok(found)
    }

    /// Whether the target of a notification is a function, queue or topic of the stack's account and region that does not
    /// exist. Targets that the caller may not read are taken to exist: then S3 refuses the change.
    async fn is_missing(&self, target: &str, stack: &Stack) -> Result<bool, AwsError> {
        let is_local = |arn: &Arn<'_>| arn.region == stack.place.region() && arn.account == stack.place.account();
        let Some(arn) = Arn::parse(target).filter(is_local) else { return Ok(false) };
        let exists = match arn.service {
            "lambda" => self.functions.exists(target).await,
            "sqs" => self.queues.exists(arn.resource).await,
            "sns" => self.topics.exists(target).await,
            _ => return Ok(false),
        };
        match exists {
            Ok(exists) => Ok(!exists),
            Err(error) if error.is_denied() => Ok(false),
            Err(error) => Err(error),
        }
    }
}
