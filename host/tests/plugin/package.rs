//! Deployment packages: only code that was compiled for this machine by this version runs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_core::architecture::Architecture;
use tidegate_core::config::Sha256Hex;
use tidegate_host::sync::{Trace, transform};
use tidegate_host::{
    AdmissionError, AdmissionErrorKind, CodePackage, CodePackageError, CompiledPlugin, Compiler, Engine, Plugin,
};

use crate::support::{CRAFTED, Crafted, Files, default_settings, engine, facts};

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

fn code_file(directory: &Path, component: &[u8]) -> PathBuf {
    let digest = tidegate_core::identity::sha256(component);
    directory.join(format!("{digest}-{}.cwasm", here()))
}

fn load(engine: &Engine, directory: &Path, component: &[u8]) -> Result<Plugin, AdmissionError> {
    Plugin::packaged(engine, &CodePackage::open(directory).unwrap(), "x", &Sha256Hex::of(component))
}

/// The error of the package that loading a plugin ended with.
fn package_error(result: Result<Plugin, AdmissionError>) -> CodePackageError {
    match result {
        Err(AdmissionError { plugin, kind: AdmissionErrorKind::Package(error) }) if plugin == "x" => *error,
        other => panic!("{other:?}"),
    }
}

fn one_sentence(error: &CodePackageError) -> String {
    let message = error.to_string();
    assert!(!message.contains('\n') && !message.ends_with('.') && message.contains("tidegate package"), "{message}");
    message
}

#[test]
fn a_package_for_this_machine_runs_the_bundled_plugins() {
    let bytes: Vec<&[u8]> = tidegate_bundled_plugins::PLUGINS.iter().map(|plugin| plugin.bytes).collect();
    let directory = package(here(), &bytes);
    let engine = engine();
    for plugin in tidegate_bundled_plugins::PLUGINS {
        let loaded = load(&engine, directory.path(), plugin.bytes).unwrap();
        assert!(loaded.precompiled(), "{}", plugin.name);
        loaded.validate(&default_settings(plugin.name)).unwrap();
    }
    let exclude = load(&engine, directory.path(), bundled("exclude")).unwrap();
    let exclude = exclude.validate(&json!({ "globs": ["drafts/**"] })).unwrap();
    let files = Files::new(&[("drafts/x.html", "x"), ("index.html", "x")]);
    let transformed = transform(&[exclude], files.artifact(), &facts(), &files, Trace::Off).unwrap();
    let published: Vec<&str> = transformed.desired.entries().iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(published, ["index.html"]);
}

#[test]
fn compilation_is_deterministic_for_every_target() {
    for target in Architecture::ALL {
        let compiler = Compiler::new(target).unwrap();
        for plugin in tidegate_bundled_plugins::PLUGINS {
            let code = compiler.compile(plugin.name, plugin.bytes).unwrap();
            assert_eq!(Architecture::of_executable(code.code()), Some(target), "{}", plugin.name);
            assert!(code == Compiler::new(target).unwrap().compile(plugin.name, plugin.bytes).unwrap(), "{target}");
        }
    }
}

#[test]
fn refuses_damaged_code_before_deserialization() {
    let components = [bundled("mime"), bundled("exclude")];
    let directory = package(here(), &components);
    let engine = engine();
    for component in components {
        let path = code_file(directory.path(), component);
        let whole = fs::read(&path).unwrap();
        for at in [0, 18, 64, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert_eq!(
                package_error(load(&engine, directory.path(), component)),
                CodePackageError::Damaged { path: path.clone() }
            );
        }
        let others = [whole[..whole.len() - 1].to_vec(), [&whole[..], b"x"].concat(), Vec::new()];
        for bytes in others {
            fs::write(&path, bytes).unwrap();
            assert!(matches!(
                package_error(load(&engine, directory.path(), component)),
                CodePackageError::Damaged { .. }
            ));
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(package_error(load(&engine, directory.path(), component)), CodePackageError::Damaged { .. }));
        fs::write(&path, whole).unwrap();
        assert!(load(&engine, directory.path(), component).unwrap().precompiled());
    }
    // Intact files with swapped names.
    let [first, second] = components.map(|component| code_file(directory.path(), component));
    let swapped = (fs::read(&first).unwrap(), fs::read(&second).unwrap());
    fs::write(&first, swapped.1).unwrap();
    fs::write(&second, swapped.0).unwrap();
    for component in components {
        assert!(matches!(package_error(load(&engine, directory.path(), component)), CodePackageError::Damaged { .. }));
    }
}

#[test]
fn refuses_another_index_and_names_both_sides() {
    let version = env!("CARGO_PKG_VERSION");
    let remedy = format!("`tidegate package --target {}`", here());
    let this_host = format!("this is tidegate {version} on {}", here());
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
        (newer, vec!["was made", "by tidegate 9.9.9", &this_host, &remedy]),
        (changed("tidegate", json!("9.9.9")), vec!["by tidegate 9.9.9", &this_host, &remedy]),
        (
            changed("stamp", json!("tidegate 0.1.0 revision 0, wasmtime 48.0.7")),
            vec!["wasmtime 48.0.7", &stamp, &remedy],
        ),
        (changed("target", json!(other().as_str())), vec![other().as_str(), &this_host, &remedy]),
        (changed("target", json!("riscv64")), vec!["made for riscv64", &this_host, &remedy]),
        (changed("format", json!(1)), vec!["format 1", version, "reads format 2"]),
        ("{\"format\":7,\"nothing\":\"else\"}".to_owned(), vec!["format 7"]),
        (changed("more", json!(1)), vec!["not a package index", "unknown field `more`"]),
        ("{".to_owned(), vec!["not a package index"]),
    ];
    for (index, expected) in cases {
        fs::write(&path, &index).unwrap();
        let message = one_sentence(&CodePackage::open(directory.path()).unwrap_err());
        for part in expected {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
    }
    fs::remove_file(&path).unwrap();
    assert!(one_sentence(&CodePackage::open(directory.path()).unwrap_err()).contains("index.json"));
    assert!(one_sentence(&CodePackage::open(&path).unwrap_err()).contains("index.json"));
}

#[test]
fn refuses_a_package_of_the_other_architecture() {
    let directory = package(other(), &[bundled("guard")]);
    let message = one_sentence(&CodePackage::open(directory.path()).unwrap_err());
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "the package was made for {} by tidegate {version}, and this is tidegate {version} on {}; rebuild it with `tidegate package --target {}`",
        other(),
        here(),
        here()
    );
    assert_eq!(message, expected);
}

#[test]
fn wasmtime_refuses_code_for_the_other_architecture() {
    let directory = package(other(), &[bundled("mime")]);
    let foreign = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let foreign: Vec<PathBuf> =
        foreign.filter(|path| path.extension().is_some_and(|ending| ending == "cwasm")).collect();
    fs::rename(&foreign[0], code_file(directory.path(), bundled("mime"))).unwrap();
    let index = directory.path().join("index.json");
    let text = fs::read_to_string(&index).unwrap().replace(other().as_str(), here().as_str());
    fs::write(&index, text).unwrap();
    let refused = package_error(load(&engine(), directory.path(), bundled("mime")));
    assert!(matches!(refused, CodePackageError::Incompatible { .. }), "{refused}");
    assert!(one_sentence(&refused).contains("architecture"));
}

#[test]
fn refuses_a_plugin_that_is_not_in_the_package() {
    let directory = package(here(), &[bundled("mime")]);
    let refused = load(&engine(), directory.path(), &CRAFTED.component()).unwrap_err();
    assert_eq!(refused, AdmissionErrorKind::NotPackaged.of("x"));
    assert!(refused.to_string().contains("cannot load plugin `x`: it is not in the package"), "{refused}");
    assert!(refused.to_string().contains("`tidegate package`"), "{refused}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn a_package_knows_its_components() {
    let components = [bundled("mime"), bundled("guard")];
    let directory = package(here(), &components);
    let opened = CodePackage::open(directory.path()).unwrap();
    assert_eq!(opened.digest_of("first"), Some(&Sha256Hex::of(components[0])));
    assert_eq!(opened.digest_of("second"), None);
    let engine = engine();
    for component in components {
        let packaged = load(&engine, directory.path(), component).unwrap();
        let compiled = Plugin::load(&engine, None, "x", component).unwrap();
        let facts = |plugin: &Plugin| (plugin.kind(), plugin.reads_content(), plugin.sha256().clone());
        assert_eq!(facts(&packaged), facts(&compiled));
    }
}

#[test]
fn refuses_code_with_the_wrong_kind_in_the_index() {
    let directory = package(here(), &[bundled("mime")]);
    let path = directory.path().join("index.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"sync\"", "\"policy\"")).unwrap();
    let refused = load(&engine(), directory.path(), bundled("mime")).unwrap_err();
    assert!(matches!(refused.kind, AdmissionErrorKind::Contract(_)), "{refused}");
}

#[test]
fn compiles_only_admitted_components() {
    let compiler = Compiler::new(other()).unwrap();
    assert!(matches!(
        compiler.compile("x", b"\0asm\x01\0\0\0"),
        Err(AdmissionError { kind: AdmissionErrorKind::CoreModule, .. })
    ));
    assert!(matches!(compiler.compile("x", b"no"), Err(AdmissionError { kind: AdmissionErrorKind::NotWasm(_), .. })));
    let code = compiler.compile("x", &Crafted { begin: "unreachable", ..CRAFTED }.component()).unwrap();
    assert!(matches!(
        compiler.compile("x", code.code()),
        Err(AdmissionError { kind: AdmissionErrorKind::MachineCode, .. })
    ));
}
