//! Runs cargo to compile plugins, and converts their core modules to components.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io};

use serde::Deserialize;

use crate::c_compiler::{FLAGS, VARIABLE, wasm_c_compiler};
use crate::{ComponentizeError, StubbedImport, component};

/// The target of plugins: WebAssembly without a system interface.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Plugins cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum PluginBuildError {
    /// Cargo cannot be run.
    #[error("cannot run `{program}`: {source}; install Rust with rustup")]
    Cargo {
        /// The program.
        program: String,
        /// The error.
        source: io::Error,
    },
    /// The compiler has no standard library for the target.
    #[error("the Rust target {TARGET} is not installed; run `rustup target add {TARGET}`")]
    TargetMissing,
    /// Cargo failed for another reason.
    #[error("cannot build `{manifest}`: {errors}")]
    Compile {
        /// The manifest.
        manifest: PathBuf,
        /// The messages of cargo and the compiler, without warnings.
        errors: String,
    },
    /// Cargo wrote a message in an unknown format.
    #[error("cannot parse a message of cargo: {0}")]
    Message(serde_json::Error),
    /// A core module cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// A core module is not a plugin.
    #[error("plugin `{name}`: {source}")]
    Component {
        /// The name of the library.
        name: String,
        /// The error.
        source: ComponentizeError,
    },
    /// The packages contain no plugin.
    #[error("`{0}` has no library with `crate-type = [\"cdylib\"]`; add it to the plugin's Cargo.toml")]
    NothingToBuild(PathBuf),
}

/// A message of cargo with `--message-format=json`, in the parts that matter here.
#[derive(Deserialize)]
#[serde(tag = "reason")]
enum CargoMessage {
    #[serde(rename = "compiler-artifact")]
    Artifact { target: CargoTarget, filenames: Vec<PathBuf> },
    #[serde(rename = "compiler-message")]
    Diagnostic { message: Diagnostic },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct CargoTarget {
    name: String,
    crate_types: Vec<String>,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    rendered: Option<String>,
    code: Option<DiagnosticCode>,
}

#[derive(Deserialize)]
struct DiagnosticCode {
    code: String,
}

/// The plugins to build, and how.
#[derive(Debug, Clone, Copy)]
pub struct PluginBuild<'a> {
    /// The folder with the `Cargo.toml` of a package or workspace.
    pub manifest_dir: &'a Path,
    /// Cargo's target directory. In a build script it must not be the directory of the outer cargo: both would wait for
    /// each other.
    pub target_dir: &'a Path,
    /// The names of the packages; empty for the default packages in `manifest_dir`.
    pub packages: &'a [&'a str],
    /// Cargo's profile.
    pub profile: &'a str,
}

/// A built plugin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuiltPlugin {
    /// The name of its library, such as `tidegate_plugin_mime`.
    pub library: String,
    /// The component.
    pub component: Vec<u8>,
    /// What its core module imported of WASI, and what there is instead.
    pub stubs: Vec<StubbedImport>,
}

/// Builds every `cdylib` of the packages, and returns them sorted by the names of their libraries.
///
/// Flags, wrappers and targets in the environment of an outer cargo have no effect, and components contain no path of the
/// user's cargo or rustup. Cargo uses the network only to download dependencies.
///
/// # Errors
///
/// The toolchain does not have the target, the sources do not compile, or a library is not a plugin.
pub fn build(plugins: PluginBuild<'_>) -> Result<Vec<BuiltPlugin>, PluginBuildError> {
    let manifest = plugins.manifest_dir.join("Cargo.toml");
    let mut command = cargo(plugins);
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|source| PluginBuildError::Cargo { program, source })?;
    let messages = messages(&output.stdout)?;
    if !output.status.success() {
        return Err(failure(manifest, &messages, &String::from_utf8_lossy(&output.stderr)));
    }
    let mut components = Vec::new();
    for message in messages {
        let CargoMessage::Artifact { target, filenames } = message else {
            continue;
        };
        if !target.crate_types.iter().any(|kind| kind == "cdylib") {
            continue;
        }
        for path in filenames.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "wasm")) {
            let module = std::fs::read(&path).map_err(|source| PluginBuildError::Read { path, source })?;
            let component = component(&module)
                .map_err(|source| PluginBuildError::Component { name: target.name.clone(), source })?;
            components.push(BuiltPlugin { library: target.name.clone(), component, stubs: Vec::new() });
        }
    }
    if components.is_empty() {
        return Err(PluginBuildError::NothingToBuild(manifest));
    }
    components.sort();
    Ok(components)
}

fn cargo(plugins: PluginBuild<'_>) -> Command {
    // Cargo sets `CARGO` to its own program, which belongs to the selected toolchain.
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(leaks) {
            command.env_remove(name);
        }
    }
    command
        .current_dir(plugins.manifest_dir)
        .args(["build", "--lib", "--message-format=json", "--quiet", "--target", TARGET, "--profile", plugins.profile])
        .arg("--target-dir")
        .arg(plugins.target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", remapped_paths())
        .stdin(Stdio::null());
    if let Some(compiler) = wasm_c_compiler() {
        command.env(VARIABLE, compiler).env(FLAGS, remapped_c_paths(plugins.target_dir));
    }
    for package in plugins.packages {
        command.args(["--package", package]);
    }
    if plugins.manifest_dir.join("Cargo.lock").is_file() {
        command.arg("--locked");
    }
    command
}

/// The flags that replace the folders of cargo and rustup in the messages of panics, in the form of
/// `CARGO_ENCODED_RUSTFLAGS`.
fn remapped_paths() -> OsString {
    let folders = [("CARGO_HOME", ".cargo", "/cargo"), ("RUSTUP_HOME", ".rustup", "/rustup")];
    let flags = folders.into_iter().filter_map(|(variable, default, replacement)| {
        let folder = env::var_os(variable).map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(default)))?;
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(folder);
        flag.push("=");
        flag.push(replacement);
        Some(flag)
    });
    flags.collect::<Vec<_>>().join(OsStr::new("\u{1f}"))
}

/// The flags of C that replace the target directory in the texts of assertions.
fn remapped_c_paths(target: &Path) -> OsString {
    let given = env::var_os(FLAGS).unwrap_or_default();
    let target = target.canonicalize().unwrap_or_else(|_| target.to_owned());
    // Spaces separate flags.
    if target.to_string_lossy().contains(char::is_whitespace) {
        return given;
    }
    let mut flags = OsString::from("-ffile-prefix-map=");
    flags.push(target);
    flags.push("=/target ");
    flags.push(given);
    flags
}

/// Whether a variable of an outer cargo changes the result of the inner one. Variables with the locations of
/// registries, proxies and caches are kept.
fn leaks(name: &str) -> bool {
    const KEPT: [&str; 5] = ["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_"];
    const OTHERS: [&str; 12] = [
        "RUSTC",
        "RUSTDOC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_LINKER",
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "TARGET",
        "HOST",
        "PROFILE",
        "OUT_DIR",
        "LD_LIBRARY_PATH",
    ];
    let of_cargo =
        name == "CARGO" || name.starts_with("CARGO_") || name.starts_with("DEP_") || name.starts_with("CLIPPY_");
    (of_cargo && !KEPT.iter().any(|kept| name.starts_with(kept))) || OTHERS.contains(&name)
}

fn messages(stdout: &[u8]) -> Result<Vec<CargoMessage>, PluginBuildError> {
    let lines = stdout.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{"));
    lines.map(|line| serde_json::from_slice(line).map_err(PluginBuildError::Message)).collect()
}

fn failure(manifest: PathBuf, messages: &[CargoMessage], stderr: &str) -> PluginBuildError {
    let diagnostics = || {
        messages.iter().filter_map(|message| match message {
            CargoMessage::Diagnostic { message } if message.level == "error" => Some(message),
            _ => None,
        })
    };
    // E0463, `can't find crate`, for `core` or `std`: the standard library of the target is missing.
    let target_missing = diagnostics().any(|error| {
        let text = error.rendered.as_deref().unwrap_or_default();
        error.code.as_ref().is_some_and(|code| code.code == "E0463")
            && (text.contains("`core`") || text.contains("`std`"))
    });
    if target_missing {
        return PluginBuildError::TargetMissing;
    }
    let mut errors: String = diagnostics().filter_map(|error| error.rendered.as_deref()).collect();
    errors.push_str(stderr);
    PluginBuildError::Compile { manifest, errors }
}

#[cfg(test)]
mod tests {
    use super::{PluginBuildError, failure, leaks, messages};
    use std::path::PathBuf;

    #[test]
    fn removes_variables_of_an_outer_cargo_and_keeps_registries() {
        for name in [
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET",
            "CARGO_MANIFEST_DIR",
            "RUSTC_WRAPPER",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_FEATURE_X",
            "TARGET",
            "RUSTC",
        ] {
            assert!(leaks(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "RUSTUP_HOME",
            "RUSTUP_TOOLCHAIN",
            "CARGO_NET_OFFLINE",
            "CARGO_REGISTRIES_X_INDEX",
            "CARGO_HTTP_PROXY",
            "HTTPS_PROXY",
        ] {
            assert!(!leaks(name), "{name}");
        }
    }

    #[test]
    fn recognizes_a_missing_target() {
        let line = br#"{"reason":"compiler-message","package_id":"x","message":{"level":"error","code":{"code":"E0463","explanation":""},"rendered":"error[E0463]: can't find crate for `core`\n"}}"#;
        let error = failure(PathBuf::from("Cargo.toml"), &messages(line).unwrap(), "");
        assert!(matches!(error, PluginBuildError::TargetMissing));
        assert!(error.to_string().contains("rustup target add wasm32-unknown-unknown"));
    }

    #[test]
    fn shows_other_errors_of_the_compiler() {
        let line = br#"{"reason":"compiler-message","message":{"level":"error","code":null,"rendered":"error: no\n"}}"#;
        let error = failure(PathBuf::from("Cargo.toml"), &messages(line).unwrap(), "could not compile");
        assert_eq!(error.to_string(), "cannot build `Cargo.toml`: error: no\ncould not compile");
    }
}
