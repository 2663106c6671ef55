//! Switches the edge of a site to its live release.
//!
//! The pointer in the state says which release is live. The switch follows it and is repeated by the next run if it fails:
//! until then, visitors have the whole release before. The pointer of the store is in the last update, so an edge location
//! serves one release or the other, with its rules.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backon::{BackoffBuilder, ExponentialBuilder};
use tidegate_core::config::{SiteName, StoreArn};
use tidegate_core::edge::{EdgeKeys, EdgeSizeError, EdgeSwitch, KeyBatch, edge_keys, key_batches, pointer_key};
use tidegate_core::finding::Finding;
use tidegate_core::release::{ReleaseId, ReleasePointer};
use tidegate_core::report::{EdgeSwitchReport, PublishReport};

use super::edge::kept_edges;
use super::release::ReleaseRun;
use crate::aws_error::AwsError;
use crate::connection::Connection;
use crate::key_values::{KeyValues, is_conflict, is_too_large};
use crate::state::{LeaseLost, StateError, StateStore, WrittenKeys};

/// Attempts to write a store that other sites write as well.
const ATTEMPTS: usize = 10;

/// The first pause between two attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Why the edge was not switched.
#[derive(Debug, thiserror::Error)]
enum SwitchError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Lease(#[from] LeaseLost),
    #[error(transparent)]
    Size(#[from] EdgeSizeError),
    #[error("other writers changed the store {ATTEMPTS} times; run the same command again")]
    Contention,
}

/// Switches the edge to the live release of `pointer`, if it serves another one. Returns whether nothing is pending.
pub(super) async fn switch(
    release: &ReleaseRun<'_>,
    connection: &Connection,
    pointer: &mut ReleasePointer,
    report: &mut PublishReport,
) -> bool {
    let site = release.run.site;
    let store = site.edge.as_ref().and_then(|edge| edge.store.as_ref());
    let live = pointer.live().and_then(|live| live.manifest);
    let (Some(store), Some(live)) = (store, live) else { return true };
    if pointer.edge.as_ref().is_some_and(|edge| edge.release == live) {
        return true;
    }
    let values = KeyValues::new(connection, store);
    let work = write_keys(release, &values, store, pointer, live);
    let result = match release.fence.guard(work).await {
        Ok(result) => result,
        Err(lost) => Err(lost.into()),
    };
    match result {
        Ok(written) => {
            if written.is_foreign {
                let message = format!(
                    "another program changed the keys of `{}` in the key value store, so all of them were written again; \
                     `tidegate edge repair {}` removes keys that no release has",
                    site.name, site.name
                );
                report.findings.push(Finding::warning("store-drift", message));
            }
            pointer.edge = Some(EdgeSwitch::to(live, now(), pointer.edge.as_ref()));
            report.edge =
                Some(EdgeSwitchReport { release: live, updates: written.updates, keys: written.keys, why: None });
            true
        }
        Err(error) => {
            let why = Some(error.to_string());
            report.edge = Some(EdgeSwitchReport { release: live, updates: 0, keys: 0, why });
            false
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What was written.
struct Written {
    updates: usize,
    keys: usize,
    /// Whether the store did not hold what the last run had written.
    is_foreign: bool,
}

async fn write_keys(
    release: &ReleaseRun<'_>,
    values: &KeyValues,
    store: &StoreArn,
    pointer: &ReleasePointer,
    live: ReleaseId,
) -> Result<Written, SwitchError> {
    let (state, site) = (release.store(), &release.run.site.name);
    let mut version = values.version().await?;
    let Held { keys: held, is_foreign } = held_keys(state, values, site, store, &version).await?;
    let oldest = pointer.releases.first().map(|entry| entry.id).unwrap_or_default();
    let kept = kept_edges(state, Some(pointer), oldest).await?;
    let wanted = edge_keys(site, &kept, live, &held)?;
    let batches = key_batches(site, &held, &wanted);
    let changed = batches.iter().map(|batch| batch.puts.len() + batch.deletes.len()).sum();
    let updates = batches.len();
    update(values, &mut version, batches).await?;
    let written = WrittenKeys { store: store.as_str().to_owned(), etag: version, keys: wanted };
    state.put_written_keys(&written).await?;
    Ok(Written { updates, keys: changed, is_foreign })
}

/// What the store holds for a site, as far as it is known.
struct Held {
    keys: EdgeKeys,
    is_foreign: bool,
}

/// The keys that the last run wrote, unless another program has changed them since. Other sites may share the store: then
/// the pointer shows whether the keys of this one are still those.
async fn held_keys(
    state: &StateStore,
    values: &KeyValues,
    site: &SiteName,
    store: &StoreArn,
    version: &str,
) -> Result<Held, SwitchError> {
    let written = state.written_keys().await?.filter(|written| written.store == store.as_str());
    let pointer = pointer_key(site);
    let Some(written) = written else {
        let keys = values.value(&pointer).await?.map(|value| (pointer, value)).into_iter().collect();
        return Ok(Held { keys, is_foreign: false });
    };
    if written.etag == version || values.value(&pointer).await?.as_ref() == written.keys.get(&pointer) {
        return Ok(Held { keys: written.keys, is_foreign: false });
    }
    Ok(Held { keys: EdgeKeys::new(), is_foreign: true })
}

/// Sends batches in order, each on the version that the one before has made. After a conflict the same batch is sent
/// again, and all after it.
pub(crate) async fn update_in_order(
    values: &KeyValues,
    version: &mut String,
    batches: Vec<KeyBatch>,
) -> Result<(), AwsError> {
    let backoff = ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_jitter().with_max_times(ATTEMPTS);
    let mut pauses = backoff.build();
    let mut queue = VecDeque::from(batches);
    while let Some(batch) = queue.front() {
        match values.update(version, batch).await {
            Ok(next) => {
                *version = next;
                queue.pop_front();
            }
            Err(error) if is_conflict(&error) => {
                let Some(pause) = pauses.next() else { return Err(error) };
                tokio::time::sleep(pause).await;
                *version = values.version().await?;
            }
            Err(error) if is_too_large(&error) => {
                let Some((first, second)) = batch.halves() else { return Err(error) };
                queue.pop_front();
                queue.push_front(second);
                queue.push_front(first);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn update(values: &KeyValues, version: &mut String, batches: Vec<KeyBatch>) -> Result<(), SwitchError> {
    update_in_order(values, version, batches)
        .await
        .map_err(|error| if is_conflict(&error) { SwitchError::Contention } else { error.into() })
}
