//! Every entry of an archive of this machine, unpacked once while it is opened.
//!
//! Owns that pass. What an entry holds is known afterwards as it is of a directory's files, and an entry that is not what it
//! declares is refused before there is a plan. A staged archive is not read like this: it would be fetched twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tidegate_core::identity::ContentIdentity;
use tidegate_core::key::Key;

use super::Archive;
use super::entry::{ArchiveEntry, EntryReader};
use crate::source::body::Chunks;
use crate::source::digest::{Algorithms, BodyDigester};
use crate::source::{Progress, SourceError};

/// Threads that unpack at the most; more than that wait for the disk.
const MOST_THREADS: usize = 8;

/// Unpacks one entry from its beginning to its end and says what it is.
pub(super) fn digest(
    archive: &Arc<Archive>,
    key: &Key,
    entry: ArchiveEntry,
    algorithms: Algorithms,
) -> Result<ContentIdentity, SourceError> {
    let mut chunks = EntryReader::new(Arc::clone(archive), key.clone(), entry);
    let mut digester = BodyDigester::new(algorithms);
    while let Some(chunk) = chunks.next()? {
        digester.update(&chunk);
    }
    Ok(digester.finish())
}

/// All entries, in the order of their keys. Of several entries that lie, the first in the archive is named.
pub(super) fn digest_all(
    archive: &Arc<Archive>,
    algorithms: Algorithms,
    progress: Option<&Progress>,
) -> Result<Vec<ContentIdentity>, SourceError> {
    let mut order: Vec<(usize, &(Key, ArchiveEntry))> = archive.entries.iter().enumerate().collect();
    order.sort_by_key(|(_, (_, entry))| entry.data);
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from).clamp(1, MOST_THREADS).min(order.len().max(1));
    let work = || {
        let mut found = Vec::with_capacity(order.len() / threads + 1);
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some((place, (key, entry))) = order.get(turn) else { return (found, None) };
            match digest(archive, key, *entry, algorithms) {
                Ok(identity) => found.push((*place, identity)),
                Err(error) => {
                    // Entries before this one are under way already; nobody takes one behind it.
                    next.store(order.len(), Ordering::Relaxed);
                    return (found, Some((turn, error)));
                }
            }
            if let Some(progress) = progress {
                progress(1, 0);
            }
        }
    };
    let parts = thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut parts = vec![work()];
        for helper in helpers {
            parts.push(helper.join().map_err(|_| SourceError::Interrupted)?);
        }
        Ok::<_, SourceError>(parts)
    })?;
    let mut identities = vec![ContentIdentity::default(); archive.entries.len()];
    let mut first: Option<(usize, SourceError)> = None;
    for (found, failed) in parts {
        for (place, identity) in found {
            if let Some(slot) = identities.get_mut(place) {
                *slot = identity;
            }
        }
        if let Some((turn, error)) = failed.filter(|(turn, _)| first.as_ref().is_none_or(|(other, _)| turn < other)) {
            first = Some((turn, error));
        }
    }
    match first {
        Some((_, error)) => Err(error),
        None => Ok(identities),
    }
}
