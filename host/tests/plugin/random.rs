//! Random modules in a working plugin: each is refused or runs, and none takes the host down.
//!
//! `TIDEGATE_RANDOM_MODULES` is the number of modules; more than the default find more.

use arbitrary::Unstructured;
use tidegate_host::{AdmissionErrorKind, Plugin, validate};
use wasm_smith::{Config, Module};

use crate::support::{CRAFTED, engine, with_binary_instances};

/// Any proposal of WebAssembly may occur, also those that the host refuses.
fn proposals(choice: u64) -> Config {
    let is_on = |bit: u64| choice & (1 << bit) != 0;
    Config {
        allow_start_export: true,
        max_imports: 0,
        max_memories: if is_on(0) { 3 } else { 1 },
        memory64_enabled: is_on(1) && is_on(2),
        multi_value_enabled: true,
        reference_types_enabled: true,
        simd_enabled: is_on(3),
        relaxed_simd_enabled: is_on(4) && is_on(5),
        tail_call_enabled: is_on(6) && is_on(7),
        threads_enabled: is_on(8) && is_on(9),
        exceptions_enabled: is_on(10) && is_on(11),
        gc_enabled: is_on(12) && is_on(13),
        bulk_memory_enabled: true,
        ..Config::default()
    }
}

#[test]
fn random_modules_are_refused_or_run() {
    let count = std::env::var("TIDEGATE_RANDOM_MODULES").map_or(300, |text| text.parse().unwrap());
    let engine = engine();
    let mut random = fastrand::Rng::with_seed(7);
    let (mut ran, mut refused, mut failed) = (0, 0, 0);
    for _ in 0..count {
        let mut bytes = vec![0; 2_000];
        random.fill(&mut bytes);
        let mut source = Unstructured::new(&bytes);
        let Ok(module) = Module::new(proposals(random.u64(..)), &mut source) else { continue };
        let module = module.to_bytes();
        let component = with_binary_instances(CRAFTED.component(), &module, 1);
        // Cut and changed bytes, too.
        let mut damaged = component.clone();
        let at = random.usize(..damaged.len());
        damaged[at] ^= 1 << random.u8(..8);
        let _ = validate("damaged", &damaged);
        let valid = validate("random", &component);
        match Plugin::load(&engine, None, "random", &component) {
            Ok(plugin) => {
                assert!(valid.is_ok(), "{module:?}");
                match plugin.validate(&serde_json::json!({})) {
                    Ok(_) => ran += 1,
                    // Its start function loops, traps or asks for too much.
                    Err(_) => failed += 1,
                }
            }
            Err(error) => {
                // What the validator accepts and the compiler refuses has a reason of its own.
                assert!(valid.is_err() || !matches!(error.kind, AdmissionErrorKind::Compiler(_)), "{error}");
                refused += 1;
            }
        }
    }
    println!("{count} random modules: {ran} ran, {failed} failed, {refused} were refused");
    assert!(ran > 0 && refused > 0, "{ran} ran, {refused} were refused");
}
