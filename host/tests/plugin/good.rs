//! Plugins that behave: what they see, what becomes of their answers, and what is told of the run.

use std::time::Instant;

use serde_json::Value;
use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::desired::{DesiredBody, DesiredSite};
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::headers::{ObjectHeader, ObjectHeaders};
use tidegate_core::key::Key;
use tidegate_core::plan_review::{PlanReview, ReviewedChange, ReviewedKind, Verdict};
use tidegate_core::plugin_failure::FailureCause;
use tidegate_core::redirect::RedirectTarget;
use tidegate_host::sync::{Trace, transform};
use tidegate_host::{ConfiguredPlugin, Engine, Limits, SettingsError, policy};

use crate::support::{Files, engine, facts, judge, policy_guest, run, site, sync_guest, told};

fn keys(desired: &DesiredSite) -> Vec<&str> {
    desired.entries().iter().map(|entry| entry.key.as_str()).collect()
}

fn logged(shaped: &tidegate_host::sync::TransformedArtifact, plugin: usize) -> Vec<&str> {
    shaped.usage[plugin].logs.iter().map(|record| record.message.as_str()).collect()
}

#[test]
fn an_empty_chain_publishes_the_artifact() {
    let files = site();
    let shaped = transform(&[], &files.artifact(), &facts(), &files, Trace::Off).unwrap();
    assert_eq!(shaped.desired, DesiredSite::unshaped(&files.artifact()));
    assert!(shaped.findings.is_empty() && shaped.usage.is_empty());
}

#[test]
fn edits_become_entries_and_the_next_plugin_sees_them() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let files = site();
    let chain = [told(&guest, "everything@decide"), told(&guest, "extra@finish"), told(&guest, "see@decide")];
    let shaped = transform(&chain, &files.artifact(), &facts(), &files, Trace::On).unwrap();
    assert_eq!(keys(&shaped.desired), ["a/old", "index.html", "old.html", "z/é.txt"]);
    let renamed = shaped.desired.get("z/é.txt").unwrap();
    assert!(matches!(&renamed.body, DesiredBody::Object { source, size: 5, .. } if source.as_str() == "b.txt"));
    assert_eq!(renamed.headers.iter().collect::<Vec<_>>(), [(ObjectHeader::ContentType, "text/plain")]);
    assert_eq!(renamed.headers.metadata().collect::<Vec<_>>(), [("author", "me")]);
    assert_eq!(
        shaped.desired.get("index.html").unwrap().body,
        DesiredBody::Redirect(RedirectTarget::new("/z/").unwrap())
    );
    // Bytes are read under the name that the entry has now.
    assert_eq!(
        logged(&shaped, 2),
        [
            "a/old 0 - https://example.com/ [] []",
            "index.html 0 - /z/ [] []",
            "old.html 0 - /index.html [] []",
            "z/é.txt 5 - - [content-type=text/plain] [author=me]",
            "bytes",
        ]
    );
    let [step] = &renamed.trail[..] else { panic!("{:?}", renamed.trail) };
    assert_eq!((step.plugin.as_str(), step.rule.as_str()), ("guest", "/rules/0"));
    assert!(step.reason.starts_with("because \\u{1b}"), "{}", step.reason);
    assert_eq!(
        step.effects,
        [
            "renamed from b.txt to z/é.txt",
            "content-type: text/plain",
            "expires: 0",
            "expires removed",
            "metadata author: me",
            "metadata b: c",
            "metadata b removed",
        ]
    );
    assert_eq!(shaped.desired.get("a/old").unwrap().trail[0].effects, ["added as a redirect to https://example.com/"]);
}

#[test]
fn names_can_be_swapped_and_objects_left_out() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let swapped = run(&told(&guest, "swap@decide")).unwrap().desired;
    assert!(matches!(&swapped.get("b.txt").unwrap().body, DesiredBody::Object { size: 13, .. }));
    assert!(matches!(&swapped.get("index.html").unwrap().body, DesiredBody::Object { size: 5, .. }));
    let files = site();
    let shaped =
        transform(&[told(&guest, "exclude@decide")], &files.artifact(), &facts(), &files, Trace::On).unwrap().desired;
    assert_eq!(keys(&shaped), ["index.html"]);
    assert_eq!(shaped.excluded()[0].source.as_str(), "b.txt");
    assert_eq!(shaped.excluded()[0].trail[0].effects, ["left out"]);
    // Without a trace nothing is remembered.
    assert!(run(&told(&guest, "exclude@decide")).unwrap().desired.excluded()[0].trail.is_empty());
}

#[test]
fn plugins_are_told_the_facts_and_read_the_artifact() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let shaped = run(&told(&guest, "facts@begin")).unwrap();
    assert_eq!(logged(&shaped, 0), ["docs r1 1700000000000 2 trigger=cli"]);
    let shaped = run(&told(&guest, "read-back@begin")).unwrap();
    assert_eq!(logged(&shaped, 0), ["<ht ReadError::NotFound byt Ok(\"ht\") Ok(0)"]);
    let usage = &shaped.usage[0];
    assert_eq!((usage.reads, usage.bytes_read, usage.objects), (4, 8, 2));
    let limits = Limits::default();
    assert_eq!(usage.fuel_allowed, limits.fuel_for(2) + 8 * limits.fuel_per_byte_read);
    assert!(usage.fuel_used > 0 && usage.memory_peak > 0 && usage.memory_peak < usage.memory_allowed);
    // There is nothing to read while settings are validated, and the guest accepts them only then.
    assert!(sync_guest(&engine).validate(&Value::from("read@validate")).is_ok());
}

#[test]
fn findings_keep_their_plugin() {
    let engine = engine();
    let shaped = run(&told(&sync_guest(&engine), "finding@finish")).unwrap();
    let [finding] = &shaped.findings[..] else { panic!("{:?}", shaped.findings) };
    assert_eq!((finding.plugin.as_str(), finding.code.as_str()), ("guest", "noise"));
}

#[test]
fn where_batches_are_cut_does_not_matter() {
    let files: Vec<(String, String)> = (0..25).map(|at| (format!("f{at:02}"), "x".repeat(at))).collect();
    let files = Files(files.into_iter().map(|(key, body)| (key, body.into_bytes())).collect());
    let seen = |batch: usize| {
        let engine = Engine::with_limits(&Limits { batch, ..Limits::default() }).unwrap();
        let shaped =
            transform(&[told(&sync_guest(&engine), "see@decide")], &files.artifact(), &facts(), &files, Trace::Off)
                .unwrap();
        (shaped.desired, shaped.usage[0].logs.clone())
    };
    let whole = seen(1_000);
    assert_eq!(whole.1.len(), 25);
    for batch in [1, 7, 24, 25, 26] {
        assert_eq!(seen(batch), whole, "{batch}");
    }
    // The last entry of the last, short batch is the one that a decision about index 0 means there.
    let engine = Engine::with_limits(&Limits { batch: 24, ..Limits::default() }).unwrap();
    let shaped =
        transform(&[told(&sync_guest(&engine), "exclude@decide")], &files.artifact(), &facts(), &files, Trace::Off)
            .unwrap();
    let excluded: Vec<&str> = shaped.desired.excluded().iter().map(|excluded| excluded.source.as_str()).collect();
    assert_eq!(excluded, ["f00", "f24"]);
}

/// Storage that is down.
struct Down;

impl ContentReader for Down {
    fn heads(&self, keys: &[Key], length: u32, deadline: Instant) -> Vec<Result<Vec<u8>, ReadError>> {
        keys.iter().map(|key| self.range(key, 0, length, deadline)).collect()
    }

    fn range(&self, key: &Key, _: u64, _: u32, _: Instant) -> Result<Vec<u8>, ReadError> {
        Err(ReadError::Unavailable { key: key.clone(), why: "the\nbucket is gone".to_owned() })
    }
}

#[test]
fn storage_that_fails_is_not_the_plugins_fault() {
    let engine = engine();
    let chain = [told(&sync_guest(&engine), "unread@begin")];
    let failure = transform(&chain, &site().artifact(), &facts(), &Down, Trace::Off).unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Cloud);
    assert!(matches!(failure.cause(), FailureCause::Unread { .. }), "{failure}");
    assert!(failure.to_string().contains("the\\nbucket is gone"), "{failure}");
}

#[test]
fn an_object_that_changed_since_it_was_listed_is_not_shown() {
    let engine = engine();
    let other = Files::new(&[("b.txt", "bytes"), ("index.html", "short")]);
    let chain = [told(&sync_guest(&engine), "unread@begin")];
    let failure = transform(&chain, &site().artifact(), &facts(), &other, Trace::Off).unwrap_err();
    assert!(failure.to_string().contains("changed while it was read"), "{failure}");
    assert_eq!(failure.kind(), ErrorKind::Cloud);
}

#[test]
fn refused_settings_come_with_their_issues() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let refused = |act: &str| match guest.validate(&Value::from(act)) {
        Err(SettingsError::Refused { issues, more, .. }) => (issues, more),
        other => panic!("{other:?}"),
    };
    let (issues, more) = refused("refuse@validate");
    assert_eq!((issues[0].pointer.as_str(), issues[0].message.as_str(), more), ("/globs/3", "write a pattern here", 0));
    let (issues, more) = refused("many-issues@validate");
    assert_eq!((issues.len(), more), (100, 900));
    assert!(!issues[0].message.chars().any(char::is_control));
    let error = guest.validate(&Value::from("refuse@validate")).unwrap_err();
    assert_eq!(error.to_string(), "the plugin `guest` refuses its settings: `/globs/3`: write a pattern here");
    let error = guest.validate(&Value::from("x".repeat(2 << 20))).unwrap_err();
    assert!(matches!(error, SettingsError::TooLong { .. }), "{error}");
}

#[test]
fn a_plugin_of_the_other_kind_is_refused() {
    let engine = engine();
    let failure = run(&told(&policy_guest(&engine), "good")).unwrap_err();
    assert!(failure.to_string().contains("it is a policy plugin, configure it under `policy`"), "{failure}");
    let judgement = judge(&told(&sync_guest(&engine), "good"));
    assert_eq!(judgement.verdict, Verdict::Deny);
    assert!(judgement.failure.unwrap().to_string().contains("it is a sync plugin"));
}

fn review<'a>(source: &'a Key, headers: &'a ObjectHeaders, target: &'a RedirectTarget) -> PlanReview<'a> {
    let change = |key, kind, size| ReviewedChange {
        key,
        kind,
        size,
        redirect: None,
        headers: None,
        reason: "new",
        source: None,
    };
    PlanReview::new(
        vec![
            ReviewedChange {
                headers: Some(headers),
                source: Some(source),
                ..change("z.html", ReviewedKind::Create, 13)
            },
            ReviewedChange {
                redirect: Some(target),
                reason: "redirect differs",
                ..change("r", ReviewedKind::Headers, 0)
            },
            ReviewedChange { reason: "stale", ..change("old.html", ReviewedKind::Delete, 7) },
        ],
        vec![("create".to_owned(), 1), ("x".to_owned(), 2)],
    )
}

#[test]
fn policies_see_the_plan_and_every_one_runs() {
    let engine = engine();
    let guest = policy_guest(&engine);
    let (source, target) = (Key::new("index.html").unwrap(), RedirectTarget::new("/z.html").unwrap());
    let mut headers = ObjectHeaders::default();
    headers.set(ObjectHeader::CacheControl, "no-cache").unwrap();
    let review = review(&source, &headers, &target);
    let policies: Vec<ConfiguredPlugin> =
        ["see@review", "trap@begin", "deny@conclude", "hold@conclude", "totals@begin"]
            .map(|act| told(&guest, act))
            .into();
    let judgements = policy::review(&policies, &review, &facts(), &site());
    let verdicts: Vec<Verdict> = judgements.iter().map(|judgement| judgement.verdict).collect();
    assert_eq!(verdicts, [Verdict::Allow, Verdict::Deny, Verdict::Deny, Verdict::Hold, Verdict::Allow]);
    let failed: Vec<bool> = judgements.iter().map(|judgement| judgement.failure.is_some()).collect();
    assert_eq!(failed, [false, true, false, false, false]);
    let seen: Vec<&str> = judgements[0].usage.logs.iter().map(|record| record.message.as_str()).collect();
    assert_eq!(
        seen,
        [
            "ChangeKind::Delete old.html 7 - [] stale Err(ReadError::NotFound)",
            "ChangeKind::Headers r 0 /z.html [] redirect differs Err(ReadError::NotFound)",
            "ChangeKind::Create z.html 13 - [cache-control=no-cache] new Ok([60, 104, 116, 109])",
        ]
    );
    assert_eq!(judgements[4].usage.logs[0].message, "3 create=1 x=2");
    assert_eq!(judgements[2].findings[0].rule, "/rules/1");
    assert!(policy::review(&[], &review, &facts(), &site()).is_empty());
}

#[test]
fn failures_are_printed_for_machines_too() {
    let engine = engine();
    let failure = run(&told(&sync_guest(&engine), "trap@decide")).unwrap_err();
    let json = serde_json::to_value(&failure).unwrap();
    assert_eq!(
        (&json["plugin"], &json["call"], &json["cause"], &json["error_type"]),
        (&"guest".into(), &"sync.decide".into(), &"trap".into(), &"Tidegate.Plugin".into())
    );
    assert!(json["usage"]["fuel_used"].as_u64().unwrap() > 0);
}
