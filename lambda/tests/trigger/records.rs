//! Records of S3 and EventBridge.

use serde_json::{Value, json};
use tidegate_lambda::trigger::{EventSource, RecordError};

use crate::support::{fixture, lines, records, stored, with};

const KEY: &str = "/Records/0/s3/object/key";

fn put(key: &str) -> Value {
    with(fixture("s3-put"), &[(KEY, json!(key))])
}

#[test]
fn decodes_keys_of_notifications_once() {
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
fn refuses_invalid_keys() {
    for key in ["", "%FF%FE.zip", &"x".repeat(1025)] {
        assert!(lines(&put(key))[0].starts_with("bad: invalid key"), "{key}");
    }
}

#[test]
fn keeps_both_readings_of_a_key_from_eventbridge() {
    let cplusplus = stored(&fixture("eventbridge-created"));
    assert_eq!(cplusplus.key.as_str(), "staging/docs/c++.zip");
    let alternative = cplusplus.alternative.as_ref().unwrap();
    assert_eq!((alternative.key.as_str(), alternative.unlikely), ("staging/docs/c  .zip", false));
    assert_eq!(cplusplus.version.as_deref(), Some("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e"));
    let plain = with(fixture("eventbridge-created"), &[("/detail/object/key", json!("staging/docs/r1.zip"))]);
    assert_eq!(stored(&plain).alternative, None);
}

#[test]
fn keeps_both_readings_of_a_key_from_other_servers() {
    let of = |source: &str, key: &str| {
        let stored = stored(&with(put(key), &[("/Records/0/eventSource", json!(source))]));
        let alternative = stored.alternative.map(|other| (other.key.to_string(), other.unlikely));
        (stored.key.to_string(), alternative)
    };
    let both = |first: &str, second: &str, unlikely: bool| (first.to_owned(), Some((second.to_owned(), unlikely)));
    // S3 encodes keys, so its reading comes first; others may not.
    assert_eq!(of("aws:s3", "b/c++.zip"), both("b/c  .zip", "b/c++.zip", true));
    assert_eq!(of("ceph:s3", "b/c++.zip"), both("b/c  .zip", "b/c++.zip", false));
    assert_eq!(of("minio:s3", "b/100%25.zip"), both("b/100%.zip", "b/100%25.zip", false));
    assert_eq!(of("ceph:s3", "b/r1.zip"), ("b/r1.zip".to_owned(), None));
    // Two objects of a server that does not encode keys are not two events of one object.
    let both_sent = ["b/c++.zip", "b/c  .zip"].map(|key| put(key)["Records"][0].clone());
    let kept = lines(&json!({ "Records": both_sent }));
    assert!(kept.iter().all(|line| line == "b/c  .zip"), "{kept:?}");
    // Bytes that only S3 would encode wrongly.
    assert_eq!(of("ceph:s3", "b/%FF.zip"), ("b/%FF.zip".to_owned(), None));
}

#[test]
fn reads_all_fields_of_an_object() {
    let stored = stored(&fixture("s3-multipart"));
    assert_eq!(stored.bucket.as_str(), "acme-artifacts");
    assert_eq!(stored.etag.as_ref().unwrap().text(), "5c2f7a3a6f0d1e8b9c4d2a1f0e3b7c6d-9");
    assert_eq!((stored.size, stored.region.as_deref()), (Some(71_303_168), Some("eu-central-1")));
    assert_eq!(stored.time.to_string(), "2026-03-02T09:20:31.004Z");
    assert_eq!(stored.sequencer.unwrap().object, "acme-artifacts/staging/docs/r42.zip");
}

#[test]
fn reads_records_of_other_servers() {
    let stored = stored(&fixture("s3-other-server"));
    assert_eq!(stored.key.as_str(), "staging/docs/r45.zip");
    // `null` is not a version: the next write replaces it.
    assert_eq!((stored.version, stored.region), (None, None));
}

#[test]
fn ignores_the_test_event() {
    assert_eq!(lines(&fixture("s3-test-event")), ["ignored: the event is S3's test of a notification"]);
}

#[test]
fn one_bad_record_does_not_affect_the_others() {
    let lines = lines(&fixture("s3-mixed"));
    assert_eq!(lines[0], "staging/docs/r43.zip");
    assert!(lines[1].starts_with("bad: ") && lines[1].contains("`key`"), "{}", lines[1]);
    assert_eq!(lines[2], "staging/blog/.ready");
    assert_eq!(lines.len(), 4);
}

#[test]
fn accepts_minor_versions_and_refuses_other_majors() {
    let version = |version: &str| lines(&with(fixture("s3-put"), &[("/Records/0/eventVersion", json!(version))]));
    for good in ["2.0", "2.1", "2.6", "2.99"] {
        assert!(version(good)[0].ends_with(".zip"), "{good}");
    }
    for bad in ["1.0", "3.0", "", "20.1", "two"] {
        assert!(version(bad)[0].starts_with("bad: unsupported event version"), "{bad}");
    }
    let detail = with(fixture("eventbridge-created"), &[("/detail/version", json!("1"))]);
    assert!(matches!(records(&detail).1[0].content, Err(RecordError::Version(_))));
}

#[test]
fn ignores_duplicates() {
    let mut event = fixture("s3-put");
    let record = event["Records"][0].clone();
    event["Records"].as_array_mut().unwrap().push(record);
    let lines = lines(&event);
    assert!(!lines[0].starts_with("ignored") && lines[1].contains("delivered twice"), "{lines:?}");
}

#[test]
fn keeps_the_newest_event_of_an_object_in_any_order() {
    // Right-padded, `0066f1` is newer than `0066F0FFFF` and than `0066`.
    let older = with(put("a.zip"), &[("/Records/0/s3/object/sequencer", json!("0066F0FFFF"))]);
    let shorter = with(put("a.zip"), &[("/Records/0/s3/object/sequencer", json!("0066"))]);
    let newest = with(put("a.zip"), &[("/Records/0/s3/object/sequencer", json!("0066f1"))]);
    let other = with(put("b.zip"), &[("/Records/0/s3/object/sequencer", json!("00"))]);
    let all = [older, newest, shorter, other];
    for shift in 0..all.len() {
        let mut list: Vec<Value> = all.iter().map(|event| event["Records"][0].clone()).collect();
        list.rotate_left(shift);
        let lines = lines(&json!({ "Records": list }));
        let kept = |name: &str| lines.iter().filter(|line| *line == name).count();
        assert_eq!((kept("a.zip"), kept("b.zip")), (1, 1), "{lines:?}");
        let outdated = lines.iter().filter(|line| line.contains("newer event of `s3://acme-artifacts/a.zip`")).count();
        assert_eq!(outdated, 2, "{lines:?}");
    }
    let list: Vec<Value> = all.iter().map(|event| event["Records"][0].clone()).collect();
    let newest = records(&json!({ "Records": list })).1.iter().position(|record| {
        matches!(&record.content, Ok(tidegate_lambda::trigger::ParsedRecord::Stored(stored)) if stored.key.as_str() == "a.zip")
    });
    assert_eq!(newest, Some(1));
}

#[test]
fn every_kind_of_upload_publishes() {
    for name in ["Put", "Post", "Copy", "CompleteMultipartUpload", "SomethingNew"] {
        let event = with(fixture("s3-put"), &[("/Records/0/eventName", json!(format!("ObjectCreated:{name}")))]);
        assert!(lines(&event)[0].ends_with(".zip"), "{name}");
    }
    for reason in ["PutObject", "POST Object", "CopyObject", "CompleteMultipartUpload"] {
        let event = with(fixture("eventbridge-created"), &[("/detail/reason", json!(reason))]);
        assert!(lines(&event)[0].ends_with(".zip"), "{reason}");
    }
}

#[test]
fn ignores_removed_and_expired_objects() {
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
        assert_eq!(lines(&event), [format!("ignored: the event `{name}` is not an upload")]);
    }
    assert!(lines(&fixture("eventbridge-expired"))[0].starts_with("ignored: the event `Object Deleted`"));
    let scheduled = with(fixture("eventbridge-created"), &[("/source", json!("aws.events"))]);
    assert_eq!(lines(&scheduled), ["ignored: the event comes from `aws.events`, not from S3"]);
}

#[test]
fn ignores_folder_markers_and_empty_archives() {
    assert_eq!(lines(&put("staging/docs/")), ["ignored: `s3://acme-artifacts/staging/docs/` is a folder marker"]);
    let empty = with(put("staging/docs/x.ZIP"), &[("/Records/0/s3/object/size", json!(0))]);
    assert!(lines(&empty)[0].contains("is an empty archive"), "{:?}", lines(&empty));
    // A marker is usually empty.
    let ready = with(put("staging/docs/.ready"), &[("/Records/0/s3/object/size", json!(0))]);
    assert_eq!(lines(&ready), ["staging/docs/.ready"]);
}

#[test]
fn reads_an_event_without_records() {
    assert_eq!(records(&json!({ "Records": [] })), (EventSource::S3, Vec::new()));
}
