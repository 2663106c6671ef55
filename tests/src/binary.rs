//! The `tidegate` binary, and the function's program, as they would be installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The binary that `TIDEGATE_BINARY` names, as `make test` does once it has built it; else the one beside the tests, which
/// cargo builds if it is not there or out of date: it hands a binary only to the tests of its own package.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("TIDEGATE_BINARY") {
        Some(built) => PathBuf::from(built),
        None => built("tidegate"),
    })
}

/// The function's program, which is beside the binary.
#[must_use]
pub fn bootstrap() -> &'static Path {
    static BOOTSTRAP: OnceLock<PathBuf> = OnceLock::new();
    BOOTSTRAP.get_or_init(|| match std::env::var_os("TIDEGATE_BINARY") {
        Some(binary) => Path::new(&binary).with_file_name("bootstrap"),
        None => built("bootstrap"),
    })
}

fn built(name: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // The whole workspace and one test, so that features are those of the tests and nothing is built twice.
    let arguments =
        ["build", "--quiet", "--workspace", "--bin", "tidegate", "--bin", "bootstrap", "--test", "components"];
    let built = Command::new(cargo).args(arguments).status().unwrap();
    assert!(built.success(), "the binaries could not be built");
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Where the binary keeps compiled plugins, away from those of the person who runs the tests.
#[must_use]
pub fn cache() -> PathBuf {
    binary().parent().unwrap().join("tidegate-tests/cache")
}
