//! The plugin host: runs WebAssembly components in a sandbox, over an artifact and over a plan.
//!
//! This is the only crate that names wasmtime. Values go in and values come out: a plugin's answers are checked before
//! they become values, and a failure has an error kind. The crate knows no AWS.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use tidegate_host::{CodeCache, Engine, Plugin};
//!
//! let engine = Engine::new()?;
//! let cache = CodeCache::new(Path::new("cache"));
//! let component = std::fs::read("no-drafts.wasm")?;
//! let plugin = Plugin::load(&engine, Some(&cache), "no-drafts", &component)?;
//! let configured = plugin.validate(&serde_json::json!({ "marker": "<!-- draft -->" }))?;
//! assert_eq!(configured.settings(), r#"{"marker":"<!-- draft -->","head-bytes":1024}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`sync::transform`] and [`policy::review`] then run configured plugins, each in a store of its own.
//!
//! | Module | Holds |
//! |---|---|
//! | [`limits`] | the limits of a run, and of a component |
//! | `engine`, `engine_configuration`, `store`, `imports`, `content_server`, `edge` | the sandbox: wasmtime's settings, budgets, and what a plugin can call |
//! | `admission`, `admission_error`, `structure`, `kind` | whether bytes are a plugin, of which kind, and how much they make |
//! | `compiled_code` | the code cache and deployment packages; the only `unsafe` |
//! | `loaded`, `compiler`, `compiler_process` | loading plugins, and compiling them, with limits on memory and time |
//! | `instance`, `configured`, `backtrace` | one run of one plugin, the validation of settings, and where a plugin failed |
//! | `answer`, `wire`, `bindings` | checks of answers, and conversions from and to the contract's types |
//! | [`sync`], `apply_decisions`, `observe` | sync plugins: from an artifact to the desired site; plugins that change nothing |
//! | [`policy`] | policy plugins: from a plan to judgements |
//! | `observed`, `difference`, `cost` | for plugin authors: one run with all its decisions, what they change, and what they cost |
//! | `record`, `recorded_content`, `replay`, `profile`, `profiled_store` | for plugin authors: records of runs, and fuel by function |
//!
//! The feature `compile` adds the compiler and the code cache. Without it, the host runs only packaged code, and the
//! binary is a quarter of the size.

mod admission;
mod admission_error;
mod answer;
mod apply_decisions;
mod backtrace;
mod bindings;
mod compiled_code;
#[cfg(feature = "compile")]
mod compiler;
#[cfg(feature = "compile")]
mod compiler_process;
mod configured;
mod content_server;
pub mod cost;
pub mod difference;
mod edge;
mod engine;
mod engine_configuration;
mod imports;
mod instance;
mod kind;
pub mod limits;
mod loaded;
mod observe_only;
pub mod observed;
pub mod policy;
mod profile;
mod profiled_store;
#[cfg(feature = "compile")]
pub mod record;
#[cfg(feature = "compile")]
mod recorded_content;
#[cfg(feature = "compile")]
pub mod replay;
mod store;
mod structure;
pub mod sync;
mod wire;

pub use admission::{ComponentDescription, describe, identify, validate};
pub use admission_error::{AdmissionError, AdmissionErrorKind, CONTRACT};
#[cfg(feature = "compile")]
pub use compiled_code::cache::CodeCache;
pub use compiled_code::package::CodePackage;
pub use compiled_code::package_error::CodePackageError;
#[cfg(feature = "compile")]
pub use compiler::{CompiledPlugin, Compiler};
#[cfg(feature = "compile")]
pub use compiler_process::CompilerProcess;
pub use configured::{ConfiguredPlugin, SettingsError, SettingsIssue};
pub use engine::{Engine, EngineError};
pub use kind::{IdentifiedPlugin, PluginKind};
pub use limits::Limits;
pub use loaded::Plugin;
pub use profile::{CollapsedStacks, ProfileChanged, Profiler};
#[cfg(feature = "compile")]
pub use recorded_content::MissingRead;
pub use structure::StructureTotal;
