//! C, with clang and bindings that are generated from the contract.

use std::path::Path;
use std::process::Command;

use wit_bindgen_c::Opts;

use super::project::LanguageError;
use super::tool::run;
use super::{ProjectKind, contract};
use crate::c_compiler::wasm_c_compiler;

/// The part of the C library that the bindings use.
const LIBRARY: [(&str, &str); 4] = [
    ("libc.c", include_str!("../templates/c/libc.c")),
    ("libc.h", include_str!("../templates/c/include/libc.h")),
    ("stdlib.h", include_str!("../templates/c/include/stdlib.h")),
    ("string.h", include_str!("../templates/c/include/string.h")),
];

/// The bindings of a world: a header, a source file, and an object with the type of the component.
pub(super) fn bindings(kind: ProjectKind) -> Result<Vec<(String, Vec<u8>)>, LanguageError> {
    contract::bindings(Opts::default().build(), kind)
}

/// Builds every `.c` file of a project.
pub(super) fn build(directory: &Path, kind: ProjectKind, work: &Path) -> Result<Vec<u8>, LanguageError> {
    let generated = work.join("bindings");
    std::fs::create_dir_all(&generated).map_err(LanguageError::write(&generated))?;
    let library = LIBRARY.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    let mut inputs = Vec::new();
    for (name, content) in bindings(kind)?.into_iter().chain(library) {
        let path = generated.join(&name);
        std::fs::write(&path, content).map_err(LanguageError::write(&path))?;
        if name.ends_with(".c") || name.ends_with(".o") {
            inputs.push(path);
        }
    }
    for entry in std::fs::read_dir(directory).map_err(LanguageError::read(directory))? {
        let path = entry.map_err(LanguageError::read(directory))?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            inputs.push(path);
        }
    }
    inputs.sort();
    let module = work.join("plugin.core.wasm");
    let compiler = wasm_c_compiler().ok_or(LanguageError::NoClang)?;
    let mut command = Command::new(compiler);
    command
        .args(["--target=wasm32-unknown-unknown", "-Os", "-ffreestanding", "-mbulk-memory", "-nostdlib", "-std=c17"])
        .args(["-Wall", "-Wextra", "-Wno-unused-parameter", "-Wl,--no-entry", "-Wl,--strip-all", "-I"])
        .arg(&generated)
        .arg("-I")
        .arg(directory)
        .args(inputs)
        .arg("-o")
        .arg(&module);
    run(&mut command, "run `apt install clang lld`")?;
    let bytes = std::fs::read(&module).map_err(LanguageError::read(&module))?;
    contract::component(&bytes)
}
