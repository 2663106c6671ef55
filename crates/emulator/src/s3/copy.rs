//! Copies inside the store without moving bytes: the copy uses the same bodies.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use futures::TryStreamExt as _;
use s3s::dto::CopySource;

use super::{
    algorithm::{Algorithm, ChecksumKind},
    body::{Bodies, BodySegment, cut},
    bucket,
    checksum::{Checksum, Digester, Digests},
    condition::ReadConditions,
    error::S3Failure,
    object::{ObjectInfo, ObjectName, StoredHeaders, etag_of},
    store::{ObjectStore, PutSpec, check_key, find_object, replace_object},
};
use crate::database::{BUCKETS, DatabaseChange, OBJECTS};

/// A copy to make.
pub(crate) struct CopyRequest {
    pub(crate) source: ObjectName,
    pub(crate) destination: ObjectName,
    /// The conditions on the source.
    pub(crate) conditions: ReadConditions,
    /// `None`: those of the source, without its website redirect (`COPY`).
    pub(crate) headers: Option<StoredHeaders>,
    /// `None`: those of the source (`COPY`).
    pub(crate) tags: Option<BTreeMap<String, String>>,
    /// `None`: that of the source.
    pub(crate) algorithm: Option<Algorithm>,
    /// The request's own options. Their headers and tags are used only for what `COPY` does not copy.
    pub(crate) options: PutSpec,
    /// Whether the request sets the storage class, encryption or redirect, so that an object may be copied onto itself.
    pub(crate) changes_attributes: bool,
}

/// Bucket and key of a copy's source.
///
/// # Errors
/// The source is an access point or a version, which the emulator does not support.
pub(super) fn source_name(source: &CopySource) -> Result<ObjectName, S3Failure> {
    match source {
        CopySource::Bucket { bucket, key, version_id: None } => Ok(ObjectName::new(bucket, key)),
        CopySource::Bucket { .. } => Err(S3Failure::NotImplemented("x-amz-copy-source with a version")),
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
            Err(S3Failure::NotImplemented("x-amz-copy-source with an access point"))
        }
    }
}

/// The source of a copy.
pub(crate) struct CopyOrigin {
    pub(crate) info: ObjectInfo,
    /// The bodies that hold the bytes to copy.
    pub(crate) segments: Vec<BodySegment>,
    pub(crate) digests: Digests,
}

impl ObjectStore {
    /// Copies an object.
    ///
    /// # Errors
    /// As in S3: source or bucket missing, a condition not met, source too large, or a copy onto itself that changes
    /// nothing.
    pub(crate) async fn copy(&self, copy: CopyRequest) -> Result<ObjectInfo, S3Failure> {
        check_key(&copy.destination.key)?;
        if copy.source == copy.destination && copy.headers.is_none() && !copy.changes_attributes {
            return Err(S3Failure::InvalidRequest(
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        if let Some(headers) = &copy.headers {
            headers.check()?;
        }
        let copy = Arc::new(copy);
        loop {
            let limit = self.limits().copy_source;
            let source = self
                .source(&copy.source, copy.algorithm, |info| {
                    copy.conditions.check_copy(info)?;
                    if info.size > limit {
                        return Err(S3Failure::InvalidRequest(
                            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
                        ));
                    }
                    Ok(0..info.size)
                })
                .await?;
            if let Some(copied) = self.write_copy(&copy, source).await? {
                return Ok(copied);
            }
            // The source was replaced between digesting and writing, so start again with the new one.
        }
    }

    async fn write_copy(&self, copy: &Arc<CopyRequest>, source: CopyOrigin) -> Result<Option<ObjectInfo>, S3Failure> {
        let (copy, bodies) = (Arc::clone(copy), Arc::clone(self.bodies()));
        let etag = etag_of(&source.digests.md5, &copy.options.encryption)?;
        self.database()
            .write(move |change| {
                if !is_unchanged(change, &copy.source, &source.info)? {
                    return Ok(None);
                }
                let mut options = copy.options.clone();
                options.headers = copy.headers.clone().unwrap_or_else(|| StoredHeaders {
                    website_redirect: options.headers.website_redirect,
                    ..source.info.headers.clone()
                });
                options.tags = copy.tags.clone().unwrap_or_else(|| source.info.tags.clone());
                replace_object(change, &bodies, &copy.destination, &copy.options.condition, |change| {
                    Bodies::retain(change, &source.segments)?;
                    Ok(options.into_info(source.info.size, etag, source.digests.checksum, Vec::new(), source.segments))
                })
                .map(Some)
            })
            .await
    }

    /// Finds the source and its digests. Reads the bytes only if the record does not contain the digests.
    pub(crate) async fn source(
        &self,
        name: &ObjectName,
        algorithm: Option<Algorithm>,
        select: impl FnOnce(&ObjectInfo) -> Result<Range<u64>, S3Failure>,
    ) -> Result<CopyOrigin, S3Failure> {
        let (info, range, content) = self.bodies().reading(|mut reading| {
            self.database().read(|transaction| {
                bucket::find(&transaction.open_table(BUCKETS)?, &name.bucket)?;
                let info =
                    find_object(&transaction.open_table(OBJECTS)?, name.table_key())?.ok_or(S3Failure::NoSuchKey)?;
                let range = select(&info)?;
                let content = reading.content(transaction, &info.segments, range.clone())?;
                Ok((info, range, content))
            })
        })?;
        let algorithm = algorithm.unwrap_or(info.checksum.algorithm);
        let digests = match known_digests(&info, &range, algorithm) {
            Some(digests) => digests,
            None => {
                let mut digester = Digester::new(algorithm);
                let mut bytes = std::pin::pin!(content.stream());
                while let Some(chunk) = bytes.try_next().await? {
                    digester.update(&chunk);
                }
                digester.finish()
            }
        };
        Ok(CopyOrigin { segments: cut(&info.segments, &range), info, digests })
    }
}

/// The digests of `range`, if the object's record contains them.
fn known_digests(info: &ObjectInfo, range: &Range<u64>, algorithm: Algorithm) -> Option<Digests> {
    let whole = *range == (0..info.size);
    let single = info.parts.is_empty() && info.encryption.shows_md5();
    let Checksum { algorithm: known, kind, .. } = info.checksum;
    (whole && single && known == algorithm && kind == ChecksumKind::FullObject)
        .then(|| Digests { md5: info.etag.clone(), checksum: info.checksum.clone() })
}

/// Whether the object is the one that was read.
pub(crate) fn is_unchanged(
    change: &DatabaseChange<'_>,
    name: &ObjectName,
    seen: &ObjectInfo,
) -> Result<bool, S3Failure> {
    let current = find_object(&change.transaction.open_table(OBJECTS)?, name.table_key())?;
    Ok(current.is_some_and(|current| current == *seen))
}
