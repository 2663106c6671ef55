//! Reads ACLs of objects.

use std::collections::BTreeSet;

use tidegate_core::location::Bucket;

use super::S3;
use crate::aws_error::AwsError;

impl S3 {
    /// The predefined groups that an object's ACL grants anything to, by the end of their URI: `AllUsers` is everyone.
    /// Source: Amazon S3 user guide, "Access control list (ACL) overview", predefined groups and canned ACLs.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn acl_groups(&self, bucket: &Bucket, key: &str) -> Result<BTreeSet<String>, AwsError> {
        let response = self.client.get_object_acl().bucket(bucket.as_str()).key(key).send().await;
        let response = response.map_err(|error| AwsError::new("GetObjectAcl", key, &error))?;
        let uris = response.grants().iter().filter_map(|grant| grant.grantee()?.uri());
        Ok(uris.map(|uri| uri.rsplit('/').next().unwrap_or(uri).to_owned()).collect())
    }
}
