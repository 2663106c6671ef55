//! The plugin of `docs/plugins/writing-a-plugin.md`, as its reader would type it, becomes a component.

#![expect(clippy::unwrap_used, reason = "the helper of a test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use tidegate_plugin_build::PluginBuild;

/// The text of the first fenced block in that language.
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let (_, behind) = page.split_once(&format!("```{language}\n")).unwrap();
    behind.split_once("\n```").unwrap().0
}

#[test]
fn the_documented_plugin_builds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/plugins/writing-a-plugin.md")).unwrap();
    let sdk = root.join("plugins/sdk").canonicalize().unwrap();
    let published = r#"tidegate-plugin = { git = "https://github.com/tidegate/tidegate" }"#;
    let manifest = block(&page, "toml");
    assert!(manifest.contains(published));
    // The working tree's SDK instead of the published one; a workspace of its own, since this folder is in another.
    let manifest = manifest.replace(published, &format!("tidegate-plugin = {{ path = {sdk:?} }}")) + "\n[workspace]\n";

    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-drafts");
    fs::create_dir_all(package.join("src")).unwrap();
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    fs::write(package.join("src/lib.rs"), block(&page, "rust")).unwrap();
    // The versions that the bundled plugins are built with, so that nothing else is downloaded.
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    // The lock file's packages stay as they are; this one is added.
    let added =
        Command::new(env!("CARGO")).args(["update", "--workspace", "--quiet"]).current_dir(&package).status().unwrap();
    assert!(added.success());

    let target = package.join("target");
    let wanted = PluginBuild { manifest_dir: &package, target_dir: &target, packages: &[], profile: "release" };
    let components = tidegate_plugin_build::build(wanted).unwrap();
    let names: Vec<_> = components.iter().map(|plugin| plugin.library.as_str()).collect();
    assert_eq!(names, ["no_drafts"]);
    assert_eq!(
        components[0].component.get(..8),
        Some(b"\0asm\x0d\0\x01\0".as_slice()),
        "a component, not a core module"
    );
}
