//! Deliveries of webhooks that were seen, kept in the state of the site that they publish.

use std::time::Duration;

use tidegate_core::config::Site;
use tidegate_core::timestamp::Timestamp;
use tidegate_core::webhook_delivery::{DeliveryDigest, DeliveryRecord, DeliveryState};
use tidegate_publish::publish::Publisher;
use tidegate_publish::state::StateError;

/// How long a run counts as alive that nobody has heard of: longer than an invocation lasts, with what Lambda waits before it
/// tries again.
const ALIVE: Duration = Duration::from_secs(20 * 60);

/// How often somebody else may come first before nobody's turn can be told.
const ATTEMPTS: usize = 5;

/// A delivery with the run that would act on it.
pub(super) struct NewDelivery<'a> {
    pub(super) digest: &'a DeliveryDigest,
    /// The id that the sender gave it.
    pub(super) id: &'a str,
    pub(super) run: &'a str,
}

/// Whose turn it is; it is remembered that it is ours. A site without releases has no place to remember anything, and
/// publishing the same build twice changes nothing there.
pub(super) async fn begin(
    publisher: &Publisher,
    site: &Site,
    new: &NewDelivery<'_>,
    now: Timestamp,
) -> Result<Option<DeliveryState>, StateError> {
    let Some(state) = publisher.state(site) else { return Ok(None) };
    for _ in 0..ATTEMPTS {
        let before = state.delivery(new.digest).await?;
        let turn = DeliveryRecord::state(before.as_ref().map(|(seen, _)| seen), new.id, new.run, now, ALIVE);
        let DeliveryState::Run(seen) = &turn else { return Ok(Some(turn)) };
        if state.put_delivery(new.digest, seen, before.as_ref().map(|(_, etag)| etag)).await? {
            return Ok(Some(turn));
        }
    }
    Ok(Some(DeliveryState::AlreadyRunning(String::new())))
}

/// Remembers how a run ended, if it is still the one that acts on the delivery.
pub(super) async fn end(
    publisher: &Publisher,
    site: &Site,
    identity: &DeliveryDigest,
    run: &str,
    well: bool,
) -> Result<(), StateError> {
    let Some(state) = publisher.state(site) else { return Ok(()) };
    if let Some((seen, etag)) = state.delivery(identity).await?.filter(|(seen, _)| seen.run == run) {
        state.put_delivery(identity, &seen.ended(well), Some(&etag)).await?;
    }
    Ok(())
}
