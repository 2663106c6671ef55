//! Unpacks and digests every entry of a local archive when it is opened. Its content is then known as that of a
//! directory is, and an entry that is not what it declares is refused before there is a plan. A staged archive is not
//! digested at opening: it would be downloaded twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tidegate_core::identity::ContentIdentity;

use super::entry::EntryReader;
use super::files::ArchiveEntry;
use super::index::ArchiveIndex;
use crate::source::body::Chunks;
use crate::source::digest::{Algorithms, BodyDigester};
use crate::source::error::SourceError;
use crate::source::options::Progress;

/// Most threads that unpack. More of them would wait for the disk.
const MAX_THREADS: usize = 8;

/// An entry that cannot be unpacked, and its rank by offset.
struct Failure {
    rank: usize,
    error: SourceError,
}

/// What one thread digested.
#[derive(Default)]
struct Digested {
    /// By the index of the entry.
    identities: Vec<(usize, ContentIdentity)>,
    failure: Option<Failure>,
}

/// Unpacks and digests one entry.
pub(super) fn digest(
    index: &Arc<ArchiveIndex>,
    entry: &ArchiveEntry,
    algorithms: Algorithms,
) -> Result<ContentIdentity, SourceError> {
    let mut chunks = EntryReader::new(Arc::clone(&index.archive), entry.clone());
    let mut digester = BodyDigester::new(algorithms);
    while let Some(chunk) = chunks.next()? {
        digester.update(&chunk);
    }
    Ok(digester.finish())
}

/// Digests all entries, in the order of their keys. If several entries fail, the error is that of the first in the
/// archive.
pub(super) fn digest_all(
    index: &Arc<ArchiveIndex>,
    algorithms: Algorithms,
    progress: Option<&Progress>,
) -> Result<Vec<ContentIdentity>, SourceError> {
    let mut by_offset: Vec<(usize, &ArchiveEntry)> = index.entries.iter().enumerate().collect();
    by_offset.sort_by_key(|(_, entry)| entry.offset);
    let next = AtomicUsize::new(0);
    let threads =
        thread::available_parallelism().map_or(1, usize::from).clamp(1, MAX_THREADS).min(by_offset.len().max(1));
    let work = || {
        let mut digested = Digested::default();
        loop {
            let rank = next.fetch_add(1, Ordering::Relaxed);
            let Some((position, entry)) = by_offset.get(rank) else { return digested };
            match digest(index, entry, algorithms) {
                Ok(identity) => digested.identities.push((*position, identity)),
                Err(error) => {
                    // Entries before this one are in progress already. No thread starts one after it.
                    next.store(by_offset.len(), Ordering::Relaxed);
                    digested.failure = Some(Failure { rank, error });
                    return digested;
                }
            }
            if let Some(progress) = progress {
                progress(1, 0);
            }
        }
    };
    let results = thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut results = vec![work()];
        for helper in helpers {
            results.push(helper.join().map_err(|_| SourceError::Interrupted)?);
        }
        Ok::<_, SourceError>(results)
    })?;
    let mut identities = vec![ContentIdentity::default(); index.entries.len()];
    let mut failures = Vec::new();
    for Digested { identities: digested, failure } in results {
        for (position, identity) in digested {
            if let Some(slot) = identities.get_mut(position) {
                *slot = identity;
            }
        }
        failures.extend(failure);
    }
    match failures.into_iter().min_by_key(|failure| failure.rank) {
        Some(Failure { error, .. }) => Err(error),
        None => Ok(identities),
    }
}
