//! What decisions do to entries: edits in order, each checked, and no two entries on one key.
//!
//! Owns the rules of edits and the trail. Never runs a plugin.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_core::desired::{DesiredBody, DesiredEntry, DesiredSite, ExcludedObject, TraceStep};
use tidegate_core::headers::{HeaderPool, MAX_METADATA_BYTES, ObjectHeader, ObjectHeaders};
use tidegate_core::key::Key;
use tidegate_core::plugin_failure::{LocatedCause, MalformedAnswer};
use tidegate_core::redirect::RedirectTarget;
use tidegate_core::sanitize::{sanitize, truncate};

use super::answer::{key as checked_key, unknown_name};
use super::bindings::sync_world::exports::tidegate::plugin::sync::{Action, Edit};
use super::sync::Trace;

/// The part of a header's or metadata entry's name that is looked at: all of it where it may be one, and the beginning,
/// for the error, where it is none.
fn name_of(text: &str) -> &str {
    truncate(text, if text.bytes().all(|byte| byte.is_ascii_graphic()) { MAX_METADATA_BYTES + 1 } else { 100 })
}

/// One decision, about however many entries.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CheckedDecision {
    pub(super) action: Action,
    pub(super) rule: String,
    pub(super) reason: String,
}

/// A redirect to add.
#[derive(Debug)]
pub(super) struct AddedRedirect {
    pub(super) key: String,
    pub(super) redirect: String,
    pub(super) rule: String,
    pub(super) reason: String,
}

/// Whose decisions are applied, and what is remembered of them.
pub(super) struct DecisionContext<'a> {
    pub(super) plugin: &'a str,
    pub(super) trace: Trace,
}

/// An entry and how it came to its key, for the words of a collision.
struct PlacedEntry {
    entry: DesiredEntry,
    origin: KeyOrigin,
}

enum KeyOrigin {
    Stayed,
    Renamed { from: Key, rule: String },
    Added { rule: String },
}

/// Applies all decisions of one plugin. `decided` ascends by place.
pub(super) fn apply(
    shaping: &DecisionContext<'_>,
    mut entries: Vec<DesiredEntry>,
    mut excluded: Vec<ExcludedObject>,
    decided: Vec<(usize, Arc<CheckedDecision>)>,
    extras: Vec<AddedRedirect>,
) -> Result<DesiredSite, LocatedCause> {
    let mut decided = decided.into_iter().peekable();
    // Where a renamed entry stands among those that are published, and how it came to its key.
    let mut moved: BTreeMap<usize, KeyOrigin> = BTreeMap::new();
    let (mut place, mut published) = (0, 0);
    let mut fault = None;
    // Already here, and not only once all are there: a million objects have some dozens of different headers.
    let mut shared = HeaderPool::default();
    entries.retain_mut(|entry| {
        let decision = decided.next_if(|(at, _)| *at == place);
        place += 1;
        let published_at = published;
        published += 1;
        let Some((_, decision)) = decision.filter(|_| fault.is_none()) else { return true };
        let from = entry.key.clone();
        match decide(shaping, entry, &decision) {
            Ok(true) => {
                shared.share(&mut entry.headers);
                if entry.key != from {
                    moved.insert(published_at, KeyOrigin::Renamed { from, rule: decision.rule.clone() });
                }
                true
            }
            Ok(false) => {
                published -= 1;
                if let DesiredBody::Object { source, size, .. } = &entry.body {
                    let trail = std::mem::take(&mut entry.trail);
                    excluded.push(ExcludedObject { source: source.clone(), size: *size, trail });
                }
                false
            }
            Err(malformed) => {
                fault =
                    Some(LocatedCause { rule: decision.rule.clone(), key: Some(from.to_string()), ..malformed.into() });
                true
            }
        }
    });
    if let Some(fault) = fault {
        return Err(fault);
    }
    if moved.is_empty() && extras.is_empty() {
        // Every key is as it was, so no two can have met.
        return desired(entries, excluded);
    }
    let origin = |at| moved.remove(&at).unwrap_or(KeyOrigin::Stayed);
    let mut placed: Vec<PlacedEntry> = entries.into_iter().zip((0..).map(origin)).map(PlacedEntry::new).collect();
    for extra in extras {
        placed.push(add(shaping, extra)?);
    }
    finished(placed, excluded)
}

/// Does to one entry what was decided; says whether it is published.
fn decide(
    shaping: &DecisionContext<'_>,
    entry: &mut DesiredEntry,
    decision: &CheckedDecision,
) -> Result<bool, MalformedAnswer> {
    let mut effects = TraceEffects(matches!(shaping.trace, Trace::On).then(Vec::new));
    let publish = match &decision.action {
        Action::Publish(edits) => {
            edits.iter().try_for_each(|edit| perform(entry, edit, &mut effects))?;
            true
        }
        Action::Exclude => {
            effects.add(|| "left out".to_owned());
            false
        }
        Action::Other(attribute) => return Err(unknown_name("action", &attribute.name)),
    };
    effects.into_trail(&mut entry.trail, shaping.plugin, &decision.rule, &decision.reason);
    Ok(publish)
}

fn add(shaping: &DecisionContext<'_>, extra: AddedRedirect) -> Result<PlacedEntry, LocatedCause> {
    let AddedRedirect { key, redirect, rule, reason } = extra;
    let fault = |malformed: MalformedAnswer| LocatedCause {
        rule: rule.clone(),
        key: Some(sanitize(&key, tidegate_core::key::MAX_KEY_BYTES)),
        ..malformed.into()
    };
    let checked = checked_key(&key).map_err(fault)?;
    let target = RedirectTarget::new(&redirect).map_err(|error| fault(error.into()))?;
    let mut effects = TraceEffects(matches!(shaping.trace, Trace::On).then(Vec::new));
    effects.add(|| format!("added as a redirect to {target}"));
    let mut trail = Vec::new();
    effects.into_trail(&mut trail, shaping.plugin, &rule, &reason);
    let entry =
        DesiredEntry { key: checked, body: DesiredBody::Redirect(target), headers: ObjectHeaders::default(), trail };
    Ok(PlacedEntry { entry, origin: KeyOrigin::Added { rule } })
}

/// Sorts by key and refuses two entries on one.
fn finished(mut placed: Vec<PlacedEntry>, excluded: Vec<ExcludedObject>) -> Result<DesiredSite, LocatedCause> {
    // Stable, so that the words of a collision do not depend on anything but the listing.
    placed.sort_by(|a, b| a.entry.key.cmp(&b.entry.key));
    for (first, second) in placed.iter().zip(placed.iter().skip(1)) {
        if first.entry.key == second.entry.key {
            let key = first.entry.key.to_string();
            let rule = second.origin.rule().or(first.origin.rule()).unwrap_or_default().to_owned();
            let (one, other) = (first.description(), second.description());
            let malformed = MalformedAnswer::Collision { key: key.clone(), first: one, second: other };
            return Err(LocatedCause { rule, key: Some(key), ..malformed.into() });
        }
    }
    desired(placed.into_iter().map(|placed| placed.entry).collect(), excluded)
}

fn desired(entries: Vec<DesiredEntry>, excluded: Vec<ExcludedObject>) -> Result<DesiredSite, LocatedCause> {
    DesiredSite::new(entries, excluded)
        .map_err(|collision| tidegate_core::plugin_failure::FailureCause::Host(collision.to_string()).into())
}

impl PlacedEntry {
    fn new((entry, origin): (DesiredEntry, KeyOrigin)) -> Self {
        Self { entry, origin }
    }

    fn description(&self) -> String {
        match &self.origin {
            KeyOrigin::Stayed => format!("`{}` itself", self.entry.key),
            KeyOrigin::Renamed { from, .. } => format!("`{from}`, which it renames"),
            KeyOrigin::Added { .. } => "a redirect that it adds".to_owned(),
        }
    }
}

impl KeyOrigin {
    fn rule(&self) -> Option<&str> {
        match self {
            Self::Stayed => None,
            Self::Renamed { rule, .. } | Self::Added { rule } => Some(rule),
        }
    }
}

fn perform(entry: &mut DesiredEntry, edit: &Edit, effects: &mut TraceEffects) -> Result<(), MalformedAnswer> {
    match edit {
        Edit::Rename(name) => {
            let key = checked_key(name)?;
            if key != entry.key {
                effects.add(|| format!("renamed from {} to {key}", entry.key));
                entry.key = key;
            }
        }
        Edit::SetHeader(header) => {
            let name = ObjectHeader::parse(name_of(&header.name))?;
            entry.headers.set(name, &header.value)?;
            effects.add(|| format!("{name}: {}", header.value));
        }
        Edit::RemoveHeader(name) => {
            let name = ObjectHeader::parse(name_of(name))?;
            entry.headers.remove(name);
            effects.add(|| format!("{name} removed"));
        }
        Edit::SetMetadata(metadata) => {
            let name = name_of(&metadata.name);
            entry.headers.set_metadata(name, &metadata.value)?;
            effects.add(|| format!("metadata {}: {}", name.to_ascii_lowercase(), metadata.value));
        }
        Edit::RemoveMetadata(name) => {
            let name = name_of(name);
            entry.headers.remove_metadata(name);
            effects.add(|| format!("metadata {} removed", sanitize(&name.to_ascii_lowercase(), MAX_METADATA_BYTES)));
        }
        Edit::Redirect(text) => {
            let target = RedirectTarget::new(text)?;
            effects.add(|| format!("published as a redirect to {target}"));
            entry.body = DesiredBody::Redirect(target);
        }
        Edit::Other(attribute) => return Err(unknown_name("edit", &attribute.name)),
    }
    Ok(())
}

/// What a decision changed, in words; nothing where nobody will read them.
struct TraceEffects(Option<Vec<String>>);

impl TraceEffects {
    fn add(&mut self, words: impl FnOnce() -> String) {
        if let Some(effects) = &mut self.0 {
            effects.push(words());
        }
    }

    fn into_trail(self, trail: &mut Vec<TraceStep>, plugin: &str, rule: &str, reason: &str) {
        if let Some(effects) = self.0 {
            trail.push(TraceStep {
                plugin: plugin.to_owned(),
                rule: rule.to_owned(),
                reason: reason.to_owned(),
                effects,
            });
        }
    }
}
