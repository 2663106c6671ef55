//! The plugin host: runs sandboxed components over an artifact and over a plan.
//!
//! Owns everything that names wasmtime. Values in, values out: a plugin's answers are checked here before they become
//! values, and a failure says whose fault it is.
//!
//! One [`Engine`] arms every limit. [`Plugin::load`] admits a component by its names and compiles it or takes its code
//! from a [`CodeCache`]; [`Plugin::packaged`] takes it from a deployment [`CodePackage`], as builds must that cannot compile.
//! [`Plugin::validate`] has it check its settings; [`sync::transform`] and [`policy::review`] run it, each run in a store of its
//! own. The figures are in [`limits`].

mod admission;
mod answer;
mod bindings;
mod code_cache;
mod configured;
mod engine;
mod imports;
mod kind;
pub mod limits;
mod loaded;
#[cfg(feature = "compile")]
mod compiler;
pub mod policy;
mod content_server;
mod instance;
mod apply_decisions;
mod store;
pub mod sync;

pub use admission::{AdmissionError, CONTRACT, identify};
pub use answer::MAX_POINTER_BYTES;
#[cfg(feature = "compile")]
pub use code_cache::kept::CodeCache;
pub use code_cache::packaged::{CodePackage, CodePackageError};
#[cfg(feature = "compile")]
pub use compiler::{CompiledPlugin, Compiler};
pub use configured::{ConfiguredPlugin, SettingsError, SettingsIssue};
pub use engine::{Engine, EngineError};
pub use kind::{IdentifiedPlugin, PluginKind};
pub use limits::Limits;
pub use loaded::Plugin;
