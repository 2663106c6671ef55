//! The changes that install an edge, or bring it up to date.

use std::fmt;

use serde::Serialize;
use tidegate_core::config::DistributionId;
use tidegate_core::edge::{EdgeKeys, key_batches};

use super::change::EdgeChange;
use super::error::EdgeError;
use super::fits::{obstacles, unmanaged};
use super::found::FoundEdge;
use super::spec::{EdgeSpec, NOT_FOUND_ERRORS, ROOT_OBJECT};
use crate::cloudfront::{DistributionEdit, EdgeDistribution, ErrorPage, ViewerEvent};

/// What happens to settings of a distribution that others have made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallMode {
    /// They stay.
    Keep,
    /// They are replaced: `tidegate edge repair`.
    Replace,
}

/// A setting of a distribution that stays, although the edge would have another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "setting", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields are named after those of CloudFront")]
pub enum KeptSetting {
    /// Another page for an error.
    ErrorPage { distribution: DistributionId, error: i32 },
    /// Another response headers policy.
    HeadersPolicy { distribution: DistributionId, policy: String },
}

/// A sentence without a full stop.
impl fmt::Display for KeptSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ErrorPage { distribution, error } => {
                write!(f, "the distribution `{distribution}` shows another page instead of {error}")
            }
            Self::HeadersPolicy { distribution, policy } => {
                write!(f, "the distribution `{distribution}` has another response headers policy (`{policy}`)")
            }
        }
    }
}

/// The changes of an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstallPlan {
    /// The changes, in order.
    pub changes: Vec<EdgeChange>,
    /// Settings of others that stay.
    pub kept: Vec<KeptSetting>,
}

/// The changes that install an edge. The function is complete and tested before a distribution runs it, and its store has
/// its first keys before that.
///
/// # Errors
/// [`EdgeError`], where the edge does not fit a distribution, or a resource of others has its name.
pub fn install(spec: &EdgeSpec, found: &FoundEdge, mode: InstallMode) -> Result<InstallPlan, EdgeError> {
    if mode == InstallMode::Replace && !found.is_installed() {
        return Err(EdgeError::NotInstalled(spec.site.clone()));
    }
    let conflict = unmanaged(spec, found).into_iter().next();
    let obstacle =
        || spec.distributions.iter().find_map(|(id, path)| obstacles(spec, found, id, path).into_iter().next());
    if let Some(error) = conflict.or_else(obstacle) {
        return Err(error);
    }
    let mut plan = InstallPlan::default();
    ensure_store(&mut plan.changes, spec, found);
    ensure_headers_policy(&mut plan.changes, spec, found);
    ensure_function(&mut plan.changes, spec, found);
    for (id, _) in &spec.distributions {
        let Some(current) = found.distributions.get(id) else { continue };
        let edits = edits(&mut plan, spec, found, (id, current), mode);
        if !edits.is_empty() {
            plan.changes.push(EdgeChange::UpdateDistribution { distribution: id.clone(), edits });
        } else if !current.deployed {
            plan.changes.push(EdgeChange::AwaitDistribution { distribution: id.clone() });
        }
    }
    if let (true, Some(_)) = (spec.headers.is_empty(), &found.headers_policy) {
        plan.changes.push(EdgeChange::DeleteHeadersPolicy { policy: spec.name.clone() });
    }
    Ok(plan)
}

/// The name of the store, which differs from that of the edge if the configuration names another store.
pub(super) fn store_name(spec: &EdgeSpec, found: &FoundEdge) -> String {
    found.store.as_ref().map_or_else(|| spec.name.clone(), |store| store.name.clone())
}

fn ensure_store(changes: &mut Vec<EdgeChange>, spec: &EdgeSpec, found: &FoundEdge) {
    let store = store_name(spec, found);
    // Creating it again changes nothing, and waits.
    if found.store.as_ref().is_none_or(|store| !store.ready) {
        changes.push(EdgeChange::CreateStore { store: store.clone() });
    }
    let nothing = EdgeKeys::new();
    let held = match (&found.held, &found.pointer) {
        (Some(held), _) => held,
        (None, None) => &nothing,
        // The pointer says which release is live, and publishes write the rest.
        (None, Some(_)) => return,
    };
    let batches = key_batches(&spec.site, held, &spec.keys);
    let puts = batches.iter().map(|batch| batch.puts.len()).sum();
    let deletes = batches.iter().map(|batch| batch.deletes.len()).sum();
    if !batches.is_empty() {
        let version = found.version.clone();
        changes.push(EdgeChange::PutKeys { store, puts, deletes, version, batches });
    }
}

fn ensure_headers_policy(changes: &mut Vec<EdgeChange>, spec: &EdgeSpec, found: &FoundEdge) {
    if spec.headers.is_empty() {
        return;
    }
    let (policy, headers) = (spec.name.clone(), spec.headers.keys().cloned().collect());
    match &found.headers_policy {
        None => changes.push(EdgeChange::CreateHeadersPolicy { policy, headers }),
        Some(current) if !current.has(&spec.headers) => {
            changes.push(EdgeChange::UpdateHeadersPolicy { policy, headers });
        }
        Some(_) => {}
    }
}

fn ensure_function(changes: &mut Vec<EdgeChange>, spec: &EdgeSpec, found: &FoundEdge) {
    let function = || spec.name.clone();
    let wanted = found.store.as_ref().map(|store| spec.function(&store.arn));
    let is_wanted = |found: &crate::cloudfront::FoundEdgeFunction| Some(&found.function) == wanted.as_ref();
    match &found.development {
        None => changes.push(EdgeChange::CreateFunction { function: function() }),
        Some(current) if !is_wanted(current) => changes.push(EdgeChange::UpdateFunction { function: function() }),
        Some(_) => {}
    }
    if !found.live.as_ref().is_some_and(is_wanted) {
        changes.push(EdgeChange::TestFunction { function: function(), requests: spec.probes.len() });
        changes.push(EdgeChange::PublishFunction { function: function() });
    }
}

fn edits(
    plan: &mut InstallPlan,
    spec: &EdgeSpec,
    found: &FoundEdge,
    (id, current): (&DistributionId, &EdgeDistribution),
    mode: InstallMode,
) -> Vec<DistributionEdit> {
    let mut edits = Vec::new();
    let own = current.function_arn(&spec.name);
    for event in ViewerEvent::ALL {
        if current.functions.get(&event) != Some(&own) {
            edits.push(DistributionEdit::Associate { event, function: own.clone() });
        }
    }
    for error in NOT_FOUND_ERRORS {
        let Some(page) = &spec.error_page else { break };
        match current.error_pages.get(&error) {
            Some(found) if *found == ErrorPage::not_found(page) => {}
            Some(_) if mode == InstallMode::Keep => {
                plan.kept.push(KeptSetting::ErrorPage { distribution: id.clone(), error });
            }
            _ => edits.push(DistributionEdit::SetErrorPage { error, page: page.clone() }),
        }
    }
    let policy = found.headers_policy.as_ref().map(|policy| policy.id.clone());
    let other = current.headers_policy.as_ref().filter(|current| Some(*current) != policy.as_ref());
    match (spec.headers.is_empty(), other) {
        (true, _) if current.headers_policy.is_some() && other.is_none() => {
            edits.push(DistributionEdit::RemoveHeadersPolicy);
        }
        (false, Some(other)) if mode == InstallMode::Keep => {
            plan.kept.push(KeptSetting::HeadersPolicy { distribution: id.clone(), policy: other.clone() });
        }
        (false, _) if other.is_some() || current.headers_policy.is_none() => {
            edits.push(DistributionEdit::SetHeadersPolicy { id: policy });
        }
        _ => {}
    }
    // With a right to list, S3 would answer `/` with a listing of the bucket.
    if current.root_object.is_none() {
        edits.push(DistributionEdit::SetRootObject { object: ROOT_OBJECT.to_owned() });
    }
    edits
}
