//! Whether bytes are a plugin, and which kind: read from the names that they export and import, never by running them.
//!
//! Owns the rules of admission. Never compiles and never runs anything.

use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};
use wasmparser::{Encoding, Parser, Payload};

use super::code_cache::packaged::CodePackageError;
use super::imports::LINKED;
use super::kind::{IdentifiedPlugin, PluginKind};
use super::limits::{MAX_COMPONENT_BYTES, MAX_FUNCTION_BYTES, MAX_FUNCTIONS, MAX_NESTING};

/// The version of the contract that this host speaks; patch levels do not matter.
pub const CONTRACT: &str = "0.1";

/// The package of the contract.
const PACKAGE: &str = "tidegate:plugin/";

/// Why bytes are not admitted as a plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// Larger than [`MAX_COMPONENT_BYTES`].
    #[error(
        "the plugin `{plugin}` has {bytes} bytes, the most is {MAX_COMPONENT_BYTES}; strip it or build it for size"
    )]
    TooLarge {
        /// Its name.
        plugin: String,
        /// Its size.
        bytes: usize,
    },
    /// Not WebAssembly at all.
    #[error("the plugin `{plugin}` is {what}, give the `.wasm` file of a component")]
    NotWasm {
        /// Its name.
        plugin: String,
        /// What it looks like.
        what: &'static str,
    },
    /// Machine code: it could do anything.
    #[error(
        "the plugin `{plugin}` is compiled machine code (`.cwasm`), which nobody can check; give the `.wasm` file that it was made from"
    )]
    Compiled {
        /// Its name.
        plugin: String,
    },
    /// A core module.
    #[error(
        "the plugin `{plugin}` is a core module and no component; make one of it with `wasm-tools component new`, see docs/plugins/writing-a-plugin.md"
    )]
    CoreModule {
        /// Its name.
        plugin: String,
    },
    /// The bytes break WebAssembly's rules, or use a proposal that is off.
    #[error("the plugin `{plugin}` is no valid component for this host ({why})")]
    Invalid {
        /// Its name.
        plugin: String,
        /// What the parser says.
        why: String,
    },
    /// Something that would make its compilation unbounded.
    #[error("the plugin `{plugin}` has {what}: {found}, the most is {most}; build it without what makes it so large")]
    Excessive {
        /// Its name.
        plugin: String,
        /// What there is too much of.
        what: &'static str,
        /// How much.
        found: u64,
        /// How much is allowed.
        most: u64,
    },
    /// It imports WASI.
    #[error(
        "the plugin `{plugin}` imports {imports}, and plugins get nothing of WASI. Build it without: Rust for \
         `wasm32-unknown-unknown`; Python with `componentize-py componentize --stub-wasi`; JavaScript with \
         `disableFeatures` of componentize-js or the stubbed QuickJS of jco; C with clang or `zig cc` for \
         `wasm32-freestanding`; see docs/plugins/writing-a-plugin.md"
    )]
    Wasi {
        /// Its name.
        plugin: String,
        /// The names, each in backticks.
        imports: String,
    },
    /// It imports something that no plugin gets.
    #[error(
        "the plugin `{plugin}` imports {imports}, which this host does not have; plugins get `log` and `content` of `tidegate:plugin@{CONTRACT}` and nothing else"
    )]
    Import {
        /// Its name.
        plugin: String,
        /// The names, each in backticks.
        imports: String,
    },
    /// Another version of the contract.
    #[error("the plugin `{plugin}` needs tidegate:plugin@{needs}, this host has {CONTRACT}; {remedy}")]
    Version {
        /// Its name.
        plugin: String,
        /// Major and minor version.
        needs: String,
        /// Which side is to be renewed.
        remedy: &'static str,
    },
    /// It exports neither kind.
    #[error(
        "`{plugin}` is a component but no plugin: it exports neither `tidegate:plugin/sync@{CONTRACT}.0` nor `tidegate:plugin/policy@{CONTRACT}.0`"
    )]
    NoKind {
        /// Its name.
        plugin: String,
    },
    /// It exports both kinds.
    #[error("the plugin `{plugin}` exports both `sync` and `policy`, make two components of it")]
    TwoKinds {
        /// Its name.
        plugin: String,
    },
    /// Every plugin validates its settings.
    #[error("the plugin `{plugin}` does not export `tidegate:plugin/settings@{CONTRACT}.0`, implement `validate`")]
    NoSettings {
        /// Its name.
        plugin: String,
    },
    /// An interface has the right name and other functions or types.
    #[error(
        "the plugin `{plugin}` does not follow the contract tidegate:plugin@{CONTRACT} ({why}); build it again from `wit/plugin.wit`"
    )]
    Contract {
        /// Its name.
        plugin: String,
        /// What differs.
        why: String,
    },
    /// The package has no compiled code of it.
    #[error(
        "the plugin `{plugin}` is not in the package; make the package anew from this configuration with `tidegate package`"
    )]
    NotPackaged {
        /// Its name.
        plugin: String,
    },
    /// The package is damaged, or made for something else.
    #[error("the plugin `{plugin}` cannot be loaded: {why}")]
    Package {
        /// Its name.
        plugin: String,
        /// What is wrong with the package.
        why: Box<CodePackageError>,
    },
}

/// Reads what a component is from its names.
///
/// # Errors
/// [`AdmissionError`], each with the remedy.
pub fn identify(plugin: &str, bytes: &[u8]) -> Result<IdentifiedPlugin, AdmissionError> {
    let plugin = sanitize(plugin, MESSAGE_BYTES);
    if bytes.len() > MAX_COMPONENT_BYTES {
        return Err(AdmissionError::TooLarge { plugin, bytes: bytes.len() });
    }
    if wasmtime::Engine::detect_precompiled(bytes).is_some() {
        return Err(AdmissionError::Compiled { plugin });
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(AdmissionError::NotWasm { plugin, what: looks_like(bytes) });
    }
    let names = match ComponentNames::read(&plugin, bytes)? {
        Some(names) => names,
        None => return Err(AdmissionError::CoreModule { plugin }),
    };
    names.check(plugin)
}

fn looks_like(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "empty",
        [b'(', ..] | [b';', b';', ..] => "WebAssembly text",
        [0x7f, b'E', b'L', b'F', ..] => "a native program or library",
        [b'P', b'K', ..] => "a zip archive",
        [0x1f, 0x8b, ..] => "gzip-compressed",
        _ => "not WebAssembly",
    }
}

/// Names at the outermost level of a component.
#[derive(Default)]
struct ComponentNames {
    imports: Vec<String>,
    exports: Vec<String>,
}

impl ComponentNames {
    /// `None` for a core module.
    fn read(plugin: &str, bytes: &[u8]) -> Result<Option<Self>, AdmissionError> {
        let invalid = |error: wasmparser::BinaryReaderError| AdmissionError::Invalid {
            plugin: plugin.to_owned(),
            why: sanitize(&error.to_string(), MESSAGE_BYTES),
        };
        let bounded = |what, found: u64, most: u64| {
            if found > most {
                Err(AdmissionError::Excessive { plugin: plugin.to_owned(), what, found, most })
            } else {
                Ok(())
            }
        };
        let mut names = Self::default();
        let (mut depth, mut functions) = (0_usize, 0_u64);
        let mut parser = Parser::new(0);
        parser.set_features(super::engine::proposals());
        for payload in parser.parse_all(bytes) {
            match payload.map_err(invalid)? {
                Payload::Version { encoding, .. } => {
                    if depth == 0 && encoding == Encoding::Module {
                        return Ok(None);
                    }
                    depth += 1;
                    bounded("components nested in components", depth as u64, MAX_NESTING as u64)?;
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CodeSectionEntry(body) => {
                    functions += 1;
                    bounded("functions", functions, MAX_FUNCTIONS)?;
                    let range = body.range();
                    bounded("bytes in one function", range.len() as u64, MAX_FUNCTION_BYTES as u64)?;
                }
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        names.imports.push(import.map_err(invalid)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        names.exports.push(export.map_err(invalid)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(Some(names))
    }

    fn check(&self, plugin: String) -> Result<IdentifiedPlugin, AdmissionError> {
        for name in self.exports.iter().chain(&self.imports) {
            if let Some((_, version)) = contract(name)
                && !speaks(version)
            {
                let (needs, remedy) = (sanitize(&minor(version), 40), remedy(version));
                return Err(AdmissionError::Version { plugin, needs, remedy });
            }
        }
        let wasi: Vec<&String> = self.imports.iter().filter(|name| name.starts_with("wasi")).collect();
        if !wasi.is_empty() {
            return Err(AdmissionError::Wasi { plugin, imports: listed(&wasi) });
        }
        let unknown: Vec<&String> = self
            .imports
            .iter()
            .filter(|name| !contract(name).is_some_and(|(interface, _)| LINKED.contains(&interface)))
            .collect();
        if !unknown.is_empty() {
            return Err(AdmissionError::Import { plugin, imports: listed(&unknown) });
        }
        let exports =
            |wanted: &str| self.exports.iter().any(|name| contract(name).is_some_and(|(found, _)| found == wanted));
        let kind = match (exports("sync"), exports("policy")) {
            (true, false) => PluginKind::Sync,
            (false, true) => PluginKind::Policy,
            (true, true) => return Err(AdmissionError::TwoKinds { plugin }),
            (false, false) => return Err(AdmissionError::NoKind { plugin }),
        };
        if !exports("settings") {
            return Err(AdmissionError::NoSettings { plugin });
        }
        let reads_content = self.imports.iter().any(|name| contract(name).is_some_and(|(found, _)| found == "content"));
        Ok(IdentifiedPlugin { kind, reads_content })
    }
}

/// Interface and version of a name of the contract's package.
fn contract(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix(PACKAGE)?;
    Some(rest.split_once('@').unwrap_or((rest, "")))
}

fn speaks(version: &str) -> bool {
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

fn remedy(version: &str) -> &'static str {
    let number = |text: &str| {
        let mut parts = text.splitn(3, '.').map(|part| part.parse::<u64>().unwrap_or(0));
        (parts.next(), parts.next())
    };
    if number(version) > number(CONTRACT) { "install a newer Tidegate" } else { "build the plugin for that version" }
}

/// The first names, each in backticks.
fn listed(names: &[&String]) -> String {
    let mut list = names.iter().take(5).map(|name| format!("`{}`", sanitize(name, 200))).collect::<Vec<_>>().join(", ");
    if names.len() > 5 {
        list.push_str(&format!(" and {} more", names.len() - 5));
    }
    list
}
