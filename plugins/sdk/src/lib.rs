//! The SDK for Tidegate plugins.
//!
//! A plugin is a WebAssembly component without WASI, which Tidegate runs in a sandbox. A crate contains one plugin of
//! one of two kinds: a [`SyncPlugin`] transforms what a site publishes, a [`PolicyPlugin`] reviews the finished plan.
//! Implement the trait, export the type with [`export_sync!`] or [`export_policy!`], and build the crate as a `cdylib`
//! for `wasm32-unknown-unknown`.
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
//! | Module | For |
//! |---|---|
//! | [`settings`] | settings that are checked when a configuration is loaded, with a canonical form |
//! | [`glob`] | the patterns of the bundled plugins, as types for settings |
//! | [`content`] | reading the objects of a run |
//! | [`reader`] | reading many objects within the read budget |
//! | [`violations`] | the responses of a policy, as settings, and its judgement |
//! | [`edge`] | rules for requests, on a site with an edge |
//! | [`key`] | the rules for keys |
//! | [`log`] | diagnostics |
//! | [`testing`] | running a plugin natively in `cargo test` |
//!
//! The contract is `wit/plugin.wit`. `docs/plugins/writing-a-plugin.md` explains how to build and configure a plugin.

#[cfg(not(target_family = "wasm"))]
mod added_rules;
#[doc(hidden)]
pub mod bindings;
pub mod content;
pub mod edge;
mod export;
mod file_list;
pub mod key;
mod lines;
pub mod log;
mod panic;
mod pointer;
mod policy;
pub mod reader;
pub mod settings;
mod sync;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod types;
pub mod violations;

pub use tidegate_glob as glob;

#[doc(hidden)]
pub use export::{PolicySession, SyncSession};
pub use file_list::FileList;
pub use lines::LineFindings;
pub use pointer::Pointer;
pub use policy::{Change, ChangeKind, Judgement, PolicyPlugin, Totals, Verdict};
pub use settings::{Issue, Issues, Settings};
pub use sync::{Action, Decision, Decisions, Edit, Entry, Extra, Summary, SyncPlugin};
pub use types::{Attribute, Failure, Finding, Run, Severity};
