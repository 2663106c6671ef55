//! Plugins whose answers break the contract: the failure names the rule and the key.

use serde_json::{Value, json};
use tidegate_core::plugin_failure::{FailureCause, MalformedAnswer};

use crate::support::{
    CRAFTED, Crafted, check_failure, configure, crafted_failure, engine, failure_of, run, sync_guest,
    validation_failure,
};

#[test]
fn refuses_wrong_indexes() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let malformed = |act: &str| match failure_of(&engine, &guest, act, "sync.decide").cause() {
        FailureCause::Malformed(malformed) => malformed.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(malformed("descending@decide"), MalformedAnswer::Order { index: 0, previous: 1 });
    assert_eq!(malformed("twice@decide"), MalformedAnswer::Order { index: 1, previous: 1 });
    assert_eq!(malformed("out-of-range@decide"), MalformedAnswer::Range { index: 2, length: 2 });
    assert_eq!(malformed("far-out@decide"), MalformedAnswer::Range { index: u32::MAX, length: 2 });
}

#[test]
fn refused_edits_name_rule_and_key() {
    let engine = engine();
    let guest = sync_guest(&engine);
    for act in [
        "rename=",
        "rename=../up",
        "rename=/etc/passwd",
        "rename=a//b",
        "rename=a/./b",
        "rename=a/",
        "rename=a\\u0000b",
        "rename=a\\nb",
        "rename=..\\up",
        "rename-long",
        "rename-huge",
        "header-name",
        "header-split",
        "header-empty",
        "header-long",
        "header-name-huge",
        "metadata-name",
        "metadata-size",
        "metadata-sum",
        "metadata-reserved",
        "redirect=",
        "redirect=//evil.example",
        "redirect=javascript:alert(1)",
        "redirect=relative",
        "redirect=/a b",
        "other-edit",
        "other-action",
    ] {
        let failure = failure_of(&engine, &guest, &format!("{act}@decide"), "sync.decide");
        assert!(matches!(failure.cause(), FailureCause::Malformed(_)), "{act}: {failure}");
        assert_eq!((failure.rule(), failure.key()), ("/rules/0", Some("b.txt")), "{act}: {failure}");
    }
    let failure = failure_of(&engine, &guest, "pointer@decide", "sync.decide");
    assert_eq!(failure.cause(), &FailureCause::Malformed(MalformedAnswer::Pointer("globs[0]".to_owned())));
    assert_eq!(failure.key(), Some("b.txt"));
}

#[test]
fn a_key_collision_names_both_sources() {
    let engine = engine();
    let guest = sync_guest(&engine);
    for (act, call, sources) in [
        ("collide@decide", "sync.decide", ["`b.txt` itself", "x"]),
        ("rename=index.html@decide", "sync.decide", ["`b.txt`, which it renames", "`index.html` itself"]),
        ("collide-both@decide", "sync.decide", ["`b.txt`, which it renames", "`index.html`, which it renames"]),
        ("extra-collide@finish", "sync.finish", ["`index.html` itself", "a redirect that it adds"]),
        ("extra-twice@finish", "sync.finish", ["a redirect that it adds", "a redirect that it adds"]),
    ] {
        if act == "collide@decide" {
            // The first entry is `b.txt`, so this renames it to its own key.
            run(&configure(&guest, act)).unwrap();
            continue;
        }
        let failure = failure_of(&engine, &guest, act, call);
        assert!(matches!(failure.cause(), FailureCause::Malformed(MalformedAnswer::Collision { .. })), "{failure}");
        for source in sources {
            assert!(failure.to_string().contains(source), "{failure}");
        }
        assert!(!failure.rule().is_empty(), "{failure}");
    }
}

#[test]
fn refuses_invalid_summaries() {
    let engine = engine();
    let guest = sync_guest(&engine);
    for act in ["extra-escape", "extra-target", "extra-attribute", "attribute", "finding-pointer"] {
        let failure = failure_of(&engine, &guest, &format!("{act}@finish"), "sync.finish");
        assert!(matches!(failure.cause(), FailureCause::Malformed(_)), "{act}: {failure}");
    }
    run(&configure(&guest, "free-attribute@finish")).unwrap();
    let transformed = run(&configure(&guest, "finding-flood@finish")).unwrap();
    assert_eq!(transformed.findings.len() as u64 + transformed.usage[0].findings_dropped, 20_000);
    assert!(transformed.findings.len() <= 1_000);
    for finding in &transformed.findings {
        let texts = [&finding.message, &finding.code, finding.key.as_ref().unwrap()];
        assert!(texts.iter().all(|text| !text.chars().any(char::is_control)), "{finding:?}");
    }
}

#[test]
fn a_reported_failure_is_one_sanitized_line() {
    let engine = engine();
    for (act, call) in
        [("failure@begin", "sync.begin"), ("failure@decide", "sync.decide"), ("failure@finish", "sync.finish")]
    {
        let failure = failure_of(&engine, &sync_guest(&engine), act, call);
        let FailureCause::Reported { code, .. } = failure.cause() else { panic!("{failure}") };
        assert_eq!((code.as_str(), failure.rule(), failure.key()), ("on-purpose", "/rules/7", Some("a/key")));
    }
}

#[test]
fn refuses_settings_that_are_not_canonical() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let cause = |act: &str| {
        let failure = validation_failure(guest.validate(&Value::from(act)));
        check_failure(&failure, "settings.validate");
        match failure.cause() {
            FailureCause::Malformed(malformed) => malformed.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(cause("invalid-json@validate"), MalformedAnswer::NotJson(_)));
    assert!(matches!(cause("grow@validate"), MalformedAnswer::NotCanonical(_)));
    assert!(matches!(cause("inconsistent@validate"), MalformedAnswer::NotCanonical(_)));
    assert!(matches!(cause("long@validate"), MalformedAnswer::SettingsSize(_)));
    assert!(matches!(cause("pointer@validate"), MalformedAnswer::Pointer(_)));
    assert_eq!(cause("no-issue@validate"), MalformedAnswer::NoIssue);
    assert_eq!(configure(&guest, "good").settings(), json!("good").to_string());
}

#[test]
fn refuses_values_that_break_the_component_model() {
    let engine = engine();
    // A string that is not UTF-8, a string outside of the memory, a result with an unknown case, a list that is too
    // long.
    let bytes = Crafted {
        fields: r#"(data (i32.const 2048) "\ff\fe")"#,
        validate: "(local.set 0 (i32.const 2048)) (local.set 1 (i32.const 2))",
        ..CRAFTED
    };
    let outside = Crafted { validate: "(local.set 0 (i32.const -16)) (local.set 1 (i32.const 4096))", ..CRAFTED };
    let case = Crafted { begin: "(i32.store8 (i32.const 1024) (i32.const 7))", ..CRAFTED };
    let list = Crafted {
        decide: "(i32.store (i32.const 1028) (i32.const 4096)) (i32.store (i32.const 1032) (i32.const -1))",
        ..CRAFTED
    };
    for (guest, call) in
        [(bytes, "settings.validate"), (outside, "settings.validate"), (case, "sync.begin"), (list, "sync.decide")]
    {
        let failure = crafted_failure(&engine, guest, call);
        assert!(
            matches!(failure.cause(), FailureCause::Border(_) | FailureCause::Trap(_) | FailureCause::CallData { .. }),
            "{failure}"
        );
    }
    let misaligned = Crafted { realloc: "(return (i32.const -8))", ..CRAFTED };
    crafted_failure(&engine, misaligned, "settings.validate");
}
