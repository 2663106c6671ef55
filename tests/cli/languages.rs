//! Plugins in every language: `tidegate plugin new` and `build`, and then a plan with what was built. The answers are the
//! same in each language.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_tests::binary::{binary, cache};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The path with the toolchains that `scripts/servers install languages` installs.
pub(crate) fn path() -> OsString {
    let installed = repository().join(".tools/languages");
    let old = std::env::var_os("PATH").unwrap_or_default();
    let added = [installed.join("bin"), installed.join("node_modules/.bin")];
    std::env::join_paths(added.into_iter().chain(std::env::split_paths(&old))).unwrap()
}

/// A folder with projects, their components, and a site.
pub(crate) struct Workshop(TempDir);

impl Workshop {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.current_dir(self.0.path()).env("XDG_CACHE_HOME", cache()).env("PATH", path());
        command.args(["--local", "aws", "--json"]).args(arguments);
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Value {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The plan, also one that a policy holds.
    fn plan(&self) -> Value {
        let output = self.output(&["plan", "docs"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }

    /// Creates a project in a folder of its kind.
    fn create(&self, language: &str, kind: &str) -> String {
        self.write(&format!("{kind}/.keep"), "");
        self.run(&["plugin", "new", "no-drafts", "--lang", language, "--kind", kind, "--directory", kind]);
        format!("{kind}/no-drafts")
    }

    /// Builds a project, and returns the lines of a configuration that use it.
    fn build(&self, project: &str) -> String {
        let built = self.run(&["plugin", "build", project, "--out", project]);
        let (path, sha256) = (built[0]["path"].as_str().unwrap(), built[0]["sha256"].as_str().unwrap());
        format!("plugin = \"{path}\"\nsha256 = \"{sha256}\"\n")
    }

    fn configure(&self, plugins: &str) {
        let site = "[[site]]\nname = \"docs\"\nstaged = \"site\"\ntarget = \"s3://docs-site/\"\n";
        self.write("tidegate.toml", format!("{site}{plugins}"));
    }

    /// The answers of a sync plugin: what is published.
    pub(crate) fn published(&self, used: &str) -> Value {
        self.write("site/index.html", "<p>done");
        self.write("site/drafts/next.html", "<!doctype html><meta name=\"draft\"><p>later");
        self.write("site/drafts/long.html", format!("{}<meta name=\"draft\">", " ".repeat(2_000)));
        self.write("site/data/feed.json", "{}");
        self.configure(&format!("[[site.sync]]\n{used}"));
        let planned = self.plan();
        let published = planned["plan"]["operations"].as_array().unwrap_or_else(|| panic!("{planned}")).iter();
        published
            .map(|operation| {
                let put = &operation["action"]["put"];
                json!([operation["key"], put["headers"]["system"]["cache-control"], put["body"]["redirect"]])
            })
            .collect()
    }

    /// The answers of a policy: its verdict and findings about a plan that creates a large page and deletes another.
    pub(crate) fn judged(&self, used: &str) -> Value {
        let _ = fs::remove_dir_all(self.at("site"));
        self.write("site/index.html", "<p>done");
        self.write("site/old.html", "<p>old");
        self.configure("");
        self.run(&["publish", "docs"]);
        fs::remove_file(self.at("site/old.html")).unwrap();
        self.write("site/large.html", "x".repeat(100_001));
        self.configure(&format!("[[site.policy]]\n{used}"));
        let planned = self.plan();
        let judgements = planned["judgements"].as_array().unwrap_or_else(|| panic!("{planned}"));
        let judgement = judgements.iter().find(|one| one["plugin"] != "guard").unwrap();
        let findings = judgement["findings"].as_array().unwrap().iter();
        let findings: Vec<Value> = findings
            .map(|finding| json!([finding["code"], finding["severity"], finding["message"], finding["key"]]))
            .collect();
        json!({ "verdict": judgement["verdict"], "findings": findings })
    }
}

pub(crate) fn golden_published() -> Value {
    json!([
        ["data/feed.json", "no-store", null],
        ["drafts/long.html", null, null],
        ["index.html", null, null],
        ["robots.txt", null, "/robots/"],
    ])
}

pub(crate) fn golden_judged() -> Value {
    json!({
        "verdict": "hold",
        "findings": [
            ["large-page", "warning", "the page has 100001 bytes, more than 100000", "large.html"],
            ["deletes", "warning", "1 objects are deleted", null],
        ],
    })
}

/// Builds and runs the example of a language in both worlds. `prepare` completes a project.
fn run_in_both_worlds(language: &str, prepare: impl Fn(&Workshop, &str)) {
    let workshop = Workshop::new();
    for kind in ["sync", "policy"] {
        let project = workshop.create(language, kind);
        prepare(&workshop, &project);
        let used = workshop.build(&project);
        let component = used.split('"').nth(1).unwrap();
        let refused = workshop.output(&["plugin", "check", component, "--settings", r#"{"more":1}"#]);
        let text = String::from_utf8_lossy(&refused.stdout).into_owned();
        let mistake =
            if language == "c" { "the plugin has no settings" } else { r#""pointer":"/more","message":"unknown"# };
        assert!(refused.status.code() == Some(2) && text.contains(mistake), "{language}, {kind}: {text}");
        match kind {
            "sync" => {
                assert_eq!(workshop.published(&used), golden_published(), "{language}");
                workshop.run(&["plugin", "record", component, "--from", "site", "--out", "site.jsonl"]);
                workshop.run(&["plugin", "replay", component, "site.jsonl", "--batch", "1"]);
            }
            _ => assert_eq!(workshop.judged(&used), golden_judged(), "{language}"),
        }
    }
}

#[test]
fn javascript() {
    run_in_both_worlds("javascript", |_, _| {});
    // A site can also use the file.
    let workshop = Workshop::new();
    let project = workshop.create("javascript", "sync");
    assert_eq!(workshop.published(&format!("plugin = \"{project}/plugin.js\"\n")), golden_published());
    let project = workshop.create("javascript", "policy");
    assert_eq!(workshop.judged(&format!("plugin = \"{project}/plugin.js\"\n")), golden_judged());
}

#[test]
fn javascript_components_have_the_settings_of_the_script() {
    let workshop = Workshop::new();
    let project = workshop.create("javascript", "sync");
    let used = workshop.build(&project);
    workshop.configure(&format!("[[site.sync]]\n{used}settings = {{ marker = \"\", more = 1 }}\n"));
    workshop.write("site/index.html", "");
    let output = workshop.output(&["check"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("`/more`: unknown setting; the script has `marker`"), "{text}");
    assert!(text.contains("`/marker`: it is empty, so every page is a draft"), "{text}");
    // Equal sources give equal components.
    let other = Workshop::new();
    let project = other.create("javascript", "sync");
    assert_eq!(other.build(&project), used);
}

#[test]
fn typescript() {
    let modules = repository().join(".tools/languages/node_modules");
    run_in_both_worlds("typescript", |workshop, project| {
        std::os::unix::fs::symlink(&modules, workshop.at(project).join("node_modules")).unwrap();
        let checked = Command::new("tsc").env("PATH", path()).current_dir(workshop.at(project)).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    });
}

#[test]
fn typescript_exceptions_have_the_lines_of_their_sources() {
    let workshop = Workshop::new();
    let project = workshop.create("typescript", "sync");
    let source = include_str!("plugin_with_modes.ts");
    workshop.write(&format!("{project}/plugin.ts"), source);
    let library = "export type Key = string;\n\nexport function check(mode: string, key: Key): Key {\n    \
        if (mode === \"imported\") throw new Error(`${key} is wrong`);\n    return key;\n}\n";
    workshop.write(&format!("{project}/lib/check.ts"), library);
    workshop.build(&project);
    workshop.write("site/a.html", "<p>");
    let component = format!("{project}/no-drafts.wasm");
    let run = |mode: &str| {
        let settings = json!({ "mode": mode }).to_string();
        let output = workshop.output(&["plugin", "run", &component, "--from", "site", "--settings", &settings]);
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| panic!("{mode}: {output:?}"))
    };
    // A line ends with `// thrown by` and the modes that throw there.
    let line = |mode: &str| {
        let throws = |line: &str| {
            line.rsplit_once("// thrown by ").is_some_and(|(_, modes)| modes.split(' ').any(|one| one == mode))
        };
        1 + source.lines().position(throws).unwrap_or_else(|| panic!("{mode}"))
    };
    for mode in
        ["top", "helper", "generic", "member", "chain", "template", "argument", "imported", "callback", "last", "class"]
    {
        let result = run(mode);
        let expected = format!("(plugin.ts:{})", line(mode));
        assert!(result.to_string().contains(&expected), "{mode}: {expected} {result}");
    }
    // Without a reason, the reason is the line of `each`.
    let result = run("");
    let reason = format!("plugin.ts:{}", line("each"));
    assert!(result["changes"][0].to_string().contains(&reason), "{reason}: {result}");
}

/// Components of another author's tool, which are composed of several.
#[test]
fn components_of_componentize_qjs_run() {
    let workshop = Workshop::new();
    workshop.write(
        "plugin.js",
        r#"
        export const settings = { validate: () => "{}" };
        let hasRobots = false;
        export const sync = {
            begin() {},
            decide: (batch) => batch.flatMap((entry, index) => {
                if (entry.key === "robots.txt") hasRobots = true;
                if (entry.key === "drafts/next.html") return [{ index, action: { tag: "exclude" }, rule: "", reason: "a draft" }];
                if (!entry.key.endsWith(".json")) return [];
                const edit = { tag: "set-header", val: { name: "cache-control", value: "no-store" } };
                return [{ index, action: { tag: "publish", val: [edit] }, rule: "", reason: "data" }];
            }),
            finish: () => ({
                extras: hasRobots ? [] : [{ key: "robots.txt", redirect: "/robots/", rule: "", reason: "none", attributes: [] }],
                findings: [],
                attributes: [],
            }),
        };
        "#,
    );
    let build = |options: &[&str]| {
        let mut command = Command::new("componentize-qjs");
        command.current_dir(workshop.0.path()).env("PATH", path()).arg("--wit").arg(repository().join("wit"));
        command.args(["--world", "sync-plugin", "--js", "plugin.js", "--stub-wasi", "--output", "plugin.wasm"]);
        let output = command.args(options).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        tidegate_core::config::Sha256Hex::of(&fs::read(workshop.at("plugin.wasm")).unwrap())
    };
    let digest = build(&["--sync"]);
    assert_eq!(workshop.published(&format!("plugin = \"./plugin.wasm\"\nsha256 = \"{digest}\"\n")), golden_published());
    // Its other runtimes need proposals that are off, and the message says which.
    for (options, message) in [(&["--sync", "--opt-size"][..], "tail calls"), (&[], "async")] {
        build(options);
        let output = workshop.output(&["plugin", "check", "plugin.wasm"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("it is not a valid component for this host") && text.contains(message), "{text}");
    }
}

#[test]
fn python() {
    run_in_both_worlds("python", |_, _| {});
    // An exception is a failure with its line.
    let workshop = Workshop::new();
    let project = workshop.create("python", "sync");
    let source = fs::read_to_string(workshop.at(&project).join("plugin.py")).unwrap();
    let broken =
        source.replace("        decisions = []\n", "        print('deciding')\n        decisions = batch[0].missing\n");
    assert!(source != broken);
    let line = 1 + broken.lines().position(|line| line.contains("batch[0].missing")).unwrap();
    workshop.write(&format!("{project}/plugin.py"), broken);
    let used = workshop.build(&project);
    workshop.write("site/index.html", "<p>");
    workshop.configure(&format!("[[site.sync]]\n{used}"));
    let output = workshop.output(&["plan", "docs"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("AttributeError: 'Entry' object has no attribute 'missing'"), "{text}");
    assert!(text.contains(&format!("(plugin.py:{line})")), "{text}");
}

#[test]
fn c() {
    run_in_both_worlds("c", |_, _| {});
}

#[test]
fn go() {
    run_in_both_worlds("go", |_, _| {});
    // Names that mean something to Go, or that no file on Windows may have.
    let workshop = Workshop::new();
    for name in ["vendor", "aux", "internal", "main"] {
        workshop.run(&["plugin", "new", name, "--lang", "go"]);
        workshop.build(name);
    }
}

#[test]
fn go_components_are_equal_and_say_what_replaces_wasi() {
    let build = |workshop: &Workshop| {
        let project = workshop.create("go", "sync");
        workshop.run(&["plugin", "build", &project, "--out", "sync"])[0].clone()
    };
    let (one, other) = (Workshop::new(), Workshop::new());
    // Neither the folder nor a repository around it is in the component.
    let git = Command::new("git").args(["init", "--quiet"]).current_dir(other.0.path()).status().unwrap();
    assert!(git.success());
    let (built, again) = (build(&one), build(&other));
    assert_eq!(built, again);
    let effect = |function: &str| {
        let stubs = built["stubs"].as_array().unwrap();
        stubs.iter().find(|stub| stub["function"] == function).map(|stub| stub["effect"].clone())
    };
    assert_eq!(effect("clock_time_get"), Some("the time of the run".into()));
    assert_eq!(effect("fd_write"), Some("each line becomes a log record".into()));
    assert_eq!(effect("proc_exit"), Some("a trap".into()));
    assert_eq!(effect("random_get"), Some("the same bytes in every run".into()));
    assert_eq!(effect("sock_recv"), None);
}

/// What a plugin in Go sees of the system, what its mistakes become, and every function of its package.
#[test]
fn go_has_a_clock_that_stands_still_and_no_files_and_a_panic_is_a_failure() {
    let workshop = Workshop::new();
    let project = workshop.create("go", "sync");
    let source = include_str!("plugin_with_modes.go");
    workshop.write(&format!("{project}/plugin.go"), source);
    workshop.build(&project);
    workshop.write("site/a.txt", "one two");
    workshop.write("site/b.txt", "three");
    let component = format!("{project}/no-drafts.wasm");
    let run = |mode: &str, more: &[&str]| {
        let settings = json!({ "mode": mode }).to_string();
        let arguments = ["plugin", "run", &component, "--from", "site", "--settings", &settings];
        let output = workshop.output(&[&arguments[..], more].concat());
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| panic!("{mode}: {output:?}"))
    };
    let line = |part: &str| 1 + source.lines().position(|line| line.contains(part)).unwrap();
    let log = |result: &Value| -> Vec<String> {
        let records = result["failure"]["log"].as_array().or_else(|| result["usage"]["logs"].as_array()).unwrap();
        records.iter().map(|record| record["message"].as_str().unwrap().to_owned()).collect()
    };
    let printed = ["on one line", "on standard error", "not ended"];
    for (mode, message) in [
        ("index", format!("index out of range [2] with length 2 (plugin.go:{})", line("batch[len(batch)]"))),
        ("nil", format!("nil pointer dereference (plugin.go:{})", line("missing.mode"))),
        ("library", format!("negative Repeat count (plugin.go:{})", line("strings.Repeat"))),
        ("error", "wrapped: mine (key `a.txt`, rule `/mode`)".to_owned()),
        ("file", "open /etc/passwd: No such file or directory".to_owned()),
        ("unread", "cannot read `c.txt`: the run has no such object (key `c.txt`)".to_owned()),
        ("edge", "the site has no `[site.edge]`".to_owned()),
    ] {
        let result = run(mode, &[]);
        let failure = result["failure"].to_string();
        assert!(failure.contains(&message), "{mode}: {failure}");
        assert_eq!(log(&result)[..3], printed, "{mode}");
    }
    // What Go does not let a plugin catch ends it, and the reason is in the log.
    for (mode, message) in [("goroutine", "panic: in a goroutine"), ("exit", "leaving")] {
        let result = run(mode, &[]);
        assert!(result["failure"].to_string().contains("it trapped"), "{mode}: {result}");
        assert!(log(&result).iter().any(|record| record == message), "{mode}: {result}");
    }
    // Nothing is random, and time passes only where a plugin waits.
    let facts = run("facts", &[]);
    assert_eq!(log(&facts)[..3], printed);
    let facts = log(&facts);
    assert_eq!(facts[3], "arguments 0, variables 0, 1s later, goroutine 7");
    let again = log(&run("facts", &[]));
    assert_eq!(again[4], facts[4], "randomness");
    // Reads and edits of every kind.
    let result = run("edits", &["--edge", "netlify"]);
    assert_eq!(result["failure"], Value::Null, "{result}");
    assert_eq!(log(&result)[3], "one, wo, three");
    let changes = result["changes"].to_string();
    for part in ["renamed.txt", "text/html", "no-store", "color", "/target/", "content-language"] {
        assert!(changes.contains(part), "{part}: {changes}");
    }
    assert_eq!(result["rules"].as_array().unwrap().len(), 2, "{result}");
}

#[test]
fn a_missing_toolchain_is_named_with_its_remedy() {
    for (language, message) in [
        ("typescript", "cannot run `esbuild`: it is not installed; run `npm install` in the project"),
        ("python", "cannot run `componentize-py`: it is not installed; run `pip install componentize-py"),
        ("go", "cannot run `go`: it is not installed; install Go 1.24 or later from https://go.dev/dl/"),
        ("c", "there is no clang for WebAssembly; run `apt install clang lld`"),
    ] {
        let workshop = Workshop::new();
        let project = workshop.create(language, "policy");
        let mut command = workshop.command(&["plugin", "build", &project]);
        let output =
            command.env("PATH", workshop.at("empty")).env_remove("CC_wasm32_unknown_unknown").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(message), "{text}");
    }
}

#[test]
fn rust() {
    let root = repository();
    run_in_both_worlds("rust", |workshop, project| {
        let manifest = workshop.at(project).join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        let sdk = format!("path = {:?}", root.join("plugins/sdk"));
        fs::write(&manifest, text.replace("git = \"https://github.com/tidegate/tidegate\"", &sdk)).unwrap();
        // The versions of the bundled plugins, so that cargo downloads nothing.
        fs::copy(root.join("Cargo.lock"), workshop.at(project).join("Cargo.lock")).unwrap();
        let cargo = |arguments: &[&str]| {
            let status =
                Command::new(env!("CARGO")).args(arguments).current_dir(workshop.at(project)).status().unwrap();
            assert!(status.success(), "cargo {arguments:?}");
        };
        cargo(&["update", "--workspace", "--quiet"]);
        cargo(&["test", "--quiet", "--target-dir", "target"]);
    });
}

#[test]
fn a_project_is_never_created_over_another() {
    let workshop = Workshop::new();
    workshop.create("javascript", "sync");
    let output = workshop.output(&["plugin", "new", "no-drafts", "--directory", "sync"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("no-drafts` exists"), "{output:?}");
}
