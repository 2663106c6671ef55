//! Releases: what a site was, run by run, and the pointer to what it is.
//!
//! Owns their forms and the rules of time: which release is newer, and how long earlier ones are kept. Never reads a clock
//! and never stores anything: `deploy` does.

pub(crate) mod id;
pub(crate) mod layout;
pub(crate) mod retention;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::invalidation::InvalidationRequest;
use crate::location::{Location, Source};
use crate::outcome::Outcome;
use crate::plan::{PlanInputs, PlanTotals};
use crate::request::{PublishRequest, Revision};

pub use id::{ReleaseId, ReleaseIdError};
pub use layout::{BODIES, FETCHED, FORMAT, bodies, fetched};
pub use retention::{KeptReleases, KeptReleasesError, Retention};

/// Most requests that changed nothing that a pointer remembers.
const MAX_PASSED: usize = 50;

/// Milliseconds of a day.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// What is stored of one release, beside its manifest.
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
    pub release: String,
    /// Who or what asked.
    pub cause: String,
    /// The run's instant, in milliseconds since the Unix epoch.
    pub instant: u64,
    /// Its place in time.
    pub revision: Revision,
    /// Where the artifact came from.
    pub source: Source,
    /// Where it was published.
    pub target: Location,
    /// The plan's digest.
    pub plan: String,
    /// What the plan was made from, plugins and their digests among it.
    pub inputs: PlanInputs,
    /// The plan's counts.
    pub totals: PlanTotals,
    /// What policies said, as in the report.
    pub judgements: serde_json::Value,
    /// How the run ended; nothing while it is under way, and where it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// What distributions were or are to be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalidations: Vec<InvalidationRequest>,
}

/// One release in a pointer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReleaseEntry {
    /// Its id.
    pub id: ReleaseId,
    /// Its name, for people.
    pub release: String,
    /// Who or what asked.
    pub cause: String,
    /// The run's instant, in milliseconds since the Unix epoch.
    pub instant: u64,
    /// Its place in time.
    pub revision: Revision,
    /// The release whose manifest says what it is: its own, or an earlier one where nothing had changed. Nothing for a
    /// run that did not finish: what it wrote is kept as long as that of a release, and nobody can go back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ReleaseId>,
}

/// A request that was a success and changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SkippedRequest {
    /// Its name, for people.
    pub release: String,
    /// Who or what asked.
    pub cause: String,
    /// The run's instant, in milliseconds since the Unix epoch.
    pub instant: u64,
    /// Its place in time.
    pub revision: Revision,
    /// Whether it was older than what was live; else it was what was live.
    pub superseded: bool,
    /// What was live.
    pub by: ReleaseId,
}

/// The state of a site in one small object: which release is live, which ones are kept, what is still to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReleasePointer {
    /// [`FORMAT`].
    pub format: u32,
    /// The fencing counter of the lease under which it was written.
    pub fence: u64,
    /// Releases that are kept, the live one last; runs that did not finish stand among them.
    pub releases: Vec<ReleaseEntry>,
    /// Releases whose invalidations were not all accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_invalidations: Vec<ReleaseId>,
    /// Whether everything after the move of the pointer was finished. Where not, the next run looks for leftovers.
    pub finalized: bool,
    /// The latest requests that changed nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedRequest>,
}

/// How many paths of a month were sent, over all sites whose releases are kept at one place. CloudFront counts by account
/// and tells nobody, so this is as close as one can get.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathsSent {
    /// Paths.
    pub paths: usize,
}

/// What a pointer says to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precedence {
    /// It is the newest.
    Publish,
    /// Something newer is live.
    Superseded,
    /// It is what is live.
    Done,
}

impl ReleasePointer {
    /// The live release.
    #[must_use]
    pub fn live(&self) -> Option<&ReleaseEntry> {
        self.releases.iter().rev().find(|past| past.manifest.is_some())
    }

    /// A release that is kept.
    #[must_use]
    pub fn release(&self, id: ReleaseId) -> Option<&ReleaseEntry> {
        self.releases.iter().find(|past| past.id == id)
    }

    /// The release before the live one whose content is another: what `rollback` goes to.
    #[must_use]
    pub fn before(&self) -> Option<&ReleaseEntry> {
        let live = self.live()?.manifest;
        self.releases.iter().rev().find(|past| past.manifest.is_some() && past.manifest != live)
    }

    /// Whether a request is the newest. Without an order of its own it always is: a person asked for it.
    #[must_use]
    pub fn precedence(&self, request: &PublishRequest) -> Precedence {
        let (Some(live), Some(order)) = (self.live(), &request.revision) else { return Precedence::Publish };
        match order.compare(&live.revision) {
            Ordering::Less => Precedence::Superseded,
            Ordering::Equal if live.release == request.release => Precedence::Done,
            Ordering::Equal | Ordering::Greater => Precedence::Publish,
        }
    }

    /// Remembers a request that changed nothing.
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
        let surplus = self.skipped.len().saturating_sub(MAX_PASSED);
        self.skipped.drain(..surplus);
    }

    /// The oldest release whose content is kept when another is published at `instant`; `changed` says that the other has
    /// a content of its own. What was named last by an earlier release than this may go.
    #[must_use]
    pub fn oldest_kept(&self, keep: Retention, instant: u64, changed: bool) -> ReleaseId {
        let mut left = u32::from(keep.releases).saturating_sub(u32::from(changed));
        let mut horizon = self.releases.last().map_or(ReleaseId::default(), |last| last.id).next();
        let mut counted = None;
        // A release is as old as its replacement: until then it was what visitors got.
        let mut replaced = instant;
        for past in self.releases.iter().rev() {
            let young = instant.saturating_sub(replaced) < u64::from(keep.days) * DAY;
            let other = past.manifest.is_some() && past.manifest != counted;
            if other {
                if left == 0 && !young {
                    break;
                }
                left = left.saturating_sub(1);
                counted = past.manifest;
            } else if past.manifest.is_none() && left == 0 && !young {
                // It stays if an older one does.
                continue;
            }
            horizon = past.id;
            if past.manifest.is_some() {
                replaced = past.instant;
            }
        }
        horizon
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> ReleaseId {
        format!("r{number}").parse().unwrap()
    }

    fn past(number: u64, day: u64, manifest: Option<u64>) -> ReleaseEntry {
        ReleaseEntry {
            id: id(number),
            release: format!("c{number}"),
            cause: "test".to_owned(),
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
            finalized: true,
            skipped: Vec::new(),
        }
    }

    fn keep(releases: u32, days: u32) -> Retention {
        Retention { releases: releases.try_into().unwrap(), days }
    }

    #[test]
    fn names_of_releases() {
        assert_eq!("r42".parse(), Ok(id(42)));
        for bad in ["", "r", "42", "r0", "r-1", "r1x", "r99999999999999999999"] {
            assert!(bad.parse::<ReleaseId>().is_err(), "{bad}");
        }
        assert!(id(9).stem() < id(10).stem());
        assert_eq!(id(7).stem().parse(), Ok(id(7)));
    }

    #[test]
    fn the_newest_are_kept_and_so_is_what_was_live_lately() {
        let state = pointer(vec![past(1, 0, Some(1)), past(2, 1, Some(2)), past(3, 2, Some(3)), past(4, 30, Some(4))]);
        // The new one, and the one that it replaces.
        assert_eq!(state.oldest_kept(keep(2, 0), 31 * DAY, true), id(4));
        assert_eq!(state.oldest_kept(keep(3, 0), 31 * DAY, true), id(3));
        // Nothing but the new one.
        assert_eq!(state.oldest_kept(keep(1, 0), 31 * DAY, true), id(5));
        // The third was live until yesterday.
        assert_eq!(state.oldest_kept(keep(1, 2), 31 * DAY, true), id(3));
        assert_eq!(state.oldest_kept(keep(9, 0), 31 * DAY, true), id(1));
        // Where nothing changes, the live one is the first that counts.
        assert_eq!(state.oldest_kept(keep(1, 0), 31 * DAY, false), id(4));
        assert_eq!(pointer(Vec::new()).oldest_kept(keep(1, 0), 0, true), id(1));
    }

    #[test]
    fn releases_without_change_and_runs_without_end_do_not_count() {
        let state = pointer(vec![
            past(1, 0, Some(1)),
            past(2, 1, Some(2)),
            past(3, 1, Some(2)),
            past(4, 1, None),
            past(5, 1, Some(2)),
        ]);
        assert_eq!(state.oldest_kept(keep(2, 0), 9 * DAY, true), id(2));
        assert_eq!(state.oldest_kept(keep(3, 0), 9 * DAY, true), id(1));
        assert_eq!(state.before().map(|past| past.id), Some(id(1)));
        assert_eq!(state.live().map(|past| past.id), Some(id(5)));
    }

    #[test]
    fn older_and_repeated_requests_are_told_apart() {
        let state = pointer(vec![past(1, 0, Some(1)), past(2, 1, Some(2))]);
        let request = |at: Option<u64>, release: &str| PublishRequest {
            site: "docs".to_owned(),
            release: release.to_owned(),
            source: "dist".parse().unwrap(),
            instant: 0,
            cause: "test".to_owned(),
            revision: at.map(Revision::at),
        };
        assert_eq!(state.precedence(&request(Some(19), "c9")), Precedence::Superseded);
        assert_eq!(state.precedence(&request(Some(20), "c2")), Precedence::Done);
        assert_eq!(state.precedence(&request(Some(20), "c9")), Precedence::Publish);
        assert_eq!(state.precedence(&request(Some(21), "c2")), Precedence::Publish);
        assert_eq!(state.precedence(&request(None, "c2")), Precedence::Publish);
    }
}
