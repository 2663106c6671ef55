//! Putting a plan together from everything that it depends on.
//!
//! Owns which releases are kept beside it, and the check that an earlier one can come back. The differences themselves are
//! `tidegate_core::diff`'s.

use tidegate_core::artifact::Fingerprint;
use tidegate_core::config::Site;
use tidegate_core::desired::DesiredSite;
use tidegate_core::diff::{self, DeletePolicy};
use tidegate_core::location::Source;
use tidegate_core::plan::{Action, FORMAT, Plan, PlanInputs, PlannedBody};
use tidegate_core::release::ReleaseId;
use tidegate_core::request::PublishRequest;
use tidegate_core::site_state::SiteState;

use super::{PublishError, Publisher};
use crate::plugins::SitePlugins;
use crate::source::SourceReader;
use crate::state::History;

impl Publisher {
    /// Puts a plan together from everything that it depends on. Where nothing changes, the live release counts as the
    /// newest that is kept, else the new one does. Answers also the oldest release that is kept, and whether the plan makes
    /// another release than the live one.
    pub(super) fn assemble(
        &self,
        (request, site): (&PublishRequest, &Site),
        chain: &SitePlugins,
        desired: &DesiredSite,
        state: &SiteState,
        (artifact, source_objects): (Fingerprint, u64),
        history: Option<&History>,
    ) -> (Plan, ReleaseId, bool) {
        let at = |changed| {
            let horizon = history.map_or(ReleaseId::default(), |h| h.oldest_kept(site.keep, request.instant, changed));
            let removal = DeletePolicy { delete: site.delete, protect: site.protect.clone(), oldest_kept: horizon };
            (diff::operations(desired, state, self.comparison, &removal), horizon)
        };
        let (mut changes, mut horizon) = at(false);
        let another = state.is_another(&changes.operations);
        if history.is_some() && another {
            (changes, horizon) = at(true);
        }
        let mut totals = changes.totals;
        totals.source_objects = source_objects;
        totals.excluded = desired.excluded().len() as u64;
        if matches!(request.source, Source::Prefix(_) | Source::Release(_)) {
            // Bodies of a staged prefix never pass through here.
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
                artifact,
                listing: state.listing().digest().to_owned(),
                kept: String::new(),
                live: history.and_then(History::live),
                oldest_kept: history.map(|_| horizon).filter(|horizon| *horizon > ReleaseId::default()),
                plugins: chain.inputs(),
            },
            totals,
            operations: changes.operations,
            archive: changes.archive,
        };
        plan.inputs.kept = plan.kept_digest(desired);
        (plan, horizon, another)
    }
}

/// An earlier release can be published only while all of its bodies are there.
pub(super) fn restorable(plan: &Plan, reader: &SourceReader, source: &Source) -> Result<(), PublishError> {
    let Source::Release(id) = source else { return Ok(()) };
    let gone = plan.operations.iter().filter(|operation| match &operation.action {
        Action::Put { body: PlannedBody::Source(key), .. } => reader.staged(key).is_none(),
        Action::Put { .. } | Action::Headers { .. } | Action::Delete { .. } => false,
    });
    let gone: Vec<_> = gone.collect();
    match gone.first() {
        None => Ok(()),
        Some(first) => {
            let (id, count, key) = (*id, gone.len(), first.key.to_string());
            Err(PublishError::Unrestorable { id, count, key })
        }
    }
}
