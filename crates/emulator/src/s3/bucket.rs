//! Buckets and what is configured on them. Owns their records; never objects.

use std::time::SystemTime;

use redb::{ReadableTable, ReadableTableMetadata as _};
use serde::{Deserialize, Serialize};

use super::{
    ObjectStore,
    error::S3Failure,
    object::{ObjectEncryption, now, time_of},
};
use crate::database::{BUCKETS, DatabaseChange, OBJECTS, UPLOADS, VERSIONS};

/// How the S3 website endpoint answers for a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Website {
    /// Appended to a request for a directory, such as `index.html`.
    pub index_document: String,
    /// The key of the page for errors.
    pub error_document: Option<String>,
}

/// Who owns what is put into a bucket, and so whether ACLs mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Ownership {
    /// ACLs are off. The default of new buckets since April 2023.
    #[default]
    BucketOwnerEnforced,
    /// ACLs are on, and the bucket's owner owns what comes with `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// ACLs are on, and the writer owns what it writes.
    ObjectWriter,
}

impl Ownership {
    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::ObjectWriter => "ObjectWriter",
        }
    }

    /// Reads the name in the API.
    pub(crate) fn parse(name: &str) -> Result<Self, S3Failure> {
        [Self::BucketOwnerEnforced, Self::BucketOwnerPreferred, Self::ObjectWriter]
            .into_iter()
            .find(|ownership| ownership.name() == name)
            .ok_or(S3Failure::InvalidArgument("Invalid x-amz-object-ownership header"))
    }
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BucketRecord {
    /// Seconds since 1970.
    created: u64,
    /// Its website configuration.
    pub website: Option<Website>,
    /// Whether ACLs are on.
    pub ownership: Ownership,
    /// How objects are encrypted whose writer does not say it.
    pub encryption: ObjectEncryption,
    /// Whether what is replaced or deleted is kept as a version.
    pub versioned: bool,
    /// Its policy, as it was written.
    pub policy: Option<String>,
    /// What of being public is refused.
    pub public_access_block: PublicAccessBlock,
    /// The region that it is in; the stand-in's own if none.
    pub region: Option<String>,
    /// The account that it belongs to; the stand-in's own if none.
    pub owner: Option<String>,
}

/// What of being public a bucket refuses. All of it, since April 2023, until somebody says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PublicAccessBlock {
    /// ACLs that would make it public.
    pub block_public_acls: bool,
    /// What such ACLs that are there say.
    pub ignore_public_acls: bool,
    /// Policies that would make it public.
    pub block_public_policy: bool,
    /// What such policies that are there give to others.
    pub restrict_public_buckets: bool,
}

impl Default for PublicAccessBlock {
    fn default() -> Self {
        Self {
            block_public_acls: true,
            ignore_public_acls: true,
            block_public_policy: true,
            restrict_public_buckets: true,
        }
    }
}

impl BucketRecord {
    /// When it was created, to the second.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        time_of(self.created)
    }
}

/// The record of `name` in an open table.
pub(crate) fn find(
    buckets: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<BucketRecord, S3Failure> {
    match buckets.get(name)? {
        Some(record) => Ok(serde_json::from_slice(record.value())?),
        None => Err(S3Failure::NoSuchBucket),
    }
}

/// Refuses a change in a bucket that is not there.
pub(crate) fn require(change: &DatabaseChange<'_>, name: &str) -> Result<BucketRecord, S3Failure> {
    find(&change.transaction.open_table(BUCKETS)?, name)
}

impl ObjectStore {
    /// Creates a bucket with ACLs off.
    ///
    /// # Errors
    /// The name is not one, or the bucket is there already.
    pub async fn create_bucket(&self, name: &str) -> Result<(), S3Failure> {
        self.create_bucket_with(name, Ownership::default()).await
    }

    /// Creates a bucket.
    ///
    /// # Errors
    /// The name is not one, or the bucket is there already.
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
    /// It is not there, or objects or unfinished uploads are in it.
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
                if first.is_some_and(|(place, _)| place.value().0 == name)
                    || version.is_some_and(|(place, _)| place.value().0 == name)
                    || upload.is_some_and(|(place, _)| place.value().0 == name)
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
    /// It is not there.
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
    /// The bucket is not there.
    pub async fn set_website(&self, name: &str, website: Option<Website>) -> Result<(), S3Failure> {
        self.change_bucket(name, move |bucket| bucket.website = website).await
    }

    /// Switches ACLs on or off.
    ///
    /// # Errors
    /// The bucket is not there.
    pub async fn set_ownership(&self, name: &str, ownership: Ownership) -> Result<(), S3Failure> {
        self.change_bucket(name, move |bucket| bucket.ownership = ownership).await
    }

    /// Says how objects are encrypted whose writer does not say it.
    ///
    /// # Errors
    /// The bucket is not there.
    pub async fn set_encryption(&self, name: &str, encryption: ObjectEncryption) -> Result<(), S3Failure> {
        self.change_bucket(name, move |bucket| bucket.encryption = encryption).await
    }

    /// Switches versions on. A bucket that has them never loses them again, here as in S3, where they can be suspended.
    ///
    /// # Errors
    /// The bucket is not there.
    pub async fn set_versioned(&self, name: &str) -> Result<(), S3Failure> {
        self.change_bucket(name, |bucket| bucket.versioned = true).await
    }

    /// Moves a bucket to another region, which requests must then be signed for.
    ///
    /// # Errors
    /// The bucket is not there.
    pub async fn set_region(&self, name: &str, region: &str) -> Result<(), S3Failure> {
        let region = Some(region.to_owned());
        self.change_bucket(name, move |bucket| bucket.region = region).await
    }

    /// Sets or removes a bucket's policy, unchecked.
    ///
    /// # Errors
    /// The bucket is not there.
    pub async fn set_policy(&self, name: &str, policy: Option<String>) -> Result<(), S3Failure> {
        self.change_bucket(name, move |bucket| bucket.policy = policy).await
    }

    /// Says what of being public a bucket refuses.
    ///
    /// # Errors
    /// The bucket is not there.
    pub async fn set_public_access_block(&self, name: &str, block: PublicAccessBlock) -> Result<(), S3Failure> {
        self.change_bucket(name, move |bucket| bucket.public_access_block = block).await
    }

    /// Gives a bucket to another account: nobody of this one may then use it, for policies of others' buckets are not
    /// looked at here.
    ///
    /// # Errors
    /// The bucket is not there.
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
