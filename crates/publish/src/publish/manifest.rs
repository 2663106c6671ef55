//! Writing the manifest of a release that was just written, while that of the release before it is read.
//!
//! Owns the stream between the two, and what of the state it shows to be needed or not. What becomes of each record is
//! `tidegate_core::succession`'s to say.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use futures::stream::{self, BoxStream};
use tidegate_core::manifest::{ManifestRecord, RecordState as Place};
use tidegate_core::release::ReleaseId;
use tidegate_core::succession::{NextManifest, NextManifestCursor, Outcomes};
use tokio::sync::mpsc::{Sender, channel};

use super::PublishError;
use super::under::Under;
use crate::state::StateError;

/// What the next manifest does not name any more, or names for the first time.
#[derive(Debug, Default)]
pub(super) struct ArchivedBodies {
    /// Bodies that no release needs.
    pub(super) expired: Vec<String>,
    /// Bodies that a release needs.
    pub(super) needed: BTreeSet<String>,
}

impl ArchivedBodies {
    fn note(&mut self, records: &[ManifestRecord], listing: bool) {
        let needed = records.iter().filter(|record| listing && matches!(record.state, Place::Archived(_)));
        self.needed.extend(needed.map(ManifestRecord::body_name));
    }
}

/// Batches of records that wait to be stored.
const BATCHES_AHEAD: usize = 4;

impl Under<'_> {
    /// Writes the manifest of what was just written.
    pub(super) async fn next_manifest(
        &self,
        id: ReleaseId,
        outcomes: &Outcomes,
    ) -> Result<ArchivedBodies, PublishError> {
        let history = self.history();
        let succession = NextManifest {
            desired: self.work.desired,
            plan: self.plan(),
            site: self.work.found,
            unfinished: &history.unfinished,
            outcomes,
            before: history.live().unwrap_or_default(),
            horizon: self.past.horizon,
        };
        let old = self.work.publisher.records(Some(self.past)).await?;
        let listing = !history.is_finalized();
        self.fence.check()?;
        let (sender, mut receiver) = channel(BATCHES_AHEAD);
        let records = stream::poll_fn(move |context| receiver.poll_recv(context));
        let (made, stored) =
            tokio::join!(succeed(&succession, old, sender, listing), self.state().put_manifest(id, records));
        stored?;
        Ok(made)
    }
}

/// Makes the records of the next manifest, which go out through `sender`; so does a failure to read the old one.
async fn succeed(
    succession: &NextManifest<'_>,
    mut old: BoxStream<'static, Result<Vec<ManifestRecord>, StateError>>,
    sender: Sender<Result<Vec<ManifestRecord>, StateError>>,
    listing: bool,
) -> ArchivedBodies {
    let (mut aside, mut progress) = (ArchivedBodies::default(), NextManifestCursor::default());
    loop {
        let mut records = Vec::new();
        match old.try_next().await {
            Ok(Some(batch)) => {
                batch.into_iter().for_each(|record| succession.push(&mut progress, record, &mut records));
            }
            Ok(None) => {
                let expired = succession.finish(std::mem::take(&mut progress), &mut records);
                aside.note(&records, listing);
                aside.expired = expired;
                drop(sender.send(Ok(records)).await);
                return aside;
            }
            Err(error) => {
                drop(sender.send(Err(error)).await);
                return aside;
            }
        }
        aside.note(&records, listing);
        if sender.send(Ok(records)).await.is_err() {
            return aside;
        }
    }
}
