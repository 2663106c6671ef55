//! Distinguishes presentations of Keynote from private keys: both are `*.key`.

use std::collections::BTreeSet;

use tidegate_plugin::{Change, ChangeKind, content};

/// The forbidden name that both have.
pub(crate) const GLOB: &str = "*.key";

/// How a presentation starts: as a zip.
const SIGNATURE: &[u8] = b"PK\x03\x04";
const SIGNATURE_BYTES: u32 = 4;

/// The keys of presentations. A key that cannot be read is none, so it stays forbidden.
pub(crate) fn presentations(batch: &[Change]) -> BTreeSet<&str> {
    let is_candidate = |change: &&Change| {
        change.kind != ChangeKind::Delete && change.redirect.is_none() && change.key.ends_with(".key")
    };
    let candidates: Vec<&Change> = batch.iter().filter(is_candidate).collect();
    if candidates.is_empty() {
        return BTreeSet::new();
    }
    let keys: Vec<String> = candidates.iter().map(|change| change.key.clone()).collect();
    let heads = content::heads(&keys, SIGNATURE_BYTES);
    let found = candidates.iter().zip(heads).filter(|(_, head)| head.as_ref().is_ok_and(|bytes| bytes == SIGNATURE));
    found.map(|(change, _)| change.key.as_str()).collect()
}
