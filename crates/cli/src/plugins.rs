//! `tidegate plugin`: building and looking at components.

use std::path::Path;

use tidegate_core::identity::sha256;
use tidegate_host::identify;
use tidegate_plugin_build::{BuiltPlugin, PluginBuild};

use crate::arguments::CommonArguments;
use crate::error::{CliError, ExitStatus};
use crate::publish::json;

/// Builds every plugin of a cargo project.
pub(crate) fn build(common: &CommonArguments, directory: &Path, out: &Path) -> Result<ExitStatus, CliError> {
    let target = directory.join("target");
    let wanted = PluginBuild { manifest_dir: directory, target_dir: &target, packages: &[], profile: "release" };
    let components = tidegate_plugin_build::build(wanted).map_err(|error| CliError::Usage(error.to_string()))?;
    let mut told = Vec::new();
    for BuiltPlugin { library: name, component: bytes } in components {
        let path = out.join(format!("{name}.wasm"));
        std::fs::write(&path, &bytes)
            .map_err(|error| CliError::System(format!("`{}` cannot be written: {error}", path.display())))?;
        told.push(describe(&path, &name, &bytes)?);
    }
    print(common, &told)
}

/// Tells what a component is.
pub(crate) fn inspect(common: &CommonArguments, file: &Path) -> Result<ExitStatus, CliError> {
    let bytes = std::fs::read(file)
        .map_err(|error| CliError::Usage(format!("`{}` cannot be read: {error}", file.display())))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    print(common, &[describe(file, &name, &bytes)?])
}

/// Lists what is bundled.
pub(crate) fn list(common: &CommonArguments) -> Result<ExitStatus, CliError> {
    let told: Result<Vec<serde_json::Value>, CliError> = tidegate_bundled_plugins::PLUGINS
        .iter()
        .map(|plugin| describe(Path::new(plugin.name), plugin.name, plugin.bytes))
        .collect();
    print(common, &told?)
}

fn describe(path: &Path, name: &str, bytes: &[u8]) -> Result<serde_json::Value, CliError> {
    let identified = identify(name, bytes).map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(serde_json::json!({
        "path": path,
        "plugin": name,
        "kind": identified.kind.as_str(),
        "bytes": bytes.len(),
        "sha256": sha256(bytes),
    }))
}

fn print(common: &CommonArguments, told: &[serde_json::Value]) -> Result<ExitStatus, CliError> {
    if common.json {
        println!("{}", json(&told)?);
        return Ok(ExitStatus::Done);
    }
    for one in told {
        let text = |name: &str| one.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        let bytes = one.get("bytes").and_then(serde_json::Value::as_u64).unwrap_or_default();
        anstream::println!(
            "{}  {}  {}  sha256 {}",
            text("path"),
            text("kind"),
            indicatif::HumanBytes(bytes),
            text("sha256")
        );
    }
    Ok(ExitStatus::Done)
}
