//! Compares one desired entry with one object of the site: what counts as a change.
//!
//! Content decides, never a date. An ETag counts as an MD5 only where it proves equality: see [`crate::identity`].

use crate::desired::{DesiredBody, DesiredEntry};
use crate::headers::MAX_HEADER_BYTES;
use crate::identity::Sameness;
use crate::listing::{ListedObject, ObservedObject, PreservedAttributes};
use crate::plan::{ChangeReason, HeaderDifference};
use crate::sanitize::sanitize;

/// How thoroughly a site is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Comparison {
    /// Content and headers. S3 lists no headers, so every object that could be unchanged costs a HEAD request.
    #[default]
    Whole,
    /// Content only: a HEAD request is sent only if the listing cannot decide. Header changes of unchanged content go
    /// unnoticed.
    Content,
}

/// The result of a comparison: what has to be done about the entry.
pub(crate) enum EntryComparison {
    /// Nothing.
    Same,
    /// Write the body.
    Put(ChangeReason),
    /// Replace the headers, and preserve these attributes while doing so.
    Headers(Vec<HeaderDifference>, PreservedAttributes),
}

impl EntryComparison {
    /// Whether the entry equals the object in content and headers, as far as both are known.
    pub(crate) fn sameness(&self) -> Sameness {
        match self {
            Self::Same => Sameness::Same,
            Self::Put(ChangeReason::ContentUnknown) => Sameness::Unknown,
            Self::Put(_) | Self::Headers(..) => Sameness::Different,
        }
    }
}

/// Compares an entry with the object that the site has under its key. `observed` is what a HEAD or the manifest shows of
/// the object.
pub(crate) fn compare_entry(
    entry: &DesiredEntry,
    object: &ListedObject,
    observed: Option<&ObservedObject>,
    comparison: Comparison,
) -> EntryComparison {
    match &entry.body {
        DesiredBody::Redirect(target) => {
            let Some(observed) = observed else { return EntryComparison::Put(ChangeReason::RedirectDiffers) };
            if object.size != 0 || observed.redirect.as_deref() != Some(target.as_str()) {
                return EntryComparison::Put(ChangeReason::RedirectDiffers);
            }
            // Copying an object onto itself drops its redirect, so new headers of a redirect need a put.
            if differences(entry, observed).is_empty() {
                EntryComparison::Same
            } else {
                EntryComparison::Put(ChangeReason::HeadersDiffer)
            }
        }
        DesiredBody::Object { size, identity, .. } => {
            if *size != object.size {
                return EntryComparison::Put(ChangeReason::ContentDiffers);
            }
            let current = observed.map_or_else(|| object.identity(), |observed| observed.identity.clone());
            match identity.get().compare(&current) {
                Sameness::Same => {}
                Sameness::Different => return EntryComparison::Put(ChangeReason::ContentDiffers),
                Sameness::Unknown => return EntryComparison::Put(ChangeReason::ContentUnknown),
            }
            let Some(observed) = observed else { return EntryComparison::Same };
            if observed.redirect.is_some() {
                return EntryComparison::Put(ChangeReason::RedirectDiffers);
            }
            if comparison == Comparison::Content {
                return EntryComparison::Same;
            }
            let differences = differences(entry, observed);
            if differences.is_empty() {
                EntryComparison::Same
            } else {
                EntryComparison::Headers(differences, observed.attributes.clone())
            }
        }
    }
}

fn differences(entry: &DesiredEntry, observed: &ObservedObject) -> Vec<HeaderDifference> {
    observed
        .headers
        .differences(&entry.headers)
        .into_iter()
        .map(|change| HeaderDifference {
            name: change.name,
            // Other tools can store any text as a header value.
            has: change.current.map(|value| sanitize(value, MAX_HEADER_BYTES)),
            wants: change.desired.map(str::to_owned),
        })
        .collect()
}
