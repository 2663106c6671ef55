//! Cargo compiles plugins to core modules, and each becomes a component.
//!
//! Owns how cargo is called: with what target, in what environment, and what its failures mean. Never decides where
//! components go.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io};

use serde::Deserialize;

use crate::{ComponentizeError, component};

/// The one target of plugins: WebAssembly without any system interface.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Why plugins could not be built.
#[derive(Debug, thiserror::Error)]
pub enum PluginBuildError {
    /// Cargo is not there.
    #[error("cannot run `{program}`; install Rust with rustup: {source}")]
    Cargo {
        /// What was called.
        program: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The compiler has no standard library for the target.
    #[error("the Rust compiler lacks the target {TARGET}; run `rustup target add {TARGET}`")]
    TargetMissing,
    /// Cargo failed for another reason.
    #[error("cargo could not build `{manifest}`: {errors}")]
    Compile {
        /// The manifest.
        manifest: PathBuf,
        /// What cargo and the compiler said, without warnings.
        errors: String,
    },
    /// Cargo's answer has another form than it has had since 2018.
    #[error("cargo answered what is not a message: {0}")]
    Message(serde_json::Error),
    /// A core module cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A core module is no plugin.
    #[error("plugin `{name}`: {source}")]
    Component {
        /// Name of the library.
        name: String,
        /// Why.
        source: ComponentizeError,
    },
    /// Nothing in the workspace is a plugin.
    #[error("`{0}` has no library with `crate-type = [\"cdylib\"]`; add it to the plugin's Cargo.toml")]
    NothingToBuild(PathBuf),
}

/// One line of what cargo says with `--message-format=json`, as far as it matters here.
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

/// Which plugins to build, and how.
#[derive(Debug, Clone, Copy)]
pub struct PluginBuild<'a> {
    /// The folder of a package's or workspace's `Cargo.toml`.
    pub manifest_dir: &'a Path,
    /// Cargo's target directory. It must not be the one of a cargo that waits for this build, as in a build script: both
    /// would wait for each other.
    pub target_dir: &'a Path,
    /// The packages, by name; empty for those that cargo builds in `manifest_dir` by default.
    pub packages: &'a [&'a str],
    /// Cargo's profile.
    pub profile: &'a str,
}

/// A plugin that was built.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuiltPlugin {
    /// The name of its library, such as `tidegate_plugin_mime`.
    pub library: String,
    /// The component.
    pub component: Vec<u8>,
}

/// Builds every `cdylib` of the packages, and returns them in the alphabetical order of their libraries.
///
/// The environment of an outer cargo (its flags, its wrappers, its target) is not passed on. Cargo uses the network only
/// for dependencies that it does not have yet.
///
/// # Errors
///
/// A toolchain without the target, sources that do not compile, and libraries that are not plugins.
pub fn build(wanted: PluginBuild<'_>) -> Result<Vec<BuiltPlugin>, PluginBuildError> {
    let manifest = wanted.manifest_dir.join("Cargo.toml");
    let mut command = cargo(wanted);
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
            components.push(BuiltPlugin { library: target.name.clone(), component });
        }
    }
    if components.is_empty() {
        return Err(PluginBuildError::NothingToBuild(manifest));
    }
    components.sort();
    Ok(components)
}

fn cargo(wanted: PluginBuild<'_>) -> Command {
    // Inside of cargo, `CARGO` is the very program that runs, with the toolchain that was chosen for it.
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(leaks) {
            command.env_remove(name);
        }
    }
    command
        .current_dir(wanted.manifest_dir)
        .args(["build", "--lib", "--message-format=json", "--quiet", "--target", TARGET, "--profile", wanted.profile])
        .arg("--target-dir")
        .arg(wanted.target_dir)
        .stdin(Stdio::null());
    for package in wanted.packages {
        command.args(["--package", package]);
    }
    if wanted.manifest_dir.join("Cargo.lock").is_file() {
        command.arg("--locked");
    }
    command
}

/// Whether a variable of an outer cargo would change what the inner one builds. What says where registries, proxies and
/// caches are stays.
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
    // E0463, `can't find crate`, for `core` or `std`: the compiler is there, the target's library is not.
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
    fn an_outer_cargo_leaks_nothing_and_registries_stay() {
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
    fn a_compiler_without_the_target_is_recognized_and_the_remedy_named() {
        let line = br#"{"reason":"compiler-message","package_id":"x","message":{"level":"error","code":{"code":"E0463","explanation":""},"rendered":"error[E0463]: can't find crate for `core`\n"}}"#;
        let error = failure(PathBuf::from("Cargo.toml"), &messages(line).unwrap(), "");
        assert!(matches!(error, PluginBuildError::TargetMissing));
        assert!(error.to_string().contains("rustup target add wasm32-unknown-unknown"));
    }

    #[test]
    fn other_errors_are_shown_as_the_compiler_says_them() {
        let line = br#"{"reason":"compiler-message","message":{"level":"error","code":null,"rendered":"error: no\n"}}"#;
        let error = failure(PathBuf::from("Cargo.toml"), &messages(line).unwrap(), "could not compile");
        assert_eq!(error.to_string(), "cargo could not build `Cargo.toml`: error: no\ncould not compile");
    }
}
