//! Matching a stored object with sites.

use serde_json::{Value, json};
use tidegate_core::config::Config;
use tidegate_core::request::Revision;
use tidegate_lambda::trigger::{
    AmbiguousKeyError, ArtifactRef, ObjectVersion, ReadingState, StoredObject, TriggerCause, match_sites,
};

use crate::support::{config, fixture, stored, with};

fn object(key: &str) -> StoredObject {
    stored(&with(fixture("s3-put"), &[("/Records/0/s3/object/key", json!(key))]))
}

/// What an object with this key publishes: one line for each site.
fn matched(config: &Config, key: &str) -> Vec<String> {
    let sites = match_sites(config, &object(key));
    let source = |artifact: &ArtifactRef| match artifact {
        ArtifactRef::Source { source, .. } => source.to_string(),
        other => format!("{other:?}"),
    };
    let triggers = sites.triggers.iter().map(|t| format!("{} {} {}", t.site, t.release, source(&t.artifact)));
    triggers
        .chain(sites.unmatched.iter().map(|unmatched| format!("{}: {}", unmatched.site, unmatched.reason)))
        .collect()
}

#[test]
fn a_build_is_a_zip_or_a_folder_with_a_marker() {
    let config = config("builds = \"s3://acme-artifacts/staging/docs/\"");
    for (key, line) in [
        ("staging/docs/r1.zip", "docs r1 s3://acme-artifacts/staging/docs/r1.zip"),
        ("staging/docs/r1/.ready", "docs r1 s3://acme-artifacts/staging/docs/r1/"),
    ] {
        assert_eq!(matched(&config, key), [line]);
    }
    for key in ["staging/docs/r1/index.html", "staging/docs/r1/files.zip", "staging/docs/r1/en/.ready"] {
        let line = matched(&config, key).concat();
        assert!(line.contains("published once `staging/docs/r1/.ready` is uploaded"), "{line}");
    }
    for key in ["staging/docs/.ready", "staging/docs/notes.txt", "staging/docs/.zip"] {
        assert!(matched(&config, key).concat().contains("is not a build"), "{key}");
    }
    for key in ["staging/docs2/r1.zip", "staging/r1.zip", "r1.zip"] {
        assert!(matched(&config, key).is_empty(), "{key}");
    }
    assert!(matched(&config, "staging/docs/a*b/.ready").concat().contains('*'));
    assert!(matched(&config, "staging/docs/a%0Ab.zip").concat().contains("rename"));
}

#[test]
fn a_thousand_uploads_publish_once() {
    let config = config("staged = \"s3://acme-artifacts/staging/docs/\"");
    let triggers = |key: &str| match_sites(&config, &object(key)).triggers.len();
    let files: usize = (0..1000).map(|at| triggers(&format!("staging/docs/page-{at}/index.html"))).sum();
    assert_eq!((files, triggers("staging/docs/.ready")), (0, 1));
    assert_eq!(matched(&config, "staging/docs/.ready"), ["docs docs s3://acme-artifacts/staging/docs/"]);
    assert_eq!(triggers("staging/docs/sub/.ready"), 0);
}

#[test]
fn a_staged_zip_matches_that_object_only() {
    let config = config("staged = \"s3://acme-artifacts/staging/latest.zip\"");
    assert_eq!(matched(&config, "staging/latest.zip"), ["docs latest s3://acme-artifacts/staging/latest.zip"]);
    assert!(matched(&config, "staging/latest.zip.bak").is_empty());
    assert!(matched(&config, "staging/other.zip").is_empty());
}

#[test]
fn a_build_may_publish_several_sites() {
    let config = config(
        "builds = \"s3://acme-artifacts/b/\"\n\
         [[site]]\nname = \"mirror\"\ntarget = \"s3://mirror.acme.com/\"\nbuilds = \"s3://acme-artifacts/b/\"\n\
         [[site]]\nname = \"live\"\ntarget = \"s3://live.acme.com/\"\nbuilds = \"s3://acme-artifacts/b/\"\npublish-on-upload = false\n",
    );
    let lines = matched(&config, "b/r1.zip");
    assert_eq!(lines[..2], ["docs r1 s3://acme-artifacts/b/r1.zip", "mirror r1 s3://acme-artifacts/b/r1.zip"]);
    assert!(lines[2].starts_with("live: uploads do not publish this site"), "{lines:?}");
}

#[test]
fn uploads_do_not_publish_a_site_with_webhooks_by_default() {
    let fields = |more: &str| {
        format!(
            "builds = \"s3://acme-artifacts/b/\"\n{more}\n[[site.webhook]]\nprovider = \"generic\"\nsecrets = [\"ssm:/s\"]\n"
        )
    };
    assert!(matched(&config(&fields("")), "b/r1.zip").concat().contains("uploads do not publish"));
    assert_eq!(match_sites(&config(&fields("publish-on-upload = true")), &object("b/r1.zip")).triggers.len(), 1);
}

#[test]
fn a_trigger_pins_the_version_of_the_event() {
    let config = config("builds = \"s3://acme-artifacts/staging/docs/\"");
    let pin = |stored: &StoredObject| match match_sites(&config, stored).triggers.remove(0).artifact {
        ArtifactRef::Source { pin, .. } => pin,
        other => panic!("{other:?}"),
    };
    let versioned = stored(&fixture("s3-multipart"));
    assert_eq!(pin(&versioned), Some(ObjectVersion::Version("L4kqtJlcpXroDTDmpUMLUo".to_owned())));
    let unversioned = object("staging/docs/r1.zip");
    assert_eq!(pin(&unversioned), Some(ObjectVersion::Etag(unversioned.etag.clone().unwrap())));
    // The ETag of an empty marker is always the same.
    assert_eq!(pin(&object("staging/docs/r1/.ready")), None);
    let trigger = match_sites(&config, &versioned).triggers.remove(0);
    assert_eq!((trigger.cause, &trigger.revision), (TriggerCause::Upload, &Some(versioned.revision())));
    let request = trigger.request("s3://acme-artifacts/staging/docs/r42.zip".parse().unwrap(), 9);
    assert_eq!((request.cause.as_str(), request.instant, request.release.as_str()), ("upload", 9, "r42"));
    let text = serde_json::to_string(&trigger).unwrap();
    assert_eq!(serde_json::from_str::<tidegate_lambda::trigger::Trigger>(&text).unwrap(), trigger);
}

#[test]
fn a_key_with_two_readings_means_the_object_of_the_event() {
    use ReadingState::{Absent, Current, Replaced};
    let config = config("builds = \"s3://acme-artifacts/staging/docs/\"");
    let artifact = |event: Value| match_sites(&config, &stored(&event)).triggers.remove(0).artifact;
    let choice = |event: Value| match artifact(event) {
        ArtifactRef::Ambiguous(choice) => *choice,
        other => panic!("{other:?}"),
    };
    let bridged = |key: &str| with(fixture("eventbridge-created"), &[("/detail/object/key", json!(key))]);
    let sent = |source: &str, key: &str| {
        let changes = [("/Records/0/eventSource", json!(source)), ("/Records/0/s3/object/key", json!(key))];
        with(fixture("s3-put"), &changes)
    };
    let (plus, spaces) = ("s3://acme-artifacts/staging/docs/c++.zip", "s3://acme-artifacts/staging/docs/c  .zip");
    let bridge = choice(bridged("staging/docs/c++.zip"));
    assert!(matches!(bridge.pin, Some(ObjectVersion::Version(_))));
    for (event, first, second) in [
        (bridge, plus, spaces),
        (choice(sent("ceph:s3", "staging/docs/c++.zip")), spaces, plus),
        (choice(sent("aws:s3", "staging/docs/c++.zip")), spaces, plus),
    ] {
        for other in [Absent, Replaced] {
            assert_eq!(event.resolve(Current, other).unwrap().to_string(), first);
            assert_eq!(event.resolve(other, Current).unwrap().to_string(), second);
            assert!(matches!(event.resolve(Replaced, other), Err(AmbiguousKeyError::Replaced(_))));
        }
        // S3 documents its reading. Where it is not documented, two objects with the version of the event are ambiguous.
        if event.documented {
            assert_eq!(event.resolve(Current, Current).unwrap().to_string(), first);
            assert!(matches!(event.resolve(Absent, Absent), Err(AmbiguousKeyError::Replaced(_))));
        } else {
            assert!(matches!(event.resolve(Current, Current), Err(AmbiguousKeyError::Both(..))));
            assert!(matches!(event.resolve(Absent, Absent), Err(AmbiguousKeyError::Neither(..))));
        }
    }
    // Only one of the readings is in the site's places. The role of the function may not ask for the other one.
    for event in [bridged("staging/docs%2Fr1.zip"), sent("minio:s3", "staging%2Fdocs%2Fr1.zip")] {
        match artifact(event) {
            ArtifactRef::Source { source, pin: Some(_) } => {
                assert_eq!(source.to_string(), "s3://acme-artifacts/staging/docs/r1.zip");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(choice(bridged("staging/docs/c++/.ready")).pin, None);
}

#[test]
fn recognizes_a_published_event() {
    // The pointer of the site has the revision.
    use tidegate_core::release::Precedence;
    // 2030-01-01, later than all events.
    const NOW: u64 = 1_893_456_000_000;
    let config = config("builds = \"s3://acme-artifacts/staging/docs/\"");
    let request = |stored: &StoredObject, instant| {
        let trigger = match_sites(&config, stored).triggers.remove(0);
        trigger.request("s3://acme-artifacts/staging/docs/r1.zip".parse().unwrap(), NOW + instant)
    };
    let first = object("staging/docs/r1.zip");
    let pointer = pointer(&request(&first, 1));
    assert_eq!(pointer.precedence(&request(&first, 2)), Precedence::Done);
    let at = |sequencer: &str| {
        let mut other = first.clone();
        other.sequencer.as_mut().unwrap().value = sequencer.to_owned();
        other
    };
    assert_eq!(pointer.precedence(&request(&at("0066F1A2B3C4D5E6"), 3)), Precedence::Superseded);
    assert_eq!(pointer.precedence(&request(&at("0066F1A2B3C4D5E6F70001"), 4)), Precedence::Publish);
    assert_eq!(pointer.precedence(&request(&at("0066F1A2B3C4D5E6F700"), 4)), Precedence::Done);
}

/// The pointer of a site that has published a request.
pub(crate) fn pointer(request: &tidegate_core::request::PublishRequest) -> tidegate_core::release::ReleasePointer {
    use tidegate_core::release::{FORMAT, ReleaseEntry, ReleaseId, ReleasePointer};
    let id: ReleaseId = "r1".parse().unwrap();
    let revision: Revision = request.place();
    let entry = ReleaseEntry {
        id,
        release: request.release.clone(),
        cause: request.cause.clone(),
        instant: request.instant,
        revision,
        manifest: Some(id),
    };
    ReleasePointer {
        format: FORMAT,
        fence: 1,
        releases: vec![entry],
        pending_invalidations: Vec::new(),
        edge: None,
        finalized: true,
        skipped: Vec::new(),
    }
}
