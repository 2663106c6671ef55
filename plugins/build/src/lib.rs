//! Builds plugins written in Rust into WebAssembly components.
//!
//! [`build`] runs cargo for `wasm32-unknown-unknown`, and [`component`] wraps a core module into a validated component.
//! The host checks the imports of a component when it loads one.

mod build;
mod component;

pub use build::{BuiltPlugin, PluginBuild, PluginBuildError, TARGET, build};
pub use component::{ComponentizeError, component};
