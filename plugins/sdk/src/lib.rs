//! What plugins for Tidegate are written with.
//!
//! A plugin is a WebAssembly component without WASI that Tidegate runs in a sandbox. There are two kinds, and a crate is
//! one of them: a [`SyncPlugin`] shapes what a site publishes, a [`PolicyPlugin`] judges the finished plan. Implement the
//! trait, name the type in [`export_sync!`] or [`export_policy!`], and build the crate as a `cdylib` for
//! `wasm32-unknown-unknown`.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tidegate_plugin::{Decisions, Entry, Failure, Pointer, Run, Settings, SyncPlugin};
//!
//! #[derive(Deserialize, Serialize)]
//! #[serde(deny_unknown_fields, default)]
//! struct DraftSettings {
//!     folder: String,
//! }
//!
//! impl Default for DraftSettings {
//!     fn default() -> Self {
//!         Self { folder: "drafts/".to_owned() }
//!     }
//! }
//!
//! impl Settings for DraftSettings {}
//!
//! struct Drafts(DraftSettings);
//!
//! impl SyncPlugin for Drafts {
//!     type Settings = DraftSettings;
//!
//!     fn begin(_run: &Run, settings: DraftSettings) -> Result<Self, Failure> {
//!         Ok(Self(settings))
//!     }
//!
//!     fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure> {
//!         for (index, entry) in batch.iter().enumerate() {
//!             if entry.key.starts_with(&self.0.folder) {
//!                 decisions.exclude(index, &Pointer::root().member("folder"), "a draft");
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! tidegate_plugin::export_sync!(Drafts);
//! ```
//!
//! The crate owns the adapter between those traits and the contract in `wit/plugin.wit`, settings with a canonical form
//! ([`settings`]), glob patterns ([`glob`]), bounded reads of content ([`content`]) and a harness that runs a plugin in
//! plain `cargo test` ([`testing`]). It decides nothing about what is published.

#[doc(hidden)]
pub mod bindings;
pub mod content;
mod export;
pub mod key;
pub mod log;
mod pointer;
mod policy;
pub mod settings;
mod sync;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod vocabulary;

pub use tidegate_glob as glob;

#[doc(hidden)]
pub use export::{PolicySession, SyncSession};
pub use pointer::Pointer;
pub use policy::{Change, ChangeKind, Judgement, PolicyPlugin, Totals, Verdict};
pub use settings::{Issue, Issues, Settings};
pub use sync::{Action, Decision, Decisions, Edit, Entry, Extra, Summary, SyncPlugin};
pub use vocabulary::{Attribute, Failure, Finding, Run, Severity};
