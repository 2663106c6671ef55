//! Finding out what a site holds: its listing, and what `tidegate_host::diff` still doubts.
//!
//! Owns the asking. Never compares anything itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use tidegate_host::desired::Desired;
use tidegate_host::diff::{self, Comparison};
use tidegate_host::identity::Identity;
use tidegate_host::key::{Key, StoredKey};
use tidegate_host::listing::{Observed, Site};
use tidegate_host::location::Location;

use crate::cloud::CloudError;
use crate::progress::{Event, Observer};
use crate::s3::{ListError, S3};
use crate::source::{Reader, SourceError, digest};

/// Questions about single objects in flight.
const QUESTIONS_IN_FLIGHT: usize = 64;

/// Objects that are digested at one time: the work of processors, not of the network.
const DIGESTS_IN_FLIGHT: usize = 4;

/// Most rounds of questions; every answer removes its question, so this is never reached.
const MAX_ROUNDS: usize = 8;

/// Why a site could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The bucket could not be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// One object could not be looked at.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// One object of the source could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A task was dropped while the process shuts down.
    #[error("the comparison was interrupted, run it again")]
    Interrupted,
}

/// Lists the site and asks until nothing is in doubt. `desired` learns what was read of the source on the way.
///
/// # Errors
/// [`SurveyError`].
pub(crate) async fn survey(
    s3: &S3,
    target: &Location,
    reader: &Reader,
    desired: &mut Desired,
    comparison: Comparison,
    observer: &Arc<dyn Observer>,
) -> Result<Site, SurveyError> {
    let listing = s3.list(target, |seen| observer.hear(Event::Listed(seen as u64))).await?;
    let mut site = Site { listing, observed: BTreeMap::new() };
    let mut asked: BTreeMap<Key, diff::Algorithms> = BTreeMap::new();
    for _ in 0..MAX_ROUNDS {
        let mut doubts = diff::doubts(desired, &site, comparison);
        // An answer that leaves its question open is not asked for again: that would only read everything anew.
        doubts.digests.retain(|key, wanted| asked.insert(key.clone(), *wanted) != Some(*wanted));
        if doubts.is_empty() {
            break;
        }
        observer.hear(Event::Questions((doubts.heads.len() + doubts.digests.len()) as u64));
        let heads = heads(s3, target, doubts.heads, observer);
        let digests = digests(reader, doubts.digests, observer);
        let (heads, digests) = tokio::try_join!(heads, digests)?;
        site.observed.extend(heads);
        desired.learn(|key| digests.get(key).cloned());
    }
    Ok(site)
}

async fn heads(
    s3: &S3,
    target: &Location,
    keys: Vec<StoredKey>,
    observer: &Arc<dyn Observer>,
) -> Result<Vec<(StoredKey, Observed)>, SurveyError> {
    stream::iter(keys)
        .map(|key| {
            let (s3, target, observer) = (s3.clone(), target.clone(), Arc::clone(observer));
            // A task of its own, so that all processors take part.
            let task = tokio::spawn(async move {
                let answer = s3.head(&target.bucket, &target.prefix.join(key.as_str())).await;
                observer.hear(Event::Answered);
                // An object that vanished since the listing is written anew, like one that cannot be compared.
                match answer {
                    Err(error) if error.is_not_found() => Ok((key, Observed::default())),
                    answer => answer.map(|head| (key, head.observed)),
                }
            });
            async move { task.await.map_err(|_| SurveyError::Interrupted)?.map_err(SurveyError::from) }
        })
        .buffer_unordered(QUESTIONS_IN_FLIGHT)
        .try_collect()
        .await
}

async fn digests(
    reader: &Reader,
    wanted: BTreeMap<Key, diff::Algorithms>,
    observer: &Arc<dyn Observer>,
) -> Result<BTreeMap<Key, Identity>, SurveyError> {
    let mut keys: Vec<Key> = wanted.keys().cloned().collect();
    reader.reading_order(&mut keys);
    stream::iter(keys)
        .map(|key| {
            let (reader, observer) = (reader.clone(), Arc::clone(observer));
            let asked = wanted.get(&key).copied().unwrap_or_default();
            let algorithms = digest::Algorithms { md5: asked.md5, crc64nvme: asked.crc64nvme };
            async move {
                let found = reader.digest(&key, algorithms).await;
                observer.hear(Event::Answered);
                found.map(|identity| (key, identity)).map_err(SurveyError::from)
            }
        })
        .buffer_unordered(DIGESTS_IN_FLIGHT)
        .try_collect()
        .await
}
