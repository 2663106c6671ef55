//! Admission: whether bytes are a plugin, and of which kind. Reads only the names of imports and exports, and runs
//! nothing.

use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};
use wasmparser::{Encoding, Parser, Payload};

use super::compiled_code::package::CodePackageError;
use super::imports::LINKED;
use super::kind::{IdentifiedPlugin, PluginKind};
use super::limits::MAX_COMPONENT_BYTES;
use super::structure::Structure;

/// The version of the contract that this host implements. Patch versions are compatible.
pub const CONTRACT: &str = "0.1";

/// The package of the contract.
const PACKAGE: &str = "tidegate:plugin/";

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
        "it imports {0}, and plugins have no WASI; build it without WASI: Rust for `wasm32-unknown-unknown`, Python with \
         `componentize-py componentize --stub-wasi`, JavaScript with `disableFeatures` of componentize-js or the stubbed \
         QuickJS of jco, C with clang or `zig cc` for `wasm32-freestanding`; see docs/plugins/writing-a-plugin.md"
    )]
    Wasi(String),
    /// It imports something else that the host does not provide, with the names in backticks.
    #[error(
        "it imports {0}, which this host does not provide; plugins can import only `log` and `content` of `tidegate:plugin@{CONTRACT}`"
    )]
    Import(String),
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

/// Reads the kind of a component from its imports and exports.
///
/// # Errors
/// [`AdmissionError`].
pub fn identify(plugin: &str, bytes: &[u8]) -> Result<IdentifiedPlugin, AdmissionError> {
    identify_bytes(bytes).map_err(|kind| kind.of(plugin))
}

fn identify_bytes(bytes: &[u8]) -> Result<IdentifiedPlugin, AdmissionErrorKind> {
    if bytes.len() > MAX_COMPONENT_BYTES {
        return Err(AdmissionErrorKind::TooLarge(bytes.len()));
    }
    if wasmtime::Engine::detect_precompiled(bytes).is_some() {
        return Err(AdmissionErrorKind::MachineCode);
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(AdmissionErrorKind::NotWasm(describe(bytes)));
    }
    ComponentNames::read(bytes)?.ok_or(AdmissionErrorKind::CoreModule)?.check()
}

fn describe(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "empty",
        [b'(', ..] | [b';', b';', ..] => "WebAssembly text",
        [0x7f, b'E', b'L', b'F', ..] => "a native program or library",
        [b'P', b'K', ..] => "a zip archive",
        [0x1f, 0x8b, ..] => "gzip-compressed",
        _ => "not WebAssembly",
    }
}

/// Names of imports and exports at the outermost level of a component.
#[derive(Default)]
struct ComponentNames {
    imports: Vec<String>,
    exports: Vec<String>,
}

impl ComponentNames {
    /// Reads the names; `None` for a core module.
    fn read(bytes: &[u8]) -> Result<Option<Self>, AdmissionErrorKind> {
        let mut names = Self::default();
        let mut structure = Structure::default();
        let mut parser = Parser::new(0);
        parser.set_features(super::engine::proposals());
        for payload in parser.parse_all(bytes) {
            let payload = payload?;
            structure.add(&payload)?;
            match payload {
                Payload::Version { encoding: Encoding::Module, .. } if structure.depth() == 1 => return Ok(None),
                Payload::ComponentImportSection(section) if structure.depth() == 1 => {
                    for import in section {
                        names.imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if structure.depth() == 1 => {
                    for export in section {
                        names.exports.push(export?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(Some(names))
    }

    fn check(&self) -> Result<IdentifiedPlugin, AdmissionErrorKind> {
        let versions = self.exports.iter().chain(&self.imports).filter_map(|name| contract(name));
        if let Some((_, version)) = versions.into_iter().find(|(_, version)| !is_compatible(version)) {
            let needs = sanitize(&minor(version), 40);
            return Err(AdmissionErrorKind::Version { needs, remedy: version_remedy(version) });
        }
        let wasi: Vec<&String> = self.imports.iter().filter(|name| name.starts_with("wasi")).collect();
        if !wasi.is_empty() {
            return Err(AdmissionErrorKind::Wasi(list(&wasi)));
        }
        let is_linked = |name: &str| contract(name).is_some_and(|(interface, _)| LINKED.contains(&interface));
        let unknown: Vec<&String> = self.imports.iter().filter(|name| !is_linked(name)).collect();
        if !unknown.is_empty() {
            return Err(AdmissionErrorKind::Import(list(&unknown)));
        }
        let has = |names: &[String], interface: &str| {
            names.iter().any(|name| contract(name).is_some_and(|(found, _)| found == interface))
        };
        let kind = match (has(&self.exports, "sync"), has(&self.exports, "policy")) {
            (true, false) => PluginKind::Sync,
            (false, true) => PluginKind::Policy,
            (true, true) => return Err(AdmissionErrorKind::TwoKinds),
            (false, false) => return Err(AdmissionErrorKind::NoKind),
        };
        if !has(&self.exports, "settings") {
            return Err(AdmissionErrorKind::NoSettings);
        }
        Ok(IdentifiedPlugin { kind, reads_content: has(&self.imports, "content") })
    }
}

/// The interface and the version in a name of the contract's package.
fn contract(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix(PACKAGE)?;
    Some(rest.split_once('@').unwrap_or((rest, "")))
}

fn is_compatible(version: &str) -> bool {
    version
        .strip_prefix(CONTRACT)
        .is_some_and(|patch| patch.strip_prefix('.').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit())))
}

fn minor(version: &str) -> String {
    let mut parts = version.splitn(3, '.');
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) => format!("{major}.{minor}"),
        _ => "(no version)".to_owned(),
    }
}

fn version_remedy(version: &str) -> &'static str {
    let number = |text: &str| {
        let mut parts = text.splitn(3, '.').map(|part| part.parse::<u64>().unwrap_or(0));
        (parts.next(), parts.next())
    };
    if number(version) > number(CONTRACT) { "install a newer Tidegate" } else { "build the plugin for that version" }
}

/// The first names, each in backticks.
fn list(names: &[&String]) -> String {
    let mut list = names.iter().take(5).map(|name| format!("`{}`", sanitize(name, 200))).collect::<Vec<_>>().join(", ");
    if names.len() > 5 {
        list.push_str(&format!(" and {} more", names.len() - 5));
    }
    list
}
