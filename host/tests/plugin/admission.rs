//! What is admitted as a plugin, and what the refusal says.

use tidegate_host::limits::MAX_COMPONENT_BYTES;
use tidegate_host::{AdmissionError, IdentifiedPlugin, Plugin, PluginKind, identify};

use crate::support::{CRAFTED, GUESTS, component, engine};

fn refused(bytes: &[u8]) -> AdmissionError {
    Plugin::load(&engine(), None, "x", bytes).unwrap_err()
}

fn text(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap()
}

#[test]
fn plugins_are_told_from_their_names() {
    assert_eq!(
        identify("x", &GUESTS["guest_sync"]).unwrap(),
        IdentifiedPlugin { kind: PluginKind::Sync, reads_content: true }
    );
    assert_eq!(
        identify("x", &GUESTS["guest_policy"]).unwrap(),
        IdentifiedPlugin { kind: PluginKind::Policy, reads_content: true }
    );
    let crafted = CRAFTED.component();
    assert_eq!(identify("x", &crafted).unwrap(), IdentifiedPlugin { kind: PluginKind::Sync, reads_content: false });
    // Identification never runs anything: this one would trap or loop at once.
    let loaded = Plugin::load(&engine(), None, "crafted", &crafted).unwrap();
    assert_eq!(
        (loaded.name(), loaded.kind(), loaded.reads_content(), loaded.cached()),
        ("crafted", PluginKind::Sync, false, false)
    );
    assert_eq!(loaded.sha256().as_str().len(), 64);
}

#[test]
fn what_is_no_component_is_refused_with_the_remedy() {
    assert!(matches!(refused(b""), AdmissionError::NotWasm { what: "empty", .. }));
    assert!(matches!(refused(b"(component)"), AdmissionError::NotWasm { what: "WebAssembly text", .. }));
    assert!(matches!(refused(b"PK\x03\x04"), AdmissionError::NotWasm { what: "a zip archive", .. }));
    assert!(matches!(refused(b"hello"), AdmissionError::NotWasm { what: "not WebAssembly", .. }));
    let core = refused(&text("(module)"));
    assert!(core.to_string().contains("wasm-tools component new"), "{core}");
    let large = refused(&vec![0; MAX_COMPONENT_BYTES + 1]);
    assert!(matches!(large, AdmissionError::TooLarge { bytes, .. } if bytes == MAX_COMPONENT_BYTES + 1));
    let mut cut = CRAFTED.component();
    cut.truncate(cut.len() / 2);
    assert!(matches!(refused(&cut), AdmissionError::Invalid { .. }));
    assert!(matches!(refused(&text("(component)")), AdmissionError::NoKind { .. }));
}

#[cfg(feature = "compile")]
#[test]
fn machine_code_is_refused() {
    // As wasmtime itself writes it: an ELF file with its own marks.
    let mut config = wasmtime::Config::new();
    config.consume_fuel(true);
    let foreign = wasmtime::Engine::new(&config).unwrap().precompile_component(&CRAFTED.component()).unwrap();
    let error = refused(&foreign);
    assert!(matches!(error, AdmissionError::Compiled { .. }), "{error}");
    assert!(error.to_string().contains("give the `.wasm` file"), "{error}");
    assert!(matches!(
        refused(b"\x7fELF\x02\x01\x01"),
        AdmissionError::NotWasm { what: "a native program or library", .. }
    ));
}

#[test]
fn wasi_is_refused_by_name_with_the_way_without() {
    let error = refused(&text(
        r#"(component
            (import "wasi:cli/environment@0.2.6" (instance))
            (import "wasi:filesystem/types@0.2.6" (instance))
            (import "tidegate:plugin/log@0.1.0" (instance)))"#,
    ));
    let words = error.to_string();
    assert!(matches!(error, AdmissionError::Wasi { .. }), "{words}");
    for word in [
        "`wasi:cli/environment@0.2.6`",
        "`wasi:filesystem/types@0.2.6`",
        "wasm32-unknown-unknown",
        "--stub-wasi",
        "disableFeatures",
        "zig cc",
        "docs/plugins/writing-a-plugin.md",
    ] {
        assert!(words.contains(word), "{words}");
    }
}

#[test]
fn other_imports_are_refused_by_name() {
    let instance = refused(&text(r#"(component (import "acme:net/http@1.0.0" (instance)))"#));
    assert!(instance.to_string().contains("`acme:net/http@1.0.0`"), "{instance}");
    let unknown = refused(&text(r#"(component (import "tidegate:plugin/network@0.1.0" (instance)))"#));
    assert!(matches!(unknown, AdmissionError::Import { .. }), "{unknown}");
    let function = refused(&text(r#"(component (import "now" (func (result u64))))"#));
    assert!(function.to_string().contains("`now`"), "{function}");
    let many: String = (0..50).map(|at| format!("(import \"a:b/c{at}\" (instance))")).collect();
    let many = refused(&text(&format!("(component {many})")));
    assert!(many.to_string().contains("and 45 more"), "{many}");
}

#[test]
fn another_version_of_the_contract_is_one_sentence() {
    let of = |version: &str| {
        refused(&text(&format!(
            r#"(component (component $c) (instance $i (instantiate $c)) (export "tidegate:plugin/sync@{version}" (instance $i)))"#
        )))
    };
    let newer = of("0.2.0").to_string();
    assert!(newer.contains("needs tidegate:plugin@0.2, this host has 0.1"), "{newer}");
    assert!(newer.contains("install a newer Tidegate"), "{newer}");
    assert!(of("1.0.0").to_string().contains("needs tidegate:plugin@1.0, this host has 0.1"));
    assert!(of("0.0.9").to_string().contains("build the plugin for that version"));
    // The right name without the right content.
    assert!(matches!(of("0.1.0"), AdmissionError::NoSettings { .. }));
    assert!(matches!(of("0.1.7"), AdmissionError::NoSettings { .. }));
}

#[test]
fn exports_must_follow_the_contract() {
    let exporting = |names: &[&str]| {
        let exports: String =
            names.iter().map(|name| format!("(export \"tidegate:plugin/{name}@0.1.0\" (instance $i))")).collect();
        refused(&text(&format!("(component (component $c) (instance $i (instantiate $c)) {exports})")))
    };
    assert!(matches!(exporting(&["settings"]), AdmissionError::NoKind { .. }));
    assert!(matches!(exporting(&["settings", "sync", "policy"]), AdmissionError::TwoKinds { .. }));
    let empty = exporting(&["settings", "sync"]);
    assert!(matches!(empty, AdmissionError::Contract { .. }), "{empty}");
}

#[test]
fn proposals_that_are_off_are_refused() {
    for (what, fields) in [
        ("64-bit memory", "(memory i64 1)"),
        ("several memories", "(memory 1) (memory 1)"),
        ("shared memory", "(memory 1 1 shared)"),
        (
            "relaxed SIMD",
            "(func (param v128 v128 v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2)))",
        ),
        ("tail calls", "(func $f (return_call $f))"),
        ("garbage collection", "(type (struct (field i32)))"),
        ("exceptions", "(tag (param i32))"),
        ("custom page sizes", "(memory 1 (pagesize 1))"),
    ] {
        let with = text(&format!("(component (core module {fields}))"));
        // Made a plugin by name only, so that it gets as far as the compiler.
        let crafted = CRAFTED.component();
        let added = [&crafted[..], &with[8..]].concat();
        let error = refused(&added);
        assert!(matches!(error, AdmissionError::Invalid { .. }), "{what}: {error}");
    }
}

#[test]
fn what_would_compile_for_ever_is_refused_before() {
    let long = format!("(module (func {}))", "(drop (i32.const 1000000000))".repeat(200_000));
    let added = crate::support::with_instances(CRAFTED.component(), &long, 1);
    let error = refused(&added);
    assert!(matches!(error, AdmissionError::Excessive { what: "bytes in one function", .. }), "{error}");
    let mut nested = "(component)".to_owned();
    for _ in 0..40 {
        nested = format!("(component {nested})");
    }
    let error = refused(&text(&nested));
    assert!(matches!(error, AdmissionError::Excessive { .. }), "{error}");
    // A core module's names are checked by the tool that makes the component.
    assert!(std::panic::catch_unwind(|| component("(module)")).is_err());
}
