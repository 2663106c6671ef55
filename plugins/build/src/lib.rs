//! Builds plugins that are written in Rust into WebAssembly components.
//!
//! Owns two steps: cargo for `wasm32-unknown-unknown` ([`build`]), and the wrapping of a core module into a validated
//! component ([`component`]). It never judges what a component imports: the host does, by name, when it loads one.

mod build;
mod component;

pub use build::{BuiltPlugin, PluginBuild, PluginBuildError, TARGET, build};
pub use component::{ComponentizeError, component};
