//! The contract stays compatible with its released versions: a plugin that was built for one runs on this host.
//!
//! `released/` has the text of each released version. A released file never changes.
#![cfg(feature = "languages")]

use std::path::Path;

use wit_parser::Resolve;

const CURRENT: &str = include_str!("../wit/plugin.wit");

/// Why a plugin for `old` would not run on a host with `new`; `None` if it does.
fn incompatibility(old: &str, new: &str) -> Option<String> {
    for world in ["sync-plugin", "policy-plugin"] {
        let mut resolve = Resolve::default();
        // Two packages of one name need two versions.
        let version = |text: &str, patch: u32| {
            text.replace("package tidegate:plugin@0.1.0;", &format!("package tidegate:plugin@0.1.{patch};"))
        };
        let checked = resolve.push_str("old.wit", &version(old, 1)).and_then(|old| {
            let new = resolve.push_str("new.wit", &version(new, 2))?;
            let old = resolve.select_world(&[old], Some(world))?;
            let new = resolve.select_world(&[new], Some(world))?;
            wit_component::semver_check(resolve, old, new)
        });
        if let Err(error) = checked {
            return Some(format!("{world}: {error:#}"));
        }
    }
    None
}

#[test]
fn released_versions_stay_compatible() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/released");
    let mut released = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let old = std::fs::read_to_string(&path).unwrap();
        assert_eq!(incompatibility(&old, CURRENT), None, "{}", path.display());
        released += 1;
    }
    assert!(released > 0);
}

#[test]
fn changes_that_break_plugins_are_found() {
    let change = |from: &str, to: &str| {
        assert!(CURRENT.contains(from), "{from}");
        incompatibility(CURRENT, &CURRENT.replace(from, to))
    };
    for (from, to) in [
        // A field, a case of a variant, of an enum.
        ("        now-ms: u64,", "        now-ms: u64,\n        region: string,"),
        ("        now-ms: u64,", "        now-ms: u32,"),
        ("        exclude,\n", "        exclude,\n        hold,\n"),
        ("enum severity { info, warning, error }", "enum severity { info, warning, error, fatal }"),
        ("enum severity { info, warning, error }", "enum severity { warning, info, error }"),
        // A parameter, a result.
        ("begin: func(run: run) ->", "begin: func(run: run, trace: bool) ->"),
        ("finish: func() -> result<summary, failure>", "finish: func() -> summary"),
        // A function that hosts no longer have, and one that old plugins do not have.
        ("    log: func(level: level, message: string);", ""),
        ("    finish: func() ->", "    pause: func();\n    finish: func() ->"),
        // An interface that hosts no longer link.
        ("    import content;\n    import edge;", "    import edge;"),
    ] {
        assert!(change(from, to).is_some(), "a plugin survives `{to}`");
    }
    for (from, to) in [
        (
            "    log: func(level: level, message: string);",
            "    log: func(level: level, message: string);\n    flush: func();",
        ),
        ("    import edge;\n", "    import edge;\n    import more;\n"),
    ] {
        let more = format!("{}\ninterface more {{ f: func(); }}\n", CURRENT.replace(from, to));
        assert_eq!(incompatibility(CURRENT, &more), None, "{to}");
    }
}
