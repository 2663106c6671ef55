//! Applies the decisions of a sync plugin: checked edits in order, and no two entries with the same key.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_core::config::{EditKind, MissingGrant, PluginGrant};
use tidegate_core::desired::{DesiredBody, DesiredEntry, DesiredSite, ExcludedObject, TraceStep, Trail};
use tidegate_core::headers::{HeaderPool, MAX_METADATA_BYTES, ObjectHeader, ObjectHeaders};
use tidegate_core::key::{Key, MAX_KEY_BYTES};
use tidegate_core::plugin_failure::{FailureCause, LocatedCause, MalformedAnswer};
use tidegate_core::redirect::RedirectTarget;
use tidegate_core::sanitize::{sanitize, truncate};

use super::answer::{parse_key, unknown_name};
use super::bindings::sync_world::exports::tidegate::plugin::sync::{Action, Edit};

/// Whether entries keep a trail of the decisions about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// No trail: a publish does not need one.
    Off,
    /// Every decision about every entry, for `explain`.
    On,
}

/// One decision, about any number of entries.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CheckedDecision {
    pub(super) action: Action,
    pub(super) rule: String,
    pub(super) reason: String,
}

impl CheckedDecision {
    /// Whether it renames, so that no other entry has an equal decision.
    pub(super) fn has_new_key(&self) -> bool {
        matches!(&self.action, Action::Publish(edits) if edits.iter().any(|edit| matches!(edit, Edit::Rename(_))))
    }

    /// Whether it changes headers or metadata, and nothing else.
    fn changes_headers_only(&self) -> bool {
        let Action::Publish(edits) = &self.action else { return false };
        edits.iter().all(|edit| match edit {
            Edit::SetHeader(_) | Edit::RemoveHeader(_) | Edit::SetMetadata(_) | Edit::RemoveMetadata(_) => true,
            Edit::Rename(_) | Edit::Redirect(_) | Edit::Other(_) => false,
        })
    }
}

/// A decision about the entry at a position.
pub(super) struct EntryDecision {
    pub(super) position: usize,
    pub(super) decision: Arc<CheckedDecision>,
}

/// A redirect to add.
#[derive(Debug)]
pub(super) struct AddedRedirect {
    pub(super) key: String,
    pub(super) redirect: String,
    pub(super) rule: String,
    pub(super) reason: String,
}

/// All decisions of one plugin.
pub(super) struct PluginDecisions {
    /// In ascending order of their positions.
    pub(super) entries: Vec<EntryDecision>,
    pub(super) redirects: Vec<AddedRedirect>,
}

/// The plugin whose decisions are applied, what it may do, and whether they leave a trail.
pub(super) struct DecisionContext<'a> {
    pub(super) plugin: &'a str,
    pub(super) grant: Option<&'a PluginGrant>,
    pub(super) trace: Trace,
}

/// An entry with the origin of its key, for the message about a collision.
struct PlacedEntry {
    entry: DesiredEntry,
    origin: KeyOrigin,
}

enum KeyOrigin {
    Unchanged,
    Renamed { from: Key, rule: String },
    Added { rule: String },
}

/// Applies all decisions of one plugin.
pub(super) fn apply(
    context: &DecisionContext<'_>,
    desired: DesiredSite,
    decisions: PluginDecisions,
) -> Result<DesiredSite, LocatedCause> {
    let (mut entries, mut excluded) = desired.into_parts();
    let mut decided = decisions.entries.into_iter().peekable();
    // Origins of the keys of renamed entries, with their positions among the published ones, ascending.
    let mut renamed: Vec<(usize, KeyOrigin)> = Vec::new();
    let (mut position, mut published) = (0, 0);
    let mut error = None;
    let mut headers = HeaderChanges::default();
    entries.retain_mut(|entry| {
        let decision = decided.next_if(|decided| decided.position == position);
        position += 1;
        let published_position = published;
        published += 1;
        let Some(EntryDecision { decision, .. }) = decision.filter(|_| error.is_none()) else { return true };
        let from = entry.key.clone();
        match headers.apply(context, entry, &decision) {
            Ok(true) => {
                if entry.key != from {
                    renamed.push((published_position, KeyOrigin::Renamed { from, rule: decision.rule.clone() }));
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
            Err(cause) => {
                let (rule, key) = (decision.rule.clone(), Some(from.to_string()));
                error = Some(LocatedCause { rule, key, ..cause.into() });
                true
            }
        }
    });
    if let Some(error) = error {
        return Err(error);
    }
    if renamed.is_empty() && decisions.redirects.is_empty() {
        // No key changed, so the entries are still sorted and distinct.
        return desired_site(entries, excluded);
    }
    let mut renamed = renamed.into_iter().peekable();
    let mut origin_at =
        |at| renamed.next_if(|(renamed, _)| *renamed == at).map_or(KeyOrigin::Unchanged, |(_, origin)| origin);
    let mut placed: Vec<PlacedEntry> =
        entries.into_iter().zip(0..).map(|(entry, at)| PlacedEntry { entry, origin: origin_at(at) }).collect();
    for redirect in decisions.redirects {
        placed.push(place_redirect(context, redirect)?);
    }
    sort(&mut placed)?;
    desired_site(placed.into_iter().map(|placed| placed.entry).collect(), excluded)
}

/// Applies decisions to entries whose headers are shared: a million objects have a few dozen different sets of headers, and
/// a few dozen different decisions about them.
#[derive(Default)]
struct HeaderChanges {
    pool: HeaderPool,
    /// By headers and decision: what they become. Both are kept, so that their addresses stay theirs.
    known: HashMap<(usize, usize), KnownChange>,
}

struct KnownChange {
    _headers: ObjectHeaders,
    _decision: Arc<CheckedDecision>,
    changed: ObjectHeaders,
}

impl HeaderChanges {
    /// Like [`apply_decision`].
    fn apply(
        &mut self,
        context: &DecisionContext<'_>,
        entry: &mut DesiredEntry,
        decision: &Arc<CheckedDecision>,
    ) -> Result<bool, FailureCause> {
        if context.trace == Trace::On || !decision.changes_headers_only() {
            let published = apply_decision(context, entry, decision)?;
            self.pool.share(&mut entry.headers);
            return Ok(published);
        }
        self.pool.share(&mut entry.headers);
        let address = (entry.headers.address(), Arc::as_ptr(decision).addr());
        if let Some(known) = self.known.get(&address) {
            entry.headers = known.changed.clone();
            return Ok(true);
        }
        let before = entry.headers.clone();
        let published = apply_decision(context, entry, decision)?;
        self.pool.share(&mut entry.headers);
        let (_decision, changed) = (Arc::clone(decision), entry.headers.clone());
        self.known.insert(address, KnownChange { _headers: before, _decision, changed });
        Ok(published)
    }
}

/// Applies one decision to one entry; returns whether the entry is published.
pub(super) fn apply_decision(
    context: &DecisionContext<'_>,
    entry: &mut DesiredEntry,
    decision: &CheckedDecision,
) -> Result<bool, FailureCause> {
    let mut effects = TraceEffects::new(context);
    let publish = match &decision.action {
        Action::Publish(edits) => {
            for edit in edits {
                context.check_grant(edit_kind(edit), header_name(edit))?;
                apply_edit(entry, edit, &mut effects)?;
            }
            true
        }
        Action::Exclude => {
            context.check_grant(Some(EditKind::Exclude), None)?;
            effects.add(|| "excluded".to_owned());
            false
        }
        Action::Other(attribute) => return Err(unknown_name("action", &attribute.name).into()),
    };
    effects.append_to(&mut entry.trail, context, &decision.rule, &decision.reason);
    Ok(publish)
}

fn place_redirect(context: &DecisionContext<'_>, added: AddedRedirect) -> Result<PlacedEntry, LocatedCause> {
    let AddedRedirect { key: name, redirect, rule, reason } = added;
    let located = |cause: FailureCause| LocatedCause {
        rule: rule.clone(),
        key: Some(sanitize(&name, MAX_KEY_BYTES)),
        ..cause.into()
    };
    context.check_grant(Some(EditKind::AddRedirect), None).map_err(|missing| located(missing.into()))?;
    let key = parse_key(&name).map_err(|malformed| located(malformed.into()))?;
    let target = RedirectTarget::new(&redirect).map_err(|error| located(MalformedAnswer::from(error).into()))?;
    let mut effects = TraceEffects::new(context);
    effects.add(|| format!("added as a redirect to {target}"));
    let mut trail = Trail::new();
    effects.append_to(&mut trail, context, &rule, &reason);
    let entry = DesiredEntry { key, body: DesiredBody::Redirect(target), headers: ObjectHeaders::default(), trail };
    Ok(PlacedEntry { entry, origin: KeyOrigin::Added { rule } })
}

/// Sorts entries by key, and refuses two entries with the same key.
fn sort(placed: &mut [PlacedEntry]) -> Result<(), LocatedCause> {
    // A stable sort, so that the message about a collision depends only on the listing.
    placed.sort_by(|a, b| a.entry.key.cmp(&b.entry.key));
    for (first, second) in placed.iter().zip(placed.iter().skip(1)) {
        if first.entry.key == second.entry.key {
            let key = first.entry.key.to_string();
            let rule = second.origin.rule().or(first.origin.rule()).unwrap_or_default().to_owned();
            let (first, second) = (first.description(), second.description());
            let malformed = MalformedAnswer::Collision { key: key.clone(), first, second };
            return Err(LocatedCause { rule, key: Some(key), ..malformed.into() });
        }
    }
    Ok(())
}

fn desired_site(entries: Vec<DesiredEntry>, excluded: Vec<ExcludedObject>) -> Result<DesiredSite, LocatedCause> {
    DesiredSite::new(entries, excluded).map_err(|collision| FailureCause::Host(collision.to_string()).into())
}

impl PlacedEntry {
    fn description(&self) -> String {
        match &self.origin {
            KeyOrigin::Unchanged => format!("`{}` itself", self.entry.key),
            KeyOrigin::Renamed { from, .. } => format!("`{from}`, which it renames"),
            KeyOrigin::Added { .. } => "a redirect that it adds".to_owned(),
        }
    }
}

impl KeyOrigin {
    fn rule(&self) -> Option<&str> {
        match self {
            Self::Unchanged => None,
            Self::Renamed { rule, .. } | Self::Added { rule } => Some(rule),
        }
    }
}

fn apply_edit(entry: &mut DesiredEntry, edit: &Edit, effects: &mut TraceEffects) -> Result<(), MalformedAnswer> {
    match edit {
        Edit::Rename(name) => {
            let key = parse_key(name)?;
            if key != entry.key {
                effects.add(|| format!("renamed from {} to {key}", entry.key));
                entry.key = key;
            }
        }
        Edit::SetHeader(header) => {
            let name = ObjectHeader::parse(bounded_name(&header.name))?;
            entry.headers.set(name, &header.value)?;
            effects.add(|| format!("{name}: {}", header.value));
        }
        Edit::RemoveHeader(name) => {
            let name = ObjectHeader::parse(bounded_name(name))?;
            entry.headers.remove(name);
            effects.add(|| format!("{name} removed"));
        }
        Edit::SetMetadata(metadata) => {
            let name = bounded_name(&metadata.name);
            entry.headers.set_metadata(name, &metadata.value)?;
            effects.add(|| format!("metadata {}: {}", name.to_ascii_lowercase(), metadata.value));
        }
        Edit::RemoveMetadata(name) => {
            let name = bounded_name(name);
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

/// The kind of an edit; `None` for one that this host does not know.
pub(super) fn edit_kind(edit: &Edit) -> Option<EditKind> {
    match edit {
        Edit::Rename(_) => Some(EditKind::Rename),
        Edit::SetHeader(_) => Some(EditKind::SetHeader),
        Edit::RemoveHeader(_) => Some(EditKind::RemoveHeader),
        Edit::SetMetadata(_) => Some(EditKind::SetMetadata),
        Edit::RemoveMetadata(_) => Some(EditKind::RemoveMetadata),
        Edit::Redirect(_) => Some(EditKind::Redirect),
        Edit::Other(_) => None,
    }
}

/// The header that an edit sets or removes.
fn header_name(edit: &Edit) -> Option<&str> {
    match edit {
        Edit::SetHeader(header) => Some(bounded_name(&header.name)),
        Edit::RemoveHeader(name) => Some(bounded_name(name)),
        Edit::Rename(_) | Edit::SetMetadata(_) | Edit::RemoveMetadata(_) | Edit::Redirect(_) | Edit::Other(_) => None,
    }
}

impl DecisionContext<'_> {
    fn check_grant(&self, kind: Option<EditKind>, header: Option<&str>) -> Result<(), MissingGrant> {
        match (self.grant, kind) {
            (Some(grant), Some(kind)) => grant.check_edit(kind, header),
            _ => Ok(()),
        }
    }
}

/// The part of a header's or metadata entry's name that is parsed: enough to accept every valid name, and a short
/// beginning, for the error, of a name that cannot be valid.
fn bounded_name(text: &str) -> &str {
    truncate(text, if text.bytes().all(|byte| byte.is_ascii_graphic()) { MAX_METADATA_BYTES + 1 } else { 100 })
}

/// Descriptions of what a decision changed, if there is a trace.
struct TraceEffects(Option<Vec<String>>);

impl TraceEffects {
    fn new(context: &DecisionContext<'_>) -> Self {
        Self((context.trace == Trace::On).then(Vec::new))
    }

    fn add(&mut self, description: impl FnOnce() -> String) {
        if let Some(effects) = &mut self.0 {
            effects.push(description());
        }
    }

    fn append_to(self, trail: &mut Trail, context: &DecisionContext<'_>, rule: &str, reason: &str) {
        if let Some(effects) = self.0 {
            let (plugin, rule, reason) = (context.plugin.to_owned(), rule.to_owned(), reason.to_owned());
            trail.push(TraceStep { plugin, rule, reason, effects, observed: false });
        }
    }
}
