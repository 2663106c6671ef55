//! The plugin of a command: a component, a project that is built first, or a bundled plugin.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use tidegate_core::config::{PluginReference, PluginUse};
use tidegate_core::text::count;
use tidegate_host::{ConfiguredPlugin, Engine, Limits, Plugin, SettingsError};
use tidegate_plugin_build::BuiltPlugin;
use tidegate_publish::ComponentLoader;

use crate::context::component_loader;
use crate::error::CliError;
use crate::plugin_project;

/// A plugin that was found.
pub(super) struct Subject {
    /// Its name in messages.
    pub(super) name: String,
    /// The component.
    pub(super) bytes: Vec<u8>,
    /// What it comes from.
    pub(super) origin: SubjectOrigin,
}

/// What a plugin comes from.
pub(super) enum SubjectOrigin {
    Bundled,
    File(PathBuf),
    /// The folder of a project.
    Project,
}

/// A plugin, for output as JSON.
#[derive(Serialize)]
pub(super) struct SubjectInfo {
    pub(super) plugin: String,
    pub(super) kind: &'static str,
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

impl Subject {
    /// Finds a plugin; builds a project.
    pub(super) fn find(plugin: &Path) -> Result<Self, CliError> {
        let text = plugin.to_string_lossy();
        if plugin.is_dir() {
            return Self::build(plugin);
        }
        if let Some(bundled) = tidegate_bundled_plugins::find(&text) {
            let (name, bytes) = (bundled.name.to_owned(), bundled.bytes.to_vec());
            return Ok(Self { name, bytes, origin: SubjectOrigin::Bundled });
        }
        if matches!(PluginReference::try_from(text.clone().into_owned()), Ok(PluginReference::Bundled(_)))
            && !plugin.exists()
        {
            let bundled: Vec<&str> = tidegate_bundled_plugins::PLUGINS.iter().map(|plugin| plugin.name).collect();
            return Err(CliError::Usage(format!(
                "no bundled plugin and no file `{text}`; bundled are {}",
                bundled.join(", ")
            )));
        }
        let bytes = if plugin.extension().is_some_and(|extension| extension == "js") {
            plugin_project::script(plugin)?
        } else {
            std::fs::read(plugin).map_err(CliError::read("component", plugin))?
        };
        let name = plugin.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { name, bytes, origin: SubjectOrigin::File(plugin.to_owned()) })
    }

    fn build(project: &Path) -> Result<Self, CliError> {
        let built = plugin_project::components(project)?;
        let names: Vec<String> = built.iter().map(|plugin| format!("`{}`", plugin.library)).collect();
        match <[BuiltPlugin; 1]>::try_from(built) {
            Ok([BuiltPlugin { library, component, .. }]) => {
                Ok(Self { name: format!("{library}.wasm"), bytes: component, origin: SubjectOrigin::Project })
            }
            Err(_) => Err(CliError::Usage(format!(
                "`{}` has {}, {}; name the folder of one",
                project.display(),
                count(names.len(), "plugin"),
                names.join(" and ")
            ))),
        }
    }

    /// Compiles it, or takes its code from the cache.
    pub(super) fn load(&self) -> Result<Plugin, CliError> {
        self.load_with(&component_loader(Path::new(""))?)
    }

    /// Compiles it for runs with other sizes of batches.
    pub(super) fn load_with_batch(&self, batch: usize) -> Result<Plugin, CliError> {
        let loader = component_loader(Path::new(""))?;
        let limits = Limits { batch, ..Limits::default() };
        let engine = Engine::with_limits(&limits).map_err(CliError::system)?;
        let engine = match loader.engine.compiler() {
            Some(compiler) => engine.with_compiler(compiler.clone()),
            None => engine,
        };
        self.load_with(&ComponentLoader { engine, ..loader })
    }

    pub(super) fn load_with(&self, loader: &ComponentLoader) -> Result<Plugin, CliError> {
        let ComponentLoader { engine, cache, .. } = loader;
        let load = || Plugin::load(engine, cache.as_ref(), &self.name, &self.bytes);
        tokio::task::block_in_place(load).map_err(CliError::usage)
    }

    /// Whether a site's configuration means this plugin. Paths are relative to `directory`.
    pub(super) fn is_use(&self, used: &PluginUse, directory: &Path) -> bool {
        match (&self.origin, &used.plugin) {
            (SubjectOrigin::Bundled, PluginReference::Bundled(name)) => *name == self.name,
            (SubjectOrigin::File(path), PluginReference::File(used) | PluginReference::Script(used)) => {
                let (path, used) = (path.canonicalize(), directory.join(used).canonicalize());
                path.is_ok_and(|path| used.is_ok_and(|used| path == used))
            }
            // A configuration has the path of what a project builds.
            (SubjectOrigin::Project, PluginReference::File(used)) => {
                Path::new(used).file_name().is_some_and(|file| *file == *self.name)
            }
            _ => false,
        }
    }

    pub(super) fn info(&self, plugin: &Plugin) -> SubjectInfo {
        SubjectInfo {
            plugin: self.name.clone(),
            kind: plugin.kind().as_str(),
            sha256: plugin.sha256().to_string(),
            bytes: self.bytes.len() as u64,
        }
    }
}

/// Has a plugin validate settings.
pub(super) fn configure(plugin: &Plugin, settings: &Value) -> Result<ConfiguredPlugin, CliError> {
    tokio::task::block_in_place(|| plugin.validate(settings)).map_err(|error| match error {
        SettingsError::Failed(failure) => CliError::Plugin(failure),
        error => CliError::usage(error),
    })
}

/// Parses the option `--settings`: JSON, or `@` and the name of a file with JSON.
pub(super) fn settings(text: &str) -> Result<Value, CliError> {
    let (json, of) = match text.strip_prefix('@') {
        Some(file) => {
            let path = Path::new(file);
            (std::fs::read_to_string(path).map_err(CliError::read("settings", path))?, format!("`{file}`"))
        }
        None => (text.to_owned(), "`--settings`".to_owned()),
    };
    serde_json::from_str(&json).map_err(|error| CliError::Usage(format!("{of} is not JSON: {error}")))
}
