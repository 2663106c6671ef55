//! Envelopes: who carried an event, and events within each other.

use serde_json::{Value, json};
use tidegate_core::staged_build::Build;
use tidegate_lambda::trigger::{
    ArtifactRef, CONTINUATION_FORMAT, Carrier, Continuation, Delivery, ParsedRecord, RunId, Trigger, TriggerCause,
    TriggerError, read,
};

use crate::support::{fixture, records, told};

#[test]
fn every_carrier_is_known() {
    for (name, carrier, count) in [
        ("s3-put", Carrier::Notification, 1),
        ("s3-test-event", Carrier::Notification, 1),
        ("eventbridge-created", Carrier::EventBridge, 1),
        ("sns-s3", Carrier::Topic, 1),
        ("sqs-batch", Carrier::Queue, 8),
    ] {
        let (by, records) = records(&fixture(name));
        assert_eq!((by, records.len()), (carrier, count), "{name}");
    }
    assert_eq!(told(&fixture("sns-s3")), ["staging/docs/r46.zip"]);
}

#[test]
fn a_queue_is_told_by_message_what_failed() {
    // 4: S3 raw, S3 in a topic, EventBridge, a test, nonsense, two records with a bad one, EventBridge in a topic.
    let (_, records) = records(&fixture("sqs-batch"));
    let lines: Vec<(String, String)> = records
        .iter()
        .map(|record| {
            let id = record.message.as_ref().unwrap().as_str();
            let number = id.chars().last().unwrap().to_string();
            let line = match &record.notice {
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
fn repeated_events_are_seen_across_messages() {
    let mut batch = fixture("sqs-batch");
    let first = batch["Records"][0].clone();
    batch["Records"].as_array_mut().unwrap().push(first);
    assert!(told(&batch)[8].contains("delivered twice"));
}

#[test]
fn envelopes_do_not_go_on_for_ever() {
    let mut message = fixture("s3-put").to_string();
    for _ in 0..20 {
        message = json!({ "Type": "Notification", "Message": message }).to_string();
    }
    let event = json!({ "Records": [{ "messageId": "1", "eventSource": "aws:sqs", "body": message }] });
    assert!(told(&event)[0].contains("wrapped too often"), "{:?}", told(&event));
    let nested = json!({ "Records": [{ "eventSource": "aws:sqs", "body": "{}" }] }).to_string();
    let event = json!({ "Records": [{ "messageId": "1", "eventSource": "aws:sqs", "body": nested }] });
    assert!(told(&event)[0].contains("wrapped too often"), "{:?}", told(&event));
}

#[test]
fn a_request_by_hand_names_what_the_configuration_does_not() {
    let event = json!({ "site": "docs", "source": "s3://acme-artifacts/r1.zip", "committed": "2026-03-02T09:14:08Z" });
    let Ok(Delivery::Invocation(invocation)) = read(&event) else { panic!() };
    assert_eq!((invocation.site.as_str(), invocation.release), ("docs", None));
    assert_eq!(invocation.committed.unwrap().milliseconds(), 1_772_442_848_000);
    for bad in [json!({ "site": 7 }), json!({ "site": "docs", "target": "s3://x/" })] {
        assert!(matches!(read(&bad), Err(TriggerError::Invocation(_))), "{bad}");
    }
}

#[test]
fn a_run_that_is_handed_on_arrives_as_it_was() {
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
    assert_eq!(read(&event), Ok(Delivery::Continuation(Box::new(run.clone()))));
    let queued = json!({ "Records": [{ "messageId": "1", "eventSource": "aws:sqs", "body": event.to_string() }] });
    assert_eq!(records(&queued).1[0].notice, Ok(ParsedRecord::Continuation(Box::new(run))));
    let later = crate::support::with(event, &[("/tidegate/format", json!(3))]);
    assert!(read(&later).unwrap_err().to_string().contains("another version"));
}

#[test]
fn http_is_read_byte_for_byte() {
    // 18
    for name in ["function-url", "function-url-base64"] {
        let Ok(Delivery::Call(call)) = read(&fixture(name)) else { panic!("{name}") };
        assert_eq!((call.method.as_str(), call.body.as_slice()), ("POST", b"Hello, World!".as_slice()));
        assert_eq!(call.header("x-github-event"), Some("push"));
    }
    let Ok(Delivery::Call(call)) = read(&fixture("api-gateway")) else { panic!() };
    assert_eq!((call.path.as_str(), call.header("content-type")), ("/hooks/github", Some("application/json")));
    let told = |event: &Value| read(event).unwrap_err().to_string();
    assert!(told(&fixture("rest-api")).contains("payload format 2.0"));
    let broken = crate::support::with(fixture("function-url-base64"), &[("/body", json!("not base64!"))]);
    assert!(told(&broken).contains("base64"));
}

#[test]
fn an_unknown_event_is_told_from_its_fields() {
    for (event, part) in [
        (json!({}), "it is empty"),
        (json!([]), "no JSON object"),
        (json!(null), "no JSON object"),
        (json!({ "awslogs": { "data": "" } }), "`awslogs`"),
        (json!({ "Records": 7 }), "`Records`"),
    ] {
        assert!(read(&event).unwrap_err().to_string().contains(part), "{event}");
    }
    let kinesis = json!({ "Records": [{ "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventName": "aws:kinesis:record" }] });
    assert_eq!(told(&kinesis), ["ignored: the event is of `aws:kinesis`, not of S3"]);
}
