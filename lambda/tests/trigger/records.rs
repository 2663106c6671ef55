//! Records of S3 and EventBridge: what they say of one object.

use serde_json::{Value, json};
use tidegate_core::key::StoredKey;
use tidegate_lambda::trigger::{Carrier, RecordError};

use crate::support::{fixture, records, stored, told, with};

const KEY: &str = "/Records/0/s3/object/key";

fn put(key: &str) -> Value {
    with(fixture("s3-put"), &[(KEY, json!(key))])
}

#[test]
fn keys_of_notifications_are_form_encoded_once() {
    // 1
    assert_eq!(stored(&fixture("s3-put")).key.as_str(), "staging/docs/this im + age blah.zip");
    for (encoded, key) in [
        ("a%2520b.zip", "a%20b.zip"),
        ("a+b.zip", "a b.zip"),
        ("a%2Bb.zip", "a+b.zip"),
        ("staging%2Fdocs%2Fx.zip", "staging/docs/x.zip"),
        ("%E6%97%A5%E6%9C%AC/%C3%A9.zip", "日本/é.zip"),
        ("100%.zip", "100%.zip"),
    ] {
        assert_eq!(stored(&put(encoded)).key.as_str(), key, "{encoded}");
    }
}

#[test]
fn keys_that_no_object_can_have_are_bad_records() {
    for key in ["", "%FF%FE.zip", &"x".repeat(1025)] {
        assert!(told(&put(key))[0].starts_with("bad: the record has the key"), "{key}");
    }
}

#[test]
fn a_key_of_eventbridge_stays_as_it_is_and_its_other_reading_is_kept() {
    // 2
    let cplusplus = stored(&fixture("eventbridge-created"));
    assert_eq!(cplusplus.key.as_str(), "staging/docs/c++.zip");
    assert_eq!(cplusplus.alternative.as_ref().map(StoredKey::as_str), Some("staging/docs/c  .zip"));
    assert_eq!(cplusplus.version.as_deref(), Some("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e"));
    let plain = with(fixture("eventbridge-created"), &[("/detail/object/key", json!("staging/docs/r1.zip"))]);
    assert_eq!(stored(&plain).alternative, None);
}

#[test]
fn an_event_says_all_that_is_known_of_the_object() {
    let stored = stored(&fixture("s3-multipart"));
    assert_eq!(stored.bucket.as_str(), "acme-artifacts");
    assert_eq!(stored.etag.as_ref().unwrap().as_str(), "5c2f7a3a6f0d1e8b9c4d2a1f0e3b7c6d-9");
    assert_eq!((stored.size, stored.region.as_deref()), (Some(71_303_168), Some("eu-central-1")));
    assert_eq!(stored.time.to_string(), "2026-03-02T09:20:31.004Z");
    assert_eq!(stored.sequencer.unwrap().object, "acme-artifacts/staging/docs/r42.zip");
}

#[test]
fn servers_that_write_less_than_aws_are_understood() {
    let stored = stored(&fixture("s3-other-server"));
    assert_eq!(stored.key.as_str(), "staging/docs/r45.zip");
    // `null` is the version that the next write replaces: it pins nothing.
    assert_eq!((stored.version, stored.region), (None, None));
}

#[test]
fn the_test_event_is_a_success_and_nothing_to_do() {
    // 3
    assert_eq!(told(&fixture("s3-test-event")), ["ignored: S3 tries out the notification, nothing to do"]);
}

#[test]
fn one_bad_record_keeps_no_other_from_running() {
    // 4
    let lines = told(&fixture("s3-mixed"));
    assert_eq!(lines[0], "staging/docs/r43.zip");
    assert!(lines[1].starts_with("bad: ") && lines[1].contains("`key`"), "{}", lines[1]);
    assert_eq!(lines[2], "staging/blog/.ready");
    assert_eq!(lines.len(), 4);
}

#[test]
fn minor_versions_are_accepted_and_other_majors_refused() {
    // 5
    let version = |version: &str| told(&with(fixture("s3-put"), &[("/Records/0/eventVersion", json!(version))]));
    for good in ["2.0", "2.1", "2.6", "2.99"] {
        assert!(version(good)[0].ends_with(".zip"), "{good}");
    }
    for bad in ["1.0", "3.0", "", "20.1", "two"] {
        assert!(version(bad)[0].starts_with("bad: the record has the event version"), "{bad}");
    }
    let detail = with(fixture("eventbridge-created"), &[("/detail/version", json!("1"))]);
    assert!(matches!(records(&detail).1[0].notice, Err(RecordError::Version(_))));
}

#[test]
fn the_same_event_twice_in_one_delivery_runs_once() {
    // 6
    let mut event = fixture("s3-put");
    let record = event["Records"][0].clone();
    event["Records"].as_array_mut().unwrap().push(record);
    let lines = told(&event);
    assert!(!lines[0].starts_with("ignored") && lines[1].contains("delivered twice"), "{lines:?}");
}

#[test]
fn of_one_object_the_newest_event_counts_whatever_the_order_and_length_of_its_number() {
    // 7: right-padded, `0066f1` is newer than `0066F0FFFF` and than `0066`.
    let older = with(put("a.zip"), &[("/Records/0/s3/object/sequencer", json!("0066F0FFFF"))]);
    let shorter = with(put("a.zip"), &[("/Records/0/s3/object/sequencer", json!("0066"))]);
    let newest = with(put("a.zip"), &[("/Records/0/s3/object/sequencer", json!("0066f1"))]);
    let other = with(put("b.zip"), &[("/Records/0/s3/object/sequencer", json!("00"))]);
    let all = [older, newest, shorter, other];
    for turn in 0..all.len() {
        let mut list: Vec<Value> = all.iter().map(|event| event["Records"][0].clone()).collect();
        list.rotate_left(turn);
        let lines = told(&json!({ "Records": list }));
        let kept = |name: &str| lines.iter().filter(|line| *line == name).count();
        assert_eq!((kept("a.zip"), kept("b.zip")), (1, 1), "{lines:?}");
        let overtaken = lines.iter().filter(|line| line.contains("newer event of `s3://acme-artifacts/a.zip`")).count();
        assert_eq!(overtaken, 2, "{lines:?}");
    }
    let list: Vec<Value> = all.iter().map(|event| event["Records"][0].clone()).collect();
    let at = records(&json!({ "Records": list })).1.iter().position(|record| {
        matches!(&record.notice, Ok(tidegate_lambda::trigger::ParsedRecord::Stored(stored)) if stored.key.as_str() == "a.zip")
    });
    assert_eq!(at, Some(1));
}

#[test]
fn a_new_object_triggers_however_it_was_made() {
    // 9
    for name in ["Put", "Post", "Copy", "CompleteMultipartUpload", "SomethingNew"] {
        let event = with(fixture("s3-put"), &[("/Records/0/eventName", json!(format!("ObjectCreated:{name}")))]);
        assert!(told(&event)[0].ends_with(".zip"), "{name}");
    }
    for reason in ["PutObject", "POST Object", "CopyObject", "CompleteMultipartUpload"] {
        let event = with(fixture("eventbridge-created"), &[("/detail/reason", json!(reason))]);
        assert!(told(&event)[0].ends_with(".zip"), "{reason}");
    }
}

#[test]
fn removed_and_expired_objects_are_ignored() {
    // 10
    for name in [
        "ObjectRemoved:Delete",
        "ObjectRemoved:DeleteMarkerCreated",
        "LifecycleExpiration:Delete",
        "LifecycleExpiration:DeleteMarkerCreated",
        "LifecycleTransition",
        "ObjectRestore:Post",
        "ObjectRestore:Completed",
        "ObjectTagging:Put",
        "ObjectAcl:Put",
        "Replication:OperationMissedThreshold",
        "IntelligentTiering",
        "ReducedRedundancyLostObject",
        "NotObjectCreated:Put",
    ] {
        let event = with(fixture("s3-put"), &[("/Records/0/eventName", json!(name))]);
        assert_eq!(told(&event), [format!("ignored: the event `{name}` publishes nothing, only new objects do")]);
    }
    assert!(told(&fixture("eventbridge-expired"))[0].starts_with("ignored: the event `Object Deleted`"));
    let scheduled = with(fixture("eventbridge-created"), &[("/source", json!("aws.events"))]);
    assert_eq!(told(&scheduled), ["ignored: the event is of `aws.events`, not of S3"]);
}

#[test]
fn folder_markers_and_empty_archives_are_ignored_with_a_reason() {
    // 11
    assert_eq!(told(&put("staging/docs/")), ["ignored: `s3://acme-artifacts/staging/docs/` is a folder marker"]);
    let empty = with(put("staging/docs/x.ZIP"), &[("/Records/0/s3/object/size", json!(0))]);
    assert!(told(&empty)[0].contains("has no bytes"), "{:?}", told(&empty));
    // What closes a build is mostly empty, and counts.
    let ready = with(put("staging/docs/.ready"), &[("/Records/0/s3/object/size", json!(0))]);
    assert_eq!(told(&ready), ["staging/docs/.ready"]);
}

#[test]
fn an_empty_event_has_no_records() {
    assert_eq!(records(&json!({ "Records": [] })), (Carrier::Notification, Vec::new()));
}
