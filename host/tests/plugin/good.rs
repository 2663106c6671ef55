//! Well-behaved plugins: what they see, how their answers are applied, and what a run reports.

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

use crate::support::{Files, configure, engine, facts, judge, policy_guest, run, site, sync_guest};

fn keys(desired: &DesiredSite) -> Vec<&str> {
    desired.entries().iter().map(|entry| entry.key.as_str()).collect()
}

fn logged(transformed: &tidegate_host::sync::TransformedArtifact, plugin: usize) -> Vec<&str> {
    transformed.usage[plugin].logs.iter().map(|record| record.message.as_str()).collect()
}

#[test]
fn no_plugins_publish_the_artifact_unchanged() {
    let files = site();
    let transformed = transform(&[], files.artifact(), &facts(), &files, Trace::Off).unwrap();
    assert_eq!(transformed.desired, DesiredSite::from(&files.artifact()));
    assert!(transformed.findings.is_empty() && transformed.usage.is_empty());
}

#[test]
fn the_next_plugin_sees_edited_entries() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let files = site();
    let chain =
        [configure(&guest, "everything@decide"), configure(&guest, "extra@finish"), configure(&guest, "see@decide")];
    let transformed = transform(&chain, files.artifact(), &facts(), &files, Trace::On).unwrap();
    assert_eq!(keys(&transformed.desired), ["a/old", "index.html", "old.html", "z/é.txt"]);
    let renamed = transformed.desired.get("z/é.txt").unwrap();
    assert!(matches!(&renamed.body, DesiredBody::Object { source, size: 5, .. } if source.as_str() == "b.txt"));
    assert_eq!(renamed.headers.iter().collect::<Vec<_>>(), [(ObjectHeader::ContentType, "text/plain")]);
    assert_eq!(renamed.headers.metadata().collect::<Vec<_>>(), [("author", "me")]);
    assert_eq!(
        transformed.desired.get("index.html").unwrap().body,
        DesiredBody::Redirect(RedirectTarget::new("/z/").unwrap())
    );
    // Reads use the current key of the entry.
    assert_eq!(
        logged(&transformed, 2),
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
    assert_eq!(
        transformed.desired.get("a/old").unwrap().trail[0].effects,
        ["added as a redirect to https://example.com/"]
    );
}

#[test]
fn keys_can_be_swapped_and_objects_excluded() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let swapped = run(&configure(&guest, "swap@decide")).unwrap().desired;
    assert!(matches!(&swapped.get("b.txt").unwrap().body, DesiredBody::Object { size: 13, .. }));
    assert!(matches!(&swapped.get("index.html").unwrap().body, DesiredBody::Object { size: 5, .. }));
    let files = site();
    let transformed = transform(&[configure(&guest, "exclude@decide")], files.artifact(), &facts(), &files, Trace::On)
        .unwrap()
        .desired;
    assert_eq!(keys(&transformed), ["index.html"]);
    assert_eq!(transformed.excluded()[0].source.as_str(), "b.txt");
    assert_eq!(transformed.excluded()[0].trail[0].effects, ["excluded"]);
    // Without a trace there is no trail.
    assert!(run(&configure(&guest, "exclude@decide")).unwrap().desired.excluded()[0].trail.is_empty());
}

#[test]
fn plugins_get_the_facts_and_read_the_artifact() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let transformed = run(&configure(&guest, "facts@begin")).unwrap();
    assert_eq!(logged(&transformed, 0), ["docs r1 1700000000000 2 trigger=cli"]);
    let transformed = run(&configure(&guest, "read-back@begin")).unwrap();
    assert_eq!(logged(&transformed, 0), ["<ht ReadError::NotFound byt Ok(\"ht\") Ok(0)"]);
    let usage = &transformed.usage[0];
    assert_eq!((usage.reads, usage.bytes_read, usage.objects), (5, 8, 2));
    let limits = Limits::default();
    assert_eq!(usage.fuel_allowed, limits.fuel_for(2) + 8 * limits.fuel_per_byte_read);
    assert!(usage.fuel_used > 0 && usage.memory_peak > 0 && usage.memory_peak < usage.memory_allowed);
    // While settings are validated there is no content; the plugin accepts them only in that case.
    assert!(sync_guest(&engine).validate(&Value::from("read@validate")).is_ok());
}

#[test]
fn findings_name_their_plugin() {
    let engine = engine();
    let transformed = run(&configure(&sync_guest(&engine), "finding@finish")).unwrap();
    let [finding] = &transformed.findings[..] else { panic!("{:?}", transformed.findings) };
    assert_eq!((finding.plugin.as_str(), finding.code.as_str()), ("guest", "noise"));
}

#[test]
fn answers_do_not_depend_on_batches() {
    let files: Vec<(String, String)> = (0..25).map(|at| (format!("f{at:02}"), "x".repeat(at))).collect();
    let files = Files(files.into_iter().map(|(key, body)| (key, body.into_bytes())).collect());
    let seen = |batch: usize| {
        let engine = Engine::with_limits(&Limits { batch, ..Limits::default() }).unwrap();
        let transformed =
            transform(&[configure(&sync_guest(&engine), "see@decide")], files.artifact(), &facts(), &files, Trace::Off)
                .unwrap();
        (transformed.desired, transformed.usage[0].logs.clone())
    };
    let whole = seen(1_000);
    assert_eq!(whole.1.len(), 25);
    for batch in [1, 7, 24, 25, 26] {
        assert_eq!(seen(batch), whole, "{batch}");
    }
    // In the last, short batch, index 0 is its only entry.
    let engine = Engine::with_limits(&Limits { batch: 24, ..Limits::default() }).unwrap();
    let transformed =
        transform(&[configure(&sync_guest(&engine), "exclude@decide")], files.artifact(), &facts(), &files, Trace::Off)
            .unwrap();
    let excluded: Vec<&str> = transformed.desired.excluded().iter().map(|excluded| excluded.source.as_str()).collect();
    assert_eq!(excluded, ["f00", "f24"]);
}

/// Storage that does not answer.
struct UnavailableStorage;

impl ContentReader for UnavailableStorage {
    fn heads(&self, keys: &[Key], length: u32, deadline: Instant) -> Vec<Result<Vec<u8>, ReadError>> {
        keys.iter().map(|key| self.range(key, 0, length, deadline)).collect()
    }

    fn range(&self, key: &Key, _: u64, _: u32, _: Instant) -> Result<Vec<u8>, ReadError> {
        Err(ReadError::Unavailable { key: key.clone(), why: "the\nbucket is gone".to_owned() })
    }
}

#[test]
fn a_storage_failure_is_a_cloud_error() {
    let engine = engine();
    let chain = [configure(&sync_guest(&engine), "unread@begin")];
    let failure = transform(&chain, site().artifact(), &facts(), &UnavailableStorage, Trace::Off).unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Cloud);
    assert!(matches!(failure.cause(), FailureCause::Unread { .. }), "{failure}");
    assert!(failure.to_string().contains("the\\nbucket is gone"), "{failure}");
}

#[test]
fn a_read_of_a_changed_object_fails() {
    let engine = engine();
    let other = Files::new(&[("b.txt", "bytes"), ("index.html", "short")]);
    let chain = [configure(&sync_guest(&engine), "unread@begin")];
    let failure = transform(&chain, site().artifact(), &facts(), &other, Trace::Off).unwrap_err();
    assert!(failure.to_string().contains("changed while it was read"), "{failure}");
    assert_eq!(failure.kind(), ErrorKind::Cloud);
}

#[test]
fn refused_settings_have_issues() {
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
    assert_eq!(error.to_string(), "invalid settings for plugin `guest`: `/globs/3`: write a pattern here");
    let error = guest.validate(&Value::from("x".repeat(2 << 20))).unwrap_err();
    assert!(matches!(error, SettingsError::TooLong { .. }), "{error}");
}

#[test]
fn refuses_a_plugin_of_the_other_kind() {
    let engine = engine();
    let failure = run(&configure(&policy_guest(&engine), "good")).unwrap_err();
    assert!(failure.to_string().contains("it is a policy plugin; configure it under `policy`"), "{failure}");
    let judgement = judge(&configure(&sync_guest(&engine), "good"));
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
fn every_policy_runs_and_sees_the_plan() {
    let engine = engine();
    let guest = policy_guest(&engine);
    let (source, target) = (Key::new("index.html").unwrap(), RedirectTarget::new("/z.html").unwrap());
    let mut headers = ObjectHeaders::default();
    headers.set(ObjectHeader::CacheControl, "no-cache").unwrap();
    let review = review(&source, &headers, &target);
    let policies: Vec<ConfiguredPlugin> =
        ["see@review", "trap@begin", "deny@conclude", "hold@conclude", "totals@begin"]
            .map(|act| configure(&guest, act))
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
fn failures_serialize_for_machines() {
    let engine = engine();
    let failure = run(&configure(&sync_guest(&engine), "trap@decide")).unwrap_err();
    let json = serde_json::to_value(&failure).unwrap();
    assert_eq!(
        (&json["plugin"], &json["call"], &json["cause"], &json["error_type"]),
        (&"guest".into(), &"sync.decide".into(), &"trap".into(), &"Tidegate.Plugin".into())
    );
    assert!(json["usage"]["fuel_used"].as_u64().unwrap() > 0);
}
