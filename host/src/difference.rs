//! What the decisions of a sync plugin change, object by object.

use serde::Serialize;
use tidegate_core::desired::DesiredSite;
use tidegate_core::headers::{ObjectHeader, ObjectHeaderChange, ObjectHeaders};
use tidegate_core::plan::HeaderDifference;

use super::observed::{ObservedAction, ObservedAnswer, ObservedEdit};

/// What a plugin does to one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectDifference {
    /// The key before the plugin; that of an added redirect.
    pub key: String,
    /// The most important change.
    pub kind: DifferenceKind,
    /// The new key of a renamed object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed: Option<String>,
    /// The target of a redirect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// Headers and metadata that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderDifference>,
    /// JSON Pointer to the rule in the settings, or empty.
    pub rule: String,
    /// The reason that the plugin gave.
    pub reason: String,
}

/// The kind of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// The object is not published.
    Excluded,
    /// It gets another key.
    Renamed,
    /// It becomes a redirect.
    Redirected,
    /// Only its headers differ.
    Headers,
    /// A redirect is added.
    Added,
    /// The plugin decided about it, and nothing differs.
    Same,
}

impl DifferenceKind {
    /// Every kind, in the order in which people read them.
    pub const ALL: [Self; 6] =
        [Self::Excluded, Self::Renamed, Self::Redirected, Self::Headers, Self::Added, Self::Same];
}

/// What answers change of a site, in the order of the answers.
#[must_use]
pub fn differences(before: &DesiredSite, answers: &[ObservedAnswer]) -> Vec<ObjectDifference> {
    let difference = |answer: &ObservedAnswer| match answer {
        ObservedAnswer::Decision { key, action, rule, reason } => Some(decided(before, key, action, rule, reason)),
        ObservedAnswer::Redirect { key, to, rule, reason } => Some(ObjectDifference {
            key: key.clone(),
            kind: DifferenceKind::Added,
            renamed: None,
            redirect: Some(to.clone()),
            headers: Vec::new(),
            rule: rule.clone(),
            reason: reason.clone(),
        }),
        _ => None,
    };
    answers.iter().filter_map(difference).collect()
}

fn decided(before: &DesiredSite, key: &str, action: &ObservedAction, rule: &str, reason: &str) -> ObjectDifference {
    let mut difference = ObjectDifference {
        key: key.to_owned(),
        kind: DifferenceKind::Same,
        renamed: None,
        redirect: None,
        headers: Vec::new(),
        rule: rule.to_owned(),
        reason: reason.to_owned(),
    };
    let edits = match action {
        ObservedAction::Exclude => return ObjectDifference { kind: DifferenceKind::Excluded, ..difference },
        ObservedAction::Publish(edits) => edits.as_slice(),
        ObservedAction::Other(_) => &[],
    };
    let entry = before.get(key);
    let old = entry.map(|entry| entry.headers.clone()).unwrap_or_default();
    let mut new = old.clone();
    for edit in edits {
        match edit {
            ObservedEdit::Rename(to) => difference.renamed = (to != key).then(|| to.clone()),
            ObservedEdit::Redirect(to) => difference.redirect = Some(to.clone()),
            edit => edit_headers(&mut new, edit),
        }
    }
    difference.headers = old.differences(&new).into_iter().map(header_difference).collect();
    difference.kind = match &difference {
        ObjectDifference { redirect: Some(_), .. } => DifferenceKind::Redirected,
        ObjectDifference { renamed: Some(_), .. } => DifferenceKind::Renamed,
        ObjectDifference { headers, .. } if !headers.is_empty() => DifferenceKind::Headers,
        _ => DifferenceKind::Same,
    };
    difference
}

/// Applies an edit of headers. The host has checked all edits before, unless the run failed.
fn edit_headers(headers: &mut ObjectHeaders, edit: &ObservedEdit) {
    match edit {
        ObservedEdit::SetHeader(name, value) => {
            if let Ok(name) = ObjectHeader::parse(name) {
                let _ = headers.set(name, value);
            }
        }
        ObservedEdit::RemoveHeader(name) => {
            if let Ok(name) = ObjectHeader::parse(name) {
                headers.remove(name);
            }
        }
        ObservedEdit::SetMetadata(name, value) => {
            let _ = headers.set_metadata(name, value);
        }
        ObservedEdit::RemoveMetadata(name) => headers.remove_metadata(name),
        ObservedEdit::Rename(_) | ObservedEdit::Redirect(_) | ObservedEdit::Other(_) => {}
    }
}

fn header_difference(change: ObjectHeaderChange<'_>) -> HeaderDifference {
    let ObjectHeaderChange { name, current, desired } = change;
    HeaderDifference { name, has: current.map(str::to_owned), wants: desired.map(str::to_owned) }
}
