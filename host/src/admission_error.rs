//! The reasons why bytes are not admitted as a plugin.

use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};

use super::compiled_code::package_error::CodePackageError;
use super::limits::MAX_COMPONENT_BYTES;

/// The version of the contract that this host implements. Patch versions are compatible.
pub const CONTRACT: &str = "0.1";

/// A plugin that is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot load plugin `{plugin}`: {kind}")]
pub struct AdmissionError {
    /// The plugin's name in the configuration.
    pub plugin: String,
    /// The reason.
    pub kind: AdmissionErrorKind,
}

/// The reason why a plugin is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionErrorKind {
    /// Larger than [`MAX_COMPONENT_BYTES`], with its size.
    #[error("it has {0} bytes, and the limit is {MAX_COMPONENT_BYTES}; strip it, or build it for size")]
    TooLarge(usize),
    /// Not WebAssembly, with what it looks like.
    #[error("it is {0}; use the `.wasm` file of a component")]
    NotWasm(&'static str),
    /// Machine code, which could do anything.
    #[error("it is machine code (`.cwasm`), which cannot be checked; use the `.wasm` file that it was compiled from")]
    MachineCode,
    /// A core module.
    #[error(
        "it is a core module, not a component; convert it with `wasm-tools component new`, see docs/plugins/writing-a-plugin.md"
    )]
    CoreModule,
    /// The bytes break WebAssembly's rules or use a proposal that is off, with the parser's or compiler's message.
    #[error("it is not a valid component for this host: {0}")]
    Invalid(String),
    /// Too much of something that takes time or memory to compile or to instantiate.
    #[error("it has {found} {what}, and the limit is {limit}; remove the cause, or split it")]
    Excessive {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// It instantiates a component or module that it imports or takes from an instance.
    #[error(
        "it instantiates a component or module that it gets at run time, so its instances cannot be counted; define it inside"
    )]
    Uncountable,
    /// Compiling it used up the memory or the time for a component of its size.
    #[error("compiling it takes more than {mebibytes} MiB of memory or {seconds} s; simplify it, or split it")]
    CompileBudget {
        /// The memory.
        mebibytes: u64,
        /// The time.
        seconds: u64,
    },
    /// The compiler's process failed, with the reason.
    #[error("its compiler did not run: {0}; run the same command again")]
    Compiler(String),
    /// It imports WASI, with the names in backticks.
    #[error(
        "it imports {0}, and plugins have no WASI; build it without WASI: `tidegate plugin build` for JavaScript, TypeScript, \
         Python, C and Rust, `componentize-qjs --stub-wasi --sync`, or clang for `wasm32-unknown-unknown`; see \
         docs/plugins/writing-a-plugin.md"
    )]
    Wasi(String),
    /// It imports something else that the host does not provide, with the names in backticks.
    #[error(
        "it imports {0}, which this host does not provide; plugins can import only `log`, `content` and `edge` of `tidegate:plugin@{CONTRACT}`"
    )]
    Import(String),
    /// A policy imports `edge`.
    #[error("it is a policy and imports `edge`; only sync plugins can add rules for requests")]
    EdgeOfPolicy,
    /// It implements another version of the contract.
    #[error("it needs tidegate:plugin@{needs}, and this host has {CONTRACT}; {remedy}")]
    Version {
        /// The major and minor version.
        needs: String,
        /// Which side to update.
        remedy: &'static str,
    },
    /// It exports neither kind.
    #[error(
        "it exports neither `tidegate:plugin/sync@{CONTRACT}.0` nor `tidegate:plugin/policy@{CONTRACT}.0`; implement one of them"
    )]
    NoKind,
    /// It exports both kinds.
    #[error("it exports both `sync` and `policy`; split it into two components")]
    TwoKinds,
    /// It does not export `settings`, as every plugin must.
    #[error("it does not export `tidegate:plugin/settings@{CONTRACT}.0`; implement `validate`")]
    NoSettings,
    /// An interface has the right name and other functions or types, with wasmtime's message.
    #[error("it does not match the contract tidegate:plugin@{CONTRACT} ({0}); rebuild it from `wit/plugin.wit`")]
    Contract(String),
    /// The package does not have its code.
    #[error("it is not in the package; rebuild the package from this configuration with `tidegate package`")]
    NotPackaged,
    /// Its code in the package cannot be used.
    #[error(transparent)]
    Package(Box<CodePackageError>),
}

impl AdmissionErrorKind {
    /// This reason, for a plugin.
    #[must_use]
    pub fn of(self, plugin: &str) -> AdmissionError {
        AdmissionError { plugin: sanitize(plugin, MESSAGE_BYTES), kind: self }
    }
}

impl AdmissionError {
    /// A component that wasmtime refuses.
    #[cfg(feature = "compile")]
    pub(super) fn invalid(plugin: &str, error: &wasmtime::Error) -> Self {
        AdmissionErrorKind::Invalid(sanitize(&format!("{error:#}"), MESSAGE_BYTES)).of(plugin)
    }
}
