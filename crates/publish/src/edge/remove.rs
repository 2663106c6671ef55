//! The changes that remove an edge. Visitors get the pages at their own keys afterwards.

use super::change::EdgeChange;
use super::error::EdgeError;
use super::found::FoundEdge;
use super::install::store_name;
use super::spec::{EdgeSpec, NOT_FOUND_ERRORS, ServedPages};
use crate::cloudfront::{DistributionEdit, EdgeDistribution, ErrorPage, ViewerEvent};

/// The changes that remove what [`install`](super::install()) made: the distributions first, so that nothing is deleted that
/// they use. Settings and resources of others stay, and so does the object that answers `/`.
///
/// # Errors
/// [`EdgeError::PagesOfRelease`].
pub fn remove(spec: &EdgeSpec, found: &FoundEdge) -> Result<Vec<EdgeChange>, EdgeError> {
    if spec.served == ServedPages::OfRelease {
        return Err(EdgeError::PagesOfRelease(spec.site.clone()));
    }
    let comment = spec.comment();
    let mut changes = Vec::new();
    for (id, _) in &spec.distributions {
        let Some(current) = found.distributions.get(id) else { continue };
        let edits = edits(spec, found, current);
        if !edits.is_empty() {
            changes.push(EdgeChange::UpdateDistribution { distribution: id.clone(), edits });
        } else if !current.deployed {
            changes.push(EdgeChange::AwaitDistribution { distribution: id.clone() });
        }
    }
    let mut deletes = Vec::new();
    if found.development.as_ref().is_some_and(|found| found.function.comment == comment) {
        deletes.push(EdgeChange::DeleteFunction { function: spec.name.clone() });
    }
    if found.store.as_ref().is_some_and(|store| store.comment == comment) {
        deletes.push(EdgeChange::DeleteStore { store: store_name(spec, found) });
    }
    if found.headers_policy.as_ref().is_some_and(|policy| policy.comment == comment) {
        deletes.push(EdgeChange::DeleteHeadersPolicy { policy: spec.name.clone() });
    }
    // Also if a distribution was changed by an earlier run that did not get here.
    if !changes.is_empty() || !deletes.is_empty() {
        let ids = spec.distributions.iter().map(|(id, _)| id.clone());
        changes.extend(ids.map(|distribution| EdgeChange::Invalidate { distribution }));
    }
    changes.extend(deletes);
    Ok(changes)
}

fn edits(spec: &EdgeSpec, found: &FoundEdge, current: &EdgeDistribution) -> Vec<DistributionEdit> {
    let mut edits = Vec::new();
    let own = current.function_arn(&spec.name);
    for event in ViewerEvent::ALL {
        if current.functions.get(&event) == Some(&own) {
            edits.push(DistributionEdit::Dissociate { event });
        }
    }
    for error in NOT_FOUND_ERRORS {
        let page = spec.error_page.as_ref().map(|page| ErrorPage::not_found(page));
        if page.is_some() && current.error_pages.get(&error) == page.as_ref() {
            edits.push(DistributionEdit::RemoveErrorPage { error });
        }
    }
    let policy = found.headers_policy.as_ref().map(|policy| &policy.id);
    if policy.is_some() && current.headers_policy.as_ref() == policy {
        edits.push(DistributionEdit::RemoveHeadersPolicy);
    }
    edits
}
