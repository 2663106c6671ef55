//! The object store: buckets, objects and versions in the database, with their bodies.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use futures::stream;
use redb::ReadableTable;

use super::{
    algorithm::Algorithm,
    body::{Bodies, BodySegment, StagedBody},
    bucket,
    checksum::Checksum,
    condition::WriteCondition,
    content::ObjectContent,
    error::S3Failure,
    object::{ObjectEncryption, ObjectInfo, ObjectName, ObjectPart, StoredHeaders, etag_of, now, random_hex},
    version::{self, NoncurrentVersion},
};
use crate::database::{BUCKETS, Database, DatabaseChange, DatabaseError, OBJECTS, VERSIONS};

/// Limits of S3 that a test can lower, to avoid moving gigabytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// Largest source of CopyObject, in bytes. Source: API Reference, CopyObject: 5 GB.
    pub copy_source: u64,
    /// Largest body of PutObject or of a part, in bytes. Source: "Amazon S3 multipart upload limits": 5 GB.
    pub single_body: u64,
    /// Smallest part other than the last, in bytes. Source: the same page: 5 MiB.
    pub smallest_part: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self { copy_source: 5 << 30, single_body: 5 << 30, smallest_part: 5 << 20 }
    }
}

/// Longest key, in bytes. Source: "Naming Amazon S3 objects".
pub(crate) const MAX_KEY_LENGTH: usize = 1_024;

/// The buckets and objects of an account. Cheap to clone; all clones are the same store.
#[derive(Clone)]
pub struct ObjectStore(Arc<StoreFields>);

struct StoreFields {
    database: Arc<Database>,
    bodies: Arc<Bodies>,
    limits: RwLock<StoreLimits>,
}

/// An object that is being read.
pub struct OpenObject {
    /// Its record.
    pub info: ObjectInfo,
    /// The bytes.
    pub content: ObjectContent,
}

/// A write without its bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct PutSpec {
    /// The headers to store with the object.
    pub headers: StoredHeaders,
    /// `STANDARD` if `None`.
    pub storage_class: Option<String>,
    /// How to encrypt it.
    pub encryption: ObjectEncryption,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The condition on the current object.
    pub condition: WriteCondition,
}

impl ObjectStore {
    /// Creates a store in memory, which is gone when its last owner drops it.
    pub(crate) fn in_memory(database: Arc<Database>) -> Self {
        Self::new(database, Bodies::in_memory())
    }

    /// Opens a store that keeps larger bodies as files in `directory` and everything else in `database`.
    pub(crate) fn open(database: Arc<Database>, directory: PathBuf) -> Result<Self, DatabaseError> {
        let bodies = Bodies::open(directory, &database)?;
        Ok(Self::new(database, bodies))
    }

    fn new(database: Arc<Database>, bodies: Bodies) -> Self {
        Self(Arc::new(StoreFields { database, bodies: Arc::new(bodies), limits: RwLock::default() }))
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    pub(crate) fn bodies(&self) -> &Arc<Bodies> {
        &self.0.bodies
    }

    /// The current limits.
    #[must_use]
    pub fn limits(&self) -> StoreLimits {
        *self.0.limits.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the limits for all clones of this store.
    pub fn set_limits(&self, limits: StoreLimits) {
        *self.0.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Creates or replaces an object.
    ///
    /// # Errors
    /// The bucket does not exist, or the key is empty or too long.
    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        body: impl Into<Bytes>,
        headers: StoredHeaders,
    ) -> Result<ObjectInfo, S3Failure> {
        let body = stream::iter([Ok::<_, std::io::Error>(body.into())]);
        let staged = self.bodies().stage(body, Algorithm::Crc64Nvme, self.limits().single_body).await?;
        self.put_staged(bucket, key, PutSpec { headers, ..PutSpec::default() }, staged).await
    }

    /// Creates or replaces an object with a staged body.
    pub(crate) async fn put_staged(
        &self,
        bucket: &str,
        key: &str,
        options: PutSpec,
        staged: StagedBody,
    ) -> Result<ObjectInfo, S3Failure> {
        check_key(key)?;
        options.headers.check()?;
        let etag = etag_of(&staged.digests.md5, &options.encryption)?;
        let (name, bodies) = (ObjectName::new(bucket, key), Arc::clone(self.bodies()));
        self.database()
            .write(move |change| {
                let condition = options.condition.clone();
                replace_object(change, &bodies, &name, &condition, |change| {
                    let (size, checksum) = (staged.size, staged.digests.checksum.clone());
                    let segment = Bodies::store(staged, change)?;
                    Ok(options.into_info(size, etag, checksum, Vec::new(), vec![segment]))
                })
            })
            .await
    }

    /// Reads a whole object.
    ///
    /// # Errors
    /// The bucket or key does not exist.
    pub fn get(&self, bucket: &str, key: &str) -> Result<OpenObject, S3Failure> {
        self.get_range(bucket, key, |info| Ok(0..info.size))
    }

    /// Reads the range of an object that `select` returns for its record.
    ///
    /// # Errors
    /// The bucket or key does not exist, or `select` fails.
    pub fn get_range(
        &self,
        bucket: &str,
        key: &str,
        select: impl FnOnce(&ObjectInfo) -> Result<Range<u64>, S3Failure>,
    ) -> Result<OpenObject, S3Failure> {
        self.bodies().reading(|mut reading| {
            self.database().read(|transaction| {
                bucket::find(&transaction.open_table(BUCKETS)?, bucket)?;
                let info =
                    find_object(&transaction.open_table(OBJECTS)?, (bucket, key))?.ok_or(S3Failure::NoSuchKey)?;
                let range = select(&info)?;
                let content = reading.content(transaction, &info.segments, range)?;
                Ok(OpenObject { info, content })
            })
        })
    }

    /// The record of an object.
    ///
    /// # Errors
    /// The bucket or key does not exist.
    pub fn head(&self, bucket: &str, key: &str) -> Result<ObjectInfo, S3Failure> {
        self.database().read(|transaction| {
            bucket::find(&transaction.open_table(BUCKETS)?, bucket)?;
            find_object(&transaction.open_table(OBJECTS)?, (bucket, key))?.ok_or(S3Failure::NoSuchKey)
        })
    }

    /// Deletes an object if `condition` holds. As in S3, deleting a missing object succeeds. A versioned bucket keeps
    /// the object as a version and gets a delete marker, whose version ID is returned.
    ///
    /// # Errors
    /// The bucket does not exist, or the condition does not hold.
    pub async fn delete(
        &self,
        bucket: &str,
        key: &str,
        condition: WriteCondition,
    ) -> Result<Option<String>, S3Failure> {
        let (name, bodies) = (ObjectName::new(bucket, key), Arc::clone(self.bodies()));
        self.database()
            .write(move |change| {
                let versioned = bucket::require(change, &name.bucket)?.versioned;
                let current = find_object(&change.transaction.open_table(OBJECTS)?, name.table_key())?;
                condition.check(current.as_ref())?;
                let marker = if versioned { Some(NoncurrentVersion::marker()?) } else { None };
                if let Some(current) = current {
                    change.transaction.open_table(OBJECTS)?.remove(name.table_key())?;
                    version::retire(change, &bodies, &name, current, versioned)?;
                }
                if let Some(marker) = &marker {
                    version::add(change, &name, marker)?;
                }
                Ok(marker.map(|marker| marker.id))
            })
            .await
    }

    /// Replaces the tags of an object.
    pub(crate) async fn set_tags(
        &self,
        bucket: &str,
        key: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<(), S3Failure> {
        let name = ObjectName::new(bucket, key);
        self.database()
            .write(move |change| {
                bucket::require(change, &name.bucket)?;
                let mut objects = change.transaction.open_table(OBJECTS)?;
                let mut info = find_object(&objects, name.table_key())?.ok_or(S3Failure::NoSuchKey)?;
                info.tags = tags;
                objects.insert(name.table_key(), serde_json::to_vec(&info)?.as_slice())?;
                Ok(())
            })
            .await
    }

    /// The noncurrent versions and delete markers of a key, oldest first.
    ///
    /// # Errors
    /// The bucket does not exist.
    pub fn versions(&self, bucket: &str, key: &str) -> Result<Vec<NoncurrentVersion>, S3Failure> {
        self.database().read(|transaction| {
            bucket::find(&transaction.open_table(BUCKETS)?, bucket)?;
            let versions = transaction.open_table(VERSIONS)?;
            let mut found = Vec::new();
            for entry in versions.range((bucket, key, 0)..=(bucket, key, u64::MAX))? {
                found.push(serde_json::from_slice(entry?.1.value())?);
            }
            Ok(found)
        })
    }
}

impl PutSpec {
    /// The record of an object that was just written with these options.
    pub(super) fn into_info(
        self,
        size: u64,
        etag: String,
        checksum: Checksum,
        parts: Vec<ObjectPart>,
        segments: Vec<BodySegment>,
    ) -> ObjectInfo {
        ObjectInfo {
            size,
            etag,
            modified: now(),
            headers: self.headers,
            storage_class: self.storage_class.unwrap_or_else(|| "STANDARD".to_owned()),
            encryption: self.encryption,
            checksum,
            tags: self.tags,
            parts,
            version: None,
            segments,
        }
    }
}

/// Rejects an invalid key.
pub(super) fn check_key(key: &str) -> Result<(), S3Failure> {
    if key.is_empty() {
        return Err(S3Failure::InvalidArgument("A key has at least one byte."));
    }
    if key.len() > MAX_KEY_LENGTH { Err(S3Failure::KeyTooLong) } else { Ok(()) }
}

/// The object with this bucket and key, if it exists.
pub(super) fn find_object(
    objects: &impl ReadableTable<(&'static str, &'static str), &'static [u8]>,
    name: (&str, &str),
) -> Result<Option<ObjectInfo>, S3Failure> {
    match objects.get(name)? {
        Some(record) => Ok(Some(serde_json::from_slice(record.value())?)),
        None => Ok(None),
    }
}

/// Creates or replaces an object with the result of `make` if `condition` holds for the current object. All objects are
/// written here.
///
/// `make` must fail before it changes anything, or not at all.
pub(super) fn replace_object(
    change: &mut DatabaseChange<'_>,
    bodies: &Bodies,
    name: &ObjectName,
    condition: &WriteCondition,
    make: impl FnOnce(&mut DatabaseChange<'_>) -> Result<ObjectInfo, S3Failure>,
) -> Result<ObjectInfo, S3Failure> {
    let versioned = bucket::require(change, &name.bucket)?.versioned;
    let current = find_object(&change.transaction.open_table(OBJECTS)?, name.table_key())?;
    condition.check(current.as_ref())?;
    let version = if versioned { Some(random_hex(16)?) } else { None };
    let info = ObjectInfo { version, ..make(change)? };
    change.transaction.open_table(OBJECTS)?.insert(name.table_key(), serde_json::to_vec(&info)?.as_slice())?;
    if let Some(current) = current {
        version::retire(change, bodies, name, current, versioned)?;
    }
    Ok(info)
}
