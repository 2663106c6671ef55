//! Runs Netlify's own packages, for differential tests of plugins. `scripts/servers install netlify` installs them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;
use serde_json::Value;

#[path = "../../tests/src/skipped.rs"]
#[expect(unreachable_pub, reason = "it is public in the package of the tests")]
mod skipped;

/// Runs `tests/netlify.mjs` of a plugin with these cases. Returns `None` and reports the test as skipped if the package is
/// not installed.
pub(crate) fn run<T: DeserializeOwned>(package: &str, test: &str, cases: &[Value]) -> Option<T> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = root.join("../../.tools/netlify");
    if !packages.join("node_modules").join(package).exists() {
        skipped::skipped(test, &format!("`{package}` is not installed, run: scripts/servers install netlify"));
        return None;
    }
    let mut command = Command::new("node");
    command.arg(root.join("tests/netlify.mjs")).arg(packages).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(cases).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}
