//! Every bundled component is valid, of one kind, and imports only the contract.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail by panicking")]

use sha2::{Digest as _, Sha256};
use tidegate_bundled_plugins::{OMITTED, PLUGINS, find};
use wit_component::{DecodedWasm, decode};

/// Names of imports and exports, with versions.
fn interfaces(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    let DecodedWasm::Component(resolve, world) = decode(bytes).unwrap() else { panic!("not a component") };
    let world = &resolve.worlds[world];
    let names = |items: Vec<_>| items.into_iter().map(|key| resolve.name_world_key(key)).collect();
    (names(world.imports.keys().collect()), names(world.exports.keys().collect()))
}

#[test]
fn has_all_plugins() {
    let names: Vec<_> = PLUGINS.iter().map(|plugin| plugin.name).collect();
    assert_eq!(
        names,
        ["budget", "exclude", "guard", "headers", "leaks", "links", "mime", "rewrite", "script", "script-policy"]
    );
    assert!(OMITTED.is_empty(), "install clang, and build again: {OMITTED:?}");
    assert!(find("mime").is_some());
    assert!(find("tidegate_plugin").is_none());
}

#[test]
fn each_exports_one_kind_of_plugin() {
    for plugin in PLUGINS {
        let is_policy = ["budget", "guard", "leaks", "links", "script-policy"].contains(&plugin.name);
        let kind = if is_policy { "policy" } else { "sync" };
        let mut expected = [format!("tidegate:plugin/{kind}@0.1.0"), "tidegate:plugin/settings@0.1.0".to_owned()];
        let mut exports = interfaces(plugin.bytes).1;
        expected.sort();
        exports.sort();
        assert_eq!(exports, expected, "{}", plugin.name);
    }
}

#[test]
fn each_imports_only_the_contract() {
    for plugin in PLUGINS {
        for import in interfaces(plugin.bytes).0 {
            assert!(import.starts_with("tidegate:plugin/"), "{} imports {import}", plugin.name);
        }
    }
}

#[test]
fn digests_match_the_bytes() {
    for plugin in PLUGINS {
        let digest: String = Sha256::digest(plugin.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(plugin.sha256, digest, "{}", plugin.name);
    }
}

/// Components are compiled when a configuration is loaded, so they should be small. The limit detects a dependency that
/// adds megabytes. Those of scripts contain QuickJS.
#[test]
fn each_is_small() {
    for plugin in PLUGINS {
        println!("{}: {} bytes", plugin.name, plugin.bytes.len());
        let limit = if plugin.name.starts_with("script") { 1_100_000 } else { 800_000 };
        assert!(plugin.bytes.len() < limit, "{} has {} bytes", plugin.name, plugin.bytes.len());
    }
}
