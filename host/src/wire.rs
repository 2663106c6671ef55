//! Core values in the form of the contract. They borrow: of a batch, only digests are copied.

use std::ops::Range;

use tidegate_core::desired::{DesiredBody, DesiredEntry};
use tidegate_core::headers::ObjectHeaders;
use tidegate_core::plan_review::{ReviewedChange, ReviewedKind};
use tidegate_core::redirect::RedirectTarget;
use tidegate_core::run_facts::RunFacts;

use super::bindings::policy_world::exports::tidegate::plugin::policy::{Change, ChangeKind};
use super::bindings::sync_world::exports::tidegate::plugin::sync::Entry;
use super::bindings::sync_world::tidegate::plugin::types::{AttributeParam, Run};

/// Calls `call` with the facts of a run.
pub(super) fn with_run<R>(facts: &RunFacts, settings: &str, objects: u64, call: impl FnOnce(Run<'_>) -> R) -> R {
    let attributes: Vec<AttributeParam<'_>> =
        facts.attributes.iter().map(|(name, value)| AttributeParam { name, value }).collect();
    call(Run {
        site: &facts.site,
        release: &facts.release,
        now_ms: facts.instant,
        settings,
        objects,
        attributes: &attributes,
    })
}

/// Calls `call` with a batch of entries.
pub(super) fn with_entries<R>(batch: &[DesiredEntry], call: impl FnOnce(&[Entry<'_>]) -> R) -> R {
    struct EntryParts {
        headers: Range<usize>,
        metadata: Range<usize>,
        digest: Range<usize>,
    }
    let mut attributes = Vec::new();
    // One text for all digests: every plugin gets them of every object.
    let mut digests = String::new();
    let parts: Vec<EntryParts> = batch
        .iter()
        .map(|entry| {
            let start = attributes.len();
            attributes.extend(header_attributes(&entry.headers));
            let middle = attributes.len();
            attributes.extend(entry.headers.metadata().map(|(name, value)| AttributeParam { name, value }));
            let before = digests.len();
            if let DesiredBody::Object { identity, .. } = &entry.body
                && let Some(digest) = identity.sha256()
            {
                let mut hex = [0; 64];
                // It fails only for another length.
                if hex::encode_to_slice(digest, &mut hex).is_ok() {
                    digests.push_str("sha256:");
                    digests.push_str(std::str::from_utf8(&hex).unwrap_or_default());
                }
            }
            EntryParts { headers: start..middle, metadata: middle..attributes.len(), digest: before..digests.len() }
        })
        .collect();
    let entries: Vec<Entry<'_>> = batch
        .iter()
        .zip(&parts)
        .map(|(entry, parts)| Entry {
            key: entry.key.as_str(),
            size: entry.body.size(),
            digest: digests.get(parts.digest.clone()).filter(|digest| !digest.is_empty()),
            redirect: entry.body.redirect().map(RedirectTarget::as_str),
            headers: attributes.get(parts.headers.clone()).unwrap_or_default(),
            metadata: attributes.get(parts.metadata.clone()).unwrap_or_default(),
            attributes: &[],
        })
        .collect();
    call(&entries)
}

/// Calls `call` with a batch of changes.
pub(super) fn with_changes<R>(batch: &[ReviewedChange<'_>], call: impl FnOnce(&[Change<'_>]) -> R) -> R {
    let mut attributes = Vec::new();
    let headers: Vec<Range<usize>> = batch
        .iter()
        .map(|change| {
            let start = attributes.len();
            attributes.extend(change.headers.into_iter().flat_map(header_attributes));
            start..attributes.len()
        })
        .collect();
    let changes: Vec<Change<'_>> = batch
        .iter()
        .zip(headers)
        .map(|(change, headers)| Change {
            key: change.key,
            kind: match change.kind {
                ReviewedKind::Create => ChangeKind::Create,
                ReviewedKind::Update => ChangeKind::Update,
                ReviewedKind::Headers => ChangeKind::Headers,
                ReviewedKind::Delete => ChangeKind::Delete,
                ReviewedKind::Keep => ChangeKind::Keep,
            },
            size: change.size,
            redirect: change.redirect.map(RedirectTarget::as_str),
            headers: attributes.get(headers).unwrap_or_default(),
            reason: change.reason,
            attributes: &[],
        })
        .collect();
    call(&changes)
}

fn header_attributes(headers: &ObjectHeaders) -> impl Iterator<Item = AttributeParam<'_>> {
    headers.iter().map(|(name, value)| AttributeParam { name: name.as_str(), value })
}
