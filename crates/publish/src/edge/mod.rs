//! Installing the edge of a site: the CloudFront function, its key value store, the response headers policy, and what the
//! distribution does with them. Only a person runs this; publishing needs none of these rights.
//!
//! [`FoundEdge`] is what exists and [`EdgeSpec`] what should. [`install`] and [`remove`] make a list of [`EdgeChange`]s of
//! the two, and [`EdgeInstaller`] applies it. The site works after each change, and a list that was not completed is made
//! again of what exists then.
//!
//! | File | What it holds |
//! |---|---|
//! | `spec`, `probe` | what should exist, and requests that show that the function works |
//! | `live` | what the live release says about it |
//! | `found` | what exists |
//! | `fits` | whether a distribution can have the edge |
//! | `install`, `remove` | the changes |
//! | `check` | what is right, missing, or changed by others |
//! | `change` | a change as a value that can be printed |
//! | `apply` | applying changes |

mod apply;
mod change;
mod check;
mod error;
mod fits;
mod found;
mod install;
mod live;
mod probe;
mod remove;
mod spec;

pub use apply::EdgeInstaller;
pub use change::EdgeChange;
pub use check::{EdgeItem, EdgeItemState, check};
pub use error::EdgeError;
pub use found::{FoundEdge, StoreReading};
pub use install::{InstallMode, InstallPlan, KeptSetting, install};
pub use live::LiveEdgeError;
pub use probe::{EdgeAnswer, EdgeProbe, probes};
pub use remove::remove;
pub use spec::{EdgeSpec, NOT_FOUND_ERRORS, ServedPages};
