//! The binary as people and scripts run it: what it prints, what it exits with, and what it never prints.
//!
//! `sessions/` holds what is typed and what must come back; `TRYCMD=overwrite` writes the answers anew, then look at them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, and must name its place"
)]

mod credentials;
mod killed;
mod package;
mod sync;

use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use tidegate_emulator::LocalAws;
use tidegate_tests::SourceObject;
use tidegate_tests::binary::{binary, cache};
use tidegate_tests::source::write;

#[test]
fn sessions() {
    // A pattern that matches nothing would be a test that cannot fail.
    let sessions = std::fs::read_dir("cli/sessions").unwrap().filter_map(Result::ok).map(|entry| entry.path());
    assert!(sessions.filter(|path| path.extension().is_some_and(|extension| extension == "trycmd")).count() >= 7);
    trycmd::TestCases::new()
        .register_bin("tidegate", binary().to_owned())
        .env("XDG_CACHE_HOME", cache().to_string_lossy())
        .env("NO_COLOR", "")
        .case("cli/sessions/*.trycmd");
}

/// A directory with a configuration and a site.
struct Place(TempDir);

impl Place {
    fn new(configuration: &str) -> Self {
        let place = TempDir::new().unwrap();
        std::fs::write(place.path().join("tidegate.toml"), configuration).unwrap();
        let place = Self(place);
        place.lay("site", &[("index.html", "<p>hi"), ("style.css", "a{}")]);
        place
    }

    fn lay(&self, name: &str, files: &[(&str, &str)]) {
        let directory = self.0.path().join(name);
        let _ = std::fs::remove_dir_all(&directory);
        files.iter().for_each(|(key, body)| write(&directory, &SourceObject::text(key, body)));
    }

    /// Runs a command with `--local`.
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(binary())
            .current_dir(self.0.path())
            .env("XDG_CACHE_HOME", cache())
            // A terminal that wants colours, which a pipe is not.
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
            unwind(&format!("`{arguments}` answers no JSON: {error}\n{text}\n{stderr}"))
        });
        (output.status.code().unwrap(), value)
    }
}

fn unwind(why: &str) -> ! {
    std::panic::panic_any(why.to_owned())
}

const SITE: &str = "[[site]]\nname = \"docs\"\nstaged = \"site\"\ntarget = \"s3://docs-site/\"\nrole = \"arn:aws:iam::123456789012:role/docs\"\ncdn = [{ distribution = \"E2EXAMPLE\" }]\n\n[[site.sync]]\nplugin = \"mime\"\n";

#[test]
fn json_is_one_value_and_nothing_else() {
    let place = Place::new(SITE);
    let (code, checked) = place.json(&["check"]);
    assert_eq!((code, &checked["sites"][0]["ok"]), (0, &Value::Bool(true)));
    let (code, planned) = place.json(&["plan", "docs"]);
    assert_eq!(code, 0);
    assert_eq!(planned["plan"]["totals"]["create"], 2);
    assert_eq!(planned["judgements"][0]["verdict"], "allow");
    let (code, report) = place.json(&["publish", "docs"]);
    assert_eq!((code, &report["outcome"], &report["done"]["written"]), (0, &Value::from("live"), &Value::from(2)));
    let (code, report) = place.json(&["publish", "docs"]);
    assert_eq!((code, &report["outcome"]), (0, &Value::from("unchanged")));
    let (code, stories) = place.json(&["explain", "docs", "index.html"]);
    assert_eq!((code, &stories[0]["fate"]), (0, &Value::from("published")));
    let (code, error) = place.json(&["plan", "nothing"]);
    assert_eq!((code, &error["fault"]), (2, &Value::from("configuration")));
    assert!(error["error"].as_str().unwrap().contains("`nothing`"), "{error}");
    place.lay("site", &[(".env", "SECRET=1"), ("index.html", "x")]);
    let (code, report) = place.json(&["publish", "docs"]);
    assert_eq!((code, &report["outcome"]), (1, &Value::from("denied")));
    let findings = report["judgements"][0]["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["key"] == ".env"), "{report}");
}

#[test]
fn pipes_get_no_colours_and_nobody_gets_secrets() {
    let place = Place::new(SITE);
    let mut said = String::new();
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
        let output = place.run(arguments);
        said += &String::from_utf8_lossy(&output.stdout);
        said += &String::from_utf8_lossy(&output.stderr);
    }
    assert!(said.contains("docs") && said.contains("live"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    let account = LocalAws::open(&place.0.path().join("aws")).unwrap();
    assert!(!said.contains(account.root_credentials().secret_access_key()), "{said}");
    for word in ["Signature=", "x-amz-security-token", "SecretAccessKey", "SessionToken"] {
        assert!(!said.to_lowercase().contains(&word.to_lowercase()), "{word} in {said}");
    }
}

#[test]
fn names_cannot_paint_the_terminal() {
    let place = Place::new(SITE);
    place.lay("site", &[("index.html", "x"), ("a\u{1b}[31m\r\n::error::red.txt", "x")]);
    let output = place.run(&["plan", "docs"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains('\u{1b}') && !said.contains('\r') && said.contains("red.txt"), "{said:?}");
    assert!(!said.lines().any(|line| line.starts_with("::")), "{said:?}");
}
