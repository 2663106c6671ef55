//! Releases of a site, the pointer to the live one, and the rules of which request is newer and which releases are kept.

pub(crate) mod id;
pub(crate) mod layout;
pub(crate) mod retention;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::edge::EdgeSwitch;
use crate::external_text::ExternalText;
use crate::invalidation::InvalidationRequest;
use crate::location::{Location, Source};
use crate::outcome::Outcome;
use crate::plan::{PlanInputs, PlanTotals};
use crate::request::{PublishRequest, Revision};

pub use id::{ReleaseId, ReleaseIdError};
pub use layout::{BODIES, FETCHED, FORMAT, bodies, fetched};
pub use retention::{KeptReleases, KeptReleasesError, Retention};

/// Maximum number of skipped requests in a pointer.
const MAX_SKIPPED: usize = 50;

/// Milliseconds of a day.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// The stored record of a release, beside its manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReleaseRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// Its id.
    pub id: ReleaseId,
    /// The site.
    pub site: String,
    /// Its name, for people.
    pub release: ExternalText,
    /// What started the run.
    pub cause: ExternalText,
    /// The time of the run, in milliseconds since the Unix epoch.
    pub instant: u64,
    /// Its revision.
    pub revision: Revision,
    /// Where the artifact came from.
    pub source: Source,
    /// Where it was published.
    pub target: Location,
    /// The digest of the plan.
    pub plan: String,
    /// The inputs of the plan, with the plugins and their digests.
    pub inputs: PlanInputs,
    /// The counts of the plan.
    pub totals: PlanTotals,
    /// The judgements of the policies, as in the report, with the first findings of each.
    pub judgements: serde_json::Value,
    /// The outcome; `None` while the run is in progress, and after it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The invalidation requests of the release, sent or pending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalidations: Vec<InvalidationRequest>,
    /// Writes a second of the run, if it wrote alone and was long enough to measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes_per_second: Option<u32>,
}

/// A release in a pointer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReleaseEntry {
    /// Its id.
    pub id: ReleaseId,
    /// Its name, for people.
    pub release: ExternalText,
    /// What started the run.
    pub cause: ExternalText,
    /// The time of the run, in milliseconds since the Unix epoch.
    pub instant: u64,
    /// Its revision.
    pub revision: Revision,
    /// The release whose manifest describes it: its own, or an earlier one if nothing had changed. `None` for a run that
    /// did not finish: its objects are kept like those of a release, but it cannot be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ReleaseId>,
}

/// A successful request that changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SkippedRequest {
    /// Its name, for people.
    pub release: ExternalText,
    /// What started the run.
    pub cause: ExternalText,
    /// The time of the run, in milliseconds since the Unix epoch.
    pub instant: u64,
    /// Its revision.
    pub revision: Revision,
    /// Whether it was older than the live release; otherwise it was equal to it.
    pub superseded: bool,
    /// The live release.
    pub by: ReleaseId,
}

/// The state of a site in one small object: the live release, the kept releases, and pending work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReleasePointer {
    /// [`FORMAT`].
    pub format: u32,
    /// The fencing counter of the lease under which it was written.
    pub fence: u64,
    /// Kept releases, the live one last, with unfinished runs among them.
    pub releases: Vec<ReleaseEntry>,
    /// Releases whose invalidations were not all accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_invalidations: Vec<ReleaseId>,
    /// The release that the edge of the site serves, if it has one. Another one than the live release is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<EdgeSwitch>,
    /// Whether all work after the pointer move is done. If not, the next run looks for leftovers.
    pub finalized: bool,
    /// The latest requests that changed nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedRequest>,
}

/// The number of invalidation paths sent in a month by all sites with the same state location. CloudFront counts for each
/// account but has no API for the count, so this is an estimate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathsSent {
    /// Paths.
    pub paths: usize,
}

/// The position of a request relative to the live release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precedence {
    /// It is the newest.
    Publish,
    /// A newer release is live.
    Superseded,
    /// It is live.
    Done,
}

impl ReleasePointer {
    /// The live release.
    #[must_use]
    pub fn live(&self) -> Option<&ReleaseEntry> {
        self.releases.iter().rev().find(|entry| entry.manifest.is_some())
    }

    /// A kept release.
    #[must_use]
    pub fn release(&self, id: ReleaseId) -> Option<&ReleaseEntry> {
        self.releases.iter().find(|entry| entry.id == id)
    }

    /// The latest release with other content than the live one, which `rollback` restores.
    #[must_use]
    pub fn before(&self) -> Option<&ReleaseEntry> {
        let live = self.live()?.manifest;
        self.releases.iter().rev().find(|entry| entry.manifest.is_some() && entry.manifest != live)
    }

    /// Whether a request is the newest. Without a revision it always is, because a person requested it.
    #[must_use]
    pub fn precedence(&self, request: &PublishRequest) -> Precedence {
        if request.revision.is_none() {
            return Precedence::Publish;
        }
        let Some(live) = self.live() else { return Precedence::Publish };
        let (place, revision) = (request.place(), live.revision.clamped(live.instant));
        let requested = place.clone().comparable(request.instant, &revision);
        let published = revision.comparable(live.instant, &place);
        match requested.compare(&published) {
            Ordering::Less => Precedence::Superseded,
            // S3 can deliver an event twice. Otherwise a later run of the same commit is newer: its build can differ.
            Ordering::Equal if live.release == request.release && requested.is_same_event(&published) => {
                Precedence::Done
            }
            Ordering::Equal | Ordering::Greater => Precedence::Publish,
        }
    }

    /// Records a request that changed nothing.
    pub fn skip(&mut self, request: &PublishRequest, superseded: bool) {
        let Some(by) = self.live().map(|live| live.id) else { return };
        self.skipped.push(SkippedRequest {
            release: request.release.clone(),
            cause: request.cause.clone(),
            instant: request.instant,
            revision: request.place(),
            superseded,
            by,
        });
        let surplus = self.skipped.len().saturating_sub(MAX_SKIPPED);
        self.skipped.drain(..surplus);
    }

    /// The oldest release to keep when another one is published at `instant`. `changed` means that the other one has content
    /// of its own. Objects whose last release is earlier than the result may be deleted.
    #[must_use]
    pub fn oldest_kept(&self, keep: Retention, instant: u64, changed: bool) -> ReleaseId {
        let mut left = u32::from(keep.releases).saturating_sub(u32::from(changed));
        let mut oldest = self.releases.last().map_or(ReleaseId::default(), |last| last.id).next();
        let mut counted = None;
        // An edge location must find what it may still ask for.
        let served = self.edge.as_ref().map(|edge| edge.oldest(instant));
        // The age of a release counts from its replacement: until then it was live.
        let mut replaced = instant;
        for entry in self.releases.iter().rev() {
            let young = instant.saturating_sub(replaced) < u64::from(keep.days) * DAY;
            let other = entry.manifest.is_some() && entry.manifest != counted;
            if other {
                if left == 0 && !young {
                    break;
                }
                left = left.saturating_sub(1);
                counted = entry.manifest;
            } else if entry.manifest.is_none() && left == 0 && !young {
                // It is kept if an older one is.
                continue;
            }
            oldest = entry.id;
            if entry.manifest.is_some() {
                replaced = entry.instant;
            }
        }
        served.map_or(oldest, |served| self.entry_of(served).map_or(oldest, |entry| oldest.min(entry)))
    }

    /// The first kept release with this manifest.
    fn entry_of(&self, manifest: ReleaseId) -> Option<ReleaseId> {
        self.releases.iter().find(|entry| entry.manifest == Some(manifest)).map(|entry| entry.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> ReleaseId {
        format!("r{number}").parse().unwrap()
    }

    fn entry(number: u64, day: u64, manifest: Option<u64>) -> ReleaseEntry {
        ReleaseEntry {
            id: id(number),
            release: format!("c{number}").into(),
            cause: "test".into(),
            instant: day * DAY,
            revision: Revision::at(number * 10),
            manifest: manifest.map(id),
        }
    }

    fn pointer(releases: Vec<ReleaseEntry>) -> ReleasePointer {
        ReleasePointer {
            format: FORMAT,
            fence: 1,
            releases,
            pending_invalidations: Vec::new(),
            edge: None,
            finalized: true,
            skipped: Vec::new(),
        }
    }

    fn keep(releases: u32, days: u32) -> Retention {
        Retention { releases: releases.try_into().unwrap(), days }
    }

    #[test]
    fn parses_release_ids() {
        assert_eq!("r42".parse(), Ok(id(42)));
        for bad in ["", "r", "42", "r0", "r-1", "r1x", "r99999999999999999999"] {
            assert!(bad.parse::<ReleaseId>().is_err(), "{bad}");
        }
        assert!(id(9).stem() < id(10).stem());
        assert_eq!(id(7).stem().parse(), Ok(id(7)));
    }

    #[test]
    fn keeps_the_newest_and_the_recently_live() {
        let state =
            pointer(vec![entry(1, 0, Some(1)), entry(2, 1, Some(2)), entry(3, 2, Some(3)), entry(4, 30, Some(4))]);
        // The new release, and the replaced one.
        assert_eq!(state.oldest_kept(keep(2, 0), 31 * DAY, true), id(4));
        assert_eq!(state.oldest_kept(keep(3, 0), 31 * DAY, true), id(3));
        // Only the new release.
        assert_eq!(state.oldest_kept(keep(1, 0), 31 * DAY, true), id(5));
        // The third was live until yesterday.
        assert_eq!(state.oldest_kept(keep(1, 2), 31 * DAY, true), id(3));
        assert_eq!(state.oldest_kept(keep(9, 0), 31 * DAY, true), id(1));
        // If nothing changes, the live release counts first.
        assert_eq!(state.oldest_kept(keep(1, 0), 31 * DAY, false), id(4));
        assert_eq!(pointer(Vec::new()).oldest_kept(keep(1, 0), 0, true), id(1));
    }

    #[test]
    fn unchanged_releases_and_unfinished_runs_do_not_count() {
        let state = pointer(vec![
            entry(1, 0, Some(1)),
            entry(2, 1, Some(2)),
            entry(3, 1, Some(2)),
            entry(4, 1, None),
            entry(5, 1, Some(2)),
        ]);
        assert_eq!(state.oldest_kept(keep(2, 0), 9 * DAY, true), id(2));
        assert_eq!(state.oldest_kept(keep(3, 0), 9 * DAY, true), id(1));
        assert_eq!(state.before().map(|entry| entry.id), Some(id(1)));
        assert_eq!(state.live().map(|entry| entry.id), Some(id(5)));
    }

    fn request(release: &str, instant: u64, revision: Option<Revision>) -> PublishRequest {
        let (site, cause) = ("docs".to_owned(), "test".into());
        PublishRequest { site, release: release.into(), source: "dist".parse().unwrap(), instant, cause, revision }
    }

    #[test]
    fn distinguishes_older_and_repeated_requests() {
        let state = pointer(vec![entry(1, 0, Some(1)), entry(2, 1, Some(2))]);
        let request = |at: Option<u64>, release: &str| request(release, 0, at.map(Revision::at));
        assert_eq!(state.precedence(&request(Some(19), "c9")), Precedence::Superseded);
        assert_eq!(state.precedence(&request(Some(20), "c2")), Precedence::Publish, "a rebuild of the same commit");
        assert_eq!(state.precedence(&request(Some(20), "c9")), Precedence::Publish);
        assert_eq!(state.precedence(&request(Some(21), "c2")), Precedence::Publish);
        assert_eq!(state.precedence(&request(None, "c2")), Precedence::Publish);
    }

    #[test]
    fn the_pipeline_that_runs_last_publishes_last() {
        let now = 100 * DAY;
        let mut live = entry(1, 100, Some(1));
        let request = request("c2", now + 2, Some(Revision::of_commit(now - 60_000)));
        // A person published after the commit was made, but before this run.
        live.revision = Revision::at(now);
        assert_eq!(pointer(vec![live.clone()]).precedence(&request), Precedence::Publish);
        // An event from before the run that published another commit is superseded.
        live.revision = Revision::of_commit(now - 120_000);
        let event = PublishRequest { revision: Some(Revision::at(now - 1)), ..request.clone() };
        assert_eq!(pointer(vec![live.clone()]).precedence(&event), Precedence::Superseded);
        // Commits are compared with each other.
        assert_eq!(pointer(vec![live.clone()]).precedence(&request), Precedence::Publish);
        live.revision = Revision::of_commit(now - 30_000);
        assert_eq!(pointer(vec![live]).precedence(&request), Precedence::Superseded);
    }

    #[test]
    fn a_date_in_the_future_does_not_block_a_site() {
        let now = 100 * DAY;
        let mut live = entry(1, 100, Some(1));
        live.revision = Revision::at(now + 365 * DAY);
        let request = request("c2", now + 1, Some(Revision::at(now + 1)));
        assert_eq!(pointer(vec![live]).precedence(&request), Precedence::Publish);
        let future = PublishRequest { revision: Some(Revision::at(u64::MAX)), ..request };
        assert_eq!(future.place().at, now + 1);
    }
}
