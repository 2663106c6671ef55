//! Which language a project has, and building it.

use std::io;
use std::path::{Path, PathBuf};

use super::tool::ToolError;
use super::{Language, ProjectKind, c, go, python, typescript};
use crate::{BuiltPlugin, EmbedError, PluginBuild, PluginBuildError, build, embed_file};

/// A project cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum LanguageError {
    /// The folder has no source of a known language.
    #[error(
        "`{0}` has no plugin: no `Cargo.toml`, `plugin.js`, `plugin.ts`, `plugin.py`, `plugin.c` or `go.mod`; create one with `tidegate plugin new`"
    )]
    NoProject(PathBuf),
    /// The folder does not say which kind of plugin it is.
    #[error(
        "`{0}` does not say whether it is a sync or a policy plugin; write `sync` or `policy` into `{0}/plugin-kind`"
    )]
    Kind(PathBuf),
    /// A file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write `{path}`: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// The source is not UTF-8.
    #[error("`{0}` is not UTF-8; save it as UTF-8")]
    Text(PathBuf),
    /// A tool failed.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// Cargo failed.
    #[error(transparent)]
    Cargo(#[from] PluginBuildError),
    /// The code does not fit into the engine.
    #[error("cannot load the script `{path}`: {source}")]
    Embed {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: EmbedError,
    },
    /// The program was built without the engine of scripts.
    #[error(
        "this build of Tidegate has no engine for scripts, because there was no clang for WebAssembly; use a released binary, \
         or install clang and build again"
    )]
    NoEngine,
    /// The name of a new project is invalid.
    #[error(
        "`{0}` cannot be the name of a plugin; use lower-case letters, digits and hyphens, and start with a letter"
    )]
    Name(String),
    /// There is no clang for WebAssembly.
    #[error(
        "cannot build C: there is no clang for WebAssembly; run `apt install clang lld`, or set CC_wasm32_unknown_unknown"
    )]
    NoClang,
    /// The source map of a bundle cannot be read.
    #[error("cannot read the source map of esbuild: {0}; use the version of the project's package.json")]
    SourceMap(String),
    /// Bindings or the component cannot be made.
    #[error("cannot make the component: {0}")]
    Bindings(String),
}

impl LanguageError {
    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }

    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }
}

/// The name of the file that says which kind a project is.
pub(super) const KIND_FILE: &str = "plugin-kind";

fn language(directory: &Path) -> Result<Language, LanguageError> {
    let files = [
        ("Cargo.toml", Language::Rust),
        ("plugin.ts", Language::TypeScript),
        ("plugin.js", Language::JavaScript),
        ("plugin.py", Language::Python),
        ("plugin.c", Language::C),
        ("go.mod", Language::Go),
    ];
    let found = files.into_iter().find(|(file, _)| directory.join(file).is_file());
    found.map(|(_, language)| language).ok_or_else(|| LanguageError::NoProject(directory.to_owned()))
}

fn kind(directory: &Path) -> Result<ProjectKind, LanguageError> {
    let text = std::fs::read_to_string(directory.join(KIND_FILE)).unwrap_or_default();
    match text.trim() {
        "sync" => Ok(ProjectKind::Sync),
        "policy" => Ok(ProjectKind::Policy),
        _ => Err(LanguageError::Kind(directory.to_owned())),
    }
}

/// Builds the plugins of a project: one, or in Rust every `cdylib`. `engine` is the bundled component of scripts for a
/// kind.
///
/// # Errors
/// [`LanguageError`].
pub fn build_project(
    directory: &Path,
    engine: impl FnOnce(ProjectKind) -> Option<&'static [u8]>,
) -> Result<Vec<BuiltPlugin>, LanguageError> {
    let language = language(directory)?;
    let mut stubs = Vec::new();
    let component = match language {
        Language::Rust => {
            let target = directory.join("target");
            let project =
                PluginBuild { manifest_dir: directory, target_dir: &target, packages: &[], profile: "release" };
            return Ok(build(project)?);
        }
        Language::JavaScript => embed(&directory.join("plugin.js"), kind(directory)?, engine)?,
        Language::TypeScript => {
            let code = typescript::bundle(directory, &work_directory(directory, language)?)?;
            put_into(engine(kind(directory)?), &directory.join("plugin.ts"), code.into_bytes())?
        }
        Language::Python => python::build(directory, kind(directory)?, &work_directory(directory, language)?)?,
        Language::C => c::build(directory, kind(directory)?, &work_directory(directory, language)?)?,
        Language::Go => {
            let built = go::build(directory, kind(directory)?, &work_directory(directory, language)?)?;
            stubs = built.1;
            built.0
        }
    };
    let path = directory.canonicalize().map_err(LanguageError::read(directory))?;
    let library = path.file_name().map_or_else(|| "plugin".to_owned(), |name| name.to_string_lossy().into_owned());
    Ok(vec![BuiltPlugin { library, component, stubs }])
}

/// The folder for what a build writes before the component.
fn work_directory(directory: &Path, language: Language) -> Result<PathBuf, LanguageError> {
    let work = directory.join("target").join(language.as_str());
    std::fs::create_dir_all(&work).map_err(LanguageError::write(&work))?;
    Ok(work)
}

/// The component of a script in a file. It is a policy if `plugin-kind` beside it says so.
///
/// # Errors
/// [`LanguageError`].
pub fn build_script(
    path: &Path,
    engine: impl FnOnce(ProjectKind) -> Option<&'static [u8]>,
) -> Result<Vec<u8>, LanguageError> {
    let kind = path.parent().and_then(|directory| kind(directory).ok()).unwrap_or(ProjectKind::Sync);
    embed(path, kind, engine)
}

fn embed(
    path: &Path,
    kind: ProjectKind,
    engine: impl FnOnce(ProjectKind) -> Option<&'static [u8]>,
) -> Result<Vec<u8>, LanguageError> {
    let code = std::fs::read(path).map_err(LanguageError::read(path))?;
    put_into(engine(kind), path, code)
}

fn put_into(engine: Option<&[u8]>, path: &Path, code: Vec<u8>) -> Result<Vec<u8>, LanguageError> {
    let engine = engine.ok_or(LanguageError::NoEngine)?;
    embed_file(engine, path, code).map_err(|source| LanguageError::Embed { path: path.to_owned(), source })
}
