//! Uploads in parts. Owns an upload from its creation to its completion or abortion; never the request.

use std::sync::Arc;

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::{
    PutOptions, Store, WriteCondition,
    body::{Bodies, Segment, Staged},
    bucket,
    checksum::{Algorithm, Checksum, Kind, md5_of_md5s},
    copy::{Source, is_unchanged},
    error::Error,
    object::{Encryption, Headers, ObjectInfo, ObjectPart, etag_of, now, random_hex},
    replace,
};
use crate::database::{BUCKETS, Change, PARTS, UPLOADS};

/// Highest part number. Source: "Amazon S3 multipart upload limits".
pub(crate) const MOST_PARTS: u32 = 10_000;

/// An upload that is neither completed nor aborted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Upload {
    /// Seconds since 1970.
    pub(crate) initiated: u64,
    pub(crate) headers: Headers,
    pub(crate) storage_class: Option<String>,
    pub(crate) encryption: Encryption,
    pub(crate) tags: std::collections::BTreeMap<String, String>,
    /// None: the client said nothing, and S3 uses CRC-64/NVME.
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) kind: Kind,
}

impl Upload {
    /// The algorithm in which parts are summed.
    pub(crate) fn summed_by(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Crc64Nvme)
    }
}

/// A part that has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) size: u64,
    /// Unquoted, as it was told.
    pub(crate) etag: String,
    /// Hex, whatever the ETag.
    pub(crate) md5: String,
    pub(crate) checksum: Checksum,
    /// Seconds since 1970.
    pub(crate) modified: u64,
    pub(crate) segments: Vec<Segment>,
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
pub(crate) struct Completion {
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
) -> Result<Upload, Error> {
    match uploads.get(name.place())? {
        Some(record) => Ok(serde_json::from_slice(record.value())?),
        None => Err(Error::NoSuchUpload),
    }
}

fn find_parts(
    parts: &impl ReadableTable<(&'static str, u32), &'static [u8]>,
    id: &str,
) -> Result<Vec<(u32, Part)>, Error> {
    let mut found = Vec::new();
    for entry in parts.range((id, 0)..=(id, MOST_PARTS))? {
        let (place, record) = entry?;
        found.push((place.value().1, serde_json::from_slice(record.value())?));
    }
    Ok(found)
}

impl Store {
    /// Begins an upload and answers its name.
    pub(crate) async fn create_upload(&self, bucket: &str, key: &str, upload: Upload) -> Result<UploadName, Error> {
        super::check_key(key)?;
        upload.headers.check()?;
        let name = UploadName { bucket: bucket.to_owned(), key: key.to_owned(), id: random_hex(32)? };
        let created = name.clone();
        self.database()
            .write(move |change| {
                bucket::require(change, &name.bucket)?;
                let record = serde_json::to_vec(&upload)?;
                change.transaction.open_table(UPLOADS)?.insert(name.place(), record.as_slice())?;
                Ok::<_, Error>(())
            })
            .await?;
        Ok(created)
    }

    /// An unfinished upload.
    pub(crate) fn upload(&self, name: &UploadName) -> Result<Upload, Error> {
        self.database().read(|transaction| {
            bucket::find(&transaction.open_table(BUCKETS)?, &name.bucket)?;
            find_upload(&transaction.open_table(UPLOADS)?, name)
        })
    }

    /// The parts of an unfinished upload, by number.
    pub(crate) fn upload_parts(&self, name: &UploadName) -> Result<(Upload, Vec<(u32, Part)>), Error> {
        self.database().read(|transaction| {
            bucket::find(&transaction.open_table(BUCKETS)?, &name.bucket)?;
            let upload = find_upload(&transaction.open_table(UPLOADS)?, name)?;
            Ok((upload, find_parts(&transaction.open_table(PARTS)?, &name.id)?))
        })
    }

    /// All unfinished uploads of a bucket, by key.
    pub(crate) fn uploads(&self, bucket: &str) -> Result<Vec<(UploadName, Upload)>, Error> {
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
    pub(crate) async fn put_part(&self, name: UploadName, number: u32, staged: Staged) -> Result<Part, Error> {
        let bodies = Arc::clone(self.bodies());
        self.database()
            .write(move |change| {
                let upload = find_upload(&change.transaction.open_table(UPLOADS)?, &name)?;
                let mut part = Part {
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
        source: Source,
    ) -> Result<Option<Part>, Error> {
        let bodies = Arc::clone(self.bodies());
        self.database()
            .write(move |change| {
                let upload = find_upload(&change.transaction.open_table(UPLOADS)?, &name)?;
                if !is_unchanged(change, &from, &source.info)? {
                    return Ok(None);
                }
                let part = Part {
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
    pub(crate) async fn complete_upload(&self, name: UploadName, completion: Completion) -> Result<ObjectInfo, Error> {
        let (bodies, smallest) = (Arc::clone(self.bodies()), self.limits().smallest_part);
        self.database()
            .write(move |change| {
                bucket::require(change, &name.bucket)?;
                let upload = find_upload(&change.transaction.open_table(UPLOADS)?, &name)?;
                let arrived = find_parts(&change.transaction.open_table(PARTS)?, &name.id)?;
                let parts = chosen_parts(&upload, &arrived, &completion, smallest)?;
                let size: u64 = parts.iter().map(|(_, part)| part.size).sum();
                if completion.size.is_some_and(|stated| stated != size) {
                    return Err(Error::InvalidRequest(
                        "The provided 'x-amz-mp-object-size' header does not match what was computed.",
                    ));
                }
                let checksum = whole_checksum(&upload, &parts)?;
                if let Some((algorithm, value)) = &completion.claim
                    && (*algorithm != checksum.algorithm || *value != checksum.value)
                {
                    return Err(Error::BadDigest(algorithm.name()));
                }
                let md5s = md5_of_md5s(parts.iter().map(|(_, part)| part.md5.as_str()))?;
                let etag = format!("{}-{}", etag_of(&md5s, &upload.encryption)?, parts.len());
                let segments: Vec<Segment> = parts.iter().flat_map(|(_, part)| part.segments.clone()).collect();
                let summary = parts
                    .iter()
                    .map(|(number, part)| ObjectPart {
                        number: *number,
                        size: part.size,
                        checksum: part.checksum.clone(),
                    })
                    .collect();
                let options = PutOptions::from(upload);
                replace(change, &bodies, (&name.bucket, &name.key), &completion.condition, |change| {
                    // The object takes over the parts' hold on their bodies; only parts left out let go of theirs.
                    let left_out: Vec<Segment> = arrived
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
    pub(crate) async fn abort_upload(&self, name: UploadName) -> Result<(), Error> {
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
    change: &mut Change<'_>,
    bodies: &Bodies,
    name: &UploadName,
    number: u32,
    part: &Part,
) -> Result<(), Error> {
    let replaced = {
        let mut parts = change.transaction.open_table(PARTS)?;
        let before = parts.insert((name.id.as_str(), number), serde_json::to_vec(part)?.as_slice())?;
        before.map(|record| serde_json::from_slice::<Part>(record.value())).transpose()?
    };
    match replaced {
        Some(replaced) => bodies.release(change, &replaced.segments),
        None => Ok(()),
    }
}

fn remove_upload(change: &Change<'_>, name: &UploadName, arrived: &[(u32, Part)]) -> Result<(), Error> {
    change.transaction.open_table(UPLOADS)?.remove(name.place())?;
    let mut parts = change.transaction.open_table(PARTS)?;
    for (number, _) in arrived {
        parts.remove((name.id.as_str(), *number))?;
    }
    Ok(())
}

/// The parts that the request names, in its order, each checked.
fn chosen_parts<'a>(
    upload: &Upload,
    arrived: &'a [(u32, Part)],
    completion: &Completion,
    smallest: u64,
) -> Result<Vec<(u32, &'a Part)>, Error> {
    if completion.parts.is_empty() {
        return Err(Error::MalformedXml);
    }
    let mut chosen: Vec<(u32, &Part)> = Vec::with_capacity(completion.parts.len());
    for named in &completion.parts {
        if chosen.last().is_some_and(|(before, _)| *before >= named.number) {
            return Err(Error::InvalidPartOrder);
        }
        let place = arrived.binary_search_by_key(&named.number, |(number, _)| *number);
        let (_, part) = place.ok().and_then(|place| arrived.get(place)).ok_or(Error::InvalidPart)?;
        if part.etag != named.etag {
            return Err(Error::InvalidPart);
        }
        match &named.checksum {
            Some((algorithm, value)) if *algorithm != part.checksum.algorithm || *value != part.checksum.value => {
                return Err(Error::InvalidPart);
            }
            _ => {}
        }
        if let (None, Some(algorithm), Kind::Composite) = (&named.checksum, upload.algorithm, upload.kind) {
            return Err(Error::MissingPartChecksum { algorithm, part: named.number });
        }
        chosen.push((named.number, part));
    }
    let all_but_last = chosen.len() - 1;
    if chosen.iter().take(all_but_last).any(|(_, part)| part.size < smallest) {
        return Err(Error::EntityTooSmall);
    }
    Ok(chosen)
}

/// The checksum of the object that the parts make.
fn whole_checksum(upload: &Upload, parts: &[(u32, &Part)]) -> Result<Checksum, Error> {
    let algorithm = upload.summed_by();
    match upload.kind {
        Kind::Composite => Checksum::composite(algorithm, parts.iter().map(|(_, part)| &part.checksum)),
        Kind::FullObject => Checksum::joined(algorithm, parts.iter().map(|(_, part)| (&part.checksum, part.size))),
    }
}

impl From<Upload> for PutOptions {
    fn from(upload: Upload) -> Self {
        Self {
            headers: upload.headers,
            storage_class: upload.storage_class,
            encryption: upload.encryption,
            tags: upload.tags,
            condition: WriteCondition::None,
        }
    }
}
