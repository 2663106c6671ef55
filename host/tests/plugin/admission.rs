//! Admission: which bytes are plugins, and the messages about those that are not.

use tidegate_host::limits::MAX_COMPONENT_BYTES;
use tidegate_host::{AdmissionError, AdmissionErrorKind, IdentifiedPlugin, Plugin, PluginKind, identify, validate};

use crate::support::{CRAFTED, GUESTS, component, engine, with_instances};

fn refused(bytes: &[u8]) -> AdmissionError {
    let error = Plugin::load(&engine(), None, "x", bytes).unwrap_err();
    assert!(error.to_string().starts_with("cannot load plugin `x`: it "), "{error}");
    error
}

fn reason(bytes: &[u8]) -> AdmissionErrorKind {
    refused(bytes).kind
}

fn text(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap()
}

#[test]
fn identifies_plugins_by_their_names() {
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
    let loaded = Plugin::load(&engine(), None, "crafted", &crafted).unwrap();
    assert_eq!(
        (loaded.name(), loaded.kind(), loaded.reads_content(), loaded.precompiled()),
        ("crafted", PluginKind::Sync, false, false)
    );
    assert_eq!(loaded.sha256().as_str().len(), 64);
}

#[test]
fn refuses_bytes_that_are_not_a_component() {
    assert!(matches!(reason(b""), AdmissionErrorKind::NotWasm("empty")));
    assert!(matches!(reason(b"(component)"), AdmissionErrorKind::NotWasm("WebAssembly text")));
    assert!(matches!(reason(b"PK\x03\x04"), AdmissionErrorKind::NotWasm("a zip archive")));
    assert!(matches!(reason(b"hello"), AdmissionErrorKind::NotWasm("not WebAssembly")));
    let core = refused(&text("(module)"));
    assert!(core.to_string().contains("wasm-tools component new"), "{core}");
    assert_eq!(reason(&vec![0; MAX_COMPONENT_BYTES + 1]), AdmissionErrorKind::TooLarge(MAX_COMPONENT_BYTES + 1));
    let mut cut = CRAFTED.component();
    cut.truncate(cut.len() / 2);
    assert!(matches!(reason(&cut), AdmissionErrorKind::Invalid(_)));
    assert_eq!(reason(&text("(component)")), AdmissionErrorKind::NoKind);
}

#[cfg(feature = "compile")]
#[test]
fn refuses_machine_code() {
    // In wasmtime's own format: an ELF file with extra marks.
    let mut config = wasmtime::Config::new();
    config.consume_fuel(true);
    let foreign = wasmtime::Engine::new(&config).unwrap().precompile_component(&CRAFTED.component()).unwrap();
    let error = refused(&foreign);
    assert!(matches!(error.kind, AdmissionErrorKind::MachineCode), "{error}");
    assert!(error.to_string().contains("use the `.wasm` file"), "{error}");
    assert!(matches!(reason(b"\x7fELF\x02\x01\x01"), AdmissionErrorKind::NotWasm("a native program or library")));
}

#[test]
fn refuses_wasi_by_name_and_names_the_alternatives() {
    let error = refused(&text(
        r#"(component
            (import "wasi:cli/environment@0.2.6" (instance))
            (import "wasi:filesystem/types@0.2.6" (instance))
            (import "tidegate:plugin/log@0.1.0" (instance)))"#,
    ));
    let message = error.to_string();
    assert!(matches!(error.kind, AdmissionErrorKind::Wasi(_)), "{message}");
    for part in [
        "`wasi:cli/environment@0.2.6`",
        "`wasi:filesystem/types@0.2.6`",
        "wasm32-unknown-unknown",
        "--stub-wasi",
        "tidegate plugin build",
        "docs/plugins/writing-a-plugin.md",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn refuses_other_imports_by_name() {
    let instance = refused(&text(r#"(component (import "acme:net/http@1.0.0" (instance)))"#));
    assert!(instance.to_string().contains("`acme:net/http@1.0.0`"), "{instance}");
    let unknown = refused(&text(r#"(component (import "tidegate:plugin/network@0.1.0" (instance)))"#));
    assert!(matches!(unknown.kind, AdmissionErrorKind::Import(_)), "{unknown}");
    let function = refused(&text(r#"(component (import "now" (func (result u64))))"#));
    assert!(function.to_string().contains("`now`"), "{function}");
    let many: String = (0..50).map(|at| format!("(import \"a:b/c{at}\" (instance))")).collect();
    let many = refused(&text(&format!("(component {many})")));
    assert!(many.to_string().contains("and 45 more"), "{many}");
}

#[test]
fn reports_another_version_of_the_contract() {
    let of = |version: &str| {
        refused(&text(&format!(
            r#"(component (component $c) (instance $i (instantiate $c)) (export "tidegate:plugin/sync@{version}" (instance $i)))"#
        )))
    };
    let newer = of("0.2.0").to_string();
    assert!(newer.contains("needs tidegate:plugin@0.2, and this host has 0.1"), "{newer}");
    assert!(newer.contains("install a newer Tidegate"), "{newer}");
    assert!(of("1.0.0").to_string().contains("needs tidegate:plugin@1.0, and this host has 0.1"));
    assert!(of("0.0.9").to_string().contains("build the plugin for that version"));
    // The right names with the wrong content.
    assert_eq!(of("0.1.0").kind, AdmissionErrorKind::NoSettings);
    assert_eq!(of("0.1.7").kind, AdmissionErrorKind::NoSettings);
}

#[test]
fn refuses_exports_that_do_not_match_the_contract() {
    let exporting = |names: &[&str]| {
        let exports: String =
            names.iter().map(|name| format!("(export \"tidegate:plugin/{name}@0.1.0\" (instance $i))")).collect();
        refused(&text(&format!("(component (component $c) (instance $i (instantiate $c)) {exports})")))
    };
    assert_eq!(exporting(&["settings"]).kind, AdmissionErrorKind::NoKind);
    assert_eq!(exporting(&["settings", "sync", "policy"]).kind, AdmissionErrorKind::TwoKinds);
    let empty = exporting(&["settings", "sync"]);
    assert!(matches!(empty.kind, AdmissionErrorKind::Contract(_)), "{empty}");
}

#[test]
fn refuses_proposals_that_are_off() {
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
        // With the names of a plugin, so that it gets to the compiler.
        let crafted = CRAFTED.component();
        let added = [&crafted[..], &with[8..]].concat();
        let error = refused(&added);
        match error.kind {
            AdmissionErrorKind::Invalid(_) => {}
            AdmissionErrorKind::Excessive { what: "memories in one module", .. } => {
                assert_eq!(what, "several memories");
            }
            other => panic!("{what}: {other}"),
        }
        // The validator says so too.
        assert!(validate("x", &added).is_err(), "{what}");
    }
}

#[test]
fn components_that_are_composed_of_others_run() {
    // Two components that pass text between their memories: wasmtime makes a module with two memories for that.
    let module = r#"(core module $m (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
        (func (export "f") (param i32 i32)))
      (core instance $i (instantiate $m))
      (alias core export $i "memory" (core memory $memory)) (alias core export $i "realloc" (core func $realloc))"#;
    let composed = format!(
        r#"(component $composed
            (component $a {module}
                (func (export "f") (param "text" string)
                    (canon lift (core func $i "f") (memory $memory) (realloc $realloc))))
            (component $b
                (import "f" (func $f (param "text" string)))
                {module}
                (core func $lowered (canon lower (func $f) (memory $memory)))
                (core module $n (import "a" "f" (func (param i32 i32))))
                (core instance (instantiate $n (with "a" (instance (export "f" (func $lowered)))))))
            (instance $first (instantiate $a))
            (instance (instantiate $b (with "f" (func $first "f")))))"#
    );
    let component = with_instances(CRAFTED.component(), &composed, 1);
    assert_eq!(validate("x", &component).unwrap().kind, PluginKind::Sync);
    let plugin = Plugin::load(&engine(), None, "x", &component).unwrap();
    assert_eq!(plugin.validate(&serde_json::json!({})).unwrap().name(), "x");
    // A plugin's own module with two memories stays refused, whether it defines or imports them.
    for fields in ["(memory 1) (memory 1)", r#"(import "a" "b" (memory 1)) (memory 1)"#] {
        assert_eq!(excess(&format!("(module {fields})")), "memories in one module");
    }
}

/// The kind of structure of which a component has too much. `text` is a core module or component that is appended to a
/// working plugin, with an instance.
fn excess(text: &str) -> &'static str {
    let error = refused(&with_instances(CRAFTED.component(), text, 1));
    let AdmissionErrorKind::Excessive { what, found, limit } = error.kind else { panic!("{error}") };
    assert!(found > limit, "{error}");
    what
}

/// A component in which each step instantiates the one before it twice.
fn doubling(first: &str, steps: usize, twice: &str) -> String {
    let steps: String = (1..=steps)
        .map(|step| {
            format!("(component $c{step} (alias outer $all $c{} (component $x)) {})", step - 1, twice.repeat(2))
        })
        .collect();
    format!("(component $all {first} {steps})")
}

#[test]
fn refuses_components_that_take_too_long_to_compile() {
    let long = format!("(module (func {}))", "(drop (i32.const 1000000000))".repeat(200_000));
    assert_eq!(excess(&long), "bytes in one function");
    let nested = format!("{}{}", "(component ".repeat(40), ")".repeat(40));
    assert_eq!(excess(&nested), "levels of nested components");
    // A declaration of four bytes for 50,000 variables.
    let locals = "(local ".to_owned() + &"i64 ".repeat(50_000) + ")";
    assert_eq!(excess(&format!("(module {})", format!("(func {locals})").repeat(41))), "local variables");
    // Calls that pass on a thousand values each.
    let results = "i32 ".repeat(1_000);
    assert_eq!(
        excess(&format!("(module (type (func (param {results}) (result {results}))))")),
        "results of one function"
    );
    // The tool that makes a component checks the names of its core module.
    assert!(std::panic::catch_unwind(|| component("(module)")).is_err());
}

#[test]
fn refuses_components_that_are_large_when_instantiated() {
    const INSTANCES: &str = "instances of components and modules";
    const DEFINITIONS: &str = "definitions in all instances";
    let instance = "(instance (instantiate $x))";
    // 2^22 instances of components, in 588 bytes.
    assert_eq!(excess(&doubling("(component $c0)", 22, instance)), INSTANCES);
    // The same with exports, which have an index of their own.
    let exported = "(component $c (component $b) (export $e \"e\" (component $b)) (instance (instantiate $e)))";
    assert_eq!(excess(&format!("(component {exported} {})", "(instance (instantiate $c))".repeat(200))), INSTANCES);
    // Core modules in nested components.
    let module =
        "(core module $m) (component $c0 (alias outer $all $m (core module $x)) (core instance (instantiate $x)))";
    assert_eq!(excess(&doubling(module, 9, instance)), INSTANCES);
    // Side by side.
    assert!(matches!(
        reason(&with_instances(CRAFTED.component(), "(module)", 600)),
        AdmissionErrorKind::Excessive { what: INSTANCES, .. }
    ));
    assert!(matches!(
        reason(&with_instances(CRAFTED.component(), "(component)", 600)),
        AdmissionErrorKind::Excessive { what: INSTANCES, .. }
    ));
    // Few instances, each with much in it.
    let globals = format!("(module {})", "(global i32 (i32.const 0))".repeat(50_000));
    assert!(matches!(
        reason(&with_instances(CRAFTED.component(), &globals, 20)),
        AdmissionErrorKind::Excessive { what: DEFINITIONS, .. }
    ));
    let elements = format!("(module (table 1 funcref) (func $f) (elem func {}))", "$f ".repeat(50_000));
    assert!(matches!(
        reason(&with_instances(CRAFTED.component(), &elements, 20)),
        AdmissionErrorKind::Excessive { what: DEFINITIONS, .. }
    ));
    let data = format!("(module (memory 32) (data (i32.const 0) \"{}\"))", "x".repeat(2_000_000));
    assert!(matches!(
        reason(&with_instances(CRAFTED.component(), &data, 280)),
        AdmissionErrorKind::Excessive { what: DEFINITIONS, .. }
    ));
    let aliases = "(core module $m (func (export \"f\"))) (component $c0 (alias outer $all $m (core module $x)) \
                   (core instance $i (instantiate $x)) "
        .to_owned()
        + &"(alias core export $i \"f\" (core func))".repeat(10_000)
        + ")";
    assert_eq!(excess(&doubling(&aliases, 6, instance)), DEFINITIONS);
    // A small number of each is admitted.
    let few = with_instances(CRAFTED.component(), &doubling("(component $c0)", 6, instance), 1);
    Plugin::load(&engine(), None, "x", &few).unwrap();
}

#[test]
fn refuses_instances_that_cannot_be_counted() {
    for text in [
        "(component (import \"c\" (component $c)) (instance (instantiate $c)))",
        "(component (import \"m\" (core module $m)) (core instance (instantiate $m)))",
        "(component (component $a (component $b) (export \"b\" (component $b))) (instance $i (instantiate $a)) \
           (alias export $i \"b\" (component $x)) (instance (instantiate $x)))",
    ] {
        let error = refused(&with_instances(CRAFTED.component(), text, 1));
        assert_eq!(error.kind, AdmissionErrorKind::Uncountable, "{text}: {error}");
    }
}

#[test]
fn refuses_definitions_that_make_large_code() {
    // A table's elements are listed in compiled code, up to the last one that is set.
    let table = "(module (table 1000000 funcref) (func $f) (elem (i32.const 999999) func $f))";
    assert_eq!(excess(table), "elements of tables");
    assert_eq!(excess(&format!("(module {})", "(table 1000 funcref)".repeat(101))), "elements of tables");
    assert_eq!(excess(&format!("(component {})", "(core module)".repeat(257))), "core modules");
    assert_eq!(excess(&format!("(module {})", "(type (func))".repeat(100_001))), "types");
    let declarations = format!("(type (instance {}))", "(type u8)".repeat(50_001)).repeat(2);
    assert_eq!(excess(&format!("(component {declarations})")), "types");
}

#[cfg(feature = "compile")]
#[test]
fn a_sparse_memory_has_no_image_in_compiled_code() {
    // Two bytes, 15 MiB apart, in each of 50 modules.
    let sparse = "(core module (memory 256) (data (i32.const 0) \"a\") (data (i32.const 15728640) \"b\"))";
    let sparse = with_instances(CRAFTED.component(), &format!("(component {})", sparse.repeat(50)), 1);
    let compiler = tidegate_host::Compiler::new(tidegate_core::architecture::Architecture::X86_64).unwrap();
    let code = compiler.compile("x", &sparse).unwrap();
    assert!(code.code().len() < 4 << 20, "{} bytes", code.code().len());
}
