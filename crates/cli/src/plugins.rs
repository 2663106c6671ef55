//! `tidegate plugin`: building and looking at components.

use std::path::Path;

use tidegate_core::identity::sha256;
use tidegate_host::identify;
use tidegate_plugin_build::{BuiltPlugin, PluginBuild};

use crate::arguments::Common;
use crate::error::{Ending, Trouble};
use crate::publish::json;

/// Builds every plugin of a cargo project.
pub(crate) fn build(common: &Common, directory: &Path, out: &Path) -> Result<Ending, Trouble> {
    let target = directory.join("target");
    let wanted = PluginBuild { manifest_dir: directory, target_dir: &target, packages: &[], profile: "release" };
    let components = tidegate_plugin_build::build(wanted).map_err(|error| Trouble::Usage(error.to_string()))?;
    let mut told = Vec::new();
    for BuiltPlugin { library: name, component: bytes } in components {
        let path = out.join(format!("{name}.wasm"));
        std::fs::write(&path, &bytes)
            .map_err(|error| Trouble::Machine(format!("`{}` cannot be written: {error}", path.display())))?;
        told.push(describe(&path, &name, &bytes)?);
    }
    print(common, &told)
}

/// Tells what a component is.
pub(crate) fn inspect(common: &Common, file: &Path) -> Result<Ending, Trouble> {
    let bytes =
        std::fs::read(file).map_err(|error| Trouble::Usage(format!("`{}` cannot be read: {error}", file.display())))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    print(common, &[describe(file, &name, &bytes)?])
}

/// Lists what is bundled.
pub(crate) fn list(common: &Common) -> Result<Ending, Trouble> {
    let told: Result<Vec<serde_json::Value>, Trouble> = tidegate_bundled_plugins::PLUGINS
        .iter()
        .map(|plugin| describe(Path::new(plugin.name), plugin.name, plugin.bytes))
        .collect();
    print(common, &told?)
}

fn describe(path: &Path, name: &str, bytes: &[u8]) -> Result<serde_json::Value, Trouble> {
    let identified = identify(name, bytes).map_err(|error| Trouble::Usage(error.to_string()))?;
    Ok(serde_json::json!({
        "path": path,
        "plugin": name,
        "kind": identified.kind.as_str(),
        "bytes": bytes.len(),
        "sha256": sha256(bytes),
    }))
}

fn print(common: &Common, told: &[serde_json::Value]) -> Result<Ending, Trouble> {
    if common.json {
        println!("{}", json(&told)?);
        return Ok(Ending::Done);
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
    Ok(Ending::Done)
}
