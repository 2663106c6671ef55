//! Transforms an artifact into the desired site, by running the sync plugins.

use std::collections::BTreeMap;

use tidegate_core::artifact::Fingerprint;
use tidegate_core::desired::DesiredSite;
use tidegate_core::edge::EdgeRules;
use tidegate_core::finding::Finding;
use tidegate_core::headers::ObjectHeader;
use tidegate_core::invalidation::check_tags;
use tidegate_core::key::Key;
use tidegate_core::listing_filter::ListingExclusion;
use tidegate_core::observed::ObservedPlugin;
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::release::ReleaseId;
use tidegate_core::run_facts::{EDGE_REDIRECTS, RunFacts};
use tidegate_core::unicode_form::decomposed_keys;
use tidegate_host::sync::{self, Trace, TransformedArtifact};

use super::error::PublishError;
use super::open::{Opened, RestoredRelease};
use super::run::Run;
use crate::plugins::SitePlugins;
use crate::source::content::SourceContent;
use crate::source::{OpenedSource, SourceReader};

/// The code of the finding of `mime` about a compressed body without `content-encoding`. A later plugin may set it.
const UNDECLARED_ENCODING: &str = "undeclared-encoding";

/// The desired site, and how its bodies are read.
pub(super) struct TransformedSource {
    pub(super) desired: DesiredSite,
    /// The rules for requests, of a site with an edge. An earlier release has them in its own records.
    pub(super) edge: EdgeRules,
    pub(super) reader: SourceReader,
    pub(super) fingerprint: Fingerprint,
    /// Objects of the source, before any plugin, without those that its listing left out.
    pub(super) source_objects: u64,
    /// What the listing left out.
    pub(super) exclusions: Vec<ListingExclusion>,
    pub(super) findings: Vec<Finding>,
    pub(super) observed: Vec<ObservedPlugin>,
    pub(super) usage: Vec<PluginUsage>,
    /// The release whose manifest it was read from, if it was not transformed now.
    pub(super) restored: Option<ReleaseId>,
}

/// Runs the sync plugins over an artifact. An earlier release is not transformed again.
pub(super) async fn transform(
    run: Run<'_>,
    plugins: &SitePlugins,
    opened: Opened,
    trace: Trace,
) -> Result<TransformedSource, PublishError> {
    let source = match opened {
        Opened::Release(RestoredRelease { desired, reader, fingerprint, manifest }) => {
            let source_objects = desired.entries().len() as u64;
            let (exclusions, findings, observed, usage) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            let (edge, restored) = (EdgeRules::default(), Some(manifest));
            TransformedSource {
                desired,
                edge,
                restored,
                reader,
                fingerprint,
                source_objects,
                exclusions,
                findings,
                observed,
                usage,
            }
        }
        Opened::Artifact(OpenedSource { artifact, exclusions, reader, findings: mut about_names }) => {
            let (source_objects, fingerprint) = (artifact.len() as u64, artifact.fingerprint().clone());
            let (plugins, facts) = (plugins.clone(), facts(run));
            let content = SourceContent::new(reader.clone(), tokio::runtime::Handle::current());
            let transformed = blocking(move || sync::transform(&plugins.sync, artifact, &facts, &content, trace));
            let TransformedArtifact { desired, edge, mut findings, observed, usage } = transformed.await??;
            findings.retain(|finding| finding.code != UNDECLARED_ENCODING || !has_encoding(&desired, finding));
            findings.extend(decomposed_keys(&desired));
            findings.extend(run.site.edge.iter().flat_map(|_| unread_rules(&desired)));
            about_names.append(&mut findings);
            let findings = about_names;
            let restored = None;
            TransformedSource {
                desired,
                edge,
                restored,
                reader,
                fingerprint,
                source_objects,
                exclusions,
                findings,
                observed,
                usage,
            }
        }
    };
    check_tags(run.site, &source.desired)?;
    Ok(source)
}

/// Whether the entry of a finding has a `content-encoding`.
fn has_encoding(desired: &DesiredSite, finding: &Finding) -> bool {
    desired.entries().iter().any(|entry| {
        entry.body.source().map(Key::as_str) == finding.key.as_deref()
            && entry.headers.get(ObjectHeader::ContentEncoding).is_some()
    })
}

/// Files with rules that no plugin has read, on a site with an edge: they would be published instead of followed.
fn unread_rules(desired: &DesiredSite) -> Vec<Finding> {
    let files = [("_redirects", "rewrite"), ("_headers", "headers")];
    let unread = files.into_iter().filter_map(|(name, plugin)| {
        let entry = desired.entries().iter().find(|entry| entry.key.as_str() == name)?;
        let message = format!(
            "`{name}` is published as an object and not followed; add {{ plugin = \"{plugin}\" }} to `sync`, or exclude it"
        );
        Some(Finding { key: Some(entry.key.to_string()), ..Finding::warning("rules-not-followed", message) })
    });
    unread.collect()
}

/// What plugins know about a run.
pub(super) fn facts(run: Run<'_>) -> RunFacts {
    let Run { request, site, .. } = run;
    let mut attributes = BTreeMap::from([("trigger".to_owned(), request.cause.clone().into())]);
    if let Some(edge) = &site.edge {
        attributes.insert(EDGE_REDIRECTS.to_owned(), edge.redirects.as_str().to_owned());
    }
    RunFacts {
        site: request.site.clone(),
        release: request.release.clone().into(),
        instant: request.instant,
        attributes,
    }
}

/// Runs plugins on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PublishError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| PublishError::Interrupted)
}
