//! Admission: whether bytes are a plugin, and of which kind. Reads only structure and the names of imports and exports,
//! and runs nothing.

use tidegate_core::sanitize::sanitize;
use wasmparser::{Encoding, Parser, Payload, Validator};

use super::admission_error::{AdmissionError, AdmissionErrorKind, CONTRACT};
use super::engine_configuration::proposals;
use super::imports::{EDGE, LINKED};
use super::kind::{IdentifiedPlugin, PluginKind};
use super::limits::MAX_COMPONENT_BYTES;
use super::structure::{Structure, StructureTotal};

/// The package of the contract.
const PACKAGE: &str = "tidegate:plugin/";

/// Reads the kind of a component from its imports and exports. The compiler validates the rest of it.
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
        return Err(AdmissionErrorKind::NotWasm(describe_bytes(bytes)));
    }
    ComponentNames::read(bytes)?.ok_or(AdmissionErrorKind::CoreModule)?.check()
}

/// Identifies a component, and validates all of it without compiling. For people who ask about their own component:
/// validation has no limits on time.
///
/// # Errors
/// [`AdmissionError`].
pub fn validate(plugin: &str, bytes: &[u8]) -> Result<IdentifiedPlugin, AdmissionError> {
    let identified = identify(plugin, bytes)?;
    match Validator::new_with_features(proposals()).validate_all(bytes) {
        Ok(_) => Ok(identified),
        Err(error) => Err(AdmissionErrorKind::from(error).of(plugin)),
    }
}

/// Reads what an admitted component says about itself, without running it.
///
/// # Errors
/// The one of [`identify`].
pub fn describe(plugin: &str, bytes: &[u8]) -> Result<ComponentDescription, AdmissionError> {
    let identified = identify(plugin, bytes)?;
    let names = ComponentNames::read(bytes).map_err(|kind| kind.of(plugin))?.unwrap_or_default();
    let mut contracts: Vec<String> = names
        .exports
        .iter()
        .chain(&names.imports)
        .filter_map(|name| contract(name).map(|(_, version)| version.to_owned()))
        .collect();
    contracts.sort();
    contracts.dedup();
    let ComponentNames { imports, exports, structure } = names;
    Ok(ComponentDescription { identified, imports, exports, contracts, structure: structure.totals() })
}

/// What a component says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentDescription {
    /// Kind, and whether it reads content.
    pub identified: IdentifiedPlugin,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// The interfaces that it exports.
    pub exports: Vec<String>,
    /// The versions of the contract that these interfaces are of.
    pub contracts: Vec<String>,
    /// How much there is in it, with the limits.
    pub structure: Vec<StructureTotal>,
}

fn describe_bytes(bytes: &[u8]) -> &'static str {
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
    structure: Structure,
}

impl ComponentNames {
    /// Reads the names; `None` for a core module.
    fn read(bytes: &[u8]) -> Result<Option<Self>, AdmissionErrorKind> {
        let mut names = Self::default();
        let mut parser = Parser::new(0);
        parser.set_features(proposals());
        for payload in parser.parse_all(bytes) {
            let payload = payload?;
            names.structure.add(&payload)?;
            match payload {
                Payload::Version { encoding: Encoding::Module, .. } if names.structure.depth() == 1 => return Ok(None),
                Payload::ComponentImportSection(section) if names.structure.depth() == 1 => {
                    for import in section {
                        names.imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if names.structure.depth() == 1 => {
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
        if kind == PluginKind::Policy && has(&self.imports, EDGE) {
            return Err(AdmissionErrorKind::EdgeOfPolicy);
        }
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
