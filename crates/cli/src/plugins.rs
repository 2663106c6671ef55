//! `tidegate plugin`: building and inspecting components.

use std::path::{Path, PathBuf};

use indicatif::HumanBytes;
use serde::Serialize;
use tidegate_core::identity::sha256;
use tidegate_host::identify;
use tidegate_plugin_build::{BuiltPlugin, PluginBuild};

use crate::arguments::{CommonArguments, PluginCommand};
use crate::error::{CliError, ExitStatus};
use crate::output::print_json;

pub(crate) fn plugin(common: &CommonArguments, command: &PluginCommand) -> Result<ExitStatus, CliError> {
    let components = match command {
        PluginCommand::Build { directory, out } => build(directory, out)?,
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

/// Builds every plugin of a cargo project.
fn build(directory: &Path, out: &Path) -> Result<Vec<ComponentInfo>, CliError> {
    let target = directory.join("target");
    let project = PluginBuild { manifest_dir: directory, target_dir: &target, packages: &[], profile: "release" };
    let plugins = tidegate_plugin_build::build(project).map_err(CliError::usage)?;
    std::fs::create_dir_all(out).map_err(CliError::write("directory", out))?;
    let write = |BuiltPlugin { library, component }| {
        let path = out.join(format!("{library}.wasm"));
        std::fs::write(&path, &component).map_err(CliError::write("component", &path))?;
        ComponentInfo::new(&path, &library, &component)
    };
    plugins.into_iter().map(write).collect()
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
        let identified = identify(name, bytes).map_err(CliError::usage)?;
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
