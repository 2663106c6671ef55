//! Reading what an account has.

use tidegate_publish::AwsError;

use super::Provisioner;
use crate::changes::{
    CiJobSpec, CredentialsKind, CredentialsSpec, FoundCiJob, FoundIdentity, FoundPolicy, PolicySpec, SHARED_ROLE,
};
use crate::policies::PolicyKind;

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
            CredentialsKind::Temporary(_) => found.role = self.iam.role_with_policies(SHARED_ROLE).await?,
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
                    let role = self.iam.role_with_policies(&grant.name).await?;
                    found.roles.extend(role.map(|role| (grant.name.clone(), role)));
                }
                PolicyKind::Bucket(bucket) => found.bucket_policy = self.buckets.bucket_policy(bucket).await?,
                PolicyKind::Policy => {}
            }
        }
        Ok(found)
    }
}
