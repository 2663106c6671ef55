//! What is there already, for the steps to be chosen by.

use tidegate_publish::AwsError;

use super::Provisioner;
use crate::changes::{CredentialsKind, CredentialsSpec, FoundIdentity, FoundPolicy, PolicySpec, SHARED_ROLE};
use crate::document::Partition;
use crate::policies::{Grant, PolicyKind};

impl Provisioner {
    /// What is there of what somebody asks for.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn read_identity(&self, wish: &CredentialsSpec) -> Result<FoundIdentity, AwsError> {
        let mut found = FoundIdentity::default();
        for bucket in &wish.grant.buckets {
            if let Some(whose) = self.buckets.bucket(bucket).await? {
                found.buckets.insert(bucket.clone(), whose);
            }
        }
        match &wish.kind {
            CredentialsKind::Permanent { user, .. } => {
                let user = user.clone().unwrap_or_else(|| wish.grant.user_name());
                found.user = self.iam.user_policies(&user).await?;
            }
            CredentialsKind::Temporary(_) => found.role = self.iam.role(SHARED_ROLE).await?.is_some(),
        }
        Ok(found)
    }

    /// What is there of a grant.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn read_grant(
        &self,
        grant: &Grant,
        partition: &Partition,
        account: &str,
    ) -> Result<FoundPolicy, AwsError> {
        match &grant.attached {
            PolicyKind::Policy => self.iam.policy(&PolicySpec { grant, partition, account }.arn()).await,
            PolicyKind::Trust => Ok(FoundPolicy { document: self.iam.role(&grant.name).await?, versions: Vec::new() }),
            PolicyKind::Bucket(bucket) => {
                Ok(FoundPolicy { document: self.buckets.bucket_policy(bucket).await?, versions: Vec::new() })
            }
        }
    }
}
