//! `tidegate plugin check`, `run`, `bench`, `profile`, `record` and `replay`, with bundled plugins: what they print, their
//! exit codes, and that they write nothing.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;
use tidegate_tests::binary::{binary, cache};

use crate::first_hour::send;
use crate::{TestDirectory, languages};

const SITE: &str = r#"
[[site]]
name = "docs"
staged = "site"
target = "s3://docs-site/"

[[site.sync]]
plugin = "exclude"
settings = { globs = ["drafts/"] }

[[site.sync]]
plugin = "headers"
settings = { presets = { pages = "no-store" } }

[[site.policy]]
plugin = "guard"
settings = { forbidden = ["*.css"] }
"#;

fn directory() -> TestDirectory {
    let directory = TestDirectory::new(SITE);
    directory.write_site("site", &[("index.html", "<p>hi"), ("style.css", "a{}"), ("drafts/next.html", "<p>later")]);
    directory
}

fn changes(result: &Value) -> Vec<(&str, &str)> {
    let changes = result["changes"].as_array().unwrap().iter();
    changes.map(|change| (change["key"].as_str().unwrap(), change["kind"].as_str().unwrap())).collect()
}

#[test]
fn run_shows_what_a_sync_plugin_changes_and_what_it_costs() {
    let directory = directory();
    let (code, result) = directory.json(&["plugin", "run", "mime", "--from", "site"]);
    assert_eq!(code, 0, "{result}");
    assert_eq!(
        changes(&result),
        [("drafts/next.html", "headers"), ("index.html", "headers"), ("style.css", "headers")]
    );
    let header = &result["changes"][2]["headers"][0];
    assert_eq!((&header["name"], &header["has"]), (&"content-type".into(), &Value::Null));
    assert_eq!(header["wants"], "text/css; charset=utf-8");
    let resources: Vec<&str> = result["cost"]["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            assert!(row["used"].as_u64().unwrap() < row["limit"].as_u64().unwrap(), "{row}");
            row["resource"].as_str().unwrap()
        })
        .collect();
    assert_eq!(resources, ["fuel", "time", "memory", "reads", "read-bytes", "answer-bytes"]);
    assert_eq!(result["cost"]["resources"][0]["used"], result["usage"]["fuel_used"]);
    // Nothing was written: neither a bucket nor a state.
    assert!(!directory.path().join("aws").exists());
    let (code, result) =
        directory.json(&["plugin", "run", "exclude", "--from", "site", "--settings", r#"{"globs":["*.css"]}"#]);
    assert_eq!((code, changes(&result)), (0, vec![("style.css", "excluded")]));
    fs::write(directory.path().join("settings.json"), r#"{"globs":["*.html"]}"#).unwrap();
    let (_, result) = directory.json(&["plugin", "run", "exclude", "--from", "site", "--settings", "@settings.json"]);
    assert_eq!(changes(&result), [("drafts/next.html", "excluded"), ("index.html", "excluded")]);
}

#[test]
fn run_with_a_site_uses_its_settings_and_the_plugins_before() {
    let directory = directory();
    let (code, result) = directory.json(&["plugin", "run", "headers", "--site", "docs"]);
    assert_eq!((code, &result["objects"]), (0, &2.into()), "{result}");
    assert_eq!(result["changes"][0]["headers"][0]["wants"], "no-store");
    // The policy reviews what all sync plugins leave.
    let (code, result) = directory.json(&["plugin", "run", "guard", "--site", "docs"]);
    assert_eq!((code, &result["verdict"]), (1, &"deny".into()));
    assert_eq!(result["findings"][0]["key"], "style.css");
    let (code, result) = directory.json(&["plugin", "run", "guard", "--site", "docs", "--settings", "{}"]);
    assert_eq!((code, &result["verdict"]), (0, &"allow".into()));
    // A plugin that the site does not have sees what all of them leave.
    let (_, result) = directory.json(&["plugin", "run", "mime", "--site", "docs"]);
    assert_eq!(changes(&result), [("index.html", "headers"), ("style.css", "headers")]);
}

#[test]
fn run_reviews_the_plan_against_a_target() {
    let directory = directory();
    let settings = r#"{"max-deletes":0}"#;
    let against = |target| {
        let arguments = ["plugin", "run", "guard", "--from", "site", "--settings", settings, "--against", target];
        directory.json(&arguments)
    };
    assert_eq!(directory.json(&["publish", "docs", "--from", "site"]).0, 1, "the site's own policy denies");
    let report = directory.json(&["sync", "site", "s3://other-site/"]);
    assert_eq!(report.0, 0, "{}", report.1);
    assert_eq!(against("s3://other-site/").1["verdict"], "allow");
    directory.write_site("site", &[("index.html", "<p>hi")]);
    let (code, result) = against("s3://other-site/");
    assert_eq!((code, &result["verdict"]), (1, &"deny".into()), "{result}");
    assert_eq!(result["findings"][0]["code"], "too-many-deletes", "{result}");
    assert_eq!(against("s3://empty-site/").1["verdict"], "allow");
    let (code, error) = directory.json(&["plugin", "run", "mime", "--from", "site", "--against", "s3://other-site/"]);
    assert_eq!(code, 2);
    assert!(error["error"].as_str().unwrap().contains("for policies"), "{error}");
}

#[test]
fn run_reads_zips_and_prefixes() {
    let directory = directory();
    assert_eq!(directory.json(&["sync", "site", "s3://builds/docs/"]).0, 0);
    let (code, result) = directory.json(&["plugin", "run", "mime", "--from", "s3://builds/docs/"]);
    assert_eq!((code, &result["objects"]), (0, &3.into()), "{result}");
    let mut zip = zip::ZipWriter::new(fs::File::create(directory.path().join("site.zip")).unwrap());
    zip.start_file("a.css", zip::write::SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    let (code, result) = directory.json(&["plugin", "run", "mime", "--from", "site.zip"]);
    assert_eq!((code, changes(&result)), (0, vec![("a.css", "headers")]));
}

#[test]
fn run_shows_rules_for_requests() {
    let directory = directory();
    directory.write_site("site", &[("_redirects", "/old/* /new/:splat 302\n"), ("index.html", "<p>hi")]);
    let run = |options: &[&str]| directory.json(&[&["plugin", "run", "rewrite", "--from", "site"], options].concat()).1;
    assert_eq!(run(&[])["rules"].as_array().unwrap().len(), 0);
    let rule = &run(&["--edge", "netlify"])["rules"][0]["edge-redirect"];
    assert_eq!((&rule["path"], &rule["status"], &rule["to"]), (&"/old/*".into(), &302.into(), &"/new/:splat".into()));
}

#[test]
fn check_says_what_a_component_is() {
    let directory = directory();
    let (code, result) = directory.json(&["plugin", "check", "guard"]);
    assert_eq!((code, &result["ok"], &result["kind"]), (0, &true.into(), &"policy".into()), "{result}");
    assert_eq!((&result["contract"][0], &result["runs-on"]), (&"0.1.0".into(), &"0.1.0".into()));
    assert!(result["imports"].as_array().unwrap().iter().any(|import| import == "tidegate:plugin/content@0.1.0"));
    let functions = &result["structure"]["functions"];
    assert!(functions["found"].as_u64().unwrap() > 100 && functions["limit"] == 250_000, "{functions}");
    assert!(result["code-bytes"].as_u64().unwrap() > result["bytes"].as_u64().unwrap());
    assert!(result["compile-us"].as_u64().unwrap() > 0);
    assert_eq!(result["settings"]["canonical"]["max-delete-share"], 0.5);
    // `guard` denies an empty source.
    assert_eq!(result["empty"]["verdict"], "deny");
    // `inspect` was its name.
    assert_eq!(directory.json(&["plugin", "inspect", "guard"]).1["sha256"], result["sha256"]);
}

#[test]
fn check_fails_with_what_a_configuration_would_fail_with() {
    let directory = directory();
    let (code, result) = directory.json(&["plugin", "check", "mime", "--settings", r#"{"sniff":7}"#]);
    assert_eq!((code, &result["ok"]), (2, &false.into()), "{result}");
    assert_eq!(result["settings"]["issues"][0]["pointer"], "/sniff");
    fs::write(directory.path().join("core.wasm"), wat::parse_str("(module)").unwrap()).unwrap();
    fs::write(directory.path().join("text.wasm"), "hello").unwrap();
    for (file, message) in [("core.wasm", "core module"), ("text.wasm", "not WebAssembly"), ("no.wasm", "No such file")]
    {
        let (code, error) = directory.json(&["plugin", "check", file]);
        assert_eq!(code, 2, "{error}");
        assert!(error["error"].as_str().unwrap().contains(message), "{error}");
    }
}

#[test]
fn a_record_replays_without_its_source() {
    let directory = directory();
    for (plugin, name) in [("mime", "mime.jsonl"), ("guard", "guard.jsonl"), ("headers", "headers.jsonl")] {
        let (code, recorded) = directory.json(&["plugin", "record", plugin, "--site", "docs", "--out", name]);
        assert_eq!(code, 0, "{recorded}");
    }
    fs::remove_dir_all(directory.path().join("site")).unwrap();
    for (plugin, name) in [("mime", "mime.jsonl"), ("guard", "guard.jsonl"), ("headers", "headers.jsonl")] {
        for batch in ["1", "2", "1000"] {
            let (code, replay) = directory.json(&["plugin", "replay", plugin, name, "--batch", batch]);
            assert_eq!((code, &replay["equal"]), (0, &true.into()), "{plugin}: {replay}");
        }
    }
    // Another plugin with the same kind and settings that it accepts.
    let output = directory.run(&["plugin", "replay", "guard", "mime.jsonl"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("a record of a sync plugin"), "{output:?}");
    let text = fs::read_to_string(directory.path().join("mime.jsonl")).unwrap();
    fs::write(directory.path().join("cut.jsonl"), text.split_at(text.len() / 2).0).unwrap();
    let (code, error) = directory.json(&["plugin", "replay", "mime", "cut.jsonl"]);
    assert_eq!(code, 2);
    assert!(error["error"].as_str().unwrap().contains("cannot replay `cut.jsonl`: line"), "{error}");
}

#[test]
fn bench_and_profile_measure_the_same_fuel() {
    let directory = directory();
    let (code, bench) = directory.json(&["plugin", "bench", "mime", "--from", "site", "--runs", "3"]);
    assert_eq!((code, &bench["objects"], &bench["runs"]), (0, &3.into(), &3.into()), "{bench}");
    let time = |name: &str, part: &str| bench[name][part].as_u64().unwrap();
    for name in ["run", "compile", "load"] {
        assert!(time(name, "min_ns") <= time(name, "median_ns"), "{bench}");
        assert!(time(name, "median_ns") <= time(name, "max_ns") && time(name, "min_ns") > 0, "{bench}");
    }
    assert!(time("load", "median_ns") < time("compile", "median_ns"), "{bench}");
    let profile = |out: &str| directory.json(&["plugin", "profile", "mime", "--from", "site", "--out", out]);
    let (code, profiled) = profile("one.txt");
    assert_eq!((code, &profiled["fuel"]), (0, &bench["fuel"]), "{profiled}");
    profile("two.txt");
    let text = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    assert_eq!(text("one.txt"), text("two.txt"));
    assert!(text("one.txt").lines().all(|line| line.starts_with("mime;")), "{}", text("one.txt"));
}

/// A running `plugin run --watch`, and the lines that it prints.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn start(directory: &TestDirectory, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.current_dir(directory.path()).env("XDG_CACHE_HOME", cache()).env("PATH", languages::path());
        let arguments = [&["--json", "plugin", "run"], arguments, &["--watch"]].concat();
        let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// The result of the next run that differs from the one before.
    fn next(&self, is_expected: impl Fn(&Value) -> bool) {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60)).unwrap();
            if is_expected(&serde_json::from_str(&line).unwrap()) {
                return;
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn watch_runs_again_when_the_plugin_or_the_source_changes() {
    let directory = directory();
    let component = |name| tidegate_bundled_plugins::find(name).unwrap().bytes;
    let plugin = directory.path().join("plugin.wasm");
    fs::write(&plugin, component("mime")).unwrap();
    let mut watch = Watch::start(&directory, &["plugin.wasm", "--from", "site"]);
    watch.next(|result| result["objects"] == 3 && changes(result).len() == 3);
    fs::write(directory.path().join("site/new.html"), "<p>new").unwrap();
    watch.next(|result| result["objects"] == 4);
    fs::write(&plugin, component("exclude")).unwrap();
    watch.next(|result| result["objects"] == 4 && result["changes"].as_array().is_some_and(Vec::is_empty));
    // An error does not end it.
    fs::write(&plugin, "half of a component").unwrap();
    watch.next(|result| result["error"].as_str().is_some_and(|error| error.contains("not WebAssembly")));
    fs::write(&plugin, component("mime")).unwrap();
    watch.next(|result| result["objects"] == 4);
    send("-INT", &watch.child);
    assert_eq!(watch.child.wait().unwrap().code(), Some(0));
}

#[test]
fn watch_builds_a_project_again_when_a_source_changes() {
    // What a build writes beside its sources is different in each language.
    for (language, file) in [("javascript", "plugin.js"), ("c", "plugin.c"), ("go", "plugin.go")] {
        let directory = TestDirectory::new(SITE);
        let (code, created) = directory.json(&["plugin", "new", "no-drafts", "--lang", language]);
        assert_eq!(code, 0, "{created}");
        let source = directory.path().join("no-drafts").join(file);
        let text = fs::read_to_string(&source).unwrap();
        let has_reason = |result: &Value, reason: &str| {
            result["changes"].as_array().is_some_and(|changes| changes.iter().any(|change| change["reason"] == reason))
        };
        let mut watch = Watch::start(&directory, &["no-drafts", "--from", "no-drafts/site"]);
        watch.next(|result| has_reason(result, "marked as a draft"));
        // The build is no change: nothing runs again.
        let again = watch.lines.recv_timeout(Duration::from_secs(2));
        assert!(again.is_err(), "{language}: {again:?}");
        fs::write(&source, text.replace("marked as a draft", "not finished")).unwrap();
        watch.next(|result| has_reason(result, "not finished"));
        // An error of the compiler does not end it.
        fs::write(&source, format!("{text}\n)")).unwrap();
        watch.next(|result| !result["error"].is_null() || !result["failure"].is_null());
        fs::write(&source, &text).unwrap();
        watch.next(|result| has_reason(result, "marked as a draft"));
        send("-INT", &watch.child);
        assert_eq!(watch.child.wait().unwrap().code(), Some(0), "{language}");
    }
}
