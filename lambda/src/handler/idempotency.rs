//! Recognizes a webhook's delivery that came before. The records are in the state of the site.

use std::time::Duration;

use tidegate_core::config::Site;
use tidegate_core::timestamp::Timestamp;
use tidegate_core::webhook_delivery::{DeliveryDigest, DeliveryRecord, DeliveryState};
use tidegate_publish::publish::Publisher;
use tidegate_publish::state::StateError;

/// How long a run without a result counts as active. It is longer than an invocation and the wait before Lambda's first
/// retry together.
const ACTIVE: Duration = Duration::from_secs(20 * 60);

/// How long records are kept. GitHub redelivers for 3 days, and the revision of anything older is superseded.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How often another invocation may change the record first.
const ATTEMPTS: usize = 5;

/// A delivery, and the run that would act on it.
pub(super) struct NewDelivery<'a> {
    pub(super) digest: &'a DeliveryDigest,
    /// The id that the sender gave the delivery.
    pub(super) id: &'a str,
    pub(super) run: &'a str,
}

/// Stores that the run acts on the delivery, unless another run does. Returns `None` for a site without `state`, which a
/// configuration with webhooks does not have.
pub(super) async fn begin(
    publisher: &Publisher,
    site: &Site,
    new: &NewDelivery<'_>,
    now: Timestamp,
) -> Result<Option<DeliveryState>, StateError> {
    let Some(state) = publisher.state(site) else { return Ok(None) };
    for _ in 0..ATTEMPTS {
        let stored = state.delivery(new.digest).await?;
        let next = DeliveryRecord::state(stored.as_ref().map(|(record, _)| record), new.id, new.run, now, ACTIVE);
        let DeliveryState::Run(record) = &next else { return Ok(Some(next)) };
        if state.put_delivery(new.digest, record, stored.as_ref().map(|(_, etag)| etag)).await? {
            return Ok(Some(next));
        }
    }
    Ok(Some(DeliveryState::AlreadyRunning(String::new())))
}

/// Deletes the records of deliveries that ended long ago.
pub(super) async fn prune(publisher: &Publisher, site: &Site, now: Timestamp) -> Result<(), StateError> {
    let Some(state) = publisher.state(site) else { return Ok(()) };
    let kept = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
    state.delete_deliveries_before(now.milliseconds().saturating_sub(kept)).await
}

/// Stores how the run ended, if it is still the one that acts on the delivery.
pub(super) async fn end(
    publisher: &Publisher,
    site: &Site,
    digest: &DeliveryDigest,
    run: &str,
    succeeded: bool,
) -> Result<(), StateError> {
    let Some(state) = publisher.state(site) else { return Ok(()) };
    if let Some((record, etag)) = state.delivery(digest).await?.filter(|(record, _)| record.run == run) {
        state.put_delivery(digest, &record.ended(succeeded), Some(&etag)).await?;
    }
    Ok(())
}
