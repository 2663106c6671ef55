//! The `tidegate` binary and the Lambda's `bootstrap`, as a user installs them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The binary that `TIDEGATE_BINARY` names, which `make test` sets after building it. Otherwise the one beside the
/// tests, which this function builds first, because cargo passes a binary's path only to tests of the same package.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("TIDEGATE_BINARY") {
        Some(built) => PathBuf::from(built),
        None => built("tidegate"),
    })
}

/// The program of the Lambda function, in the same directory as [`binary`].
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
    // Naming the workspace and one test selects the same features as the tests do, so nothing is built twice.
    let arguments =
        ["build", "--quiet", "--workspace", "--bin", "tidegate", "--bin", "bootstrap", "--test", "components"];
    let built = Command::new(cargo).args(arguments).status().unwrap();
    assert!(built.success(), "cargo cannot build the binaries");
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Where the binary keeps compiled plugins during tests, separate from the user's own cache.
#[must_use]
pub fn cache() -> PathBuf {
    binary().parent().unwrap().join("tidegate-tests/cache")
}
