//! `tidegate plugin new`, `build` and `list`.

use std::path::{Path, PathBuf};

use indicatif::HumanBytes;
use serde::Serialize;
use tidegate_core::identity::sha256;
use tidegate_host::validate;
use tidegate_plugin_build::{Language, ProjectKind, StubbedImport};

use crate::arguments::CommonArguments;
use crate::error::{CliError, ExitStatus};
use crate::output::print_json;
use crate::plugin_project;

/// Creates the project of a plugin, and prints its files.
pub(crate) fn new(
    common: &CommonArguments,
    name: &str,
    language: Language,
    kind: ProjectKind,
    parent: &Path,
) -> Result<ExitStatus, CliError> {
    let files = plugin_project::create(name, language, kind, parent)?;
    if common.json {
        print_json(&serde_json::json!({ "files": files }))?;
    } else {
        files.iter().for_each(|path| outln!("{}", path.display()));
    }
    Ok(ExitStatus::Success)
}

/// Builds the plugins of a project and prints them.
pub(crate) fn build(common: &CommonArguments, directory: &Path, out: &Path) -> Result<ExitStatus, CliError> {
    let built = plugin_project::build(directory, out)?;
    let components = built.into_iter().map(|(path, plugin)| {
        let info = ComponentInfo::new(&path, &plugin.library, &plugin.component)?;
        Ok(ComponentInfo { stubs: plugin.stubs, ..info })
    });
    print(common, &components.collect::<Result<Vec<_>, CliError>>()?)
}

/// Prints the bundled plugins.
pub(crate) fn list(common: &CommonArguments) -> Result<ExitStatus, CliError> {
    let bundled = tidegate_bundled_plugins::PLUGINS.iter();
    let components = bundled.map(|plugin| ComponentInfo::new(Path::new(plugin.name), plugin.name, plugin.bytes));
    print(common, &components.collect::<Result<Vec<_>, _>>()?)
}

fn print(common: &CommonArguments, components: &[ComponentInfo]) -> Result<ExitStatus, CliError> {
    if common.json {
        print_json(&components)?;
    } else {
        components.iter().for_each(ComponentInfo::print);
    }
    Ok(ExitStatus::Success)
}

/// What is known of a component without running it.
#[derive(Serialize)]
struct ComponentInfo {
    path: PathBuf,
    plugin: String,
    kind: &'static str,
    bytes: u64,
    sha256: String,
    /// What a build replaced, because there is no WASI.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stubs: Vec<StubbedImport>,
}

impl ComponentInfo {
    fn new(path: &Path, name: &str, bytes: &[u8]) -> Result<Self, CliError> {
        let identified = validate(name, bytes).map_err(CliError::usage)?;
        Ok(Self {
            path: path.to_owned(),
            plugin: name.to_owned(),
            kind: identified.kind.as_str(),
            bytes: bytes.len() as u64,
            sha256: sha256(bytes),
            stubs: Vec::new(),
        })
    }

    fn print(&self) {
        let Self { path, kind, bytes, sha256, stubs, .. } = self;
        outln!("{}  {kind}  {}  sha256 {sha256}", path.display(), HumanBytes(*bytes));
        // By effect, in the order of functions.
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for StubbedImport { function, effect } in stubs {
            match groups.iter_mut().find(|(known, _)| known == effect) {
                Some((_, functions)) => functions.push(function),
                None => groups.push((effect, vec![function])),
            }
        }
        if !groups.is_empty() {
            outln!("  functions of WASI that it imports are replaced:");
        }
        for (effect, functions) in groups {
            outln!("    {}: {effect}", functions.join(", "));
        }
    }
}
