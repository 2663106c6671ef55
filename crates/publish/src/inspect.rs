//! Finding out what a site holds: its listing beside the manifest of the live release, and what `tidegate_core::diff` still
//! doubts.
//!
//! Owns the asking. Never compares anything itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tidegate_core::desired::DesiredSite;
use tidegate_core::diff::{self, Comparison};
use tidegate_core::identity::ContentIdentity;
use tidegate_core::key::{Key, StoredKey};
use tidegate_core::listing::{ListedObject, Listing, ListingError, ObservedObject, Pagination};
use tidegate_core::location::Location;
use tidegate_core::manifest::{ManifestRecord, RecordState};
use tidegate_core::release::ReleaseId;
use tidegate_core::site_state::{SiteMerge, SiteState, UnfinishedRuns};
use tokio::sync::mpsc::{Receiver, channel};

use crate::aws_error::AwsError;
use crate::progress::{ProgressEvent, ProgressObserver};
use crate::s3::{ListError, ListPage, S3};
use crate::source::{SourceError, SourceReader, digest};
use crate::state::StateError;

/// Questions about single objects in flight.
const QUESTIONS_IN_FLIGHT: usize = 64;

/// Objects that are digested at one time: the work of processors, not of the network.
const DIGESTS_IN_FLIGHT: usize = 4;

/// Most rounds of questions; every answer removes its question, so this is never reached.
const MAX_ROUNDS: usize = 8;

/// Why a site could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The bucket could not be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// One object could not be looked at.
    #[error(transparent)]
    Cloud(#[from] AwsError),
    /// One object of the source could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The manifest could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// A task was dropped while the process shuts down.
    #[error("the comparison was interrupted, run it again")]
    Interrupted,
}

impl From<ListingError> for InspectError {
    fn from(error: ListingError) -> Self {
        Self::List(error.into())
    }
}

/// What earlier releases have to say.
pub(crate) struct KnownRelease<'a> {
    /// The records of the live release, in order.
    pub(crate) records: BoxStream<'static, Result<Vec<ManifestRecord>, StateError>>,
    /// The live release.
    pub(crate) live: ReleaseId,
    /// The oldest release that is kept.
    pub(crate) horizon: ReleaseId,
    /// What earlier runs left.
    pub(crate) unfinished: &'a UnfinishedRuns,
    /// Whether every object is looked at, whatever its record says.
    pub(crate) verify: bool,
}

/// What a survey goes by.
pub(crate) struct Inspection<'a> {
    pub(crate) s3: &'a S3,
    pub(crate) target: &'a Location,
    pub(crate) reader: &'a SourceReader,
    pub(crate) comparison: Comparison,
    pub(crate) observer: &'a Arc<dyn ProgressObserver>,
}

impl Inspection<'_> {
    /// Lists the site and asks until nothing is in doubt. `desired` learns what was read of the source on the way.
    ///
    /// # Errors
    /// [`InspectError`].
    pub(crate) async fn inspect(
        &self,
        pages: ListingPages,
        past: KnownRelease<'_>,
        desired: &mut DesiredSite,
    ) -> Result<SiteState, InspectError> {
        let mut site = merge(pages, past, desired).await?;
        let mut asked: BTreeMap<Key, diff::DigestAlgorithms> = BTreeMap::new();
        for _ in 0..MAX_ROUNDS {
            let mut doubts = diff::open_questions(desired, &site, self.comparison);
            // An answer that leaves its question open is not asked for again: that would only read everything anew.
            doubts.digests.retain(|key, wanted| asked.insert(key.clone(), *wanted) != Some(*wanted));
            if doubts.is_empty() {
                break;
            }
            self.observer.report(ProgressEvent::Questions((doubts.heads.len() + doubts.digests.len()) as u64));
            let (heads, digests) = tokio::try_join!(self.heads(doubts.heads), self.digests(doubts.digests))?;
            site.observe(heads);
            desired.learn(|key| digests.get(key).cloned());
        }
        Ok(site)
    }

    async fn heads(&self, keys: Vec<StoredKey>) -> Result<Vec<(StoredKey, ObservedObject)>, InspectError> {
        stream::iter(keys)
            .map(|key| {
                let (s3, target, observer) = (self.s3.clone(), self.target.clone(), Arc::clone(self.observer));
                // A task of its own, so that all processors take part.
                let task = tokio::spawn(async move {
                    let answer = s3.head(&target.bucket, &target.prefix.join(key.as_str())).await;
                    observer.report(ProgressEvent::Answered);
                    // An object that vanished since the listing is written anew, like one that cannot be compared.
                    match answer {
                        Err(error) if error.is_not_found() => Ok((key, ObservedObject::default())),
                        answer => answer.map(|head| (key, head.observed)),
                    }
                });
                async move { task.await.map_err(|_| InspectError::Interrupted)?.map_err(InspectError::from) }
            })
            .buffer_unordered(QUESTIONS_IN_FLIGHT)
            .try_collect()
            .await
    }

    async fn digests(
        &self,
        wanted: BTreeMap<Key, diff::DigestAlgorithms>,
    ) -> Result<BTreeMap<Key, ContentIdentity>, InspectError> {
        let mut keys: Vec<Key> = wanted.keys().cloned().collect();
        self.reader.reading_order(&mut keys);
        stream::iter(keys)
            .map(|key| {
                let (reader, observer) = (self.reader.clone(), Arc::clone(self.observer));
                let asked = wanted.get(&key).copied().unwrap_or_default();
                let algorithms = digest::Algorithms { md5: asked.md5, crc64nvme: asked.crc64nvme };
                async move {
                    let found = reader.digest(&key, algorithms).await;
                    observer.report(ProgressEvent::Answered);
                    found.map(|identity| (key, identity)).map_err(InspectError::from)
                }
            })
            .buffer_unordered(DIGESTS_IN_FLIGHT)
            .try_collect()
            .await
    }
}

/// Reads listing and manifest side by side.
async fn merge(
    mut pages: ListingPages,
    past: KnownRelease<'_>,
    desired: &DesiredSite,
) -> Result<SiteState, InspectError> {
    let mut merge = SiteMerge::new(desired, past.unfinished, past.live, past.horizon, past.verify);
    let mut records = RecordStream { stream: past.records, ready: Vec::new().into_iter(), done: false };
    let mut record = records.next(&mut merge).await?;
    if let ListingPages::Trusted(pagination) = &mut pages {
        while let Some(known) = record {
            let listed = known.listed();
            pagination.page(std::slice::from_ref(&listed), false)?;
            merge.push(Some(listed), Some(&known));
            record = records.next(&mut merge).await?;
        }
        pagination.page(&[], true)?;
    } else {
        while let Some(page) = pages.next().await? {
            for listed in page {
                while let Some(missing) = record.take_if(|record| record.key < listed.key) {
                    merge.push(None, Some(&missing));
                    record = records.next(&mut merge).await?;
                }
                match record.take_if(|record| record.key == listed.key) {
                    Some(known) => {
                        merge.push(Some(listed), Some(&known));
                        record = records.next(&mut merge).await?;
                    }
                    None => merge.push(Some(listed), None),
                }
            }
        }
        while let Some(missing) = record {
            merge.push(None, Some(&missing));
            record = records.next(&mut merge).await?;
        }
    }
    Ok(merge.finish(pages.finish()?))
}

/// Records one by one. What was set aside is no object of the site and only counted.
struct RecordStream {
    stream: BoxStream<'static, Result<Vec<ManifestRecord>, StateError>>,
    ready: std::vec::IntoIter<ManifestRecord>,
    done: bool,
}

impl RecordStream {
    async fn next(&mut self, merge: &mut SiteMerge<'_>) -> Result<Option<ManifestRecord>, InspectError> {
        loop {
            match self.ready.next() {
                Some(ManifestRecord { state: RecordState::Archived(last), .. }) => merge.preserved(last),
                Some(record) => return Ok(Some(record)),
                None if self.done => return Ok(None),
                None => match self.stream.try_next().await? {
                    Some(batch) => self.ready = batch.into_iter(),
                    None => self.done = true,
                },
            }
        }
    }
}

/// Pages of a listing, asked for ahead of whoever looks at them; or none, where the manifest is believed.
pub(crate) enum ListingPages {
    /// The manifest stands for the listing.
    Trusted(Pagination),
    /// What S3 says.
    Listed(S3Pages),
}

/// Pages that S3 listed.
pub(crate) struct S3Pages {
    pages: Receiver<Result<ListPage, AwsError>>,
    pagination: Pagination,
    observer: Arc<dyn ProgressObserver>,
}

/// Pages that may wait to be looked at: 64,000 objects in about 10 MB.
const PAGES_AHEAD: usize = 64;

impl ListingPages {
    /// Begins to list.
    pub(crate) fn list(s3: &S3, target: &Location, observer: &Arc<dyn ProgressObserver>) -> Self {
        let (sender, pages) = channel(PAGES_AHEAD);
        let (s3, target) = (s3.clone(), target.clone());
        // Detached on purpose: it ends with the last page, or when nobody takes the next one.
        drop(tokio::spawn(async move {
            let mut token = None;
            loop {
                let page = s3.page(&target, token).await;
                token = page.as_ref().ok().and_then(|page| page.next.clone());
                if sender.send(page).await.is_err() || token.is_none() {
                    return;
                }
            }
        }));
        Self::Listed(S3Pages { pages, pagination: Pagination::default(), observer: Arc::clone(observer) })
    }

    /// Lists nothing and believes the manifest.
    pub(crate) fn trusted() -> Self {
        Self::Trusted(Pagination::default())
    }

    async fn next(&mut self) -> Result<Option<Vec<ListedObject>>, InspectError> {
        match self {
            Self::Trusted(_) => Ok(None),
            Self::Listed(S3Pages { pages, pagination, observer }) => {
                let Some(page) = pages.recv().await else { return Ok(None) };
                let page = page.map_err(ListError::from)?;
                pagination.page(&page.objects, page.next.is_none())?;
                observer.report(ProgressEvent::Listed(pagination.seen()));
                Ok(Some(page.objects))
            }
        }
    }

    /// The listing: an error unless its last page was seen.
    fn finish(self) -> Result<Listing, InspectError> {
        match self {
            Self::Trusted(pagination) | Self::Listed(S3Pages { pagination, .. }) => Ok(pagination.finish()?),
        }
    }
}
