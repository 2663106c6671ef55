//! What decisions do to entries: edits in order, each checked, and no two entries on one key.
//!
//! Owns the rules of edits and the trail. Never runs a plugin.

use super::answer::{Malformed, key as checked_key, unknown_name};
use super::bindings::sync_world::exports::tidegate::plugin::sync::{Action, Edit};
use super::failure::Fault;
use super::spoken::{clipped, spoken};
use super::sync::Trace;
use crate::desired::{Body, Desired, Entry, Excluded, Step};
use crate::headers::{HeaderName, Headers, MAX_METADATA_BYTES};
use crate::key::Key;
use crate::redirect::Target;

/// The part of a header's or metadata entry's name that is looked at: all of it where it may be one, and the beginning,
/// for the error, where it is none.
fn name_of(text: &str) -> &str {
    clipped(text, if text.bytes().all(|byte| byte.is_ascii_graphic()) { MAX_METADATA_BYTES + 1 } else { 100 })
}

/// One decision about the entry at a place of the listing.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) at: usize,
    pub(super) action: Action,
    pub(super) rule: String,
    pub(super) reason: String,
}

/// A redirect to add.
#[derive(Debug)]
pub(super) struct Extra {
    pub(super) key: String,
    pub(super) redirect: String,
    pub(super) rule: String,
    pub(super) reason: String,
}

/// Whose decisions are applied, and what is remembered of them.
pub(super) struct Shaping<'a> {
    pub(super) plugin: &'a str,
    pub(super) trace: Trace,
}

/// An entry and how it came to its key, for the words of a collision.
struct Placed {
    entry: Entry,
    origin: Origin,
}

enum Origin {
    Stayed,
    Renamed { from: Key, rule: String },
    Added { rule: String },
}

/// Applies all decisions of one plugin. `decided` ascends by place.
pub(super) fn apply(
    shaping: &Shaping<'_>,
    entries: Vec<Entry>,
    mut excluded: Vec<Excluded>,
    decided: Vec<Decided>,
    extras: Vec<Extra>,
) -> Result<Desired, Fault> {
    let mut placed = Vec::with_capacity(entries.len() + extras.len());
    let mut decided = decided.into_iter().peekable();
    for (place, mut entry) in entries.into_iter().enumerate() {
        let Some(Decided { action, rule, reason, .. }) = decided.next_if(|decided| decided.at == place) else {
            placed.push(Placed { entry, origin: Origin::Stayed });
            continue;
        };
        let from = entry.key.clone();
        let mut effects = Effects(matches!(shaping.trace, Trace::Everything).then(Vec::new));
        let result = match action {
            Action::Publish(edits) => {
                edits.into_iter().try_for_each(|edit| perform(&mut entry, edit, &mut effects)).map(|()| true)
            }
            Action::Exclude => {
                effects.add(|| "left out".to_owned());
                Ok(false)
            }
            Action::Other(attribute) => Err(unknown_name("action", &attribute.name)),
        };
        let publish = match result {
            Ok(publish) => publish,
            Err(malformed) => return Err(Fault { rule, key: Some(from.to_string()), ..malformed.into() }),
        };
        effects.into_trail(&mut entry.trail, shaping.plugin, &rule, reason);
        if publish {
            let origin = if entry.key == from { Origin::Stayed } else { Origin::Renamed { from, rule } };
            placed.push(Placed { entry, origin });
        } else if let Entry { body: Body::Object { source, size, .. }, trail, .. } = entry {
            excluded.push(Excluded { source, size, trail });
        }
    }
    for extra in extras {
        placed.push(add(shaping, extra)?);
    }
    finished(placed, excluded)
}

fn add(shaping: &Shaping<'_>, extra: Extra) -> Result<Placed, Fault> {
    let Extra { key, redirect, rule, reason } = extra;
    let fault = |malformed: Malformed| Fault {
        rule: rule.clone(),
        key: Some(spoken(&key, crate::key::MAX_KEY_BYTES)),
        ..malformed.into()
    };
    let checked = checked_key(&key).map_err(fault)?;
    let target = Target::new(&redirect).map_err(|error| fault(error.into()))?;
    let mut effects = Effects(matches!(shaping.trace, Trace::Everything).then(Vec::new));
    effects.add(|| format!("added as a redirect to {target}"));
    let mut trail = Vec::new();
    effects.into_trail(&mut trail, shaping.plugin, &rule, reason);
    let entry = Entry { key: checked, body: Body::Redirect(target), headers: Headers::default(), trail };
    Ok(Placed { entry, origin: Origin::Added { rule } })
}

/// Sorts by key and refuses two entries on one.
fn finished(mut placed: Vec<Placed>, excluded: Vec<Excluded>) -> Result<Desired, Fault> {
    // Stable, so that the words of a collision do not depend on anything but the listing.
    placed.sort_by(|a, b| a.entry.key.cmp(&b.entry.key));
    for (first, second) in placed.iter().zip(placed.iter().skip(1)) {
        if first.entry.key == second.entry.key {
            let key = first.entry.key.to_string();
            let rule = second.origin.rule().or(first.origin.rule()).unwrap_or_default().to_owned();
            let (one, other) = (first.words(), second.words());
            let malformed = Malformed::Collision { key: key.clone(), first: one, second: other };
            return Err(Fault { rule, key: Some(key), ..malformed.into() });
        }
    }
    let entries = placed.into_iter().map(|placed| placed.entry).collect();
    Desired::new(entries, excluded).map_err(|collision| super::failure::Cause::Host(collision.to_string()).into())
}

impl Placed {
    fn words(&self) -> String {
        match &self.origin {
            Origin::Stayed => format!("`{}` itself", self.entry.key),
            Origin::Renamed { from, .. } => format!("`{from}`, which it renames"),
            Origin::Added { .. } => "a redirect that it adds".to_owned(),
        }
    }
}

impl Origin {
    fn rule(&self) -> Option<&str> {
        match self {
            Self::Stayed => None,
            Self::Renamed { rule, .. } | Self::Added { rule } => Some(rule),
        }
    }
}

fn perform(entry: &mut Entry, edit: Edit, effects: &mut Effects) -> Result<(), Malformed> {
    match edit {
        Edit::Rename(name) => {
            let key = checked_key(&name)?;
            if key != entry.key {
                effects.add(|| format!("renamed from {} to {key}", entry.key));
                entry.key = key;
            }
        }
        Edit::SetHeader(header) => {
            let name = HeaderName::parse(name_of(&header.name))?;
            entry.headers.set(name, &header.value)?;
            effects.add(|| format!("{name}: {}", header.value));
        }
        Edit::RemoveHeader(name) => {
            let name = HeaderName::parse(name_of(&name))?;
            entry.headers.remove(name);
            effects.add(|| format!("{name} removed"));
        }
        Edit::SetMetadata(metadata) => {
            let name = name_of(&metadata.name);
            entry.headers.set_metadata(name, &metadata.value)?;
            effects.add(|| format!("metadata {}: {}", name.to_ascii_lowercase(), metadata.value));
        }
        Edit::RemoveMetadata(name) => {
            let name = name_of(&name);
            entry.headers.remove_metadata(name);
            effects.add(|| format!("metadata {} removed", spoken(&name.to_ascii_lowercase(), MAX_METADATA_BYTES)));
        }
        Edit::Redirect(text) => {
            let target = Target::new(&text)?;
            effects.add(|| format!("published as a redirect to {target}"));
            entry.body = Body::Redirect(target);
        }
        Edit::Other(attribute) => return Err(unknown_name("edit", &attribute.name)),
    }
    Ok(())
}

/// What a decision changed, in words; nothing where nobody will read them.
struct Effects(Option<Vec<String>>);

impl Effects {
    fn add(&mut self, words: impl FnOnce() -> String) {
        if let Some(effects) = &mut self.0 {
            effects.push(words());
        }
    }

    fn into_trail(self, trail: &mut Vec<Step>, plugin: &str, rule: &str, reason: String) {
        if let Some(effects) = self.0 {
            trail.push(Step { plugin: plugin.to_owned(), rule: rule.to_owned(), reason, effects });
        }
    }
}
