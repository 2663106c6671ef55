//! Uploads in parts. Owns an upload from its creation to its completion or abortion; never the request.

use std::sync::Arc;

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::{
    ObjectStore, PutSpec, WriteCondition,
    body::{Bodies, BodySegment, StagedBody},
    bucket,
    checksum::{Algorithm, Checksum, ChecksumKind, md5_of_md5s},
    copy::{CopyOrigin, is_unchanged},
    error::S3Failure,
    object::{ObjectEncryption, ObjectInfo, ObjectPart, StoredHeaders, etag_of, now, random_hex},
    replace,
};
use crate::database::{BUCKETS, DatabaseChange, PARTS, UPLOADS};

/// Highest part number. Source: "Amazon S3 multipart upload limits".
pub(crate) const MOST_PARTS: u32 = 10_000;

/// An upload that is neither completed nor aborted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UploadInProgress {
    /// Seconds since 1970.
    pub(crate) initiated: u64,
    pub(crate) headers: StoredHeaders,
    pub(crate) storage_class: Option<String>,
    pub(crate) encryption: ObjectEncryption,
    pub(crate) tags: std::collections::BTreeMap<String, String>,
    /// None: the client said nothing, and S3 uses CRC-64/NVME.
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) kind: ChecksumKind,
}

impl UploadInProgress {
    /// The algorithm in which parts are summed.
    pub(crate) fn summed_by(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Crc64Nvme)
    }
}

/// A part that has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UploadedPart {
    pub(crate) size: u64,
    /// Unquoted, as it was told.
    pub(crate) etag: String,
    /// Hex, whatever the ETag.
    pub(crate) md5: String,
    pub(crate) checksum: Checksum,
    /// Seconds since 1970.
    pub(crate) modified: u64,
    pub(crate) segments: Vec<BodySegment>,
}

/// Which upload: bucket, key and identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadName {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) id: String,
}

impl UploadName {
    fn place(&self) -> (&str, &str, &str) {
        (&self.bucket, &self.key, &self.id)
    }
}

/// A part as the completing request names it.
#[derive(Debug, Clone)]
pub(crate) struct NamedPart {
    pub(crate) number: u32,
    /// Unquoted.
    pub(crate) etag: String,
    /// The checksum that the request states, if any.
    pub(crate) checksum: Option<(Algorithm, String)>,
}

/// What the completing request says.
#[derive(Debug, Clone)]
pub(crate) struct CompletedUpload {
    pub(crate) parts: Vec<NamedPart>,
    pub(crate) condition: WriteCondition,
    /// The checksum of the whole that the request states, if any.
    pub(crate) claim: Option<(Algorithm, String)>,
    /// The size of the whole that the request states, if any.
    pub(crate) size: Option<u64>,
}

fn find_upload(
    uploads: &impl ReadableTable<(&'static str, &'static str, &'static str), &'static [u8]>,
    name: &UploadName,
) -> Result<UploadInProgress, S3Failure> {
    match uploads.get(name.place())? {
        Some(record) => Ok(serde_json::from_slice(record.value())?),
        None => Err(S3Failure::NoSuchUpload),
    }
}

fn find_parts(
    parts: &impl ReadableTable<(&'static str, u32), &'static [u8]>,
    id: &str,
) -> Result<Vec<(u32, UploadedPart)>, S3Failure> {
    let mut found = Vec::new();
    for entry in parts.range((id, 0)..=(id, MOST_PARTS))? {
        let (place, record) = entry?;
        found.push((place.value().1, serde_json::from_slice(record.value())?));
    }
    Ok(found)
}

impl ObjectStore {
    /// Begins an upload and answers its name.
    pub(crate) async fn create_upload(
        &self,
        bucket: &str,
        key: &str,
        upload: UploadInProgress,
    ) -> Result<UploadName, S3Failure> {
        super::check_key(key)?;
        upload.headers.check()?;
        let name = UploadName { bucket: bucket.to_owned(), key: key.to_owned(), id: random_hex(32)? };
        let created = name.clone();
        self.database()
            .write(move |change| {
                bucket::require(change, &name.bucket)?;
                let record = serde_json::to_vec(&upload)?;
                change.transaction.open_table(UPLOADS)?.insert(name.place(), record.as_slice())?;
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

    /// The parts of an unfinished upload, by number.
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

    /// All unfinished uploads of a bucket, by key.
    pub(crate) fn uploads(&self, bucket: &str) -> Result<Vec<(UploadName, UploadInProgress)>, S3Failure> {
        self.database().read(|transaction| {
            bucket::find(&transaction.open_table(BUCKETS)?, bucket)?;
            let uploads = transaction.open_table(UPLOADS)?;
            let mut found = Vec::new();
            for entry in uploads.range((bucket, "", "")..)? {
                let (place, record) = entry?;
                let (in_bucket, key, id) = place.value();
                if in_bucket != bucket {
                    break;
                }
                let name = UploadName { bucket: bucket.to_owned(), key: key.to_owned(), id: id.to_owned() };
                found.push((name, serde_json::from_slice(record.value())?));
            }
            Ok(found)
        })
    }

    /// Makes a body that has arrived a part.
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

    /// Makes a stretch of an object a part, without moving bytes. Answers None if the object was replaced meanwhile.
    pub(crate) async fn copy_part(
        &self,
        name: UploadName,
        number: u32,
        from: (String, String),
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

    /// Makes an upload an object.
    ///
    /// # Errors
    /// A part is missing, out of order, too small or not what the request says, or the condition does not hold. The upload
    /// then stays as it was.
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
                let arrived = find_parts(&change.transaction.open_table(PARTS)?, &name.id)?;
                let parts = chosen_parts(&upload, &arrived, &completion, smallest)?;
                let size: u64 = parts.iter().map(|(_, part)| part.size).sum();
                if completion.size.is_some_and(|stated| stated != size) {
                    return Err(S3Failure::InvalidRequest(
                        "The provided 'x-amz-mp-object-size' header does not match what was computed.",
                    ));
                }
                let checksum = whole_checksum(&upload, &parts)?;
                if let Some((algorithm, value)) = &completion.claim
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
                replace(change, &bodies, (&name.bucket, &name.key), &completion.condition, |change| {
                    // The object takes over the parts' hold on their bodies; only parts left out let go of theirs.
                    let left_out: Vec<BodySegment> = arrived
                        .iter()
                        .filter(|(number, _)| !parts.iter().any(|(chosen, _)| chosen == number))
                        .flat_map(|(_, part)| part.segments.clone())
                        .collect();
                    bodies.release(change, &left_out)?;
                    remove_upload(change, &name, &arrived)?;
                    Ok(options.into_info(size, etag, checksum, summary, segments))
                })
            })
            .await
    }

    /// Forgets an upload and its parts.
    pub(crate) async fn abort_upload(&self, name: UploadName) -> Result<(), S3Failure> {
        let bodies = Arc::clone(self.bodies());
        self.database()
            .write(move |change| {
                find_upload(&change.transaction.open_table(UPLOADS)?, &name)?;
                let arrived = find_parts(&change.transaction.open_table(PARTS)?, &name.id)?;
                for (_, part) in &arrived {
                    bodies.release(change, &part.segments)?;
                }
                remove_upload(change, &name, &arrived)
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
    arrived: &[(u32, UploadedPart)],
) -> Result<(), S3Failure> {
    change.transaction.open_table(UPLOADS)?.remove(name.place())?;
    let mut parts = change.transaction.open_table(PARTS)?;
    for (number, _) in arrived {
        parts.remove((name.id.as_str(), *number))?;
    }
    Ok(())
}

/// The parts that the request names, in its order, each checked.
fn chosen_parts<'a>(
    upload: &UploadInProgress,
    arrived: &'a [(u32, UploadedPart)],
    completion: &CompletedUpload,
    smallest: u64,
) -> Result<Vec<(u32, &'a UploadedPart)>, S3Failure> {
    if completion.parts.is_empty() {
        return Err(S3Failure::MalformedXml);
    }
    let mut chosen: Vec<(u32, &UploadedPart)> = Vec::with_capacity(completion.parts.len());
    for named in &completion.parts {
        if chosen.last().is_some_and(|(before, _)| *before >= named.number) {
            return Err(S3Failure::InvalidPartOrder);
        }
        let place = arrived.binary_search_by_key(&named.number, |(number, _)| *number);
        let (_, part) = place.ok().and_then(|place| arrived.get(place)).ok_or(S3Failure::InvalidPart)?;
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
        chosen.push((named.number, part));
    }
    let all_but_last = chosen.len() - 1;
    if chosen.iter().take(all_but_last).any(|(_, part)| part.size < smallest) {
        return Err(S3Failure::EntityTooSmall);
    }
    Ok(chosen)
}

/// The checksum of the object that the parts make.
fn whole_checksum(upload: &UploadInProgress, parts: &[(u32, &UploadedPart)]) -> Result<Checksum, S3Failure> {
    let algorithm = upload.summed_by();
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
