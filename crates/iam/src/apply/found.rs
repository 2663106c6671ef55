//! What is there already, for the steps to be chosen by.

use tidegate_publish::CloudError;

use super::Provisioner;
use crate::changes::{Found, Kind, PolicyFound, PolicyWish, SHARED_ROLE, Wish};
use crate::document::Partition;
use crate::policies::{Attached, Grant};

impl Provisioner {
    /// What is there of what somebody asks for.
    ///
    /// # Errors
    /// [`CloudError`].
    pub async fn found(&self, wish: &Wish) -> Result<Found, CloudError> {
        let mut found = Found::default();
        for bucket in &wish.grant.buckets {
            if let Some(whose) = self.buckets.bucket(bucket).await? {
                found.buckets.insert(bucket.clone(), whose);
            }
        }
        match &wish.kind {
            Kind::Permanent { user, .. } => {
                let user = user.clone().unwrap_or_else(|| wish.grant.user_name());
                found.user = self.iam.user_policies(&user).await?;
            }
            Kind::Temporary(_) => found.role = self.iam.role(SHARED_ROLE).await?.is_some(),
        }
        Ok(found)
    }

    /// What is there of a grant.
    ///
    /// # Errors
    /// [`CloudError`].
    pub async fn found_grant(
        &self,
        grant: &Grant,
        partition: &Partition,
        account: &str,
    ) -> Result<PolicyFound, CloudError> {
        match &grant.attached {
            Attached::Policy => self.iam.policy(&PolicyWish { grant, partition, account }.arn()).await,
            Attached::Trust => Ok(PolicyFound { document: self.iam.role(&grant.name).await?, versions: Vec::new() }),
            Attached::Bucket(bucket) => {
                Ok(PolicyFound { document: self.buckets.bucket_policy(bucket).await?, versions: Vec::new() })
            }
        }
    }
}
