//! Repeated and overtaken events within one delivery: of each object, the newest event, once.
//!
//! Owns the choice. Events of different objects are never compared here: their numbers say nothing about each other.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use tidegate_core::key::StoredKey;
use tidegate_core::location::Bucket;

use super::s3_event::{EventRecord, IgnoredRecord, ParsedRecord, StoredObject};

/// Marks every event but the newest of its object as ignored, with the reason.
pub(super) fn settle(records: &mut [EventRecord]) {
    let mut newest: BTreeMap<(Bucket, StoredKey), (usize, StoredObject)> = BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        let Some(stored) = stored(record) else { continue };
        let known = newest.entry(place(stored)).or_insert_with(|| (at, stored.clone()));
        if compare(stored, &known.1) == Ordering::Greater {
            *known = (at, stored.clone());
        }
    }
    for (at, record) in records.iter_mut().enumerate() {
        let Some(stored) = stored(record) else { continue };
        let Some((chosen, kept)) = newest.get(&place(stored)) else { continue };
        if *chosen == at {
            continue;
        }
        let why = if same(stored, kept) { IgnoredRecord::Repeated } else { IgnoredRecord::Overtaken };
        record.notice = Ok(ParsedRecord::Ignored(why(stored.object())));
    }
}

fn stored(record: &EventRecord) -> Option<&StoredObject> {
    match &record.notice {
        Ok(ParsedRecord::Stored(stored)) => Some(stored),
        _ => None,
    }
}

fn place(stored: &StoredObject) -> (Bucket, StoredKey) {
    (stored.bucket.clone(), stored.key.clone())
}

/// Which of two events of one object is the newer. Some servers number every event alike: then the time decides.
fn compare(a: &StoredObject, b: &StoredObject) -> Ordering {
    a.revision().compare(&b.revision()).then_with(|| a.time.cmp(&b.time))
}

/// Whether two events of one object tell of the same write.
fn same(a: &StoredObject, b: &StoredObject) -> bool {
    let same_body = a.version == b.version && a.etag == b.etag;
    same_body && a.revision().compare(&b.revision()) == Ordering::Equal
}
