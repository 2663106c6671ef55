//! The state of one site in its bucket: pointer, releases, manifests, bodies that were set aside, the lease.
//!
//! Owns where each of them is and how it is read and written. Never decides what they say: `tidegate-host` does.

mod fetched;
mod history;
mod lease;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::pin::pin;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_core::identity::ETag;
use tidegate_core::location::{Location, Prefix};
use tidegate_core::manifest::{ManifestDecoder, ManifestEncoder, ManifestError, ManifestRecord};
use tidegate_core::plan::Plan;
use tidegate_core::release::{BODIES, FORMAT, PathsSent, ReleaseId, ReleasePointer, ReleaseRecord, bodies};
use tidegate_core::report::PublishReport;
use tidegate_core::webhook_delivery::{DeliveryDigest, DeliveryRecord};

pub use history::History;
pub use lease::{Fence, LeaseGuard, LeaseLost};

use crate::aws_error::AwsError;
use crate::s3::{PutCondition, S3};

/// The pointer.
const POINTER: &str = "current.json";

/// The lease.
const LEASE: &str = "lease.json";

/// Where deliveries of webhooks are remembered.
const DELIVERIES: &str = "deliveries/";

/// Where releases are.
const RELEASES: &str = "releases/";

/// How often a count is tried that another site changed meanwhile.
const COUNT_ATTEMPTS: usize = 5;

/// Largest plan that is read back, in bytes once it is unpacked: a million operations.
const MAX_PLAN: u64 = 1024 * 1024 * 1024;

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// S3 refused or failed.
    #[error(transparent)]
    Cloud(#[from] AwsError),
    /// A document of another form.
    #[error("`{0}` cannot be read: {1}")]
    Form(String, String),
    /// A manifest that cannot be read.
    #[error("the manifest of the release {0} cannot be used: {1}")]
    Manifest(ReleaseId, #[source] ManifestError),
    /// A release whose manifest is gone.
    #[error(
        "the manifest of the release {0} is gone from the state; restore it, or delete `current.json` there to begin anew"
    )]
    Gone(ReleaseId),
    /// Somebody else publishes the site.
    #[error("`{0}` is being published by somebody else (`{1}`), try again later")]
    Busy(Location, String),
    /// The lease was lost on the way.
    #[error(transparent)]
    Fenced(#[from] LeaseLost),
    /// The pointer was moved by another run.
    #[error("another run moved the pointer of `{0}`, so this one must not: run again")]
    Moved(Location),
    /// A defect of Tidegate.
    #[error("the state could not be written: {0}")]
    Json(#[from] serde_json::Error),
    /// The machine has no randomness, without which two holders of a lease cannot be told apart.
    #[error("this machine gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// Compression failed, for want of memory.
    #[error("the state could not be packed: {0}")]
    Pack(#[from] std::io::Error),
}

/// A file of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReleaseFile {
    /// What the release is.
    Release,
    /// What it meant to do.
    Plan,
    /// What it left.
    Manifest,
    /// What the run said of it in the end.
    Report,
}

impl ReleaseFile {
    /// The longer endings first, since one ends as another does.
    const ALL: [Self; 4] = [Self::Plan, Self::Manifest, Self::Report, Self::Release];

    fn ending(self) -> &'static str {
        match self {
            Self::Release => ".json",
            Self::Plan => ".plan.gz",
            Self::Manifest => ".manifest.gz",
            Self::Report => ".report.json",
        }
    }
}

/// The state of one site.
#[derive(Debug, Clone)]
pub struct StateStore {
    s3: S3,
    at: Location,
}

impl StateStore {
    /// The state at a place, with the caller's own credentials.
    pub fn new(s3: S3, at: Location) -> Self {
        Self { s3, at }
    }

    /// Where bodies are that were set aside.
    pub fn bodies(&self) -> Location {
        let bucket = || Location { bucket: self.at.bucket.clone(), prefix: Prefix::default() };
        bodies(&self.at).unwrap_or_else(bucket)
    }

    fn key(&self, name: &str) -> String {
        self.at.prefix.join(name)
    }

    fn file(&self, id: ReleaseId, file: ReleaseFile) -> String {
        self.key(&format!("{RELEASES}{}{}", id.stem(), file.ending()))
    }

    async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<(T, ETag)>, StateError> {
        let Some((bytes, etag)) = self.s3.document(&self.at.bucket, key).await? else { return Ok(None) };
        let refused = |error: serde_json::Error| StateError::Form(self.place(key), error.to_string());
        Ok(Some((serde_json::from_slice(&bytes).map_err(refused)?, etag)))
    }

    /// Writes a document. An answer that was lost and a retry that therefore failed is a success: the bytes are there.
    async fn write(
        &self,
        key: &str,
        value: &impl Serialize,
        condition: PutCondition<'_>,
    ) -> Result<Option<ETag>, StateError> {
        let mut bytes = serde_json::to_vec_pretty(value)?;
        bytes.push(b'\n');
        let bytes = Bytes::from(bytes);
        match self.s3.put_document(&self.at.bucket, key, bytes.clone(), condition).await {
            Ok(etag) => Ok(Some(etag)),
            Err(error) if error.is_condition_failed() => match self.s3.document(&self.at.bucket, key).await? {
                Some((there, etag)) if there == bytes => Ok(Some(etag)),
                _ => Ok(None),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.at.bucket)
    }

    /// The pointer and its state.
    pub async fn pointer(&self) -> Result<Option<(ReleasePointer, ETag)>, StateError> {
        let found: Option<(ReleasePointer, ETag)> = self.read(&self.key(POINTER)).await?;
        match found {
            Some((pointer, _)) if pointer.format != FORMAT => {
                let why = format!("it has the form {}, this version of Tidegate reads {FORMAT}", pointer.format);
                Err(StateError::Form(self.place(&self.key(POINTER)), why))
            }
            found => Ok(found),
        }
    }

    /// Moves the pointer, if it is still in the state `before`.
    pub async fn move_pointer(&self, pointer: &ReleasePointer, before: Option<&ETag>) -> Result<ETag, StateError> {
        let condition = before.map_or(PutCondition::Absent, PutCondition::Is);
        let moved = self.write(&self.key(POINTER), pointer, condition).await?;
        moved.ok_or_else(|| StateError::Moved(self.at.clone()))
    }

    /// What is remembered of a webhook's delivery, and its state.
    pub async fn delivery(&self, identity: &DeliveryDigest) -> Result<Option<(DeliveryRecord, ETag)>, StateError> {
        self.read(&self.key(&format!("{DELIVERIES}{identity}.json"))).await
    }

    /// Remembers a delivery, if nobody else did meanwhile: whether that was so.
    pub async fn put_delivery(
        &self,
        identity: &DeliveryDigest,
        seen: &DeliveryRecord,
        before: Option<&ETag>,
    ) -> Result<bool, StateError> {
        let condition = before.map_or(PutCondition::Absent, PutCondition::Is);
        let key = self.key(&format!("{DELIVERIES}{identity}.json"));
        Ok(self.write(&key, seen, condition).await?.is_some())
    }

    /// Which files there are, by release.
    pub async fn files(&self) -> Result<BTreeMap<ReleaseId, Vec<ReleaseFile>>, StateError> {
        let mut found: BTreeMap<ReleaseId, Vec<ReleaseFile>> = BTreeMap::new();
        for name in self.names(RELEASES).await? {
            let known = ReleaseFile::ALL.into_iter().find_map(|file| Some((file, name.strip_suffix(file.ending())?)));
            if let Some((file, id)) = known.and_then(|(file, stem)| Some((file, stem.parse().ok()?))) {
                found.entry(id).or_default().push(file);
            }
        }
        Ok(found)
    }

    /// Names below a folder of the state.
    async fn names(&self, folder: &str) -> Result<Vec<String>, StateError> {
        let prefix = Prefix::new(&self.at.prefix.join(folder)).unwrap_or_default();
        let below = Location { bucket: self.at.bucket.clone(), prefix };
        let mut pages = pin!(self.s3.pages(&below));
        let mut names = Vec::new();
        while let Some(page) = pages.try_next().await? {
            names.extend(page.objects.into_iter().map(|object| object.key.as_str().to_owned()));
        }
        Ok(names)
    }

    /// Bodies that were set aside, by name.
    pub async fn body_names(&self) -> Result<Vec<String>, StateError> {
        self.names(BODIES).await
    }

    /// What is stored of a release.
    pub async fn release(&self, id: ReleaseId) -> Result<Option<ReleaseRecord>, StateError> {
        Ok(self.read(&self.file(id, ReleaseFile::Release)).await?.map(|(release, _)| release))
    }

    /// Stores a release; `new` refuses where its number was taken meanwhile.
    pub async fn put_release(&self, release: &ReleaseRecord, new: bool) -> Result<(), StateError> {
        let condition = if new { PutCondition::Absent } else { PutCondition::Whatever };
        let stored = self.write(&self.file(release.id, ReleaseFile::Release), release, condition).await?;
        stored.map(|_| ()).ok_or_else(|| StateError::Moved(self.at.clone()))
    }

    /// Stores what a run says of the release that it made.
    pub async fn put_report(&self, id: ReleaseId, report: &PublishReport) -> Result<(), StateError> {
        self.write(&self.file(id, ReleaseFile::Report), report, PutCondition::Whatever).await.map(|_| ())
    }

    /// The plan of a release.
    pub async fn plan(&self, id: ReleaseId) -> Result<Option<Plan>, StateError> {
        let key = self.file(id, ReleaseFile::Plan);
        let Some((bytes, _)) = self.s3.document(&self.at.bucket, &key).await? else { return Ok(None) };
        let mut plain = Vec::new();
        let refused = |why: String| StateError::Form(self.place(&key), why);
        GzDecoder::new(bytes.as_ref()).take(MAX_PLAN).read_to_end(&mut plain).map_err(|e| refused(e.to_string()))?;
        serde_json::from_slice(&plain).map(Some).map_err(|error| refused(error.to_string()))
    }

    /// Stores a plan before anything of it is done.
    pub async fn put_plan(&self, id: ReleaseId, plan: &Plan) -> Result<(), StateError> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        serde_json::to_writer(&mut packed, plan)?;
        packed.flush()?;
        let bytes = Bytes::from(packed.finish()?);
        self.s3.put_document(&self.at.bucket, &self.file(id, ReleaseFile::Plan), bytes, PutCondition::Whatever).await?;
        Ok(())
    }

    /// The records of a manifest, in order. Nothing is held but what is being read.
    pub async fn manifest(
        &self,
        id: ReleaseId,
    ) -> Result<BoxStream<'static, Result<Vec<ManifestRecord>, StateError>>, StateError> {
        let bytes = self.s3.stream(&self.at.bucket, &self.file(id, ReleaseFile::Manifest)).await?;
        let bytes = bytes.ok_or(StateError::Gone(id))?.boxed();
        let records = stream::try_unfold(Some((bytes, ManifestDecoder::default())), move |reading| async move {
            let Some((mut bytes, mut decoder)) = reading else { return Ok(None) };
            let broken = |error| StateError::Manifest(id, error);
            match bytes.try_next().await? {
                Some(piece) => Ok(Some((decoder.push(&piece).map_err(broken)?, Some((bytes, decoder))))),
                None => Ok(Some((decoder.finish().map_err(broken)?, None))),
            }
        });
        Ok(records.boxed())
    }

    /// Stores a manifest, record by record.
    pub async fn put_manifest(
        &self,
        id: ReleaseId,
        records: impl Stream<Item = Result<Vec<ManifestRecord>, StateError>> + Send + Unpin,
    ) -> Result<(), StateError> {
        let encoder = ManifestEncoder::new().map_err(|error| StateError::Manifest(id, error))?;
        let bytes = stream::try_unfold(Some((records, encoder)), move |writing| async move {
            let Some((records, encoder)) = writing else { return Ok::<_, StateError>(None) };
            packed(id, records, encoder).await.map(Some)
        });
        let name = format!("{RELEASES}{}{}", id.stem(), ReleaseFile::Manifest.ending());
        self.s3.put_stream(&self.at, &name, Box::pin(bytes), PutCondition::Whatever).await
    }

    /// Where the paths of a month are counted, for all sites together.
    fn paths_key(root: &Location, month: &str) -> String {
        root.prefix.join(&format!("paths/{month}.json"))
    }

    /// How many paths of a month were sent so far.
    pub async fn paths_sent(&self, root: &Location, month: &str) -> Result<usize, StateError> {
        let found: Option<(PathsSent, ETag)> = self.read(&Self::paths_key(root, month)).await?;
        Ok(found.map_or(0, |(sent, _)| sent.paths))
    }

    /// Adds paths that were sent. Sites share the count and none waits for another: where they meet, one tries again, and
    /// gives up after a few times, since the count is an estimate in any case.
    pub async fn count_paths(&self, root: &Location, month: &str, paths: usize) -> Result<(), StateError> {
        let key = Self::paths_key(root, month);
        for _ in 0..COUNT_ATTEMPTS {
            let found: Option<(PathsSent, ETag)> = self.read(&key).await?;
            let sent = found.as_ref().map_or(0, |(sent, _)| sent.paths);
            let condition = found.as_ref().map_or(PutCondition::Absent, |(_, etag)| PutCondition::Is(etag));
            let counted = PathsSent { paths: sent.saturating_add(paths) };
            if self.write(&key, &counted, condition).await?.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Deletes files of releases and bodies.
    pub async fn forget(&self, files: &[(ReleaseId, ReleaseFile)], bodies: &[String]) -> Result<(), StateError> {
        let files = files.iter().map(|(id, file)| self.file(*id, *file));
        let bodies = bodies.iter().map(|name| self.key(&format!("{BODIES}{name}")));
        let keys: Vec<String> = files.chain(bodies).collect();
        Ok(self.s3.forget(&self.at.bucket, &keys).await?)
    }
}

/// The next bytes of a manifest, and what comes after them.
async fn packed<S>(
    id: ReleaseId,
    mut records: S,
    mut encoder: ManifestEncoder,
) -> Result<(Bytes, Option<(S, ManifestEncoder)>), StateError>
where
    S: Stream<Item = Result<Vec<ManifestRecord>, StateError>> + Unpin,
{
    let broken = |error| StateError::Manifest(id, error);
    while let Some(batch) = records.try_next().await? {
        batch.iter().try_for_each(|record| encoder.push(record)).map_err(broken)?;
        if let Some(bytes) = encoder.take() {
            return Ok((bytes.into(), Some((records, encoder))));
        }
    }
    Ok((encoder.finish().map_err(broken)?.into(), None))
}
