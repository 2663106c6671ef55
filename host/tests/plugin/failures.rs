//! What a failure shows: the last log records, and the functions that were running.

use serde_json::Value;
use tidegate_core::plan_review::Verdict;
use tidegate_core::plugin_failure::{FailureCause, PluginFailure};
use tidegate_core::sanitize::MESSAGE_BYTES;

use crate::support::{
    CRAFTED, Crafted, configure, crafted_failure, engine, failure_of, judge, load, policy_guest, sync_guest,
    validation_failure,
};

/// Logs a message as long as a counter, 1,500 times: more records than are kept.
const LOG_MANY: &str = r#"
    (data (i32.const 2048) "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz")
    (func $log_many (local $turn i32)
        (loop $again
            (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
            (call $log (i32.const 2) (i32.const 2048) (i32.rem_u (local.get $turn) (i32.const 40)))
            (br_if $again (i32.lt_u (local.get $turn) (i32.const 1500)))))"#;

fn lengths(failure: &PluginFailure) -> Vec<usize> {
    failure.log().iter().map(|record| record.message.len()).collect()
}

#[test]
fn a_failure_has_the_last_log_records() {
    let engine = engine();
    let last: Vec<usize> = (1_491..=1_500).map(|turn| turn % 40).collect();
    let acts = ["unreachable", "(drop (i32.load (i32.const -4)))", "(loop $for_ever (br $for_ever))"];
    for act in acts {
        for (call, guest) in [
            ("settings.validate", Crafted { validate: "(call $log_many) (call $act)", ..CRAFTED }),
            ("sync.begin", Crafted { begin: "(call $log_many) (call $act)", ..CRAFTED }),
            ("sync.decide", Crafted { decide: "(call $log_many) (call $act)", ..CRAFTED }),
            ("sync.finish", Crafted { finish: "(call $log_many) (call $act)", ..CRAFTED }),
        ] {
            let fields = format!("{LOG_MANY} (func $act {act})");
            let failure = crafted_failure(&engine, Crafted { fields: fields.leak(), ..guest }, call);
            assert_eq!(lengths(&failure), last, "{act} in {call}: {failure}");
            assert!(failure.details().last().unwrap().starts_with("log: info: abcdefghijklmnopqrst"));
            let json = serde_json::to_value(&failure).unwrap();
            assert_eq!(json["log"].as_array().unwrap().len(), 10, "{json}");
        }
    }
    let few = Crafted {
        fields: LOG_MANY,
        begin: "(call $log (i32.const 4) (i32.const 2048) (i32.const 3)) unreachable",
        ..CRAFTED
    };
    let failure = crafted_failure(&engine, few, "sync.begin");
    assert_eq!(failure.details().last().unwrap(), "log: error: abc");
}

#[test]
fn failures_of_every_kind_have_a_log() {
    let engine = engine();
    // Decisions out of range: index 7 of a batch of 2.
    let malformed = Crafted {
        fields: LOG_MANY,
        decide: "(call $log (i32.const 0) (i32.const 2048) (i32.const 5)) (i32.store (i32.const 1028) (i32.const 3000)) \
                 (i32.store (i32.const 1032) (i32.const 1)) (i32.store (i32.const 3000) (i32.const 7))",
        ..CRAFTED
    };
    let failure = crafted_failure(&engine, malformed, "sync.decide");
    assert!(matches!(failure.cause(), FailureCause::Malformed(_)), "{failure}");
    assert_eq!(failure.details().collect::<Vec<_>>(), ["log: trace: abcde"]);
    // Canonical settings that are not JSON.
    let not_json = Crafted {
        fields: LOG_MANY,
        validate: "(call $log (i32.const 0) (i32.const 2048) (i32.const 5)) (i32.store8 (local.get 0) (i32.const 33))",
        ..CRAFTED
    };
    let plugin = load(&engine, "crafted", &not_json.component());
    let failure = validation_failure(plugin.validate(&Value::from("x")));
    assert_eq!(failure.details().collect::<Vec<_>>(), ["log: trace: abcde"]);
}

#[test]
fn a_policy_that_fails_has_a_log_and_denies() {
    let engine = engine();
    let judgement = judge(&configure(&policy_guest(&engine), "trap@review"));
    assert_eq!(judgement.verdict, Verdict::Deny);
    let failure = judgement.failure.unwrap();
    assert!(failure.usage().is_none(), "the judgement has the usage");
    assert!(failure.log().is_empty());
}

#[test]
fn the_log_of_a_failure_is_bounded_and_printable() {
    let engine = engine();
    // 60,000 bytes of zeros: control characters, which are escaped.
    let begin = "(call $log (i32.const 1) (i32.const 4096) (i32.const 60000)) unreachable";
    let failure = crafted_failure(&engine, Crafted { begin, ..CRAFTED }, "sync.begin");
    let details: Vec<String> = failure.details().filter(|detail| detail.starts_with("log:")).collect();
    assert_eq!(details.len(), 1);
    assert!(details[0].len() < MESSAGE_BYTES + 50, "{} bytes", details[0].len());
    assert!(!details[0].contains(tidegate_core::sanitize::is_unsafe));
}

#[test]
fn a_trap_names_the_functions_that_were_running() {
    let engine = engine();
    let nested = Crafted {
        fields: "(func $inner unreachable) (func $middle (call $inner)) (func $_ZN4core9panicking5panic17h0123456789abcdefE (call $middle))",
        decide: "(call $_ZN4core9panicking5panic17h0123456789abcdefE)",
        ..CRAFTED
    };
    let failure = crafted_failure(&engine, nested, "sync.decide");
    assert_eq!(failure.backtrace()[..3], ["inner", "middle", "core::panicking::panic"], "{:?}", failure.backtrace());
    assert_eq!(failure.details().next().unwrap(), "at inner");
    let json = serde_json::to_value(&failure).unwrap();
    assert_eq!(json["backtrace"][1], "middle");
    // Every error that ends running code: fuel, memory, stack.
    let recursion = Crafted { fields: "(func $down (call $down))", begin: "(call $down)", ..CRAFTED };
    let failure = crafted_failure(&engine, recursion, "sync.begin");
    assert!(matches!(failure.cause(), FailureCause::Stack { .. }), "{failure}");
    assert_eq!(failure.backtrace().len(), 8, "bounded: {:?}", failure.backtrace());
    assert!(failure.backtrace().iter().all(|function| function == "down"));
    let memory =
        Crafted { fields: "(func $grow (drop (memory.grow (i32.const 65000))))", finish: "(call $grow)", ..CRAFTED };
    let failure = crafted_failure(&engine, memory, "sync.finish");
    assert!(matches!(failure.cause(), FailureCause::Memory { .. }), "{failure}");
    assert_eq!(failure.backtrace()[0], "grow");
}

#[test]
fn the_frames_of_a_panic_are_left_out() {
    let engine = engine();
    let panic = Crafted {
        fields: r#"
            (func $abort (@name "__rustc::__rust_abort") unreachable)
            (func $panic (@name "std::panicking::panic_with_hook") (call $abort))
            (func $unwrap (@name "core::option::unwrap_failed") (call $panic))
            (func $own (@name "own::code") (call $unwrap))"#,
        decide: "(call $own)",
        ..CRAFTED
    };
    assert_eq!(crafted_failure(&engine, panic, "sync.decide").backtrace()[0], "own::code");
    let only = Crafted {
        fields: r#"(func $abort (@name "__rustc::__rust_abort") unreachable)"#,
        decide: "(call $abort)",
        ..CRAFTED
    };
    let failure = crafted_failure(&engine, only, "sync.decide");
    assert!(
        failure.backtrace().len() == 1 && failure.backtrace()[0].starts_with("function "),
        "{:?}",
        failure.backtrace()
    );
}

#[test]
fn names_of_functions_are_bounded_and_printable() {
    let engine = engine();
    let name = format!("evil\\1b[31m{}\\e2\\80\\ae", "x".repeat(5_000));
    let fields = format!("(func $f (@name \"{name}\") unreachable)");
    let failure =
        crafted_failure(&engine, Crafted { fields: fields.leak(), begin: "(call $f)", ..CRAFTED }, "sync.begin");
    let shown = &failure.backtrace()[0];
    assert!(shown.starts_with("evil\\u{1b}[31mx") && shown.len() < 250, "{shown}");
    assert!(!shown.contains(tidegate_core::sanitize::is_unsafe));
}

#[test]
fn a_plugin_without_names_has_no_backtrace() {
    let engine = engine();
    // Bundled and hostile plugins are stripped.
    let failure = failure_of(&engine, &sync_guest(&engine), "trap@begin", "sync.begin");
    assert!(failure.backtrace().is_empty(), "{:?}", failure.backtrace());
}
