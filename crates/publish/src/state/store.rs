//! The documents of a site's state: pointer, releases, reports, and records of webhook deliveries.

use std::collections::BTreeMap;
use std::pin::pin;

use bytes::Bytes;
use futures::stream::TryStreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_core::identity::ETag;
use tidegate_core::listing::ListedObject;
use tidegate_core::location::{Location, Prefix};
use tidegate_core::plan::shards::ShardPhase;
use tidegate_core::put_options::MAX_DELETES;
use tidegate_core::release::{BODIES, FORMAT, PathsSent, ReleaseId, ReleasePointer, ReleaseRecord, bodies};
use tidegate_core::report::PublishReport;
use tidegate_core::timestamp::Timestamp;
use tidegate_core::webhook_delivery::{DeliveryDigest, DeliveryRecord};

use super::error::StateError;
use crate::s3::{DeleteOutcome, DeleteTarget, MAX_DOCUMENT, PutCondition, S3};

/// The pointer to the live release.
const POINTER: &str = "current.json";

/// The folder of webhook deliveries.
const DELIVERIES: &str = "deliveries/";

/// The folder of releases.
const RELEASES: &str = "releases/";

/// The folders of a release's shards, of their results and of their failures, after its name.
const SHARDS: &str = "shards/";
const RESULTS: &str = "results/";
const FAILURES: &str = "failures/";

/// Attempts to change a count that other sites change as well.
const COUNT_ATTEMPTS: usize = 5;

/// A file of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReleaseFile {
    /// The release itself.
    Release,
    /// The plan, stored before the first write.
    Plan,
    /// The index of the shards of a plan, in place of the plan. Stored before the first write.
    Shards,
    /// The shards of a phase, as the input of a Distributed Map.
    ShardList(ShardPhase),
    /// A shard of the plan, by its number.
    Shard(u32),
    /// What S3 answered to the writes of a shard.
    ShardResult(u32),
    /// What a worker could not do of a shard. For people; another attempt may have succeeded.
    ShardFailure(u32),
    /// What the site held after the release.
    Manifest,
    /// Keys that split what the site held into ranges. Only large sites have them.
    Ranges,
    /// What the release says about requests.
    Edge,
    /// The report of the run.
    Report,
}

impl ReleaseFile {
    /// The shard whose result this is; nothing for other files.
    pub(super) fn shard_with_result(self) -> Option<u32> {
        if let Self::ShardResult(number) = self { Some(number) } else { None }
    }

    /// Its name within the state.
    pub(super) fn name(self, id: ReleaseId) -> String {
        let suffix = match self {
            Self::Release => "json",
            Self::Plan => "plan.gz",
            Self::Shards => "shards.json",
            Self::ShardList(phase) => return format!("{RELEASES}{}.{SHARDS}{phase}.json", id.stem()),
            Self::Shard(number) => return format!("{RELEASES}{}.{SHARDS}{number:06}.gz", id.stem()),
            Self::ShardFailure(number) => return format!("{RELEASES}{}.{FAILURES}{number:06}.json", id.stem()),
            Self::ShardResult(number) => return format!("{RELEASES}{}.{RESULTS}{number:06}.gz", id.stem()),
            Self::Manifest => "manifest.gz",
            Self::Ranges => "ranges.json",
            Self::Edge => "edge.json",
            Self::Report => "report.json",
        };
        format!("{RELEASES}{}.{suffix}", id.stem())
    }

    /// The file with this name in the folder of releases.
    fn parse(name: &str) -> Option<(ReleaseId, Self)> {
        let (stem, suffix) = name.split_once('.')?;
        let number = |prefix| suffix.strip_prefix(prefix)?.strip_suffix(".gz")?.parse().ok();
        let failure = || suffix.strip_prefix(FAILURES)?.strip_suffix(".json")?.parse().ok();
        let list = || {
            let name = suffix.strip_prefix(SHARDS)?.strip_suffix(".json")?;
            ShardPhase::ALL.into_iter().find(|phase| phase.to_string() == name)
        };
        let file = match suffix {
            "json" => Self::Release,
            "plan.gz" => Self::Plan,
            "shards.json" => Self::Shards,
            "manifest.gz" => Self::Manifest,
            "ranges.json" => Self::Ranges,
            "edge.json" => Self::Edge,
            "report.json" => Self::Report,
            _ => number(SHARDS)
                .map(Self::Shard)
                .or_else(|| number(RESULTS).map(Self::ShardResult))
                .or_else(|| failure().map(Self::ShardFailure))
                .or_else(|| Some(Self::ShardList(list()?)))?,
        };
        Some((stem.parse().ok()?, file))
    }
}

/// The bytes of a document.
fn document(value: &impl Serialize) -> Result<Bytes, StateError> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}

/// The state of one site.
#[derive(Debug, Clone)]
pub struct StateStore {
    pub(super) s3: S3,
    pub(super) location: Location,
}

impl StateStore {
    /// The state at a location, accessed with the caller's own credentials.
    pub fn new(s3: S3, location: Location) -> Self {
        Self { s3, location }
    }

    /// Where archived bodies are.
    pub fn bodies(&self) -> Location {
        let bucket = || Location { bucket: self.location.bucket.clone(), prefix: Prefix::default() };
        bodies(&self.location).unwrap_or_else(bucket)
    }

    pub(super) fn key(&self, name: &str) -> String {
        self.location.prefix.join(name)
    }

    pub(super) fn invalid(&self, key: &str, why: String) -> StateError {
        StateError::Document { url: format!("s3://{}/{key}", self.location.bucket), why }
    }

    pub(super) async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<(T, ETag)>, StateError> {
        let Some((bytes, etag)) = self.s3.document(&self.location.bucket, key).await? else { return Ok(None) };
        let value = serde_json::from_slice(&bytes).map_err(|error| self.invalid(key, error.to_string()))?;
        Ok(Some((value, etag)))
    }

    /// Writes a document; returns nothing if the condition did not hold. If the response to a write was lost and the
    /// retry therefore failed, the bytes are there: that is a success.
    pub(super) async fn write(
        &self,
        key: &str,
        value: &impl Serialize,
        condition: PutCondition<'_>,
    ) -> Result<Option<ETag>, StateError> {
        let bytes = document(value)?;
        if bytes.len() as u64 > MAX_DOCUMENT {
            let url = format!("s3://{}/{key}", self.location.bucket);
            return Err(StateError::TooLarge { url, bytes: bytes.len() });
        }
        match self.s3.put_document(&self.location.bucket, key, bytes.clone(), condition).await {
            Ok(etag) => Ok(Some(etag)),
            Err(error) if error.is_condition_failed() => match self.s3.document(&self.location.bucket, key).await? {
                Some((stored, etag)) if stored == bytes => Ok(Some(etag)),
                _ => Ok(None),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// The pointer and its ETag.
    pub async fn pointer(&self) -> Result<Option<(ReleasePointer, ETag)>, StateError> {
        let stored: Option<(ReleasePointer, ETag)> = self.read(&self.key(POINTER)).await?;
        match stored {
            Some((pointer, _)) if pointer.format != FORMAT => {
                let why = format!("it has format {}, but this version of Tidegate reads {FORMAT}", pointer.format);
                Err(self.invalid(&self.key(POINTER), why))
            }
            stored => Ok(stored),
        }
    }

    /// Moves the pointer, if it still has the ETag `before`.
    pub async fn move_pointer(&self, pointer: &ReleasePointer, before: Option<&ETag>) -> Result<ETag, StateError> {
        let condition = before.map_or(PutCondition::IfAbsent, PutCondition::IfMatch);
        let moved = self.write(&self.key(POINTER), pointer, condition).await?;
        moved.ok_or_else(|| StateError::Conflict(self.location.clone()))
    }

    /// The record of a webhook delivery, and its ETag.
    pub async fn delivery(&self, identity: &DeliveryDigest) -> Result<Option<(DeliveryRecord, ETag)>, StateError> {
        self.read(&self.key(&format!("{DELIVERIES}{identity}.json"))).await
    }

    /// Stores the record of a delivery. Returns whether it was stored: another invocation may have done so before.
    pub async fn put_delivery(
        &self,
        identity: &DeliveryDigest,
        record: &DeliveryRecord,
        before: Option<&ETag>,
    ) -> Result<bool, StateError> {
        let condition = before.map_or(PutCondition::IfAbsent, PutCondition::IfMatch);
        let key = self.key(&format!("{DELIVERIES}{identity}.json"));
        Ok(self.write(&key, record, condition).await?.is_some())
    }

    /// Deletes records of deliveries that were last changed before an instant, in milliseconds since 1970.
    pub async fn delete_deliveries_before(&self, instant: u64) -> Result<(), StateError> {
        let Ok(prefix) = Prefix::new(&self.location.prefix.join(DELIVERIES)) else { return Ok(()) };
        let records = self.s3.uploads(&Location { bucket: self.location.bucket.clone(), prefix }).await?;
        let old = records.into_iter().filter(|record| record.modified.milliseconds() < instant);
        let keys: Vec<String> = old.map(|record| record.key.to_string()).collect();
        if keys.is_empty() { Ok(()) } else { Ok(self.s3.delete_keys(&self.location.bucket, &keys).await?) }
    }

    /// The shards of a release that have a result, by number, with the time when it was stored.
    pub async fn shards_with_result(&self, id: ReleaseId) -> Result<BTreeMap<u32, Timestamp>, StateError> {
        let folder = self.location.prefix.join(&format!("{RELEASES}{}.{RESULTS}", id.stem()));
        let prefix = Prefix::new(&folder).unwrap_or_default();
        let stored = self.s3.uploads(&Location { bucket: self.location.bucket.clone(), prefix }).await?;
        let number = |key: &str| key.strip_prefix(&folder)?.strip_suffix(".gz")?.parse().ok();
        Ok(stored.iter().filter_map(|object| Some((number(object.key.as_str())?, object.modified))).collect())
    }

    /// The stored files, by release.
    pub async fn files(&self) -> Result<BTreeMap<ReleaseId, Vec<ReleaseFile>>, StateError> {
        let mut files: BTreeMap<ReleaseId, Vec<ReleaseFile>> = BTreeMap::new();
        for object in self.list(RELEASES).await? {
            if let Some((id, file)) = ReleaseFile::parse(object.key.as_str()) {
                files.entry(id).or_default().push(file);
            }
        }
        Ok(files)
    }

    /// Objects below a folder of the state, by their names in it.
    async fn list(&self, folder: &str) -> Result<Vec<ListedObject>, StateError> {
        let prefix = Prefix::new(&self.location.prefix.join(folder)).unwrap_or_default();
        let below = Location { bucket: self.location.bucket.clone(), prefix };
        let mut pages = pin!(self.s3.pages(&below));
        let mut objects = Vec::new();
        while let Some(page) = pages.try_next().await? {
            objects.extend(page.objects);
        }
        Ok(objects)
    }

    /// The archived bodies, by their names.
    pub async fn archived_bodies(&self) -> Result<Vec<ListedObject>, StateError> {
        self.list(BODIES).await
    }

    /// What is stored about a release.
    pub async fn release(&self, id: ReleaseId) -> Result<Option<ReleaseRecord>, StateError> {
        Ok(self.read(&self.key(&ReleaseFile::Release.name(id))).await?.map(|(release, _)| release))
    }

    /// Stores a release. With `new`, another run that has taken its number is a conflict.
    pub async fn put_release(&self, release: &ReleaseRecord, new: bool) -> Result<(), StateError> {
        let condition = if new { PutCondition::IfAbsent } else { PutCondition::Always };
        let stored = self.write(&self.key(&ReleaseFile::Release.name(release.id)), release, condition).await?;
        stored.map(|_| ()).ok_or_else(|| StateError::Conflict(self.location.clone()))
    }

    /// Stores the report of the run that made a release. It is for people, so it may be too large to be read here.
    pub async fn put_report(&self, id: ReleaseId, report: &PublishReport) -> Result<(), StateError> {
        let key = self.key(&ReleaseFile::Report.name(id));
        self.s3.put_document(&self.location.bucket, &key, document(report)?, PutCondition::Always).await?;
        Ok(())
    }

    /// Where the invalidation paths of a month are counted, for all sites together.
    fn paths_key(root: &Location, month: &str) -> String {
        root.prefix.join(&format!("paths/{month}.json"))
    }

    /// How many invalidation paths were sent in a month so far.
    pub async fn paths_sent(&self, root: &Location, month: &str) -> Result<usize, StateError> {
        let stored: Option<(PathsSent, ETag)> = self.read(&Self::paths_key(root, month)).await?;
        Ok(stored.map_or(0, |(sent, _)| sent.paths))
    }

    /// Adds invalidation paths that were sent. Sites share the count and do not lock it. A conflict is retried a few
    /// times; after that the count stays too low, which is acceptable for an estimate.
    pub async fn count_paths(&self, root: &Location, month: &str, paths: usize) -> Result<(), StateError> {
        let key = Self::paths_key(root, month);
        for _ in 0..COUNT_ATTEMPTS {
            let stored: Option<(PathsSent, ETag)> = self.read(&key).await?;
            let sent = stored.as_ref().map_or(0, |(sent, _)| sent.paths);
            let condition = stored.as_ref().map_or(PutCondition::IfAbsent, |(_, etag)| PutCondition::IfMatch(etag));
            let total = PathsSent { paths: sent.saturating_add(paths) };
            if self.write(&key, &total, condition).await?.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Deletes files of releases, and archived bodies by name.
    pub async fn delete(&self, files: &[(ReleaseId, ReleaseFile)], bodies: &[String]) -> Result<(), StateError> {
        let files = files.iter().map(|(id, file)| self.key(&file.name(*id)));
        let bodies = bodies.iter().map(|name| self.key(&format!("{BODIES}{name}")));
        let keys: Vec<String> = files.chain(bodies).collect();
        Ok(self.s3.delete_keys(&self.location.bucket, &keys).await?)
    }

    /// Deletes archived bodies that were listed, each only if it was not replaced since.
    pub async fn delete_bodies(&self, listed: Vec<ListedObject>) -> Result<(), StateError> {
        let targets = listed.into_iter().map(|ListedObject { key, etag, .. }| DeleteTarget { key, etag });
        for batch in targets.collect::<Vec<_>>().chunks(MAX_DELETES) {
            let outcomes = self.s3.delete(&self.bodies(), batch).await;
            let failed = outcomes.into_iter().find_map(|outcome| match outcome {
                DeleteOutcome::Failed(error) => Some(error),
                DeleteOutcome::Deleted | DeleteOutcome::Replaced => None,
            });
            if let Some(error) = failed {
                return Err(error.into());
            }
        }
        Ok(())
    }
}
