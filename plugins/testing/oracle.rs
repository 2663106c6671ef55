//! Runs the programs of hosts of static sites, for differential tests of plugins. `scripts/servers install NAME` installs
//! them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;
use serde_json::Value;

#[path = "../../tests/src/skipped.rs"]
#[expect(unreachable_pub, reason = "it is public in the package of the tests")]
mod skipped;

/// Runs a script below `plugins/` with these cases, and with the directory of the packages of `host`. Returns `None` and
/// reports the test as skipped if they are not installed.
pub(crate) fn run<T: DeserializeOwned>(host: &str, script: &str, test: &str, cases: &[Value]) -> Option<T> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let packages = plugins.join("../.tools").join(host);
    if !packages.is_dir() {
        skipped::skipped(
            test,
            &format!("the packages of {host} are not installed, run: scripts/servers install {host}"),
        );
        return None;
    }
    let mut command = Command::new("node");
    command.arg(plugins.join(script)).arg(packages).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(cases).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}
