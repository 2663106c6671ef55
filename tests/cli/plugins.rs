//! The plugin of `docs/plugins/writing-a-plugin.md` from its source to a site: `cargo test`, `tidegate plugin build`,
//! `tidegate check` and a plan.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tidegate_tests::binary::{binary, cache};

/// Copies the example, so that neither a lock file nor a target directory appears in the repository.
fn copy_example() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let read = |file: &str| fs::read_to_string(root.join("examples/plugin-no-drafts").join(file)).unwrap();
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-drafts");
    fs::create_dir_all(package.join("src")).unwrap();
    let sdk = root.join("plugins/sdk");
    fs::write(package.join("Cargo.toml"), read("Cargo.toml").replace("\"../../plugins/sdk\"", &format!("{sdk:?}")))
        .unwrap();
    fs::write(package.join("src/lib.rs"), read("src/lib.rs")).unwrap();
    // The versions of the bundled plugins, so that cargo downloads nothing.
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    // Adds this package to the lock file, and keeps the others.
    cargo(&package, &["update", "--workspace", "--quiet"]);
    package
}

fn cargo(package: &Path, arguments: &[&str]) {
    let status = Command::new(env!("CARGO")).args(arguments).current_dir(package).status().unwrap();
    assert!(status.success(), "cargo {arguments:?}");
}

/// Runs `tidegate --json`, and returns what it prints.
fn tidegate(directory: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(binary());
    command.current_dir(directory).env("XDG_CACHE_HOME", cache());
    let output = command.args(["--local", "aws", "--json"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_documented_plugin_builds_and_transforms_a_site() {
    let package = copy_example();
    cargo(&package, &["test", "--quiet", "--target-dir", "target"]);

    let project = TempDir::new().unwrap();
    let directory = project.path();
    let built = tidegate(directory, &["plugin", "build", &package.to_string_lossy(), "--out", "plugins"]);
    assert_eq!((&built[0]["path"], &built[0]["kind"]), (&"plugins/no_drafts.wasm".into(), &"sync".into()));
    let digest = built[0]["sha256"].as_str().unwrap();

    let configuration = format!(
        r#"
        [[site]]
        name   = "docs"
        staged = "site"
        target = "s3://docs-site/"

        [[site.sync]]
        plugin   = "plugins/no_drafts.wasm"
        sha256   = "{digest}"
        settings = {{ marker = "<!-- draft -->" }}
        "#
    );
    fs::write(directory.join("tidegate.toml"), configuration).unwrap();
    fs::create_dir(directory.join("site")).unwrap();
    fs::write(directory.join("site/index.html"), "<p>done").unwrap();
    fs::write(directory.join("site/next.html"), "<!-- draft --><p>later").unwrap();
    assert_eq!(tidegate(directory, &["check"])["sites"][0]["ok"], true);
    let planned = tidegate(directory, &["plan", "docs"]);
    let operations = planned["plan"]["operations"].as_array().unwrap().iter();
    let keys: Vec<_> = operations.map(|operation| operation["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["index.html", "robots.txt"]);
}
