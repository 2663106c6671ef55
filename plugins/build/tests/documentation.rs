//! The plugin of `docs/plugins/writing-a-plugin.md` is the crate in `examples/plugin-no-drafts`, and what
//! `tidegate plugin new` creates. `tests/cli/plugins.rs` builds and runs it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

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
fn the_documented_plugin_is_what_a_new_project_has() {
    let template = |file: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/templates/rust").join(file);
        fs::read_to_string(path).unwrap().replace("{{name}}", "no-drafts")
    };
    let page = fs::read_to_string(root().join("docs/plugins/writing-a-plugin.md")).unwrap();
    assert_eq!(block(&page, "rust"), template("sync.rs"));
    assert_eq!(block(&page, "toml"), template("Cargo.toml.txt"));
}
