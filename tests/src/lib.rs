//! What the tests of this package share: an emulated AWS account with a publisher in front of it, sites and sources as
//! values, fault injection, and recorded requests.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic here is a failed test and names its location")]

pub mod binary;
pub mod body;
pub mod calls;
pub mod deployed;
pub mod events;
pub mod fault;
pub mod fault_proxy;
mod json_protocol;
pub mod parameter_store;
pub mod plugins;
pub mod proxy;
pub mod recorder;
pub mod releases;
pub mod secrets_manager;
pub mod site;
pub mod skipped;
pub mod source;
pub mod world;

pub use site::{BucketContents, SiteObject};
pub use source::{SourceKind, SourceObject, Sources};
pub use world::{Publish, World};
