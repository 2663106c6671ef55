//! Signed plugins, grants and observed plugins on the command line: in `check`, `plan`, `publish` and `package`.

use std::io::Cursor;

use minisign::KeyPair;
use serde_json::{Value, json};
use tidegate_core::architecture::Architecture;
use tidegate_core::identity::sha256;
use tidegate_host::CodePackage;
use tidegate_tests::deployed::program;

use super::TestDirectory;

fn key() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().unwrap()
}

fn sign(key: &KeyPair, component: &[u8], comment: &str) -> String {
    minisign::sign(Some(&key.pk), &key.sk, Cursor::new(component), Some(comment), None).unwrap().into_string()
}

fn component(name: &str) -> &'static [u8] {
    tidegate_bundled_plugins::find(name).unwrap().bytes
}

/// A site whose plugin `plugins/exclude.wasm` excludes drafts. `top` is the start of the configuration, and `fields` are
/// those of the plugin.
fn directory(top: &str, fields: &str) -> TestDirectory {
    let directory = TestDirectory::new(&format!(
        "{top}\n[[site]]\nname = \"docs\"\nstaged = \"site\"\ntarget = \"s3://docs-site/\"\n\n\
         [[site.sync]]\nplugin = \"plugins/exclude.wasm\"\nsettings = {{ globs = [\"drafts/\"] }}\n{fields}\n"
    ));
    directory.write_site("plugins", &[]);
    std::fs::create_dir_all(directory.path().join("plugins")).unwrap();
    write(&directory, "plugins/exclude.wasm", component("exclude"));
    let architecture = Architecture::of_this_machine().unwrap();
    write(&directory, "program", &program(architecture));
    directory.write_site("site", &[("drafts/a.html", "<p>draft"), ("index.html", "<p>hi")]);
    directory
}

fn write(directory: &TestDirectory, name: &str, bytes: &[u8]) {
    std::fs::write(directory.path().join(name), bytes).unwrap();
}

const SIGNATURE: &str = "plugins/exclude.wasm.minisig";

const PACKAGE: [&str; 5] = ["package", "--bootstrap", "program", "--out", "function.zip"];

fn trusted(keys: &[&KeyPair]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| key.pk.to_base64()).collect();
    format!("[plugins]\ntrusted-keys = {keys:?}\n")
}

/// The error that every command that loads components has.
fn refused(directory: &TestDirectory) -> String {
    let (code, checked) = directory.json(&["check"]);
    let error = checked["sites"][0]["error"].as_str().unwrap().to_owned();
    assert_eq!(code, 2, "{checked}");
    for command in [&["plan", "docs"][..], &["publish", "docs"], &PACKAGE] {
        let (code, refused) = directory.json(command);
        assert_eq!((code, refused["error"].as_str()), (2, Some(error.as_str())), "{command:?}: {refused}");
    }
    assert!(!directory.path().join("function.zip").exists());
    error
}

#[test]
fn a_plugin_without_a_digest_needs_a_valid_signature_in_every_command() {
    let (key, stranger) = (key(), key());
    let directory = directory(&trusted(&[&key]), "version = \"1.2\"");
    let error = refused(&directory);
    assert!(error.contains(&format!("`{SIGNATURE}` cannot be read")) && error.contains("name:exclude"), "{error}");

    let exclude = component("exclude");
    let good = "name:exclude version:1.2.3";
    let wrong = [
        (sign(&stranger, exclude, good), "which is not in `trusted-keys`"),
        (sign(&key, component("mime"), good), "not the signature of this component"),
        (sign(&key, exclude, good).replace("1.2.3", "1.2.4"), "not the signature of this component"),
        (sign(&key, exclude, "name:mime version:1.2.3"), "for the plugin `mime`, not for `exclude`"),
        (sign(&key, exclude, "name:exclude version:2.0.0"), "for the version 2.0.0, and `version` requires `^1.2`"),
        (sign(&key, exclude, "an exclude plugin"), "`name:NAME version:VERSION`"),
        ("x".repeat(1 << 20), "not a signature of minisign"),
    ];
    for (signature, expected) in wrong {
        write(&directory, SIGNATURE, signature.as_bytes());
        let error = refused(&directory);
        assert!(error.contains(SIGNATURE) && error.contains(expected), "{error}");
    }

    write(&directory, SIGNATURE, sign(&key, exclude, good).as_bytes());
    let (code, checked) = directory.json(&["check"]);
    let signed = &checked["sites"][0]["plugins"][0]["signed"];
    assert_eq!((code, &signed["name"], &signed["version"]), (0, &json!("exclude"), &json!("1.2.3")), "{checked}");
    let (code, planned) = directory.json(&["plan", "docs"]);
    let plugin = &planned["plan"]["inputs"]["plugins"][0];
    assert_eq!((code, &plugin["signed"], &plugin["sha256"]), (0, signed, &json!(sha256(exclude))), "{planned}");
    assert_eq!(planned["plan"]["totals"]["excluded"], 1);
    // Another component of the same signer in its place.
    write(&directory, "plugins/exclude.wasm", component("mime"));
    assert!(refused(&directory).contains("not the signature of this component"));
}

#[test]
fn the_package_has_the_verified_component() {
    let key = key();
    let directory = directory(&trusted(&[&key]), "signature = \"exclude.sig\"");
    write(&directory, "exclude.sig", sign(&key, component("exclude"), "name:exclude version:1.0.0").as_bytes());
    let (code, report) = directory.json(&PACKAGE);
    assert_eq!(code, 0, "{report}");
    let unpacked = tempfile::tempdir().unwrap();
    tidegate_tests::deployed::unpack(&directory.path().join("function.zip"), unpacked.path());
    let package = CodePackage::open(&unpacked.path().join("compiled")).unwrap();
    let digest = package.digest_of("plugins/exclude.wasm").unwrap();
    assert_eq!(digest.as_str(), sha256(component("exclude")));
}

#[test]
fn required_signatures_hold_for_pinned_plugins_too() {
    let key = key();
    let pinned = format!("sha256 = \"{}\"", sha256(component("exclude")));
    let required = format!("{}require-signatures = true\n", trusted(&[&key]));
    let directory = directory(&required, &pinned);
    assert!(refused(&directory).contains("needs a signature"));
    let signature = sign(&key, component("exclude"), "name:exclude version:1.2.3");
    write(&directory, SIGNATURE, signature.as_bytes());
    assert_eq!(directory.json(&["check"]).0, 0);
    // A digest alone is enough without `require-signatures`, and a signature that is there must hold.
    let directory = self::directory(&trusted(&[&key]), &pinned);
    assert_eq!(directory.json(&["check"]).0, 0);
    write(&directory, SIGNATURE, signature.replace("1.2.3", "1.2.4").as_bytes());
    assert!(refused(&directory).contains("not the signature of this component"));
    // A signature does not replace a digest that is there.
    let other = format!("sha256 = \"{}\"", sha256(b"another component"));
    let directory = self::directory(&trusted(&[&key]), &other);
    write(&directory, SIGNATURE, signature.as_bytes());
    assert!(refused(&directory).contains("has the SHA-256"));
}

fn pinned(fields: &str) -> String {
    format!("sha256 = \"{}\"\n{fields}", sha256(component("exclude")))
}

/// What a command prints, without colors.
fn text(directory: &TestDirectory, arguments: &[&str]) -> (i32, String) {
    let output = directory.run(arguments);
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), anstream_free(&text))
}

/// Removes the escape sequences of colors.
fn anstream_free(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

#[test]
fn a_plan_shows_the_grant_and_a_run_beyond_it_is_denied() {
    let directory = directory("", &pinned("grant = { edits = [\"exclude\"] }"));
    let (code, shown) = text(&directory, &["plan", "docs"]);
    assert!(code == 0 && shown.contains("plugin `plugins/exclude.wasm`: may exclude\n"), "{shown}");
    let (_, planned) = directory.json(&["plan", "docs"]);
    let grant = &planned["plan"]["inputs"]["plugins"][0]["grant"];
    assert_eq!(grant, &json!({ "edits": ["exclude"], "reads": 0, "edge": false }), "{planned}");

    let directory = self::directory("", &pinned(""));
    let (_, shown) = text(&directory, &["plan", "docs"]);
    assert!(shown.contains("plugin `plugins/exclude.wasm`: may do everything, without a `grant`\n"), "{shown}");

    let directory = self::directory("[plugins]\ngrant = { edits = [\"set-header\"] }", &pinned(""));
    for command in ["plan", "publish"] {
        let (code, refused) = directory.json(&[command, "docs"]);
        let error = refused["error"].as_str().unwrap();
        assert!(error.contains("plugins/exclude.wasm") && error.contains("`exclude` is not granted"), "{refused}");
        assert!(error.contains("key `drafts/a.html`") && error.contains("`edits` of its `grant`"), "{refused}");
        assert_eq!((code, &refused["kind"]), (1, &json!("denied")), "{refused}");
    }
}

#[test]
fn an_observed_plugin_is_shown_in_plans_and_reports() {
    let directory = directory("", &pinned("mode = \"observe\""));
    let (code, shown) = text(&directory, &["plan", "docs"]);
    assert_eq!(code, 0, "{shown}");
    for line in [
        "plugin `plugins/exclude.wasm` (observed, changes nothing)\n",
        "observed `plugins/exclude.wasm`: would decide 1 exclude",
        "`drafts/a.html`: excluded (",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let (_, planned) = directory.json(&["plan", "docs"]);
    assert_eq!(planned["plan"]["inputs"]["plugins"][0]["mode"], "observe");
    assert_eq!(planned["observed"][0]["edits"], json!({ "exclude": 1 }), "{planned}");
    assert_eq!(planned["observed"][0]["examples"][0]["key"], "drafts/a.html");
    assert_eq!(planned["plan"]["totals"]["create"], 2);
    let (_, shown) = text(&directory, &["explain", "docs", "drafts/a.html"]);
    assert!(shown.contains("`plugins/exclude.wasm`, observed, would decide: matches `drafts/`"), "{shown}");
    let (_, explained) = directory.json(&["explain", "docs", "drafts/a.html"]);
    let step = &explained[0]["trail"][0];
    assert_eq!((&step["observed"], &step["effects"]), (&json!(true), &json!(["excluded"])), "{explained}");
    assert_eq!(explained[0]["status"], "published");
    let (code, report) = directory.json(&["publish", "docs"]);
    assert_eq!((code, &report["done"]["written"]), (0, &Value::from(2)), "{report}");
    assert_eq!(report["observed"], planned["observed"]);
}

#[test]
fn a_report_has_the_cost_of_every_plugin() {
    let directory = directory("", &pinned(""));
    let (_, report) = directory.json(&["publish", "docs"]);
    let usages = [&report["usage"][0], &report["judgements"][0]["usage"]];
    for usage in usages {
        for field in ["fuel_used", "fuel_allowed", "wall_us", "wall_allowed_us", "memory_peak", "memory_allowed"] {
            assert!(usage[field].as_u64().is_some_and(|value| value > 0), "{field}: {usage}");
        }
        let (fuel, headroom) = (usage["fuel_used"].as_f64().unwrap(), usage["headroom"]["fuel"].as_f64().unwrap());
        let left = 100.0 - 100.0 * fuel / usage["fuel_allowed"].as_f64().unwrap();
        assert!((left - headroom).abs() <= 1.0, "{usage}");
        for field in ["fuel", "time", "memory", "reads", "bytes_read"] {
            assert!(usage["headroom"][field].as_u64().is_some_and(|left| left <= 100), "{usage}");
        }
    }
    assert_eq!((&usages[0]["edits"], &usages[1]["edits"]), (&json!({ "exclude": 1 }), &Value::Null));
    let (_, shown) = text(&directory, &["plan", "docs", "-v"]);
    let line = shown.lines().find(|line| line.contains("plugin `plugins/exclude.wasm`: 2 objects")).unwrap();
    assert!(
        line.contains("units of fuel (") && line.contains("of memory (") && line.ends_with("; 1 exclude"),
        "{line}"
    );
    assert!(shown.contains("plugin `guard`: "), "{shown}");
    let (_, shown) = text(&directory, &["publish", "docs", "-v"]);
    assert!(shown.contains("plugin `plugins/exclude.wasm`: 2 objects"), "{shown}");
}
