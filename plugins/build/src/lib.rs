//! Builds plugins written in Rust into WebAssembly components.
//!
//! [`build`] runs cargo for `wasm32-unknown-unknown`, and [`component`] wraps a core module into a validated component. The
//! host checks the imports of a component when it loads one.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use tidegate_plugin_build::{PluginBuild, build};
//!
//! let plugins = build(PluginBuild {
//!     manifest_dir: Path::new("plugin-no-drafts"),
//!     target_dir: Path::new("plugin-no-drafts/target"),
//!     packages: &[],
//!     profile: "release",
//! })?;
//! for plugin in plugins {
//!     std::fs::write(format!("{}.wasm", plugin.library), plugin.component)?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build;
mod component;

pub use build::{BuiltPlugin, PluginBuild, PluginBuildError, TARGET, build};
pub use component::{ComponentizeError, component};
