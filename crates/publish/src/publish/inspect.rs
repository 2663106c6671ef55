//! Reads the state of a site: its listing, merged with the manifest of the live release, and HEADs for objects that
//! neither decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tidegate_core::artifact::Fingerprint;
use tidegate_core::desired::DesiredSite;
use tidegate_core::diff;
use tidegate_core::identity::ContentIdentity;
use tidegate_core::key::{Key, StoredKey};
use tidegate_core::listing::{ListedObject, Listing, ObservedObject, Pagination};
use tidegate_core::manifest::{ManifestRecord, RecordState};
use tidegate_core::site_state::{SiteMerge, SiteMergeInputs, SiteState, UnfinishedRuns};
use tokio_util::task::AbortOnDropHandle;

use super::error::{InspectError, PublishError};
use super::releases::Releases;
use super::run::Run;
use super::transform::TransformedSource;
use crate::progress::{ProgressEvent, ProgressObserver};
use crate::s3::{ListError, RangedListing, S3};
use crate::source::{SourceReader, digest};
use crate::state::StateError;

/// HEAD requests in flight.
const HEADS_IN_FLIGHT: usize = 64;

/// Objects that are hashed at one time: limited by processors, not by the network.
const DIGESTS_IN_FLIGHT: usize = 4;

/// Most rounds of questions. Every answer removes its question, so the limit is never reached.
const MAX_ROUNDS: usize = 8;

/// Starts to list the site in the ranges between `splits`. Lists nothing if the manifest of the live release is
/// trusted.
pub(super) fn list(run: Run<'_>, s3: &S3, releases: Option<&Releases>, splits: Vec<StoredKey>) -> ListingPages {
    let finalized = releases.is_some_and(|releases| releases.history.is_finalized());
    if run.publisher.trust_manifest && finalized {
        return ListingPages::manifest();
    }
    ListingPages::Listed(S3Pages {
        pages: s3.pages_in_ranges(&run.site.target, splits),
        pagination: Pagination::default(),
        observer: Arc::clone(&run.publisher.observer),
    })
}

/// Lists the site, then reads what is missing for the comparison until no question is open. `source.desired` learns the
/// digests that were computed.
pub(super) async fn inspect(
    run: Run<'_>,
    s3: &S3,
    listing: ListingPages,
    releases: Option<&Releases>,
    source: &mut TransformedSource,
) -> Result<SiteState, PublishError> {
    let TransformedSource { desired, reader, fingerprint, .. } = source;
    let mut site = merge(run, listing, releases, desired, fingerprint).await?;
    let mut requested: BTreeMap<Key, diff::DigestAlgorithms> = BTreeMap::new();
    for _ in 0..MAX_ROUNDS {
        let mut open = diff::open_questions(desired, &site, run.publisher.comparison);
        // A digest that did not answer its question is not computed again: the result would be the same.
        open.digests.retain(|key, algorithms| requested.insert(key.clone(), *algorithms) != Some(*algorithms));
        if open.is_empty() {
            break;
        }
        let questions = open.heads.len() + open.digests.len();
        run.publisher.observer.report(ProgressEvent::Questions(questions as u64));
        let (heads, digests) = tokio::try_join!(heads(run, s3, open.heads), digests(run, reader, open.digests))?;
        site.observe(heads);
        desired.learn(|key| digests.get(key).cloned());
    }
    Ok(site)
}

async fn heads(run: Run<'_>, s3: &S3, keys: Vec<StoredKey>) -> Result<Vec<(StoredKey, ObservedObject)>, InspectError> {
    stream::iter(keys)
        .map(|key| {
            let (s3, target) = (s3.clone(), run.site.target.clone());
            let observer = Arc::clone(&run.publisher.observer);
            // A task of its own, so that all processors take part.
            let task = AbortOnDropHandle::new(tokio::spawn(async move {
                let answer = s3.observe(&target.bucket, &target.prefix.join(key.as_str())).await;
                observer.report(ProgressEvent::Answered);
                match answer {
                    // An object that vanished since the listing is written, like one that cannot be compared.
                    Err(error) if error.is_not_found() => Ok((key, ObservedObject::default())),
                    answer => answer.map(|observed| (key, observed)),
                }
            }));
            async move { task.await.map_err(|_| InspectError::Interrupted)?.map_err(InspectError::from) }
        })
        .buffer_unordered(HEADS_IN_FLIGHT)
        .try_collect()
        .await
}

async fn digests(
    run: Run<'_>,
    reader: &SourceReader,
    algorithms: BTreeMap<Key, diff::DigestAlgorithms>,
) -> Result<BTreeMap<Key, ContentIdentity>, InspectError> {
    let mut keys: Vec<Key> = algorithms.keys().cloned().collect();
    keys.sort_by_cached_key(|key| reader.position(key));
    stream::iter(keys)
        .map(|key| {
            let (reader, observer) = (reader.clone(), Arc::clone(&run.publisher.observer));
            let requested = algorithms.get(&key).copied().unwrap_or_default();
            let algorithms = digest::Algorithms { md5: requested.md5, crc64nvme: requested.crc64nvme };
            async move {
                let digest = reader.digest(&key, algorithms).await;
                observer.report(ProgressEvent::Answered);
                digest.map(|identity| (key, identity)).map_err(InspectError::from)
            }
        })
        .buffer_unordered(DIGESTS_IN_FLIGHT)
        .try_collect()
        .await
}

/// Reads the listing and the manifest of the live release side by side.
async fn merge(
    run: Run<'_>,
    mut pages: ListingPages,
    releases: Option<&Releases>,
    desired: &DesiredSite,
    artifact: &Fingerprint,
) -> Result<SiteState, InspectError> {
    let none = UnfinishedRuns::default();
    let unfinished = releases.map_or(&none, |releases| &releases.history.unfinished);
    let live = releases.and_then(|releases| releases.history.live()).unwrap_or_default();
    let oldest_kept = releases.map(|releases| releases.oldest_kept(run, false)).unwrap_or_default();
    let verify = run.publisher.verify;
    let mut merge = SiteMerge::new(SiteMergeInputs { desired, artifact, unfinished, live, oldest_kept, verify });
    let stream = match releases {
        Some(releases) => releases.live_records().await?,
        None => stream::empty().boxed(),
    };
    let mut records = RecordStream { stream, ready: Vec::new().into_iter(), done: false };
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

/// Records one by one. Archived bodies are not objects of the site: they are only counted.
struct RecordStream {
    stream: BoxStream<'static, Result<Vec<ManifestRecord>, StateError>>,
    ready: std::vec::IntoIter<ManifestRecord>,
    done: bool,
}

impl RecordStream {
    async fn next(&mut self, merge: &mut SiteMerge<'_>) -> Result<Option<ManifestRecord>, InspectError> {
        loop {
            match self.ready.next() {
                Some(ManifestRecord { state: RecordState::Archived(last), .. }) => merge.archived(last),
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

/// Pages of a listing, requested ahead; or none, if the manifest is trusted.
pub(super) enum ListingPages {
    /// The manifest stands for the listing.
    Trusted(Pagination),
    /// What S3 lists.
    Listed(S3Pages),
}

/// Pages that S3 listed.
pub(super) struct S3Pages {
    pages: RangedListing,
    pagination: Pagination,
    observer: Arc<dyn ProgressObserver>,
}

impl ListingPages {
    /// The manifest of the live release stands for the listing.
    pub(super) fn manifest() -> Self {
        Self::Trusted(Pagination::default())
    }

    async fn next(&mut self) -> Result<Option<Vec<ListedObject>>, InspectError> {
        match self {
            Self::Trusted(_) => Ok(None),
            Self::Listed(S3Pages { pages, pagination, observer, .. }) => {
                let Some(page) = pages.next().await.map_err(ListError::from)? else { return Ok(None) };
                pagination.page(&page.objects, page.last)?;
                observer.report(ProgressEvent::Listed(pagination.seen()));
                Ok(Some(page.objects))
            }
        }
    }

    /// The listing; an error unless its last page was seen.
    fn finish(self) -> Result<Listing, InspectError> {
        match self {
            Self::Trusted(pagination) | Self::Listed(S3Pages { pagination, .. }) => Ok(pagination.finish()?),
        }
    }
}
