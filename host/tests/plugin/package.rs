//! Packages of compiled code: what is made for this machine runs here, and nothing else does.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_core::architecture::Architecture;
use tidegate_core::config::Sha256Hex;
use tidegate_host::sync::{Trace, transform};
use tidegate_host::{AdmissionError, CodePackage, CodePackageError, CompiledPlugin, Compiler, Engine, Plugin};

use crate::support::{CRAFTED, Crafted, Files, engine, facts};

fn here() -> Architecture {
    Architecture::of_this_machine().unwrap()
}

fn other() -> Architecture {
    Architecture::ALL.into_iter().find(|target| *target != here()).unwrap()
}

/// A package of components in a directory of its own; the first one is bundled as `first`.
fn package(target: Architecture, components: &[&[u8]]) -> TempDir {
    let compiler = Compiler::new(target).unwrap();
    let codes: Vec<CompiledPlugin> = components.iter().map(|bytes| compiler.compile("x", bytes).unwrap()).collect();
    let directory = tempfile::tempdir().unwrap();
    let first = components.first().map(|bytes| ("first".to_owned(), Sha256Hex::of(bytes)));
    for (name, bytes) in compiler.files(codes, first.into_iter().collect()).unwrap() {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    directory
}

fn bundled(name: &str) -> &'static [u8] {
    tidegate_bundled_plugins::find(name).unwrap().bytes
}

fn code(directory: &Path, component: &[u8]) -> PathBuf {
    let digest = tidegate_core::identity::sha256(component);
    directory.join(format!("{digest}-{}.cwasm", here()))
}

fn load(engine: &Engine, directory: &Path, component: &[u8]) -> Result<Plugin, AdmissionError> {
    Plugin::packaged(engine, &CodePackage::open(directory).unwrap(), "x", &Sha256Hex::of(component))
}

/// The package's fault, where loading ends with it.
fn fault(result: Result<Plugin, AdmissionError>) -> CodePackageError {
    match result {
        Err(AdmissionError::Package { plugin, why }) if plugin == "x" => *why,
        other => panic!("{other:?}"),
    }
}

fn one_sentence(error: &CodePackageError) -> String {
    let words = error.to_string();
    assert!(!words.contains('\n') && !words.ends_with('.') && words.contains("tidegate package"), "{words}");
    words
}

#[test]
fn a_package_for_this_machine_runs_the_bundled_plugins() {
    let bytes: Vec<&[u8]> = tidegate_bundled_plugins::PLUGINS.iter().map(|plugin| plugin.bytes).collect();
    let directory = package(here(), &bytes);
    let engine = engine();
    for plugin in tidegate_bundled_plugins::PLUGINS {
        let loaded = load(&engine, directory.path(), plugin.bytes).unwrap();
        assert!(loaded.cached(), "{}", plugin.name);
        loaded.validate(&json!({})).unwrap();
    }
    let exclude = load(&engine, directory.path(), bundled("exclude")).unwrap();
    let exclude = exclude.validate(&json!({ "globs": ["drafts/**"] })).unwrap();
    let files = Files::new(&[("drafts/x.html", "x"), ("index.html", "x")]);
    let shaped = transform(&[exclude], &files.artifact(), &facts(), &files, Trace::Off).unwrap();
    let left: Vec<&str> = shaped.desired.entries().iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(left, ["index.html"]);
}

#[test]
fn every_bundled_plugin_is_compiled_for_every_target_and_always_alike() {
    for target in Architecture::ALL {
        let compiler = Compiler::new(target).unwrap();
        for plugin in tidegate_bundled_plugins::PLUGINS {
            let code = compiler.compile(plugin.name, plugin.bytes).unwrap();
            assert_eq!(Architecture::of_executable(code.bytes()), Some(target), "{}", plugin.name);
            assert!(code == Compiler::new(target).unwrap().compile(plugin.name, plugin.bytes).unwrap(), "{target}");
        }
    }
}

#[test]
fn one_flipped_byte_anywhere_is_refused_before_it_is_deserialized() {
    let components = [bundled("mime"), bundled("exclude")];
    let directory = package(here(), &components);
    let engine = engine();
    for component in components {
        let path = code(directory.path(), component);
        let whole = fs::read(&path).unwrap();
        for at in [0, 18, 64, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert_eq!(
                fault(load(&engine, directory.path(), component)),
                CodePackageError::Damaged { path: path.clone() }
            );
        }
        let others = [whole[..whole.len() - 1].to_vec(), [&whole[..], b"x"].concat(), Vec::new()];
        for bytes in others {
            fs::write(&path, bytes).unwrap();
            assert!(matches!(fault(load(&engine, directory.path(), component)), CodePackageError::Damaged { .. }));
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(fault(load(&engine, directory.path(), component)), CodePackageError::Damaged { .. }));
        fs::write(&path, whole).unwrap();
        assert!(load(&engine, directory.path(), component).unwrap().cached());
    }
    // Whole files, each under the name of the other.
    let [first, second] = components.map(|component| code(directory.path(), component));
    let swapped = (fs::read(&first).unwrap(), fs::read(&second).unwrap());
    fs::write(&first, swapped.1).unwrap();
    fs::write(&second, swapped.0).unwrap();
    for component in components {
        assert!(matches!(fault(load(&engine, directory.path(), component)), CodePackageError::Damaged { .. }));
    }
}

#[test]
fn another_index_is_refused_in_one_sentence_that_names_both_sides() {
    let version = env!("CARGO_PKG_VERSION");
    let remedy = format!("`tidegate package --target {}`", here());
    let at_home = format!("this is tidegate {version} on {}", here());
    let directory = package(here(), &[]);
    let path = directory.path().join("index.json");
    let whole: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let changed = |member: &str, value: Value| {
        let mut index = whole.clone();
        index[member] = value;
        index.to_string()
    };
    let newer = {
        let mut index = whole.clone();
        (index["tidegate"], index["stamp"]) = (json!("9.9.9"), json!("tidegate 9.9.9 revision 1, wasmtime 99.0.0"));
        index.to_string()
    };
    let stamp = whole["stamp"].as_str().unwrap().to_owned();
    let cases: [(String, Vec<&str>); 9] = [
        (newer, vec!["was made", "by tidegate 9.9.9", &at_home, &remedy]),
        (changed("tidegate", json!("9.9.9")), vec!["by tidegate 9.9.9", &at_home, &remedy]),
        (
            changed("stamp", json!("tidegate 0.1.0 revision 0, wasmtime 48.0.7")),
            vec!["wasmtime 48.0.7", &stamp, &remedy],
        ),
        (changed("target", json!(other().as_str())), vec![other().as_str(), &at_home, &remedy]),
        (changed("target", json!("riscv64")), vec!["made for riscv64", &at_home, &remedy]),
        (changed("format", json!(1)), vec!["format 1", version, "reads format 2"]),
        ("{\"format\":7,\"nothing\":\"else\"}".to_owned(), vec!["format 7"]),
        (changed("more", json!(1)), vec!["no index", "unknown field `more`"]),
        ("{".to_owned(), vec!["no index"]),
    ];
    for (index, expected) in cases {
        fs::write(&path, &index).unwrap();
        let words = one_sentence(&CodePackage::open(directory.path()).unwrap_err());
        for part in expected {
            assert!(words.contains(part), "`{part}` is not in: {words}");
        }
    }
    fs::remove_file(&path).unwrap();
    assert!(one_sentence(&CodePackage::open(directory.path()).unwrap_err()).contains("index.json"));
    assert!(one_sentence(&CodePackage::open(&path).unwrap_err()).contains("index.json"));
}

#[test]
fn a_package_of_the_other_architecture_names_both() {
    let directory = package(other(), &[bundled("guard")]);
    let words = one_sentence(&CodePackage::open(directory.path()).unwrap_err());
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "the package was made for {} by tidegate {version}, this is tidegate {version} on {}: make it anew with `tidegate package --target {}`",
        other(),
        here(),
        here()
    );
    assert_eq!(words, expected);
}

#[test]
fn code_for_the_other_architecture_under_a_true_digest_is_refused_by_wasmtime() {
    let directory = package(other(), &[bundled("mime")]);
    let theirs = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let theirs: Vec<PathBuf> = theirs.filter(|path| path.extension().is_some_and(|ending| ending == "cwasm")).collect();
    fs::rename(&theirs[0], code(directory.path(), bundled("mime"))).unwrap();
    let index = directory.path().join("index.json");
    let text = fs::read_to_string(&index).unwrap().replace(other().as_str(), here().as_str());
    fs::write(&index, text).unwrap();
    let refused = fault(load(&engine(), directory.path(), bundled("mime")));
    assert!(matches!(refused, CodePackageError::Refused { .. }), "{refused}");
    assert!(one_sentence(&refused).contains("architecture"));
}

#[test]
fn what_is_not_in_the_package_is_refused_and_never_added() {
    let directory = package(here(), &[bundled("mime")]);
    let refused = load(&engine(), directory.path(), &CRAFTED.component()).unwrap_err();
    assert_eq!(refused, AdmissionError::NotPackaged { plugin: "x".to_owned() });
    assert!(refused.to_string().contains("`x` is not in the package"), "{refused}");
    assert!(refused.to_string().contains("`tidegate package`"), "{refused}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn a_package_says_what_a_bundled_plugin_was_and_what_each_component_is() {
    let components = [bundled("mime"), bundled("guard")];
    let directory = package(here(), &components);
    let opened = CodePackage::open(directory.path()).unwrap();
    assert_eq!(opened.bundled("first"), Some(&Sha256Hex::of(components[0])));
    assert_eq!(opened.bundled("second"), None);
    let engine = engine();
    for component in components {
        let packaged = load(&engine, directory.path(), component).unwrap();
        let compiled = Plugin::load(&engine, None, "x", component).unwrap();
        let told = |plugin: &Plugin| (plugin.kind(), plugin.reads_content(), plugin.sha256().clone());
        assert_eq!(told(&packaged), told(&compiled));
    }
}

#[test]
fn a_component_that_the_index_calls_by_the_other_kind_is_refused_by_the_contract() {
    let directory = package(here(), &[bundled("mime")]);
    let path = directory.path().join("index.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"sync\"", "\"policy\"")).unwrap();
    let refused = load(&engine(), directory.path(), bundled("mime")).unwrap_err();
    assert!(matches!(refused, AdmissionError::Contract { .. }), "{refused}");
}

#[test]
fn only_what_is_admitted_is_compiled() {
    let compiler = Compiler::new(other()).unwrap();
    assert!(matches!(compiler.compile("x", b"\0asm\x01\0\0\0"), Err(AdmissionError::CoreModule { .. })));
    assert!(matches!(compiler.compile("x", b"no"), Err(AdmissionError::NotWasm { .. })));
    let code = compiler.compile("x", &Crafted { begin: "unreachable", ..CRAFTED }.component()).unwrap();
    assert!(matches!(compiler.compile("x", code.bytes()), Err(AdmissionError::Compiled { .. })));
}
