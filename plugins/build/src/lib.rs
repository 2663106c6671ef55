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
mod c_compiler;
mod component;
#[cfg(feature = "languages")]
mod languages;
mod replace_imports;
mod script;
mod wasi_stubs;

pub use build::{BuiltPlugin, PluginBuild, PluginBuildError, TARGET, build};
pub use c_compiler::wasm_c_compiler;
pub use component::{ComponentizeError, component};
#[cfg(feature = "languages")]
pub use languages::{
    Language, LanguageError, ProjectFile, ProjectKind, ToolError, UnknownKind, UnknownLanguage, build_project,
    build_script, new_project,
};
pub use replace_imports::ReplaceError;
pub use script::{EmbedError, MAX_SCRIPT_BYTES, embed_file, embed_script};
pub use wasi_stubs::{StubbedImport, stub_wasi};
