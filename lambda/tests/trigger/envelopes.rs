//! Envelopes: which service invoked the function, and events in messages of SNS and SQS.

use serde_json::{Value, json};
use tidegate_core::staged_build::Build;
use tidegate_lambda::trigger::{
    ArtifactRef, CONTINUATION_FORMAT, Continuation, EventSource, InvocationEvent, ParsedRecord, RunId, Trigger,
    TriggerCause, TriggerError, read,
};

use crate::support::{fixture, lines, records};

#[test]
fn recognizes_every_event_source() {
    for (name, expected, count) in [
        ("s3-put", EventSource::S3, 1),
        ("s3-test-event", EventSource::S3, 1),
        ("eventbridge-created", EventSource::EventBridge, 1),
        ("sns-s3", EventSource::Sns, 1),
        ("sqs-batch", EventSource::Sqs, 8),
    ] {
        let (source, records) = records(&fixture(name));
        assert_eq!((source, records.len()), (expected, count), "{name}");
    }
    assert_eq!(lines(&fixture("sns-s3")), ["staging/docs/r46.zip"]);
}

#[test]
fn records_of_a_queue_have_message_ids() {
    // S3 raw, S3 in a topic, EventBridge, a test, nonsense, two records with a bad one, EventBridge in a topic.
    let (_, records) = records(&fixture("sqs-batch"));
    let lines: Vec<(String, String)> = records
        .iter()
        .map(|record| {
            let id = record.message_id.as_ref().unwrap().as_str();
            let number = id.chars().last().unwrap().to_string();
            let line = match &record.content {
                Ok(ParsedRecord::Stored(stored)) => stored.key.to_string(),
                Ok(other) => format!("{other:?}"),
                Err(_) => "bad".to_owned(),
            };
            (number, line)
        })
        .collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(id, line)| (id.as_str(), line.as_str())).collect();
    assert_eq!(
        lines,
        [
            ("1", "staging/docs/r47.zip"),
            ("2", "staging/docs/r48.zip"),
            ("3", "staging/docs/r49.zip"),
            ("4", "Ignored(Test)"),
            ("5", "bad"),
            ("6", "staging/docs/r50.zip"),
            ("6", "bad"),
            ("7", "staging/docs/c++.zip"),
        ]
    );
}

#[test]
fn ignores_duplicates_across_messages() {
    let mut batch = fixture("sqs-batch");
    let first = batch["Records"][0].clone();
    batch["Records"].as_array_mut().unwrap().push(first);
    assert!(lines(&batch)[8].contains("delivered twice"));
}

#[test]
fn limits_the_depth_of_envelopes() {
    let mut message = fixture("s3-put").to_string();
    for _ in 0..20 {
        message = json!({ "Type": "Notification", "Message": message }).to_string();
    }
    let event = json!({ "Records": [{ "messageId": "1", "eventSource": "aws:sqs", "body": message }] });
    assert!(lines(&event)[0].contains("too many envelopes"), "{:?}", lines(&event));
    let nested = json!({ "Records": [{ "eventSource": "aws:sqs", "body": "{}" }] }).to_string();
    let event = json!({ "Records": [{ "messageId": "1", "eventSource": "aws:sqs", "body": nested }] });
    assert!(lines(&event)[0].contains("too many envelopes"), "{:?}", lines(&event));
}

#[test]
fn reads_direct_invocations() {
    let event =
        json!({ "site": "docs", "source": "s3://acme-artifacts/r1.zip", "commit-time": "2026-03-02T09:14:08Z" });
    let Ok(InvocationEvent::Direct(invocation)) = read(&event) else { panic!() };
    assert_eq!((invocation.site.as_str(), invocation.release), ("docs", None));
    assert_eq!(invocation.commit_time.unwrap().milliseconds(), 1_772_442_848_000);
    for bad in [json!({ "site": 7 }), json!({ "site": "docs", "target": "s3://x/" })] {
        assert!(matches!(read(&bad), Err(TriggerError::Invocation(_))), "{bad}");
    }
}

#[test]
fn continuations_survive_a_round_trip() {
    let place = "s3://acme-artifacts/builds/".parse().unwrap();
    let run = Continuation {
        format: CONTINUATION_FORMAT,
        run: RunId { id: "20260302-091408-1f2e3d".to_owned(), continuations: 2 },
        trigger: Trigger {
            site: "docs".to_owned().try_into().unwrap(),
            artifact: ArtifactRef::Build(Build::new(&place, "c0ffee").unwrap()),
            release: "c0ffee".to_owned(),
            cause: TriggerCause::Github(tidegate_core::config::GithubEvent::WorkflowRun),
            revision: Some(tidegate_core::request::Revision::at(7)),
            delivery: None,
            status: None,
        },
    };
    let event = run.to_event().unwrap();
    assert_eq!(read(&event), Ok(InvocationEvent::Continuation(Box::new(run.clone()))));
    let queued = json!({ "Records": [{ "messageId": "1", "eventSource": "aws:sqs", "body": event.to_string() }] });
    assert_eq!(records(&queued).1[0].content, Ok(ParsedRecord::Continuation(Box::new(run))));
    let later = crate::support::with(event, &[("/tidegate/format", json!(4))]);
    assert!(read(&later).unwrap_err().to_string().contains("another version"));
}

#[test]
fn keeps_the_bytes_of_http_bodies() {
    for name in ["function-url", "function-url-base64"] {
        let Ok(InvocationEvent::Http(request)) = read(&fixture(name)) else { panic!("{name}") };
        assert_eq!((request.method.as_str(), request.body.as_slice()), ("POST", b"Hello, World!".as_slice()));
        assert_eq!(request.header("x-github-event"), Some("push"));
    }
    let Ok(InvocationEvent::Http(request)) = read(&fixture("api-gateway")) else { panic!() };
    assert_eq!((request.path.as_str(), request.header("content-type")), ("/hooks/github", Some("application/json")));
    let error = |event: &Value| read(event).unwrap_err().to_string();
    assert!(error(&fixture("rest-api")).contains("payload format 2.0"));
    let broken = crate::support::with(fixture("function-url-base64"), &[("/body", json!("not base64!"))]);
    assert!(error(&broken).contains("base64"));
}

#[test]
fn describes_unknown_events_by_their_fields() {
    for (event, part) in [
        (json!({}), "it is empty"),
        (json!([]), "not a JSON object"),
        (json!(null), "not a JSON object"),
        (json!({ "awslogs": { "data": "" } }), "`awslogs`"),
        (json!({ "Records": 7 }), "`Records`"),
    ] {
        assert!(read(&event).unwrap_err().to_string().contains(part), "{event}");
    }
    let kinesis = json!({ "Records": [{ "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventName": "aws:kinesis:record" }] });
    assert_eq!(lines(&kinesis), ["ignored: the event comes from `aws:kinesis`, not from S3"]);
}
