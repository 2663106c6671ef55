//! `tidegate plugin new` and `tidegate plugin build`: projects of plugins.

use std::path::{Path, PathBuf};

use tidegate_host::PluginKind;
use tidegate_plugin_build::{BuiltPlugin, Language, ProjectKind, build_project, build_script, new_project};
use tidegate_publish::plugins::{SCRIPT, bundled_name};

use crate::error::CliError;

/// Creates the folder of a new project. Returns its files.
pub(crate) fn create(
    name: &str,
    language: Language,
    kind: ProjectKind,
    parent: &Path,
) -> Result<Vec<PathBuf>, CliError> {
    let files = new_project(name, language, kind).map_err(CliError::usage)?;
    let directory = parent.join(name);
    if directory.exists() {
        return Err(CliError::Usage(format!("`{}` exists; choose another name, or remove it", directory.display())));
    }
    let write = |file: tidegate_plugin_build::ProjectFile| {
        let path = directory.join(&file.path);
        let folder = path.parent().unwrap_or(&directory);
        std::fs::create_dir_all(folder).map_err(CliError::write("directory", folder))?;
        std::fs::write(&path, &file.content).map_err(CliError::write("file", &path))?;
        Ok(path)
    };
    files.into_iter().map(write).collect()
}

/// The bundled engine of scripts.
fn engine(kind: ProjectKind) -> Option<&'static [u8]> {
    let kind = match kind {
        ProjectKind::Sync => PluginKind::Sync,
        ProjectKind::Policy => PluginKind::Policy,
    };
    tidegate_bundled_plugins::find(bundled_name(SCRIPT, kind)).map(|plugin| plugin.bytes)
}

/// Builds the plugins of a project.
pub(crate) fn components(directory: &Path) -> Result<Vec<BuiltPlugin>, CliError> {
    build_project(directory, engine).map_err(CliError::usage)
}

/// The component of a script in a file. It is a policy if the project beside it is one.
pub(crate) fn script(path: &Path) -> Result<Vec<u8>, CliError> {
    build_script(path, engine).map_err(CliError::usage)
}

/// Builds the plugins of a project into a folder. Returns them with their files.
pub(crate) fn build(directory: &Path, out: &Path) -> Result<Vec<(PathBuf, BuiltPlugin)>, CliError> {
    let plugins = components(directory)?;
    std::fs::create_dir_all(out).map_err(CliError::write("directory", out))?;
    let write = |plugin: BuiltPlugin| {
        let path = out.join(format!("{}.wasm", plugin.library));
        std::fs::write(&path, &plugin.component).map_err(CliError::write("component", &path))?;
        Ok((path, plugin))
    };
    plugins.into_iter().map(write).collect()
}
