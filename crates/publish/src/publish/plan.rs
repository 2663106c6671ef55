//! Computes the plan from everything that it depends on. The differences themselves are computed by
//! `tidegate_core::diff`.

use std::sync::Arc;

use tidegate_core::desired::DesiredSite;
use tidegate_core::diff::{self, DeletePolicy};
use tidegate_core::key::MAX_KEY_BYTES;
use tidegate_core::location::Source;
use tidegate_core::plan::{Action, FORMAT, Plan, PlanInputs, PlannedBody};
use tidegate_core::release::ReleaseId;
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::site_state::SiteState;

use super::credentials::RunCredentials;
use super::edge::PlannedEdge;
use super::error::PublishError;
use super::object_settings::{AclGroups, add_differences};
use super::releases::Releases;
use super::run::Run;
use super::transform::TransformedSource;
use crate::plugins::SitePlugins;
use crate::source::SourceReader;

/// Most differences between a saved plan and a new one that an error lists.
const MAX_DRIFT: usize = 10;

/// A plan for a site.
pub(super) struct SitePlan {
    pub(super) plan: Plan,
    pub(super) kept: ReleaseRetention,
}

/// Which releases a site keeps after a plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReleaseRetention {
    /// The oldest of them.
    pub(super) oldest: ReleaseId,
    /// Whether the plan makes a new release. Otherwise it only repairs the live one.
    pub(super) adds_release: bool,
}

/// What applying a plan needs of what it was made from.
#[derive(Debug)]
pub(super) struct Basis {
    pub(super) desired: Arc<DesiredSite>,
    pub(super) reader: SourceReader,
    pub(super) state: SiteState,
    pub(super) kept: ReleaseRetention,
    pub(super) credentials: RunCredentials,
    pub(super) edge: Option<PlannedEdge>,
}

/// What a plan is computed from.
#[derive(Clone, Copy)]
pub(super) struct PlanSources<'a> {
    pub(super) source: &'a TransformedSource,
    pub(super) state: &'a SiteState,
    pub(super) acls: &'a AclGroups,
    pub(super) edge: Option<&'a PlannedEdge>,
}

/// Computes the plan. If nothing changes, the live release counts as the newest that is kept, otherwise the new one does.
pub(super) fn plan(
    run: Run<'_>,
    plugins: &SitePlugins,
    inputs: PlanSources<'_>,
    releases: Option<&Releases>,
) -> Result<SitePlan, PublishError> {
    let PlanSources { source, state, acls, edge } = inputs;
    let Run { publisher, request, site, .. } = run;
    let differences = diff::differences(&source.desired, state, publisher.comparison);
    let adds_release = state.is_new_release(differences.writes()) || edge.is_some_and(|edge| edge.is_new);
    let oldest = releases.map_or(ReleaseId::default(), |releases| releases.oldest_kept(run, adds_release));
    let policy = DeletePolicy {
        delete: site.delete && !edge.is_some_and(|edge| edge.keeps_place),
        protect: site.protect.clone(),
        oldest_kept: oldest,
        live_folder: edge.map(|edge| edge.live_folder.clone()).filter(|folder| !folder.is_empty()),
    };
    let mut changed = differences.decide(&policy);
    if publisher.check_settings {
        add_differences(&mut changed, &source.desired, state, &site.objects, acls);
    }
    let mut totals = changed.totals;
    let unlisted = source.exclusions.len() as u64;
    totals.source_objects = source.source_objects + unlisted;
    totals.excluded = source.desired.excluded().len() as u64 + unlisted;
    totals.excluded_folders = source.exclusions.iter().filter(|excluded| excluded.is_folder()).count() as u64;
    if matches!(request.source, Source::Prefix(_) | Source::Release(_)) {
        // Bodies of a staged prefix are copied within S3.
        totals.bytes_to_copy += std::mem::take(&mut totals.bytes_to_write);
    }
    let mut plan = Plan {
        format: FORMAT,
        site: request.site.clone(),
        release: request.release.clone(),
        instant: request.instant,
        source: request.source.clone(),
        target: site.target.clone(),
        objects: site.objects.clone(),
        inputs: PlanInputs {
            artifact: source.fingerprint.clone(),
            listing: state.listing().digest().to_owned(),
            kept: String::new(),
            live: releases.and_then(|releases| releases.history.live()),
            oldest_kept: releases.map(|_| oldest).filter(|oldest| *oldest > ReleaseId::default()),
            plugins: plugins.inputs(),
            edge: edge.map(PlannedEdge::digest).transpose()?,
        },
        totals,
        operations: changed.operations,
        archive: changed.archive,
    };
    plan.inputs.kept = plan.kept_digest(&source.desired);
    check_keys(run, source)?;
    check_bodies(run, &plan, source)?;
    Ok(SitePlan { plan, kept: ReleaseRetention { oldest, adds_release } })
}

/// Refuses keys that S3 would refuse below the prefix of the target.
fn check_keys(run: Run<'_>, source: &TransformedSource) -> Result<(), PublishError> {
    let prefix = run.site.target.prefix.as_str().len();
    let too_long = |key: &str| prefix + key.len() > MAX_KEY_BYTES;
    let mut keys = source.desired.entries().iter().map(|entry| entry.key.as_str()).filter(|key| too_long(key));
    match keys.next() {
        None => Ok(()),
        Some(key) => Err(PublishError::KeysTooLong {
            key: sanitize_name(key),
            bytes: prefix + key.len(),
            target: run.site.target.clone(),
            count: keys.count() + 1,
        }),
    }
}

/// Refuses to restore a release whose bodies are not all there.
fn check_bodies(run: Run<'_>, plan: &Plan, source: &TransformedSource) -> Result<(), PublishError> {
    let Source::Release(id) = &run.request.source else { return Ok(()) };
    let missing = plan.operations.iter().filter(|operation| match &operation.action {
        Action::Put { body: PlannedBody::Source(key), .. } => source.reader.staged(key).is_none(),
        Action::Put { .. } | Action::Headers { .. } | Action::Delete { .. } => false,
    });
    let missing: Vec<_> = missing.collect();
    match missing.first() {
        None => Ok(()),
        Some(first) => Err(PublishError::Unrestorable { id: *id, count: missing.len(), key: first.key.to_string() }),
    }
}

/// Refuses a plan that is not the saved one.
pub(super) fn check_saved(saved: Option<&Plan>, plan: &Plan) -> Result<(), PublishError> {
    let Some(saved) = saved else { return Ok(()) };
    if saved.format != FORMAT {
        return Err(PublishError::Format(saved.format));
    }
    if plan.digest()? == saved.digest()? { Ok(()) } else { Err(PublishError::Drifted(saved.drift(plan, MAX_DRIFT))) }
}
