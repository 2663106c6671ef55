//! Repeated and overtaken events within one delivery: of each object, the newest event, once.
//!
//! Owns the choice. Events of different objects are never compared here: their numbers say nothing about each other.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use tidegate_core::key::StoredKey;
use tidegate_core::location::Bucket;

use super::s3_event::{Ignored, Notice, Record, Stored};

/// Marks every event but the newest of its object as ignored, with the reason.
pub(super) fn settle(records: &mut [Record]) {
    let mut newest: BTreeMap<(Bucket, StoredKey), (usize, Stored)> = BTreeMap::new();
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
        let why = if same(stored, kept) { Ignored::Repeated } else { Ignored::Overtaken };
        record.notice = Ok(Notice::Ignored(why(stored.object())));
    }
}

fn stored(record: &Record) -> Option<&Stored> {
    match &record.notice {
        Ok(Notice::Stored(stored)) => Some(stored),
        _ => None,
    }
}

fn place(stored: &Stored) -> (Bucket, StoredKey) {
    (stored.bucket.clone(), stored.key.clone())
}

/// Which of two events of one object is the newer. Some servers number every event alike: then the time decides.
fn compare(a: &Stored, b: &Stored) -> Ordering {
    a.order().compare(&b.order()).then_with(|| a.time.cmp(&b.time))
}

/// Whether two events of one object tell of the same write.
fn same(a: &Stored, b: &Stored) -> bool {
    let same_body = a.version == b.version && a.etag == b.etag;
    same_body && a.order().compare(&b.order()) == Ordering::Equal
}
