//! Runs the `tidegate` binary and checks its output, its exit codes, and that it prints no secret.
//!
//! `sessions/` holds commands with their expected output. `TRYCMD=overwrite` writes the output anew; review the difference.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail by panicking, and clippy.toml exempts only the tests themselves"
)]

mod browser;
mod compiler;
mod credentials;
mod dev;
mod edge;
mod first_hour;
mod gallery;
mod killed;
mod languages;
mod museum;
mod package;
mod pages;
mod plugin_tools;
mod plugin_trust;
mod plugins;
mod sources;
mod sync;
mod trust;
mod tutorial;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_emulator::LocalAws;
use tidegate_emulator::s3::StoredHeaders;
use tidegate_tests::SourceObject;
use tidegate_tests::binary::{binary, cache};
use tidegate_tests::source::write;

#[test]
fn sessions() {
    // trycmd passes if the pattern matches no file.
    let sessions = std::fs::read_dir("cli/sessions").unwrap().filter_map(Result::ok).map(|entry| entry.path());
    assert!(sessions.filter(|path| path.extension().is_some_and(|extension| extension == "trycmd")).count() >= 7);
    trycmd::TestCases::new()
        .register_bin("tidegate", binary().to_owned())
        .env("XDG_CACHE_HOME", cache().to_string_lossy())
        .env("NO_COLOR", "")
        .case("cli/sessions/*.trycmd");
}

/// A temporary directory with a configuration and a site.
struct TestDirectory(TempDir);

impl TestDirectory {
    fn new(configuration: &str) -> Self {
        let directory = Self(TempDir::new().unwrap());
        std::fs::write(directory.path().join("tidegate.toml"), configuration).unwrap();
        directory.write_site("site", &[("index.html", "<p>hi"), ("style.css", "a{}")]);
        directory
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes files into a subdirectory, and removes all others from it.
    fn write_site(&self, name: &str, files: &[(&str, &str)]) {
        let site = self.path().join(name);
        let _ = std::fs::remove_dir_all(&site);
        files.iter().for_each(|(key, body)| write(&site, &SourceObject::text(key, body)));
    }

    /// Runs a command with `--local`.
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(binary())
            .current_dir(self.path())
            .env("XDG_CACHE_HOME", cache())
            // A terminal with colors, although the output is a pipe.
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .args(["--local", "aws"])
            .args(arguments)
            .output()
            .unwrap()
    }

    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[&["--json"], arguments].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let value = serde_json::from_str(&text).unwrap_or_else(|error| {
            let (stderr, arguments) = (String::from_utf8_lossy(&output.stderr), arguments.join(" "));
            panic!("`{arguments}` did not print JSON: {error}\n{text}\n{stderr}")
        });
        (output.status.code().unwrap(), value)
    }
}

const SITE: &str = "[[site]]\nname = \"docs\"\nstaged = \"site\"\ntarget = \"s3://docs-site/\"\nrole = \"arn:aws:iam::123456789012:role/docs\"\ncdn = [{ distribution = \"E2EXAMPLE\" }]\n\n[[site.sync]]\nplugin = \"mime\"\n";

#[test]
fn json_output_is_a_single_value() {
    let directory = TestDirectory::new(SITE);
    let (code, checked) = directory.json(&["check"]);
    assert_eq!((code, &checked["sites"][0]["ok"]), (0, &Value::Bool(true)));
    let (code, planned) = directory.json(&["plan", "docs"]);
    assert_eq!(code, 0);
    assert_eq!(planned["plan"]["totals"]["create"], 2);
    assert_eq!(planned["judgements"][0]["verdict"], "allow");
    let (code, report) = directory.json(&["publish", "docs"]);
    assert_eq!((code, &report["outcome"], &report["done"]["written"]), (0, &Value::from("live"), &Value::from(2)));
    let (code, report) = directory.json(&["publish", "docs"]);
    assert_eq!((code, &report["outcome"]), (0, &Value::from("unchanged")));
    let (code, explanations) = directory.json(&["explain", "docs", "index.html"]);
    assert_eq!((code, &explanations[0]["status"]), (0, &Value::from("published")));
    let (code, error) = directory.json(&["plan", "nothing"]);
    assert_eq!((code, &error["kind"]), (2, &Value::from("configuration")));
    assert!(error["error"].as_str().unwrap().contains("`nothing`"), "{error}");
    directory.write_site("site", &[(".env", "SECRET=1"), ("index.html", "x")]);
    let (code, report) = directory.json(&["publish", "docs"]);
    assert_eq!((code, &report["outcome"]), (1, &Value::from("denied")));
    let findings = report["judgements"][0]["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["key"] == ".env"), "{report}");
}

#[test]
fn prints_no_colors_to_a_pipe_and_no_secrets() {
    let directory = TestDirectory::new(SITE);
    let mut output = String::new();
    let commands: [&[&str]; 7] = [
        &["check"],
        &["plan", "docs"],
        &["-vv", "publish", "docs"],
        &["publish", "docs"],
        &["explain", "docs", "style.css"],
        &["plan", "nothing"],
        &["--json", "plan", "docs"],
    ];
    for arguments in commands {
        let Output { stdout, stderr, .. } = directory.run(arguments);
        output += &String::from_utf8_lossy(&stdout);
        output += &String::from_utf8_lossy(&stderr);
    }
    assert!(output.contains("docs") && output.contains("live"), "{output}");
    assert!(!output.contains('\u{1b}'), "{output}");
    let account = LocalAws::open(&directory.path().join("aws")).unwrap();
    assert!(!output.contains(account.root_credentials().secret_access_key()), "{output}");
    for word in ["Signature=", "x-amz-security-token", "SecretAccessKey", "SessionToken"] {
        assert!(!output.to_lowercase().contains(&word.to_lowercase()), "{word} in {output}");
    }
}

#[test]
fn file_names_cannot_control_the_terminal() {
    let directory = TestDirectory::new(SITE);
    directory.write_site("site", &[("index.html", "x"), ("a\u{1b}[31m\r\n::error::red.txt", "x")]);
    let output = directory.run(&["plan", "docs"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains('\u{1b}') && !stderr.contains('\r') && stderr.contains("red.txt"), "{stderr:?}");
    assert!(!stderr.lines().any(|line| line.starts_with("::")), "{stderr:?}");
}

/// A release name that sets the title, changes colors, and reorders the line.
const HOSTILE_NAME: &str = "v1\u{1b}]0;pwned\u{7}\u{1b}[31mRED\u{202e}evil\u{9b}2J";

#[test]
fn names_of_releases_cannot_control_the_terminal() {
    let directory = TestDirectory::new(&format!("state = \"s3://state/\"\n\n{SITE}"));
    let publish = |text: &str, arguments: &[&str]| {
        directory.write_site("site", &[("index.html", text)]);
        directory.run(&[&["publish", "docs"], arguments].concat())
    };
    let mut outputs = vec![
        publish("one", &["--release", HOSTILE_NAME]),
        publish("two", &["--release", HOSTILE_NAME]),
        publish("three", &["--release", HOSTILE_NAME, "--commit-time", "2020-01-01T00:00:00Z"]),
    ];
    // A lease that a hostile writer of the state left behind; no run renews it.
    let lease =
        json!({ "format": 2, "fence": 9, "holder": "x", "release": HOSTILE_NAME, "seconds": 900, "renewals": 1 });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let account = LocalAws::open(&directory.path().join("aws")).unwrap();
    let put = account.s3().put("state", "docs/lease.json", lease.to_string(), StoredHeaders::default());
    runtime.block_on(put).unwrap();
    drop(account);
    let commands: [&[&str]; 9] = [
        &["status", "docs"],
        &["releases", "docs"],
        &["--json", "releases", "docs"],
        &["--json", "status", "docs"],
        &["diff", "docs", "r1", "r2"],
        &["plan", "docs", "--release", HOSTILE_NAME],
        &["rollback", "docs", "--dry-run"],
        &["explain", "docs", "index.html", "--release", HOSTILE_NAME],
        &["publish", "docs", "--release", HOSTILE_NAME, "--lock-timeout", "0"],
    ];
    outputs.extend(commands.map(|arguments| directory.run(arguments)));
    let mut shown = 0;
    for output in outputs {
        for stream in [output.stdout, output.stderr] {
            let text = String::from_utf8(stream).unwrap();
            let printed = text.chars().find(|c| *c != '\n' && tidegate_core::sanitize::is_unsafe(*c));
            assert_eq!(printed, None, "{text:?}");
            shown += text.matches("RED").count();
        }
    }
    assert!(shown >= 8, "{shown}");
}
