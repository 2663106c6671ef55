//! What has to be changed in an account so that somebody has what they asked for: a list of steps, printable before any
//! of them is taken.
//!
//! Owns which steps those are, from what is there already. Never takes one, and never asks AWS.

mod change;
mod credentials;
mod group;
mod policy;
mod user;

pub use change::Change;
pub use credentials::{
    Boundary, BucketWish, Found, FoundBucket, Kind, SHARED_ROLE, Seconds, SecondsError, Wish, WishError, wish,
};
pub use group::{GroupFound, delete_group, group};
pub use policy::{PolicyFound, PolicyWish, policy};
pub use user::{UserFound, delete_user};
