//! The two log lines of a run: both are single lines whatever names and messages contain, and CloudWatch can read the
//! metrics.
#![expect(
    clippy::unwrap_used,
    reason = "a test's helpers fail by panicking, and clippy.toml exempts only the tests themselves"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_core::config::{EditKind, PluginMode, SiteName};
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::location::{Location, Source};
use tidegate_core::plan_review::{Judgement, Verdict};
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::report::{FailedOperation, InvalidationReport, Outcome, PublishReport};
use tidegate_core::request::PublishRequest;
use tidegate_core::timestamp::Timestamp;
use tidegate_lambda::run_log::{NAMESPACE, RunEnding, RunLogEntry, one_line};
use tidegate_lambda::trigger::TriggerCause;

/// Characters that control a terminal, end a line, or reorder text.
const HOSTILE: &str = "a\r\n{\"level\":\"ERROR\"}\u{1b}[2J\u{9b}31m\u{2028}\u{202e}gpj.\u{feff}é\u{1f600}";

fn entry(ending: RunEnding) -> RunLogEntry {
    RunLogEntry {
        run: "r".to_owned(),
        site: SiteName::try_from("docs".to_owned()).unwrap(),
        cause: TriggerCause::Upload,
        release: HOSTILE.into(),
        continuations: 0,
        ended_at: Timestamp::from_milliseconds(1_763_805_600_000),
        milliseconds: 1_234,
        ending,
    }
}

fn report(outcome: Outcome) -> PublishReport {
    let request = PublishRequest {
        site: "docs".to_owned(),
        release: HOSTILE.into(),
        source: Source::Prefix("s3://staging/docs/".parse::<Location>().unwrap()),
        instant: 1,
        cause: "upload".into(),
        revision: None,
    };
    let mut report = PublishReport::new(&request, "s3://site/".parse().unwrap(), outcome);
    report.done.written = 3;
    report.totals.bytes_to_write = 4_096;
    report.milliseconds.insert("write".to_owned(), 70);
    report.done.failures = (0..120)
        .map(|at| FailedOperation {
            key: format!("{at}{HOSTILE}"),
            operation: "create".to_owned(),
            why: HOSTILE.to_owned(),
            throttled: false,
        })
        .collect();
    let invalidation = |id: Option<&str>| InvalidationReport {
        distribution: "E1".to_owned(),
        paths: vec!["/a".to_owned(), "/b".to_owned()],
        id: id.map(str::to_owned),
        why: None,
    };
    report.invalidations = vec![invalidation(Some("I1")), invalidation(None)];
    report
}

/// Parses a line, which must consist of printable characters.
fn parsed(line: &str) -> Value {
    assert!(!line.chars().any(|c| c.is_control() || "\u{2028}\u{2029}\u{202e}\u{feff}".contains(c)), "{line}");
    serde_json::from_str(line).unwrap()
}

#[test]
fn escapes_and_truncates_the_line() {
    let entry = entry(RunEnding::Report(Box::new(report(Outcome::Partial))));
    let line = parsed(&entry.line());
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["timestamp"], "2025-11-22T10:00:00Z");
    assert_eq!(line["release"], HOSTILE);
    assert_eq!(line["outcome"], "partial");
    assert_eq!(line["report"]["done"]["failures"].as_array().unwrap().len(), 50);
    assert_eq!(line["report"]["done"]["failures"][7]["key"], format!("7{HOSTILE}"));
    assert_eq!(line["report"]["truncated"], json!({ "/done/failures": 120 }));
}

#[test]
fn level_and_outcome_show_how_a_run_ended() {
    let failed = RunEnding::Failed { kind: ErrorKind::Plugin, reason: HOSTILE.to_owned() };
    for (ending, level, outcome) in [
        (RunEnding::Report(Box::new(report(Outcome::Live))), "INFO", "live"),
        (RunEnding::Report(Box::new(report(Outcome::Denied))), "INFO", "denied"),
        (RunEnding::Report(Box::new(report(Outcome::Failed))), "ERROR", "failed"),
        (RunEnding::Superseded(HOSTILE.to_owned()), "INFO", "superseded"),
        (RunEnding::Continued, "INFO", "continued"),
        (failed, "ERROR", "failed"),
    ] {
        let entry = entry(ending);
        let line = parsed(&entry.line());
        assert_eq!((line["level"].as_str(), line["outcome"].as_str()), (Some(level), Some(outcome)));
        assert_eq!(parsed(&entry.metrics())["Outcome"], outcome);
    }
}

#[test]
fn metrics_have_the_embedded_format() {
    let line = parsed(&entry(RunEnding::Report(Box::new(report(Outcome::Live)))).metrics());
    let aws = &line["_aws"];
    assert_eq!(aws["Timestamp"], 1_763_805_600_000_u64);
    let directive = &aws["CloudWatchMetrics"][0];
    assert_eq!((&directive["Namespace"], &directive["Dimensions"]), (&json!(NAMESPACE), &json!([["Site"]])));
    // The format requires a member of the root for every dimension and metric, at most 100 metrics, known units.
    let metrics = directive["Metrics"].as_array().unwrap();
    assert!((1..=100).contains(&metrics.len()));
    for metric in metrics {
        assert!(line[metric["Name"].as_str().unwrap()].is_u64(), "{metric}");
        assert!(["Count", "Bytes", "Milliseconds"].contains(&metric["Unit"].as_str().unwrap()), "{metric}");
    }
    for (name, value) in [
        ("Runs", 1),
        ("RunsFailed", 0),
        ("ObjectsWritten", 3),
        ("BytesWritten", 4_096),
        ("WriteTime", 70),
        ("RunTime", 1_234),
        ("OperationsFailed", 120),
        ("PathsInvalidated", 2),
    ] {
        assert_eq!(line[name], value, "{name}");
        assert!(metrics.iter().any(|metric| metric["Name"] == name), "{name}");
    }
    assert_eq!(line["Site"], "docs");
}

#[test]
fn metrics_have_the_cost_of_each_plugin() {
    let mut report = report(Outcome::Live);
    let mut usage = PluginUsage {
        plugin: "mime".to_owned(),
        objects: 7,
        fuel_used: 900,
        fuel_allowed: 1_000,
        wall: Duration::from_millis(5),
        wall_allowed: Duration::from_millis(10),
        memory_peak: 1,
        memory_allowed: 1_000,
        bytes_read: 12,
        bytes_read_allowed: 1_000,
        edits: BTreeMap::from([(EditKind::SetHeader, 7), (EditKind::Exclude, 1)]),
        edge_rules: 2,
        ..PluginUsage::default()
    };
    usage.measure_headroom();
    report.usage = vec![usage.clone()];
    let mode = PluginMode::Observe;
    let usage = PluginUsage { plugin: "guard".to_owned(), mode, edits: BTreeMap::new(), ..usage };
    let (verdict, failure) = (Verdict::Deny, None);
    report.judgements = vec![Judgement { plugin: "guard".to_owned(), mode, verdict, findings: vec![], failure, usage }];
    let entry = entry(RunEnding::Report(Box::new(report)));
    let metrics = parsed(&entry.metrics());
    assert_eq!((&metrics["PluginFuel"], &metrics["PluginTime"]), (&json!(1_800), &json!(10)));
    assert_eq!(
        metrics["Plugins"]["mime"],
        json!({
            "fuel": 900, "milliseconds": 5, "objects": 7, "memory": 1, "bytes-read": 12, "edits": 10, "headroom": 10,
        })
    );
    let line = parsed(&entry.line());
    let (sync, policy) = (&line["report"]["usage"][0], &line["report"]["judgements"][0]["usage"]);
    assert_eq!(sync["edits"], json!({ "exclude": 1, "set-header": 7 }));
    assert_eq!(sync["headroom"], json!({ "fuel": 10, "time": 50, "memory": 99, "reads": 100, "bytes_read": 98 }));
    assert_eq!((&sync["mode"], &policy["mode"]), (&Value::Null, &json!("observe")));
}

#[test]
fn a_continued_run_counts_once() {
    let line = parsed(&entry(RunEnding::Continued).metrics());
    assert_eq!((&line["Runs"], &line["RunsContinued"]), (&json!(0), &json!(1)));
}

#[test]
fn escapes_keep_the_value() {
    let text = json!({ HOSTILE: [HOSTILE] }).to_string();
    let value: Value = serde_json::from_str(&one_line(&text)).unwrap();
    assert_eq!(value, json!({ HOSTILE: [HOSTILE] }));
}
