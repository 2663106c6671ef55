//! What the end-to-end tests share: an account of the stand-in with a publisher in front of it, sites and sources that
//! are written down as values, and what the stand-in saw.
//!
//! Owns no test. Nothing outside of this package uses it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test, and must name its place")]

pub mod binary;
pub mod body;
pub mod calls;
pub mod deployed;
pub mod events;
pub mod fault;
mod json_protocol;
pub mod plugins;
pub mod parameter_store;
pub mod recorder;
pub mod releases;
pub mod secrets_manager;
pub mod site;
pub mod source;
pub mod wire;
pub mod world;

pub use site::{SiteObject, SiteState};
pub use source::{SourceKind, SourceObject, Sources};
pub use world::{Publish, World};
