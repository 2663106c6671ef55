//! Records of runs and their replay, and one run with all its decisions.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};
use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::desired::DesiredSite;
use tidegate_core::key::Key;
use tidegate_core::plan_review::{PlanReview, ReviewedChange, ReviewedKind, Verdict};
use tidegate_core::run_facts::{EDGE_REDIRECTS, RunFacts};
use tidegate_host::difference::{DifferenceKind, differences};
use tidegate_host::observed::{ObservedAnswer, RunInput, observe, observe_empty};
use tidegate_host::record::{RecordedRun, record};
use tidegate_host::replay::{Record, ReplayDifference, ReplayError};
use tidegate_host::sync::{Trace, transform};
use tidegate_host::{Engine, Limits, Plugin};

use crate::support::{Files, GUESTS, configure, engine, facts, load, policy_guest, site, sync_guest};

fn edge_facts() -> RunFacts {
    let mut facts = facts();
    facts.attributes.insert(EDGE_REDIRECTS.to_owned(), "netlify".to_owned());
    facts
}

/// Records the hostile sync plugin over [`site`].
fn recorded(plugin: &Plugin, act: &str) -> RecordedRun {
    let files = site();
    let desired = DesiredSite::from(&files.artifact());
    record(&configure(plugin, act), &Value::from(act), RunInput::Site(&desired), &edge_facts(), &files).unwrap()
}

/// The hostile sync plugin in an engine with another size of batches.
fn guest_with_batch(batch: usize) -> Plugin {
    let engine = Engine::with_limits(&Limits { batch, ..Limits::default() }).unwrap();
    load(&engine, "guest", &GUESTS["guest_sync"])
}

/// Acts that decide, read, add rules, find and fail.
const ACTS: &[&str] = &[
    "good",
    "everything@decide",
    "exclude@decide",
    "extra@finish",
    "finding@finish",
    "read-back@begin",
    "see@decide",
    "failure@begin",
    "failure@finish",
    "trap@begin",
    "trap@finish",
    "pointer@decide",
    "collide@decide",
    "header-split@decide",
    "memory@begin",
    "read-until-refused@begin",
    "read-elsewhere@begin",
];

#[test]
fn a_replay_equals_its_record() {
    let engine = engine();
    let guest = sync_guest(&engine);
    for act in ACTS {
        let RecordedRun { text, run } = recorded(&guest, act);
        let record = Record::parse(&text).unwrap();
        let replay = record.replay(&guest).unwrap();
        assert_eq!(replay.difference, None, "{act}:\n{text}");
        assert_eq!(replay.run.answers, run.answers, "{act}");
        assert_eq!(replay.run.desired, run.desired, "{act}");
        // A record is text that version control may change the line ends of.
        assert_eq!(Record::parse(&text.replace('\n', "\r\n")).unwrap().replay(&guest).unwrap().difference, None);
    }
}

#[test]
fn a_record_is_the_same_for_every_size_of_batches() {
    let expected = recorded(&guest_with_batch(1_000), "exclude@begin").text;
    assert_eq!(recorded(&guest_with_batch(1), "exclude@begin").text, expected);
    // This plugin edits the first entry of each batch, so its answers depend on the batches, and the replay shows it.
    let record = Record::parse(&recorded(&guest_with_batch(1_000), "exclude@decide").text).unwrap();
    let replay = record.replay(&guest_with_batch(1)).unwrap();
    let Some(ReplayDifference::Answer { line: None, recorded: None, replayed: Some(replayed) }) = replay.difference
    else {
        panic!("{:?}", replay.difference)
    };
    assert!(matches!(&*replayed, ObservedAnswer::Decision { key, .. } if key == "index.html"), "{replayed:?}");
}

#[test]
fn a_replay_shows_the_first_difference() {
    let engine = engine();
    let guest = sync_guest(&engine);
    // The same settings mean something else to another plugin.
    let text = recorded(&guest, "extra@finish").text;
    let bundled = tidegate_bundled_plugins::find("exclude").unwrap();
    let error = Record::parse(&text).unwrap().replay(&load(&engine, "exclude", bundled.bytes)).unwrap_err();
    assert!(matches!(error, ReplayError::Settings(_)), "{error}");
    let error = Record::parse(&text).unwrap().replay(&policy_guest(&engine)).unwrap_err();
    assert_eq!(error.to_string(), "it is a record of a sync plugin, and this is a policy plugin");
}

/// Bytes that are not UTF-8, and an object that the storage cannot read.
struct OddFiles(Files);

impl ContentReader for OddFiles {
    fn heads(&self, keys: &[Key], length: u32, deadline: Instant) -> Vec<Result<Vec<u8>, ReadError>> {
        keys.iter().map(|key| self.range(key, 0, length, deadline)).collect()
    }

    fn range(&self, key: &Key, offset: u64, length: u32, deadline: Instant) -> Result<Vec<u8>, ReadError> {
        match key.as_str() {
            "index.html" => Err(ReadError::Unavailable { key: key.clone(), why: "the disk is on fire".to_owned() }),
            _ => self.0.range(key, offset, length, deadline),
        }
    }
}

#[test]
fn bytes_and_errors_of_the_storage_are_replayed() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let mut files = site();
    files.0.insert("b.txt".to_owned(), vec![0xff, 0, b'a', 0x80]);
    let desired = DesiredSite::from(&files.artifact());
    let files = OddFiles(files);
    for act in ["read-back@begin", "unread@begin"] {
        let RecordedRun { text, run } =
            record(&configure(&guest, act), &Value::from(act), RunInput::Site(&desired), &facts(), &files).unwrap();
        let replay = Record::parse(&text).unwrap().replay(&guest).unwrap();
        assert_eq!(replay.difference, None, "{text}");
        assert_eq!(replay.run.usage.logs, run.usage.logs, "{act}");
        assert!(text.contains("the disk is on fire"), "{text}");
    }
    let text = recorded(&guest, "read-back@begin").text;
    assert!(text.contains(r#"{"read":{"key":"b.txt","length":3,"answer":{"text":"byt"}}}"#), "{text}");
}

#[test]
fn a_read_that_was_not_recorded_is_the_difference() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let text = recorded(&guest, "read-back@begin").text;
    // The recorded run read three bytes of `b.txt`. Without its line, the plugin reads what the record does not have.
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains(r#""read":{"key":"b.txt""#)).collect();
    let record = Record::parse(&resealed(&lines)).unwrap();
    let Some(ReplayDifference::Read(missing)) = record.replay(&guest).unwrap().difference else {
        panic!("the read was served")
    };
    assert_eq!((missing.key.as_str(), missing.offset, missing.length), ("b.txt", 0, 3));
}

/// Lines with a last line that fits them.
fn resealed(lines: &[&str]) -> String {
    use sha2::Digest as _;
    let body: Vec<&str> = lines.iter().copied().filter(|line| !line.starts_with(r#"{"end""#)).collect();
    let mut text: String = body.iter().map(|line| format!("{line}\n")).collect();
    let sha256 = hex::encode(sha2::Sha256::digest(&text));
    text.push_str(&json!({ "end": { "lines": body.len(), "sha256": sha256 } }).to_string());
    text
}

#[test]
fn a_damaged_record_is_refused() {
    let engine = engine();
    let text = recorded(&sync_guest(&engine), "everything@decide").text;
    assert!(Record::parse(&text).is_ok());
    let refused = |text: &str| Record::parse(text).unwrap_err().to_string();
    // Every byte, and every line.
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'X' { b'Y' } else { b'X' };
        let Ok(damaged) = String::from_utf8(bytes) else { continue };
        // The last line end is no part of a line.
        assert!(Record::parse(&damaged).is_err() || at + 1 == text.len(), "byte {at} is changed:\n{damaged}");
    }
    let lines: Vec<&str> = text.lines().collect();
    for at in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(at);
        assert!(Record::parse(&fewer.join("\n")).is_err(), "without line {at}");
        let mut more = lines.clone();
        more.insert(at, lines[at]);
        assert!(Record::parse(&more.join("\n")).is_err(), "with line {at} twice");
    }
    for length in 0..text.trim_end().len() {
        if let Some(beginning) = text.get(..length) {
            assert!(Record::parse(beginning).is_err(), "the first {length} bytes");
        }
    }
    assert!(refused("").contains("not that of a record"));
    assert!(refused("{}\n").contains("not that of a record"));
    assert!(refused(&lines[..3].join("\n")).contains("last line is missing"));
    assert!(refused(&text.replacen("sha256", "sha", 1)).contains("line 1 is damaged"));
    // What the digest does not show.
    let twice = [&lines[..2], &lines[1..]].concat();
    assert!(refused(&resealed(&twice)).contains("line 3 is damaged"), "{}", refused(&resealed(&twice)));
    assert!(refused(&resealed(&lines[..2])).contains("not complete"));
    let same_key: Vec<&str> =
        lines.iter().flat_map(|line| vec![*line; 1 + usize::from(line.contains("entry"))]).collect();
    assert!(refused(&resealed(&same_key)).contains("two objects would be published as `b.txt`"));
}

#[test]
fn a_record_of_another_format_or_contract_says_so() {
    let engine = engine();
    let text = recorded(&sync_guest(&engine), "good").text;
    let error = Record::parse(&text.replacen("\"format\":1", "\"format\":2", 1)).unwrap_err();
    assert_eq!(error.to_string(), "it has format 2, and this version of Tidegate reads 1; record it again");
    let error = Record::parse(&text.replacen("\"contract\":\"0.1\"", "\"contract\":\"7.0\"", 1)).unwrap_err();
    assert_eq!(error.to_string(), "it is of the contract 7.0, and this host has 0.1; record it again");
}

#[test]
fn a_policy_is_recorded_with_its_plan() {
    let engine = engine();
    let guest = policy_guest(&engine);
    let files = site();
    let source = Key::new("index.html").unwrap();
    let change = |key, kind, source| ReviewedChange {
        key,
        kind,
        size: 13,
        redirect: None,
        headers: None,
        reason: "new",
        source,
    };
    let plan = PlanReview::new(
        vec![change("old.html", ReviewedKind::Delete, None), change("index.html", ReviewedKind::Create, Some(&source))],
        vec![("create".to_owned(), 1), ("delete".to_owned(), 1)],
    );
    for act in ["good", "deny@conclude", "hold@conclude", "trap@review", "trap@conclude"] {
        let recorded =
            record(&configure(&guest, act), &Value::from(act), RunInput::Plan(&plan), &facts(), &files).unwrap();
        let replay = Record::parse(&recorded.text).unwrap().replay(&guest).unwrap();
        assert_eq!(replay.difference, None, "{}", recorded.text);
        assert_eq!(replay.run.verdict(), recorded.run.verdict());
    }
    assert_eq!(observe_empty(&configure(&guest, "good"), &facts()).verdict(), Some(Verdict::Allow));
}

#[test]
fn a_run_that_is_observed_decides_as_one_that_publishes() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let files = site();
    for act in ["good", "everything@decide", "exclude@decide", "extra@finish", "swap@decide"] {
        let configured = configure(&guest, act);
        let published =
            transform(std::slice::from_ref(&configured), files.artifact(), &facts(), &files, Trace::On).unwrap();
        let desired = DesiredSite::from(&files.artifact());
        let observed = observe(&configured, RunInput::Site(&desired), &facts(), &files);
        assert_eq!(observed.desired.as_ref(), Some(&published.desired), "{act}");
        assert_eq!(observed.usage.fuel_used, published.usage[0].fuel_used, "{act}");
        assert_eq!(observed.findings().cloned().collect::<Vec<_>>(), published.findings, "{act}");
    }
}

#[test]
fn differences_show_what_decisions_change() {
    let engine = engine();
    let files = site();
    let desired = DesiredSite::from(&files.artifact());
    let of = |act: &str| {
        let run = observe(&configure(&sync_guest(&engine), act), RunInput::Site(&desired), &facts(), &files);
        differences(&desired, &run.answers)
    };
    let all = of("everything@decide");
    let kinds: BTreeMap<&str, DifferenceKind> = all.iter().map(|one| (one.key.as_str(), one.kind)).collect();
    assert_eq!(kinds, BTreeMap::from([("b.txt", DifferenceKind::Renamed), ("index.html", DifferenceKind::Redirected)]));
    assert_eq!(all[0].renamed.as_deref(), Some("z/é.txt"));
    let headers: Vec<_> = all[0].headers.iter().map(|header| (header.name.as_str(), header.wants.as_deref())).collect();
    // `expires` and `b` are set and removed again.
    assert_eq!(headers, [("content-type", Some("text/plain")), ("x-amz-meta-author", Some("me"))]);
    assert_eq!((all[0].rule.as_str(), all[1].redirect.as_deref()), ("/rules/0", Some("/z/")));
    let added = of("extra@finish");
    assert_eq!(added.iter().map(|one| one.kind).collect::<Vec<_>>(), [DifferenceKind::Added; 2]);
    assert_eq!(added.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["a/old", "old.html"]);
    assert_eq!(of("exclude@decide")[0].kind, DifferenceKind::Excluded);
}
