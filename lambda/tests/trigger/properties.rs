//! Properties of every input.

use std::cmp::Ordering;

use proptest::prelude::*;
use serde_json::{Map, Value};
use tidegate_core::request::{Revision, Sequencer};
use tidegate_lambda::trigger::{HttpRequest, InvocationEvent, ParsedRecord, match_sites, read};
use tidegate_lambda::webhook::{WebhookDecision, candidates};

use crate::support::{config, decide, fixture, fixture_bytes, github_config, now, secrets, signature};

/// Any JSON, often with the names of fields that events have.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "aws:s3",
            "aws:sqs",
            "aws:sns",
            "aws.s3",
            "Object Created",
            "ObjectCreated:Put",
            "2.1",
            "Notification",
            "a.zip",
            "%",
            "2026-03-02T09:14:08Z",
            "{\"Records\":[]}"
        ])
        .prop_map(Value::from),
    ];
    let names = prop_oneof![
        "\\PC{0,6}",
        prop::sample::select(vec![
            "Records",
            "eventSource",
            "EventSource",
            "eventVersion",
            "eventName",
            "eventTime",
            "s3",
            "bucket",
            "object",
            "name",
            "key",
            "size",
            "sequencer",
            "body",
            "messageId",
            "Sns",
            "Message",
            "Type",
            "detail",
            "detail-type",
            "source",
            "time",
            "requestContext",
            "http",
            "method",
            "headers",
            "tidegate",
            "format",
            "site",
            "Event",
            "repository",
            "full_name",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A real event with one of its values replaced.
fn mutated() -> impl Strategy<Value = Value> {
    let names = [
        "s3-put",
        "s3-mixed",
        "sqs-batch",
        "sns-s3",
        "eventbridge-created",
        "function-url",
        "api-gateway",
        "s3-test-event",
    ];
    (prop::sample::select(names.to_vec()), any::<prop::sample::Index>(), json()).prop_map(|(name, at, value)| {
        let mut event = fixture(name);
        let mut paths = Vec::new();
        walk(&event, String::new(), &mut paths);
        *event.pointer_mut(at.get::<String>(&paths)).unwrap() = value;
        event
    })
}

fn walk(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                walk(value, format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")), paths);
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                walk(value, format!("{path}/{at}"), paths);
            }
        }
        _ => {}
    }
    paths.push(path);
}

/// Reads an event and does everything with the result.
fn read_all(event: &Value) {
    let config = config("builds = \"s3://acme-artifacts/staging/docs/\"");
    match read(event) {
        Ok(InvocationEvent::Records { records, .. }) => {
            for record in records {
                match record.content {
                    Ok(ParsedRecord::Stored(stored)) => drop(match_sites(&config, &stored)),
                    Ok(ParsedRecord::Ignored(ignored)) => assert!(!ignored.to_string().contains(char::is_control)),
                    Ok(ParsedRecord::Continuation(_)) => {}
                    Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
                }
            }
        }
        Ok(InvocationEvent::Http(request)) => drop(decide(&config, &request, &secrets(&[]))),
        Ok(InvocationEvent::Direct(_) | InvocationEvent::Continuation(_) | InvocationEvent::Task(_)) => {}
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
}

fn revision(value: &str) -> Revision {
    Revision { at: 0, commit: false, sequencer: Some(Sequencer { object: "b/k".to_owned(), value: value.to_owned() }) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn reading_any_json_never_panics(event in json()) {
        read_all(&event);
    }

    #[test]
    fn reading_a_mutated_event_never_panics(event in mutated()) {
        read_all(&event);
    }

    #[test]
    fn deciding_about_any_payload_never_panics(event in json(), kind in "push|release|workflow_run|deployment_status|ping|star") {
        let mut body = event;
        if let Value::Object(fields) = &mut body {
            fields.insert("repository".to_owned(), serde_json::json!({ "full_name": "acme/docs" }));
        }
        let outcome = crate::support::outcome(&github_config("branch = \"**\""), &kind, &body);
        prop_assert!(!outcome.contains(char::is_control));
    }

    #[test]
    fn sequencers_have_a_total_order(a in "[0-9A-Fa-f]{1,24}", b in "[0-9A-Fa-f]{1,24}", c in "[0-9A-Fa-f]{1,24}", zeros in 0_usize..8) {
        let (x, y, z) = (revision(&a), revision(&b), revision(&c));
        prop_assert_eq!(x.compare(&y), y.compare(&x).reverse());
        if x.compare(&y) != Ordering::Greater && y.compare(&z) != Ordering::Greater {
            prop_assert_ne!(x.compare(&z), Ordering::Greater);
        }
        // Padding and case do not change the order.
        let padded = revision(&format!("{}{}", a.to_ascii_lowercase(), "0".repeat(zeros)));
        prop_assert_eq!(x.compare(&padded), Ordering::Equal);
        prop_assert_eq!(x.compare(&y), padded.compare(&y));
        // The order is that of the digits as a fraction.
        let fraction = |digits: &str| u128::from_str_radix(&format!("{digits:0<24}"), 16).unwrap();
        prop_assert_eq!(x.compare(&y), fraction(&a).cmp(&fraction(&b)));
    }

    #[test]
    fn only_the_right_secret_verifies(secret in "\\PC{1,80}", other in "\\PC{1,80}", flipped in any::<prop::sample::Index>(), bit in 0_u8..8) {
        prop_assume!(secret.trim_end_matches(['\r', '\n']) != other.trim_end_matches(['\r', '\n']));
        // HMAC pads short keys with zeros, and no text here ends with a zero byte.
        let body = fixture_bytes("github-push");
        let config = github_config("branch = \"main\"");
        let signed = signature(&secret, &body);
        let request = |signature: &str, body: &[u8]| {
            HttpRequest::new("POST", "/", [("x-github-event", "push"), ("x-hub-signature-256", signature)], body.to_vec())
        };
        let publishes = |request: &HttpRequest, secret: &str| {
            let known = secrets(&[("secretsmanager:new", secret)]);
            candidates(request, &config).is_ok_and(|candidates| matches!(candidates.authorize(request, &known, now()), WebhookDecision::Publish(_)))
        };
        prop_assert!(publishes(&request(&signed, &body), &secret));
        prop_assert!(!publishes(&request(&signed, &body), &other));
        let mut changed = body.clone();
        changed[flipped.index(body.len())] ^= 1 << bit;
        prop_assert!(!publishes(&request(&signed, &changed), &secret));
    }
}
