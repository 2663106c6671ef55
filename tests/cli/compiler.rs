//! Compiling a hostile component ends within limits, in a process of its own.

use std::time::{Duration, Instant};

use tidegate_core::config::Sha256Hex;

use super::TestDirectory;

/// A small component with the names of a plugin, and one function that makes a compiler use much memory: nested loops
/// that pass a thousand values on, in three bytes each.
fn greedy() -> Vec<u8> {
    let parameters = "i64 ".repeat(1_000);
    let values = "i64.const 0 ".repeat(1_000);
    let loops = "loop (type $many) ".repeat(200_000);
    let ends = "end ".repeat(200_000);
    let exports: String =
        ["sync", "settings"].map(|name| format!("(export \"tidegate:plugin/{name}@0.1.0\" (instance $i))")).concat();
    let text = format!(
        "(component
           (core module (type $many (func (param {parameters}))) (func {values} {loops} unreachable {ends}))
           (component $c) (instance $i (instantiate $c)) {exports})"
    );
    wat::parse_str(text).unwrap()
}

fn check(component: Vec<u8>) -> (i32, String) {
    let digest = Sha256Hex::of(&component);
    let place = TestDirectory::new(&format!(
        "[[site]]\nname = \"docs\"\nstaged = \"site\"\ntarget = \"s3://docs/\"\nsync = [{{ plugin = \"./plugin.wasm\", sha256 = \"{digest}\" }}]\n",
    ));
    std::fs::write(place.0.path().join("plugin.wasm"), component).unwrap();
    let (code, report) = place.json(&["check"]);
    (code, report.to_string())
}

#[cfg(target_os = "linux")]
#[test]
fn a_component_that_needs_too_much_to_compile_is_refused() {
    let greedy = greedy();
    assert!(greedy.len() < 1 << 20);
    let started = Instant::now();
    let (code, text) = check(greedy);
    assert!(text.contains("compiling it takes more than"), "{text}");
    assert_eq!(code, 2, "{text}");
    // The time for a component of its size is 60 s.
    assert!(started.elapsed() < Duration::from_secs(90));
}
