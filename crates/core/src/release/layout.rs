//! Where the state of a site is stored, and the number of its format.

use crate::location::{Location, Prefix};

/// Format of the stored state: records, pointers, leases, manifests and plans. A reader rejects every other number.
pub const FORMAT: u32 = 3;

/// Archived bodies, below the state of a site.
pub const BODIES: &str = "bodies/";

/// Downloaded artifacts that are about to be published, below the state of a site.
pub const FETCHED: &str = "fetched/";

/// The location of archived bodies. `None` if the prefix would be too long.
#[must_use]
pub fn bodies(state: &Location) -> Option<Location> {
    folder(state, BODIES)
}

/// The location of downloaded artifacts. `None` if the prefix would be too long.
#[must_use]
pub fn fetched(state: &Location) -> Option<Location> {
    folder(state, FETCHED)
}

fn folder(state: &Location, name: &str) -> Option<Location> {
    Some(Location { bucket: state.bucket.clone(), prefix: Prefix::new(&state.prefix.join(name)).ok()? })
}
