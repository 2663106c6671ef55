//! The `tidegate` binary, as it would be installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The binary that `TIDEGATE_BINARY` names, as `make test` does once it has built it; else the one beside the tests, which
/// cargo builds if it is not there or out of date: it hands a binary only to the tests of its own package.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(built) = std::env::var_os("TIDEGATE_BINARY") {
            return PathBuf::from(built);
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // The whole workspace, so that its features are those of the tests and nothing is built twice.
        let arguments = ["build", "--quiet", "--workspace", "--bin", "tidegate"];
        let built = Command::new(cargo).args(arguments).status().unwrap();
        assert!(built.success(), "the binary could not be built");
        let test = std::env::current_exe().unwrap();
        test.ancestors().nth(2).unwrap().join(format!("tidegate{}", std::env::consts::EXE_SUFFIX))
    })
}

/// Where the binary keeps compiled plugins, away from those of the person who runs the tests.
#[must_use]
pub fn cache() -> PathBuf {
    binary().parent().unwrap().join("tidegate-tests/cache")
}
