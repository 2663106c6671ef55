//! Keeps the newest event of each object in one invocation, once.
//!
//! Events of different objects are not compared: their sequencers have no common order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use tidegate_core::key::StoredKey;
use tidegate_core::location::Bucket;

use super::s3_event::{EventRecord, IgnoredRecord, ParsedRecord, StoredObject};

/// Marks every event except the newest of its object as ignored, with the reason.
pub(super) fn ignore_outdated(records: &mut [EventRecord]) {
    let mut newest: BTreeMap<ObjectKey, (usize, StoredObject)> = BTreeMap::new();
    for (index, record) in records.iter().enumerate() {
        let Some(stored) = stored(record) else { continue };
        let best = newest.entry(object_key(stored)).or_insert_with(|| (index, stored.clone()));
        if compare(stored, &best.1) == Ordering::Greater {
            *best = (index, stored.clone());
        }
    }
    for (index, record) in records.iter_mut().enumerate() {
        let Some(stored) = stored(record) else { continue };
        let Some((newest_index, kept)) = newest.get(&object_key(stored)) else { continue };
        if *newest_index == index {
            continue;
        }
        let reason = if is_same_write(stored, kept) { IgnoredRecord::Duplicate } else { IgnoredRecord::Outdated };
        record.content = Ok(ParsedRecord::Ignored(reason(stored.object())));
    }
}

fn stored(record: &EventRecord) -> Option<&StoredObject> {
    match &record.content {
        Ok(ParsedRecord::Stored(stored)) => Some(stored),
        _ => None,
    }
}

/// The bucket, and every reading of the key: two objects may share one of them.
type ObjectKey = (Bucket, StoredKey, Option<StoredKey>);

fn object_key(stored: &StoredObject) -> ObjectKey {
    let alternative = stored.alternative.as_ref().map(|other| other.key.clone());
    (stored.bucket.clone(), stored.key.clone(), alternative)
}

/// Which of two events of one object is newer. Some servers give every event the same sequencer: then the time decides.
fn compare(a: &StoredObject, b: &StoredObject) -> Ordering {
    a.revision().compare(&b.revision()).then_with(|| a.time.cmp(&b.time))
}

/// Whether two events of one object report the same write.
fn is_same_write(a: &StoredObject, b: &StoredObject) -> bool {
    let same_body = a.version == b.version && a.etag == b.etag;
    same_body && a.revision().compare(&b.revision()) == Ordering::Equal
}
