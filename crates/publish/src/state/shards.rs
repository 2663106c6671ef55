//! Sharded plans in the state: the index, the shards, and their results.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_core::identity::sha256;
use tidegate_core::lease::LeaseTerm;
use tidegate_core::plan::shards::{PlanShard, ResultLine, ShardIndex, ShardLine, ShardList, ShardListItem, ShardPhase};
use tidegate_core::release::{FORMAT, ReleaseId};
use tidegate_core::site_state::UnfinishedRunsBuilder;
use tidegate_core::stored_lines::{LineDecoder, LineEncoder, StoredLine};

use super::error::StateError;
use super::store::{ReleaseFile, StateStore};
use crate::s3::{MAX_DOCUMENT, PutCondition};

/// Shards that are read at the same time, each of a few megabytes in memory.
const SHARDS_IN_FLIGHT: usize = 4;

impl StateStore {
    /// Stores a shard. Returns how its index describes it. A conflict if another run has stored one under its name: an index
    /// of that run must not name the shard of this one.
    pub(crate) async fn put_shard(
        &self,
        id: ReleaseId,
        number: u32,
        phase: ShardPhase,
        lines: &[ShardLine],
    ) -> Result<PlanShard, StateError> {
        let document = ReleaseFile::Shard(number);
        let bytes = self.encode(id, document, lines)?;
        let shard = PlanShard::of(number, phase, lines, sha256(&bytes));
        match self.put_new(&self.key(&document.name(id)), bytes).await? {
            true => Ok(shard),
            false => Err(StateError::Conflict(self.location.clone())),
        }
    }

    /// Stores the index of a plan's shards. From here on, they may be carried out.
    pub(crate) async fn put_shard_index(&self, id: ReleaseId, index: &ShardIndex) -> Result<(), StateError> {
        let stored = self.write(&self.key(&ReleaseFile::Shards.name(id)), index, PutCondition::IfAbsent).await?;
        stored.map(drop).ok_or_else(|| StateError::Conflict(self.location.clone()))
    }

    /// Stores the numbers of the shards of a phase, as the input of a Distributed Map.
    pub(crate) async fn put_shard_list(
        &self,
        id: ReleaseId,
        phase: ShardPhase,
        list: &[ShardListItem],
    ) -> Result<ShardList, StateError> {
        let key = self.key(&ReleaseFile::ShardList(phase).name(id));
        let stored = self.write(&key, &list, PutCondition::IfAbsent).await?;
        stored.ok_or_else(|| StateError::Conflict(self.location.clone()))?;
        Ok(ShardList { bucket: self.location.bucket.to_string(), key })
    }

    /// The index of the shards of a release; nothing if its plan is not sharded.
    pub async fn shard_index(&self, id: ReleaseId) -> Result<Option<ShardIndex>, StateError> {
        let key = self.key(&ReleaseFile::Shards.name(id));
        let stored: Option<ShardIndex> = self.read(&key).await?.map(|(index, _)| index);
        match stored {
            Some(index) if index.format != FORMAT => {
                let why = format!("it has format {}, but this version of Tidegate reads {FORMAT}", index.format);
                Err(self.invalid(&key, why))
            }
            stored => Ok(stored),
        }
    }

    /// The lines of a shard. An error if they are not those of the index.
    pub(crate) async fn shard(&self, id: ReleaseId, shard: &PlanShard) -> Result<Vec<ShardLine>, StateError> {
        let key = self.key(&ReleaseFile::Shard(shard.number).name(id));
        let stored = self.s3.document(&self.location.bucket, &key).await?;
        let (bytes, _) = stored.ok_or_else(|| self.invalid(&key, "it is missing".to_owned()))?;
        if sha256(&bytes) != shard.sha256 {
            return Err(self.invalid(&key, "its digest is not the one in the index of the shards".to_owned()));
        }
        decode(id, &bytes)
    }

    /// Stores what S3 answered to the writes of a shard, unless another worker has done so before.
    pub(crate) async fn put_shard_result(
        &self,
        id: ReleaseId,
        number: u32,
        lines: &[ResultLine],
    ) -> Result<(), StateError> {
        let document = ReleaseFile::ShardResult(number);
        let bytes = self.encode(id, document, lines)?;
        self.put_new(&self.key(&document.name(id)), bytes).await.map(drop)
    }

    /// Stores what a worker could not do of a shard, unless its execution has lost the lease: the run that took the lease may
    /// have removed what the state had of this one, and would leave the file. It is for people, so a failure is only a warning.
    pub(crate) async fn put_shard_failure(
        &self,
        id: ReleaseId,
        number: u32,
        term: &LeaseTerm,
        failure: &impl Serialize,
    ) {
        let stored = async {
            if self.stored_lease().await?.is_some_and(|(lease, _)| lease.is_of(term)) {
                self.write(&self.key(&ReleaseFile::ShardFailure(number).name(id)), failure, PutCondition::Always)
                    .await?;
            }
            Ok::<_, StateError>(())
        };
        if let Err(error) = stored.await {
            tracing::warn!(%error, "cannot store what failed in the shard");
        }
    }

    /// What workers could not do of the shards that have no result, at most of so many.
    pub(crate) async fn shard_failures<T: DeserializeOwned>(
        &self,
        id: ReleaseId,
        most: usize,
    ) -> Result<Vec<T>, StateError> {
        let files = self.files().await?.remove(&id).unwrap_or_default();
        let numbers = files.iter().filter_map(|file| match file {
            ReleaseFile::ShardFailure(number) if !files.contains(&ReleaseFile::ShardResult(*number)) => Some(*number),
            _ => None,
        });
        let mut failures = Vec::new();
        for number in numbers.take(most) {
            let stored = self.read(&self.key(&ReleaseFile::ShardFailure(number).name(id))).await?;
            failures.extend(stored.map(|(failure, _)| failure));
        }
        Ok(failures)
    }

    /// Adds a run that did not finish and whose plan is sharded. `files` are what the state has of it.
    pub(super) async fn add_unfinished_shards(
        &self,
        id: ReleaseId,
        files: &[ReleaseFile],
        unfinished: &mut UnfinishedRunsBuilder,
    ) -> Result<(), StateError> {
        let Some(ShardIndex { plan, shards, .. }) = self.shard_index(id).await? else { return Ok(()) };
        unfinished.begin(id);
        let results: BTreeSet<u32> = files.iter().filter_map(|file| file.shard_with_result()).collect();
        let read = |shard: PlanShard| {
            let (store, has_result) = (self.clone(), results.contains(&shard.number));
            // Boxed: the compiler cannot prove that deeper futures may move between threads.
            async move {
                let result =
                    async { if has_result { store.shard_result(id, shard.number).await } else { Ok(Vec::new()) } };
                tokio::try_join!(store.shard(id, &shard), result)
            }
            .boxed()
        };
        let reads: Vec<_> = shards.into_iter().map(read).collect();
        let mut read = stream::iter(reads).buffered(SHARDS_IN_FLIGHT);
        while let Some((lines, result)) = read.try_next().await? {
            unfinished.add_shard(lines, result, &plan.inputs.artifact)?;
        }
        Ok(())
    }

    /// What S3 answered to the writes of a shard; nothing if that is not stored.
    async fn shard_result(&self, id: ReleaseId, number: u32) -> Result<Vec<ResultLine>, StateError> {
        let key = self.key(&ReleaseFile::ShardResult(number).name(id));
        match self.s3.document(&self.location.bucket, &key).await? {
            Some((bytes, _)) => decode(id, &bytes),
            None => Ok(Vec::new()),
        }
    }

    /// A whole document of lines, which must be small enough to be read again.
    fn encode<T: StoredLine>(&self, id: ReleaseId, file: ReleaseFile, lines: &[T]) -> Result<Bytes, StateError> {
        let refused = |error| StateError::Unstorable { document: T::DOCUMENT, id, error };
        let bytes = LineEncoder::whole(&(), lines).map_err(refused)?;
        if bytes.len() as u64 > MAX_DOCUMENT {
            let url = format!("s3://{}/{}", self.location.bucket, self.key(&file.name(id)));
            return Err(StateError::TooLarge { url, bytes: bytes.len() });
        }
        Ok(bytes.into())
    }

    /// Stores a document that does not exist. Returns whether it is there now: another one may have been stored before.
    async fn put_new(&self, key: &str, bytes: Bytes) -> Result<bool, StateError> {
        let bucket = &self.location.bucket;
        match self.s3.put_document(bucket, key, bytes.clone(), PutCondition::IfAbsent).await {
            Ok(_) => Ok(true),
            // The response to this very write may have been lost.
            Err(error) if error.is_condition_failed() => {
                Ok(self.s3.document(bucket, key).await?.is_some_and(|(stored, _)| stored == bytes))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn decode<T: StoredLine>(id: ReleaseId, bytes: &[u8]) -> Result<Vec<T>, StateError> {
    LineDecoder::whole(bytes).map_err(|error| StateError::Unreadable { document: T::DOCUMENT, id, error })
}
