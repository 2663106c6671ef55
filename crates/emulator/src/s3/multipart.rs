//! Multipart uploads, from creation to completion or abortion.

use std::sync::Arc;

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::{
    algorithm::{Algorithm, ChecksumKind},
    body::{Bodies, BodySegment, StagedBody},
    bucket,
    checksum::{Checksum, md5_of_md5s},
    condition::WriteCondition,
    copy::{CopyOrigin, is_unchanged},
    error::S3Failure,
    object::{ObjectEncryption, ObjectInfo, ObjectName, ObjectPart, StoredHeaders, etag_of, now, random_hex},
    store::{ObjectStore, PutSpec, check_key, replace_object},
};
use crate::database::{BUCKETS, DatabaseChange, PARTS, UPLOADS};

/// Highest part number. Source: "Amazon S3 multipart upload limits".
pub(crate) const MAX_PARTS: u32 = 10_000;

/// An upload that is neither completed nor aborted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UploadInProgress {
    /// Seconds since 1970.
    pub(crate) initiated: u64,
    pub(crate) headers: StoredHeaders,
    pub(crate) storage_class: Option<String>,
    pub(crate) encryption: ObjectEncryption,
    pub(crate) tags: std::collections::BTreeMap<String, String>,
    /// `None`: the client named none, and S3 uses CRC-64/NVME.
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) kind: ChecksumKind,
}

impl UploadInProgress {
    /// The algorithm of the parts' checksums.
    pub(crate) fn part_algorithm(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Crc64Nvme)
    }
}

/// An uploaded part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UploadedPart {
    pub(crate) size: u64,
    /// Without quotation marks.
    pub(crate) etag: String,
    /// In hex, whatever the ETag is.
    pub(crate) md5: String,
    pub(crate) checksum: Checksum,
    /// Seconds since 1970.
    pub(crate) modified: u64,
    pub(crate) segments: Vec<BodySegment>,
}

/// The name of an upload: bucket, key and ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadName {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) id: String,
}

impl UploadName {
    fn table_key(&self) -> (&str, &str, &str) {
        (&self.bucket, &self.key, &self.id)
    }
}

/// A part as CompleteMultipartUpload names it.
#[derive(Debug, Clone)]
pub(crate) struct NamedPart {
    pub(crate) number: u32,
    /// Unquoted.
    pub(crate) etag: String,
    /// The checksum that the request states, if any.
    pub(crate) checksum: Option<(Algorithm, String)>,
}

/// The content of a CompleteMultipartUpload request.
#[derive(Debug, Clone)]
pub(crate) struct CompletedUpload {
    pub(crate) parts: Vec<NamedPart>,
    pub(crate) condition: WriteCondition,
    /// The checksum of the whole object that the request states, if any.
    pub(crate) checksum: Option<(Algorithm, String)>,
    /// The size of the whole object that the request states, if any.
    pub(crate) size: Option<u64>,
}

fn find_upload(
    uploads: &impl ReadableTable<(&'static str, &'static str, &'static str), &'static [u8]>,
    name: &UploadName,
) -> Result<UploadInProgress, S3Failure> {
    match uploads.get(name.table_key())? {
        Some(record) => Ok(serde_json::from_slice(record.value())?),
        None => Err(S3Failure::NoSuchUpload),
    }
}

fn find_parts(
    parts: &impl ReadableTable<(&'static str, u32), &'static [u8]>,
    id: &str,
) -> Result<Vec<(u32, UploadedPart)>, S3Failure> {
    let mut found = Vec::new();
    for entry in parts.range((id, 0)..=(id, MAX_PARTS))? {
        let (key, record) = entry?;
        found.push((key.value().1, serde_json::from_slice(record.value())?));
    }
    Ok(found)
}

impl ObjectStore {
    /// Creates an upload and returns its name.
    pub(crate) async fn create_upload(
        &self,
        bucket: &str,
        key: &str,
        upload: UploadInProgress,
    ) -> Result<UploadName, S3Failure> {
        check_key(key)?;
        upload.headers.check()?;
        let name = UploadName { bucket: bucket.to_owned(), key: key.to_owned(), id: random_hex(32)? };
        let created = name.clone();
        self.database()
            .write(move |change| {
                bucket::require(change, &name.bucket)?;
                let record = serde_json::to_vec(&upload)?;
                change.transaction.open_table(UPLOADS)?.insert(name.table_key(), record.as_slice())?;
                Ok::<_, S3Failure>(())
            })
            .await?;
        Ok(created)
    }

    /// An unfinished upload.
    pub(crate) fn upload(&self, name: &UploadName) -> Result<UploadInProgress, S3Failure> {
        self.database().read(|transaction| {
            bucket::find(&transaction.open_table(BUCKETS)?, &name.bucket)?;
            find_upload(&transaction.open_table(UPLOADS)?, name)
        })
    }

    /// An unfinished upload and its parts, ordered by number.
    pub(crate) fn upload_parts(
        &self,
        name: &UploadName,
    ) -> Result<(UploadInProgress, Vec<(u32, UploadedPart)>), S3Failure> {
        self.database().read(|transaction| {
            bucket::find(&transaction.open_table(BUCKETS)?, &name.bucket)?;
            let upload = find_upload(&transaction.open_table(UPLOADS)?, name)?;
            Ok((upload, find_parts(&transaction.open_table(PARTS)?, &name.id)?))
        })
    }

    /// All unfinished uploads of a bucket, ordered by key.
    pub(crate) fn uploads(&self, bucket: &str) -> Result<Vec<(UploadName, UploadInProgress)>, S3Failure> {
        self.database().read(|transaction| {
            bucket::find(&transaction.open_table(BUCKETS)?, bucket)?;
            let uploads = transaction.open_table(UPLOADS)?;
            let mut found = Vec::new();
            for entry in uploads.range((bucket, "", "")..)? {
                let (name, record) = entry?;
                let (in_bucket, key, id) = name.value();
                if in_bucket != bucket {
                    break;
                }
                let name = UploadName { bucket: bucket.to_owned(), key: key.to_owned(), id: id.to_owned() };
                found.push((name, serde_json::from_slice(record.value())?));
            }
            Ok(found)
        })
    }

    /// Stores a staged body as a part.
    pub(crate) async fn put_part(
        &self,
        name: UploadName,
        number: u32,
        staged: StagedBody,
    ) -> Result<UploadedPart, S3Failure> {
        let bodies = Arc::clone(self.bodies());
        self.database()
            .write(move |change| {
                let upload = find_upload(&change.transaction.open_table(UPLOADS)?, &name)?;
                let mut part = UploadedPart {
                    size: staged.size,
                    etag: etag_of(&staged.digests.md5, &upload.encryption)?,
                    md5: staged.digests.md5.clone(),
                    checksum: staged.digests.checksum.clone(),
                    modified: now(),
                    segments: Vec::new(),
                };
                part.segments = vec![Bodies::store(staged, change)?];
                insert_part(change, &bodies, &name, number, &part)?;
                Ok(part)
            })
            .await
    }

    /// Stores a range of an object as a part without moving bytes. Returns `None` if the object was replaced in the
    /// meantime.
    pub(crate) async fn copy_part(
        &self,
        name: UploadName,
        number: u32,
        from: ObjectName,
        source: CopyOrigin,
    ) -> Result<Option<UploadedPart>, S3Failure> {
        let bodies = Arc::clone(self.bodies());
        self.database()
            .write(move |change| {
                let upload = find_upload(&change.transaction.open_table(UPLOADS)?, &name)?;
                if !is_unchanged(change, &from, &source.info)? {
                    return Ok(None);
                }
                let part = UploadedPart {
                    size: source.segments.iter().map(|segment| segment.length).sum(),
                    etag: etag_of(&source.digests.md5, &upload.encryption)?,
                    md5: source.digests.md5,
                    checksum: source.digests.checksum,
                    modified: now(),
                    segments: source.segments,
                };
                Bodies::retain(change, &part.segments)?;
                insert_part(change, &bodies, &name, number, &part)?;
                Ok(Some(part))
            })
            .await
    }

    /// Turns an upload into an object.
    ///
    /// # Errors
    /// A part is missing, out of order, too small or different from the request, or the condition does not hold. The
    /// upload then stays unchanged.
    pub(crate) async fn complete_upload(
        &self,
        name: UploadName,
        completion: CompletedUpload,
    ) -> Result<ObjectInfo, S3Failure> {
        let (bodies, smallest) = (Arc::clone(self.bodies()), self.limits().smallest_part);
        self.database()
            .write(move |change| {
                bucket::require(change, &name.bucket)?;
                let upload = find_upload(&change.transaction.open_table(UPLOADS)?, &name)?;
                let uploaded = find_parts(&change.transaction.open_table(PARTS)?, &name.id)?;
                let parts = select_parts(&upload, &uploaded, &completion, smallest)?;
                let size: u64 = parts.iter().map(|(_, part)| part.size).sum();
                if completion.size.is_some_and(|stated| stated != size) {
                    return Err(S3Failure::InvalidRequest(
                        "The provided 'x-amz-mp-object-size' header does not match what was computed.",
                    ));
                }
                let checksum = whole_checksum(&upload, &parts)?;
                if let Some((algorithm, value)) = &completion.checksum
                    && (*algorithm != checksum.algorithm || *value != checksum.value)
                {
                    return Err(S3Failure::BadDigest(algorithm.name()));
                }
                let md5s = md5_of_md5s(parts.iter().map(|(_, part)| part.md5.as_str()))?;
                let etag = format!("{}-{}", etag_of(&md5s, &upload.encryption)?, parts.len());
                let segments: Vec<BodySegment> = parts.iter().flat_map(|(_, part)| part.segments.clone()).collect();
                let summary = parts
                    .iter()
                    .map(|(number, part)| ObjectPart {
                        number: *number,
                        size: part.size,
                        checksum: part.checksum.clone(),
                    })
                    .collect();
                let options = PutSpec::from(upload);
                let object = ObjectName::new(&name.bucket, &name.key);
                replace_object(change, &bodies, &object, &completion.condition, |change| {
                    // The object takes over the bodies of its parts. Only the bodies of unused parts are released.
                    let unused: Vec<BodySegment> = uploaded
                        .iter()
                        .filter(|(number, _)| !parts.iter().any(|(selected, _)| selected == number))
                        .flat_map(|(_, part)| part.segments.clone())
                        .collect();
                    bodies.release(change, &unused)?;
                    remove_upload(change, &name, &uploaded)?;
                    Ok(options.into_info(size, etag, checksum, summary, segments))
                })
            })
            .await
    }

    /// Deletes an upload and its parts.
    pub(crate) async fn abort_upload(&self, name: UploadName) -> Result<(), S3Failure> {
        let bodies = Arc::clone(self.bodies());
        self.database()
            .write(move |change| {
                find_upload(&change.transaction.open_table(UPLOADS)?, &name)?;
                let uploaded = find_parts(&change.transaction.open_table(PARTS)?, &name.id)?;
                for (_, part) in &uploaded {
                    bodies.release(change, &part.segments)?;
                }
                remove_upload(change, &name, &uploaded)
            })
            .await
    }
}

fn insert_part(
    change: &mut DatabaseChange<'_>,
    bodies: &Bodies,
    name: &UploadName,
    number: u32,
    part: &UploadedPart,
) -> Result<(), S3Failure> {
    let replaced = {
        let mut parts = change.transaction.open_table(PARTS)?;
        let before = parts.insert((name.id.as_str(), number), serde_json::to_vec(part)?.as_slice())?;
        before.map(|record| serde_json::from_slice::<UploadedPart>(record.value())).transpose()?
    };
    match replaced {
        Some(replaced) => bodies.release(change, &replaced.segments),
        None => Ok(()),
    }
}

fn remove_upload(
    change: &DatabaseChange<'_>,
    name: &UploadName,
    uploaded: &[(u32, UploadedPart)],
) -> Result<(), S3Failure> {
    change.transaction.open_table(UPLOADS)?.remove(name.table_key())?;
    let mut parts = change.transaction.open_table(PARTS)?;
    for (number, _) in uploaded {
        parts.remove((name.id.as_str(), *number))?;
    }
    Ok(())
}

/// The parts that the request names, in its order, after checking each.
fn select_parts<'a>(
    upload: &UploadInProgress,
    uploaded: &'a [(u32, UploadedPart)],
    completion: &CompletedUpload,
    smallest: u64,
) -> Result<Vec<(u32, &'a UploadedPart)>, S3Failure> {
    if completion.parts.is_empty() {
        return Err(S3Failure::MalformedXml);
    }
    let mut selected: Vec<(u32, &UploadedPart)> = Vec::with_capacity(completion.parts.len());
    for named in &completion.parts {
        if selected.last().is_some_and(|(before, _)| *before >= named.number) {
            return Err(S3Failure::InvalidPartOrder);
        }
        let index = uploaded.binary_search_by_key(&named.number, |(number, _)| *number);
        let (_, part) = index.ok().and_then(|index| uploaded.get(index)).ok_or(S3Failure::InvalidPart)?;
        if part.etag != named.etag {
            return Err(S3Failure::InvalidPart);
        }
        match &named.checksum {
            Some((algorithm, value)) if *algorithm != part.checksum.algorithm || *value != part.checksum.value => {
                return Err(S3Failure::InvalidPart);
            }
            _ => {}
        }
        if let (None, Some(algorithm), ChecksumKind::Composite) = (&named.checksum, upload.algorithm, upload.kind) {
            return Err(S3Failure::MissingPartChecksum { algorithm, part: named.number });
        }
        selected.push((named.number, part));
    }
    let last = selected.len() - 1;
    if selected.iter().take(last).any(|(_, part)| part.size < smallest) {
        return Err(S3Failure::EntityTooSmall);
    }
    Ok(selected)
}

/// The checksum of the whole object.
fn whole_checksum(upload: &UploadInProgress, parts: &[(u32, &UploadedPart)]) -> Result<Checksum, S3Failure> {
    let algorithm = upload.part_algorithm();
    match upload.kind {
        ChecksumKind::Composite => Checksum::composite(algorithm, parts.iter().map(|(_, part)| &part.checksum)),
        ChecksumKind::FullObject => {
            Checksum::joined(algorithm, parts.iter().map(|(_, part)| (&part.checksum, part.size)))
        }
    }
}

impl From<UploadInProgress> for PutSpec {
    fn from(upload: UploadInProgress) -> Self {
        Self {
            headers: upload.headers,
            storage_class: upload.storage_class,
            encryption: upload.encryption,
            tags: upload.tags,
            condition: WriteCondition::None,
        }
    }
}
