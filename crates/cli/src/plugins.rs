//! `tidegate plugin`: building and inspecting components.

use std::path::{Path, PathBuf};

use indicatif::HumanBytes;
use serde::Serialize;
use tidegate_core::identity::sha256;
use tidegate_host::validate;

use crate::arguments::{CommonArguments, PluginCommand};
use crate::error::{CliError, ExitStatus};
use crate::output::print_json;
use crate::plugin_project;

pub(crate) fn plugin(common: &CommonArguments, command: &PluginCommand) -> Result<ExitStatus, CliError> {
    let components = match command {
        PluginCommand::New { name, language, kind, directory } => {
            let files = plugin_project::create(name, *language, *kind, directory)?;
            if common.json {
                print_json(&serde_json::json!({ "files": files }))?;
            } else {
                files.iter().for_each(|path| outln!("{}", path.display()));
            }
            return Ok(ExitStatus::Success);
        }
        PluginCommand::Build { directory, out } => plugin_project::build(directory, out)?
            .into_iter()
            .map(|(name, path, component)| ComponentInfo::new(&path, &name, &component))
            .collect::<Result<_, _>>()?,
        PluginCommand::Inspect { file } => vec![inspect(file)?],
        PluginCommand::List => tidegate_bundled_plugins::PLUGINS
            .iter()
            .map(|plugin| ComponentInfo::new(Path::new(plugin.name), plugin.name, plugin.bytes))
            .collect::<Result<_, _>>()?,
    };
    if common.json {
        print_json(&components)?;
    } else {
        components.iter().for_each(ComponentInfo::print);
    }
    Ok(ExitStatus::Success)
}

fn inspect(file: &Path) -> Result<ComponentInfo, CliError> {
    let bytes = std::fs::read(file).map_err(CliError::read("component", file))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ComponentInfo::new(file, &name, &bytes)
}

/// What is known of a component without running it.
#[derive(Serialize)]
struct ComponentInfo {
    path: PathBuf,
    plugin: String,
    kind: &'static str,
    bytes: u64,
    sha256: String,
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
        })
    }

    fn print(&self) {
        let Self { path, kind, bytes, sha256, .. } = self;
        outln!("{}  {kind}  {}  sha256 {sha256}", path.display(), HumanBytes(*bytes));
    }
}
