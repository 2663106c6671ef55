//! What has to be changed in an account so that somebody has what they asked for: a list of steps, printable before any
//! of them is taken.
//!
//! Owns which steps those are, from what is there already. Never takes one, and never asks AWS.

mod change;
mod credentials;
mod group;
mod policy;
mod user;

pub use change::IamChange;
pub use credentials::{
    BucketSpec, CredentialsKind, CredentialsSpec, CredentialsSpecError, FoundBucket, FoundIdentity,
    PermissionsBoundary, SHARED_ROLE, SessionSeconds, SessionSecondsError, plan_changes,
};
pub use group::{FoundGroup, delete_group, group};
pub use policy::{FoundPolicy, PolicySpec, policy};
pub use user::{FoundUser, delete_user};
