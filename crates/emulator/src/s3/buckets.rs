//! The store's operations on buckets.

use redb::{ReadableTable as _, ReadableTableMetadata as _};

use super::{
    bucket::{BucketRecord, Ownership, PublicAccessBlock, Website, find},
    error::S3Failure,
    object::{ObjectEncryption, now},
    store::ObjectStore,
};
use crate::database::{BUCKETS, OBJECTS, UPLOADS, VERSIONS};

impl ObjectStore {
    /// Creates a bucket with ACLs off.
    ///
    /// # Errors
    /// The name is invalid, or the bucket exists.
    pub async fn create_bucket(&self, name: &str) -> Result<(), S3Failure> {
        self.create_bucket_with(name, Ownership::default()).await
    }

    /// Creates a bucket.
    ///
    /// # Errors
    /// The name is invalid, or the bucket exists.
    pub async fn create_bucket_with(&self, name: &str, ownership: Ownership) -> Result<(), S3Failure> {
        if !s3s::path::check_bucket_name(name) {
            return Err(S3Failure::InvalidBucketName);
        }
        let name = name.to_owned();
        self.database()
            .write(move |change| {
                let mut buckets = change.transaction.open_table(BUCKETS)?;
                if buckets.get(name.as_str())?.is_some() {
                    return Err(S3Failure::BucketAlreadyOwnedByYou);
                }
                let bucket = BucketRecord { created: now(), ownership, ..BucketRecord::default() };
                buckets.insert(name.as_str(), serde_json::to_vec(&bucket)?.as_slice())?;
                Ok(())
            })
            .await
    }

    /// Deletes an empty bucket.
    ///
    /// # Errors
    /// The bucket does not exist, or contains objects or unfinished uploads.
    pub async fn delete_bucket(&self, name: &str) -> Result<(), S3Failure> {
        let name = name.to_owned();
        self.database()
            .write(move |change| {
                let mut buckets = change.transaction.open_table(BUCKETS)?;
                find(&buckets, &name)?;
                let objects = change.transaction.open_table(OBJECTS)?;
                let first = objects.range((name.as_str(), "")..)?.next().transpose()?;
                let uploads = change.transaction.open_table(UPLOADS)?;
                let upload = uploads.range((name.as_str(), "", "")..)?.next().transpose()?;
                let versions = change.transaction.open_table(VERSIONS)?;
                let version = versions.range((name.as_str(), "", 0)..)?.next().transpose()?;
                if first.is_some_and(|(key, _)| key.value().0 == name)
                    || version.is_some_and(|(key, _)| key.value().0 == name)
                    || upload.is_some_and(|(key, _)| key.value().0 == name)
                {
                    return Err(S3Failure::BucketNotEmpty);
                }
                buckets.remove(name.as_str())?;
                Ok(())
            })
            .await
    }

    /// A bucket's record.
    ///
    /// # Errors
    /// The bucket does not exist.
    pub fn bucket(&self, name: &str) -> Result<BucketRecord, S3Failure> {
        self.database().read(|transaction| find(&transaction.open_table(BUCKETS)?, name))
    }

    /// All buckets by name.
    ///
    /// # Errors
    /// The storage failed.
    pub fn buckets(&self) -> Result<Vec<(String, BucketRecord)>, S3Failure> {
        self.database().read(|transaction| {
            let buckets = transaction.open_table(BUCKETS)?;
            let mut found = Vec::with_capacity(usize::try_from(buckets.len()?).unwrap_or_default());
            for entry in buckets.iter()? {
                let (name, record) = entry?;
                found.push((name.value().to_owned(), serde_json::from_slice(record.value())?));
            }
            Ok(found)
        })
    }

    /// Sets or removes a bucket's website configuration.
    ///
    /// # Errors
    /// The bucket does not exist.
    pub async fn set_website(&self, name: &str, website: Option<Website>) -> Result<(), S3Failure> {
        self.change_bucket(name, move |bucket| bucket.website = website).await
    }

    /// Switches ACLs on or off.
    ///
    /// # Errors
    /// The bucket does not exist.
    pub async fn set_ownership(&self, name: &str, ownership: Ownership) -> Result<(), S3Failure> {
        self.change_bucket(name, move |bucket| bucket.ownership = ownership).await
    }

    /// Sets the encryption of objects whose request names none.
    ///
    /// # Errors
    /// The bucket does not exist.
    pub async fn set_encryption(&self, name: &str, encryption: ObjectEncryption) -> Result<(), S3Failure> {
        self.change_bucket(name, move |bucket| bucket.encryption = encryption).await
    }

    /// Enables versioning. It cannot be disabled again; in S3 it can only be suspended.
    ///
    /// # Errors
    /// The bucket does not exist.
    pub async fn set_versioned(&self, name: &str) -> Result<(), S3Failure> {
        self.change_bucket(name, |bucket| bucket.versioned = true).await
    }

    /// Moves a bucket to another region, which requests must then be signed for.
    ///
    /// # Errors
    /// The bucket does not exist.
    pub async fn set_region(&self, name: &str, region: &str) -> Result<(), S3Failure> {
        let region = Some(region.to_owned());
        self.change_bucket(name, move |bucket| bucket.region = region).await
    }

    /// Sets or removes a bucket's policy, unchecked.
    ///
    /// # Errors
    /// The bucket does not exist.
    pub async fn set_policy(&self, name: &str, policy: Option<String>) -> Result<(), S3Failure> {
        self.change_bucket(name, move |bucket| bucket.policy = policy).await
    }

    /// Sets which public access a bucket blocks.
    ///
    /// # Errors
    /// The bucket does not exist.
    pub async fn set_public_access_block(&self, name: &str, block: PublicAccessBlock) -> Result<(), S3Failure> {
        self.change_bucket(name, move |bucket| bucket.public_access_block = block).await
    }

    /// Moves a bucket to another account. Requests to it are then denied, since the emulator does not evaluate the
    /// policies of other accounts' buckets.
    ///
    /// # Errors
    /// The bucket does not exist.
    pub async fn set_owner(&self, name: &str, account: &str) -> Result<(), S3Failure> {
        let account = Some(account.to_owned());
        self.change_bucket(name, move |bucket| bucket.owner = account).await
    }

    async fn change_bucket(
        &self,
        name: &str,
        edit: impl FnOnce(&mut BucketRecord) + Send + 'static,
    ) -> Result<(), S3Failure> {
        let name = name.to_owned();
        self.database()
            .write(move |change| {
                let mut buckets = change.transaction.open_table(BUCKETS)?;
                let mut bucket = find(&buckets, &name)?;
                edit(&mut bucket);
                buckets.insert(name.as_str(), serde_json::to_vec(&bucket)?.as_slice())?;
                Ok(())
            })
            .await
    }
}
