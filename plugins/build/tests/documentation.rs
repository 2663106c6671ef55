//! The plugin of `docs/plugins/writing-a-plugin.md` is the crate in `examples/plugin-no-drafts`, and it works.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidegate_plugin_build::PluginBuild;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn example(file: &str) -> String {
    fs::read_to_string(root().join("examples/plugin-no-drafts").join(file)).unwrap()
}

/// The text of the first fenced block in a language.
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_documented_plugin_is_the_example() {
    let page = fs::read_to_string(root().join("docs/plugins/writing-a-plugin.md")).unwrap();
    assert_eq!(block(&page, "rust"), example("src/lib.rs"));
    // The example depends on the SDK in this repository, and its comment has the dependency of the page.
    let manifest = example("Cargo.toml");
    let (manifest, _) = manifest.split_once("\n# Only needed here").unwrap();
    let manifest = manifest
        .replace("# Elsewhere, write: ", "")
        .replace("tidegate-plugin = { path = \"../../plugins/sdk\" }\n", "");
    assert_eq!(block(&page, "toml"), manifest);
}

#[test]
fn the_documented_plugin_builds_and_passes_its_tests() {
    // A copy, so that neither a lock file nor a target directory appears in the example.
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-drafts");
    fs::create_dir_all(package.join("src")).unwrap();
    let sdk = root().join("plugins/sdk").canonicalize().unwrap();
    let manifest = example("Cargo.toml").replace("\"../../plugins/sdk\"", &format!("{sdk:?}"));
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    fs::write(package.join("src/lib.rs"), example("src/lib.rs")).unwrap();
    // The versions of the bundled plugins, so that cargo downloads nothing.
    fs::copy(root().join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    let cargo = |arguments: &[&str]| {
        let status = Command::new(env!("CARGO")).args(arguments).current_dir(&package).status().unwrap();
        assert!(status.success(), "cargo {arguments:?}");
    };
    // Adds this package to the lock file, and keeps the others.
    cargo(&["update", "--workspace", "--quiet"]);

    let target = package.join("target");
    let plugins = PluginBuild { manifest_dir: &package, target_dir: &target, packages: &[], profile: "release" };
    let built = tidegate_plugin_build::build(plugins).unwrap();
    let names: Vec<_> = built.iter().map(|plugin| plugin.library.as_str()).collect();
    assert_eq!(names, ["no_drafts"]);
    let magic = built.first().and_then(|plugin| plugin.component.get(..8));
    assert_eq!(magic, Some(b"\0asm\x0d\0\x01\0".as_slice()), "a component, not a core module");

    cargo(&["test", "--quiet", "--target-dir", &target.to_string_lossy()]);
}
