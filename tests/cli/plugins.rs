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
    develop(directory, &package);
}

/// `docs/plugins/developing.md`: runs a project, records it, breaks the plugin, and sees why it fails.
fn develop(directory: &Path, package: &Path) {
    let project = package.to_string_lossy();
    let settings = r#"{"marker":"<!-- draft -->"}"#;
    let input = ["--from", "site", "--settings", settings];
    let ran = tidegate(directory, &[&["plugin", "run", &project], input.as_slice()].concat());
    let changes: Vec<(&str, &str)> = ran["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (change["key"].as_str().unwrap(), change["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(changes, [("next.html", "excluded"), ("robots.txt", "added")]);
    assert_eq!(
        (&ran["changes"][0]["rule"], &ran["changes"][0]["reason"]),
        (&"/marker".into(), &"marked as a draft".into())
    );
    // With `--site`, a component has the settings of the site.
    let configured = tidegate(directory, &["plugin", "run", "plugins/no_drafts.wasm", "--site", "docs"]);
    assert_eq!((&configured["changes"], &configured["settings"]), (&ran["changes"], &ran["settings"]));
    let record = [&["plugin", "record", &project], input.as_slice(), &["--out", "run.jsonl"]].concat();
    tidegate(directory, &record);
    for batch in ["1", "2", "1000"] {
        let replay =
            tidegate(directory, &["plugin", "replay", "plugins/no_drafts.wasm", "run.jsonl", "--batch", batch]);
        assert_eq!(replay["equal"], true, "{replay}");
    }

    // Names of functions, another decision, and a panic.
    let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap();
    fs::write(package.join("Cargo.toml"), manifest.replace("strip = true", "strip = \"debuginfo\"")).unwrap();
    let source = fs::read_to_string(package.join("src/lib.rs")).unwrap();
    let broken = source.replace(
        "        self.has_robots |=",
        "        tidegate_plugin::log::info(format!(\"{} entries\", batch.len()));\n        \
         assert!(!batch.iter().any(|entry| entry.key == \"panic.html\"), \"panic on purpose\");\n        \
         self.has_robots |=",
    );
    assert_ne!(broken, source);
    let broken = broken.replace("\"marked as a draft\"", "\"it is a draft\"");
    fs::write(package.join("src/lib.rs"), broken).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.current_dir(directory).env("XDG_CACHE_HOME", cache()).env("NO_COLOR", "1");
        let output = command.args(arguments).output().unwrap();
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        (output.status.code().unwrap(), stdout + &stderr)
    };
    let (code, text) = run(&["plugin", "replay", &project, "run.jsonl"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("- {\"decision\":{\"key\":\"next.html\"") && text.contains("marked as a draft"), "{text}");
    assert!(text.contains("+ {\"decision\":{\"key\":\"next.html\"") && text.contains("it is a draft"), "{text}");
    fs::write(directory.join("site/panic.html"), "x").unwrap();
    let (code, text) = run(&["plugin", "run", &project, "--from", "site"]);
    assert_eq!(code, 1, "{text}");
    let position = |part: &str| text.find(part).unwrap_or_else(|| panic!("no `{part}` in {text}"));
    assert!(position("failed in `sync.decide`") < position("at <no_drafts::NoDrafts as"), "{text}");
    assert!(position("log: info: 3 entries") < position("log: error: panicked at src/lib.rs:"), "{text}");
    position("panic on purpose");
    // The same in a plan, as text and as JSON.
    let built = tidegate(directory, &["plugin", "build", &project, "--out", "plugins"]);
    let configuration = fs::read_to_string(directory.join("tidegate.toml")).unwrap();
    let lines = configuration.lines().map(|line| match line.trim_start().starts_with("sha256") {
        true => format!("sha256 = {}", built[0]["sha256"]),
        false => line.to_owned(),
    });
    fs::write(directory.join("tidegate.toml"), lines.collect::<Vec<_>>().join("\n")).unwrap();
    let (code, text) = run(&["--local", "aws", "plan", "docs"]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("  at <no_drafts::NoDrafts as") && text.contains("  log: error: panicked at src/lib.rs:"),
        "{text}"
    );
    let (code, text) = run(&["--json", "--local", "aws", "plan", "docs"]);
    let error: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &error["failure"]["log"][0]["message"]), (1, &"3 entries".into()), "{error}");
    assert!(error["failure"]["backtrace"][0].as_str().unwrap().contains("no_drafts"), "{error}");
}
