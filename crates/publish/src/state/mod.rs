//! The state of one site in its bucket: pointer, releases, manifests, archived bodies, downloaded files and the lease.
//! What these documents mean is decided in `tidegate-core`.

mod edge;
mod error;
mod fence;
mod store;
mod lines;
mod manifest;
mod ranges;
mod staged_headers;
mod pending;
mod plan;
mod shards;
mod history;
mod lease;
mod shared_lease;
mod fetched;

pub use edge::WrittenKeys;
pub use error::StateError;
pub use fence::{Fence, LeaseLost};
pub use history::History;
pub use lease::{LeaseGuard, LeaseRequest};
pub use lines::LineStream;
pub(crate) use pending::PendingInvalidation;
pub use shared_lease::SharedLease;
pub(crate) use staged_headers::StagedHeadersRecord;
pub use store::{ReleaseFile, StateStore};
