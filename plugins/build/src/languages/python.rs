//! Python, with componentize-py: it links WASI stubs instead of composing them.

use std::path::Path;
use std::process::Command;

use super::ProjectKind;
use super::contract::CONTRACT;
use super::project::LanguageError;
use super::tool::run;

/// Builds `plugin.py` of a project.
pub(super) fn build(directory: &Path, kind: ProjectKind, work: &Path) -> Result<Vec<u8>, LanguageError> {
    let wit = work.join("wit");
    std::fs::create_dir_all(&wit).map_err(LanguageError::write(&wit))?;
    let contract = wit.join("plugin.wit");
    std::fs::write(&contract, CONTRACT).map_err(LanguageError::write(&contract))?;
    let component = work.join("plugin.wasm");
    let mut command = Command::new("componentize-py");
    command.arg("--wit-path").arg(&wit).args(["--world", kind.world(), "componentize", "--stub-wasi", "plugin", "-o"]);
    command.arg(&component).arg("-p").arg(directory);
    run(&mut command, "run `pip install componentize-py==0.25.1`")?;
    std::fs::read(&component).map_err(LanguageError::read(&component))
}
