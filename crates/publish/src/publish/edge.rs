//! The edge of a release: its rules for requests, the folder of its pages, and whether everything fits.
//!
//! Content and rules are compared with those of the live release before the folder is chosen. An unchanged site keeps the
//! folder that it has, and so does a release that changes rules only.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use tidegate_core::config::{EdgeConfig, EdgeReleases};
use tidegate_core::desired::DesiredSite;
use tidegate_core::diff;
use tidegate_core::edge::{
    EdgeKeys, EdgeRules, KeptEdge, PlaceError, StoredEdge, check_reserved, edge_keys, only_folder, place, plan_edge,
    without_folder,
};
use tidegate_core::finding::Finding;
use tidegate_core::location::Prefix;
use tidegate_core::release::{ReleaseId, ReleasePointer};

use super::error::PublishError;
use super::inspect::{self, ListingPages};
use super::releases::Releases;
use super::run::Run;
use super::transform::TransformedSource;
use crate::s3::S3;
use crate::state::{StateError, StateStore};

/// The edge of the release that a run makes.
#[derive(Debug, Clone)]
pub(super) struct PlannedEdge {
    /// What is stored with the release.
    pub(super) stored: StoredEdge,
    /// Whether rules or folder differ from those of the live release.
    pub(super) is_new: bool,
    /// The folder of the live release; empty if its pages are in place.
    pub(super) live_folder: String,
    /// Whether the pages in place are those of another release and stay: a rollback writes and deletes nothing.
    pub(super) keeps_place: bool,
}

impl PlannedEdge {
    /// Whether visitors get pages in place from now on, and had those of a folder.
    pub(super) fn leaves_folder(&self) -> bool {
        self.stored.folder.is_empty() && !self.live_folder.is_empty()
    }

    /// Identifies folder and rules.
    pub(super) fn digest(&self) -> Result<String, serde_json::Error> {
        Ok(hex::encode(Sha256::digest(serde_json::to_vec(&self.stored)?)))
    }
}

/// Chooses where the pages of the release stand, and makes its rules. `source.desired` gets the folder.
pub(super) async fn plan(
    run: Run<'_>,
    s3: &S3,
    releases: Option<&Releases>,
    source: &mut TransformedSource,
) -> Result<Option<PlannedEdge>, PublishError> {
    let Some(releases) = releases else { return Ok(None) };
    let restored = match source.restored {
        Some(manifest) => releases.edge(manifest).await?,
        None => None,
    };
    let Some(config) = &run.site.edge else {
        if let Some(restored) = restored.filter(|restored| !restored.folder.is_empty()) {
            source.desired = without_folder(&source.desired, &restored.folder, &[])?;
        }
        return Ok(None);
    };
    if config.releases == EdgeReleases::Atomic && !config.is_atomic() {
        let message = format!(
            "releases are in place until `store` of `[site.edge]` names the key value store; `tidegate edge install {}` \
             prints it",
            run.site.name
        );
        source.findings.push(Finding::info("edge-not-installed", message));
    }
    let live = match releases.history.manifest() {
        Some(manifest) => releases.edge(manifest).await?,
        None => None,
    };
    let live_folder = live.as_ref().map(|live| live.folder.clone()).unwrap_or_default();
    let is_atomic = config.is_atomic();
    let stored = match restored {
        Some(restored) if is_atomic && !restored.folder.is_empty() => {
            source.desired = only_folder(&source.desired, &restored.folder, &config.shared)?;
            let is_new = live.as_ref() != Some(&restored);
            return Ok(Some(PlannedEdge { stored: restored, is_new, live_folder, keeps_place: true }));
        }
        Some(restored) => {
            source.desired = without_folder(&source.desired, &restored.folder, &config.shared)?;
            StoredEdge { folder: String::new(), ..restored }
        }
        None => {
            check_reserved(&source.desired)?;
            StoredEdge { folder: String::new(), rules: rules(run, config, source) }
        }
    };
    let folder =
        if is_atomic { place_release(run, s3, releases, config, &live_folder, source).await? } else { String::new() };
    let stored = StoredEdge { folder, ..stored };
    let is_new = live.as_ref() != Some(&stored);
    if config.store.is_some() && live.is_some_and(|live| live.rules.headers.policy != stored.rules.headers.policy) {
        let message = format!(
            "the headers of all paths have changed, and they are in the response headers policy of the distribution; run \
             `tidegate edge repair {}` after this publish",
            run.site.name
        );
        source.findings.push(Finding::warning("policy-headers-changed", message));
    }
    Ok(Some(PlannedEdge { stored, is_new, live_folder, keeps_place: false }))
}

fn rules(run: Run<'_>, config: &EdgeConfig, source: &mut TransformedSource) -> tidegate_core::edge::ReleaseEdge {
    let rules: &EdgeRules = &source.edge;
    let planned = plan_edge(config, rules, &source.desired);
    source.findings.extend(planned.findings);
    let not_found = config.not_found();
    if source.desired.get(not_found).is_none() {
        let message = format!(
            "the site has no `{not_found}`, so visitors get an error of S3 for paths that it does not have; add the page, or \
             set `not-found` of `[site.edge]` for `{}`",
            run.site.name
        );
        source.findings.push(Finding::warning("no-error-page", message));
    }
    planned.release
}

/// Adds the folder of the release. That of the live release stays if it holds the same.
async fn place_release(
    run: Run<'_>,
    s3: &S3,
    releases: &Releases,
    config: &EdgeConfig,
    live_folder: &str,
    source: &mut TransformedSource,
) -> Result<String, PublishError> {
    if !live_folder.is_empty() && releases.history.is_finalized() {
        source.desired = place(&source.desired, live_folder, &config.shared)?;
        // The manifest stands for the site: no request asks what the next listing shows.
        let state = inspect::inspect(run, s3, ListingPages::manifest(), Some(releases), source).await?;
        let differences = diff::differences(&source.desired, &state, run.publisher.comparison);
        if !state.is_new_release(differences.writes()) {
            return Ok(live_folder.to_owned());
        }
        source.desired = in_place(&source.desired, &config.shared)?;
    }
    let folder = releases.history.next.to_string();
    source.desired = place(&source.desired, &folder, &config.shared)?;
    Ok(folder)
}

/// The site without the folder that [`place`] has added.
fn in_place(desired: &DesiredSite, shared: &[Prefix]) -> Result<DesiredSite, PlaceError> {
    without_folder(desired, "", shared)
}

/// Refuses a release whose rules do not fit into the store, together with those of the releases that are kept.
pub(super) async fn check_size(
    run: Run<'_>,
    releases: &Releases,
    planned: &PlannedEdge,
    oldest: ReleaseId,
) -> Result<(), PublishError> {
    let id = releases.history.next;
    let pointer = releases.history.pointer.as_ref().map(|(pointer, _)| pointer);
    let mut kept = kept_edges(&releases.store, pointer, oldest).await?;
    kept.push(KeptEdge { id, stored: planned.stored.clone() });
    edge_keys(&run.site.name, &kept, id, &EdgeKeys::new())?;
    Ok(())
}

/// What the kept releases say about requests, each once, in the order of their ids.
pub(crate) async fn kept_edges(
    store: &StateStore,
    pointer: Option<&ReleasePointer>,
    oldest: ReleaseId,
) -> Result<Vec<KeptEdge>, StateError> {
    let entries = pointer.map(|pointer| pointer.releases.as_slice()).unwrap_or_default();
    let manifests: BTreeSet<ReleaseId> =
        entries.iter().filter(|entry| entry.id >= oldest).filter_map(|entry| entry.manifest).collect();
    let edges = manifests.into_iter().map(|id| async move {
        let stored = store.edge(id).await?.unwrap_or_default();
        Ok::<_, StateError>(KeptEdge { id, stored })
    });
    futures::future::try_join_all(edges).await
}
