//! From a stored object to sites.

use serde_json::json;
use tidegate_core::config::Config;
use tidegate_core::request::Revision;
use tidegate_lambda::trigger::{
    AmbiguousKeyError, ArtifactRef, ObjectVersion, StoredObject, TriggerCause, match_sites,
};

use crate::support::{config, fixture, stored, with};

fn object(key: &str) -> StoredObject {
    stored(&with(fixture("s3-put"), &[("/Records/0/s3/object/key", json!(key))]))
}

/// What an object of that key asks for, in one line for each site.
fn claimed(config: &Config, key: &str) -> Vec<String> {
    let claims = match_sites(config, &object(key));
    let wanted = |wanted: &ArtifactRef| match wanted {
        ArtifactRef::Source { source, .. } => source.to_string(),
        other => format!("{other:?}"),
    };
    let triggers = claims.triggers.iter().map(|t| format!("{} {} {}", t.site, t.release, wanted(&t.artifact)));
    triggers.chain(claims.declined.iter().map(|declined| format!("{}: {}", declined.site, declined.why))).collect()
}

#[test]
fn a_build_is_a_zip_or_what_its_marker_closes() {
    // 13
    let config = config("builds = \"s3://acme-artifacts/staging/docs/\"");
    for (key, line) in [
        ("staging/docs/r1.zip", "docs r1 s3://acme-artifacts/staging/docs/r1.zip"),
        ("staging/docs/r1/.ready", "docs r1 s3://acme-artifacts/staging/docs/r1/"),
    ] {
        assert_eq!(claimed(&config, key), [line]);
    }
    for key in ["staging/docs/r1/index.html", "staging/docs/r1/files.zip", "staging/docs/r1/en/.ready"] {
        let told = claimed(&config, key).concat();
        assert!(told.contains("counts once `staging/docs/r1/.ready` is there"), "{told}");
    }
    for key in ["staging/docs/.ready", "staging/docs/notes.txt", "staging/docs/.zip"] {
        assert!(claimed(&config, key).concat().contains("is no build"), "{key}");
    }
    for key in ["staging/docs2/r1.zip", "staging/r1.zip", "r1.zip"] {
        assert!(claimed(&config, key).is_empty(), "{key}");
    }
    assert!(claimed(&config, "staging/docs/a*b/.ready").concat().contains('*'));
    assert!(claimed(&config, "staging/docs/a%0Ab.zip").concat().contains("rename"));
}

#[test]
fn a_thousand_staged_objects_are_one_publish() {
    // 13
    let config = config("staged = \"s3://acme-artifacts/staging/docs/\"");
    let triggers = |key: &str| match_sites(&config, &object(key)).triggers.len();
    let files: usize = (0..1000).map(|at| triggers(&format!("staging/docs/page-{at}/index.html"))).sum();
    assert_eq!((files, triggers("staging/docs/.ready")), (0, 1));
    assert_eq!(claimed(&config, "staging/docs/.ready"), ["docs docs s3://acme-artifacts/staging/docs/"]);
    assert_eq!(triggers("staging/docs/sub/.ready"), 0);
}

#[test]
fn a_staged_zip_is_exactly_that_object() {
    let config = config("staged = \"s3://acme-artifacts/staging/latest.zip\"");
    assert_eq!(claimed(&config, "staging/latest.zip"), ["docs latest s3://acme-artifacts/staging/latest.zip"]);
    assert!(claimed(&config, "staging/latest.zip.bak").is_empty());
    assert!(claimed(&config, "staging/other.zip").is_empty());
}

#[test]
fn one_build_may_be_for_several_sites() {
    // 4
    let config = config(
        "builds = \"s3://acme-artifacts/b/\"\n\
         [[site]]\nname = \"mirror\"\ntarget = \"s3://mirror.acme.com/\"\nbuilds = \"s3://acme-artifacts/b/\"\n\
         [[site]]\nname = \"live\"\ntarget = \"s3://live.acme.com/\"\nbuilds = \"s3://acme-artifacts/b/\"\npublish-on-upload = false\n",
    );
    let lines = claimed(&config, "b/r1.zip");
    assert_eq!(lines[..2], ["docs r1 s3://acme-artifacts/b/r1.zip", "mirror r1 s3://acme-artifacts/b/r1.zip"]);
    assert!(lines[2].starts_with("live: uploads do not publish this site"), "{lines:?}");
}

#[test]
fn a_site_with_webhooks_waits_for_them_unless_it_says_otherwise() {
    let fields = |more: &str| {
        format!(
            "builds = \"s3://acme-artifacts/b/\"\n{more}\n[[site.webhook]]\nprovider = \"generic\"\nsecrets = [\"ssm:/s\"]\n"
        )
    };
    assert!(claimed(&config(&fields("")), "b/r1.zip").concat().contains("uploads do not publish"));
    assert_eq!(match_sites(&config(&fields("publish-on-upload = true")), &object("b/r1.zip")).triggers.len(), 1);
}

#[test]
fn a_trigger_names_the_state_that_was_announced() {
    // 8
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
fn a_name_with_two_readings_is_refused_where_both_exist() {
    // 2
    let config = config("builds = \"s3://acme-artifacts/staging/docs/\"");
    let choice = |key: &str| {
        let event = with(fixture("eventbridge-created"), &[("/detail/object/key", json!(key))]);
        match match_sites(&config, &stored(&event)).triggers.remove(0).artifact {
            ArtifactRef::Ambiguous(choice) => *choice,
            other => panic!("{other:?}"),
        }
    };
    let plus = choice("staging/docs/c++.zip");
    assert_eq!(plus.resolve(true, false).unwrap().to_string(), "s3://acme-artifacts/staging/docs/c++.zip");
    assert_eq!(plus.resolve(false, true).unwrap().to_string(), "s3://acme-artifacts/staging/docs/c  .zip");
    assert!(matches!(plus.resolve(true, true), Err(AmbiguousKeyError::Both(..))));
    assert!(matches!(plus.resolve(false, false), Err(AmbiguousKeyError::Neither(..))));
    assert!(matches!(plus.pin, Some(ObjectVersion::Version(_))));
    // Only one of the readings is the site's: the other one existing still means that nothing is known.
    let slash = choice("staging/docs%2Fr1.zip");
    assert_eq!(slash.resolve(false, true).unwrap().to_string(), "s3://acme-artifacts/staging/docs/r1.zip");
    assert!(matches!(slash.resolve(true, false), Err(AmbiguousKeyError::Elsewhere(_))));
    assert!(matches!(slash.resolve(true, true), Err(AmbiguousKeyError::Both(..))));
    assert_eq!(choice("staging/docs/c++/.ready").pin, None);
}

#[test]
fn a_second_delivery_of_a_published_event_is_done_already() {
    // 6, and 7 across deliveries: the pointer of the site tells.
    use tidegate_core::release::Precedence;
    let config = config("builds = \"s3://acme-artifacts/staging/docs/\"");
    let request = |stored: &StoredObject, instant| {
        let trigger = match_sites(&config, stored).triggers.remove(0);
        trigger.request("s3://acme-artifacts/staging/docs/r1.zip".parse().unwrap(), instant)
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

/// The pointer of a site that has carried out a request.
pub(crate) fn pointer(request: &tidegate_core::request::PublishRequest) -> tidegate_core::release::ReleasePointer {
    use tidegate_core::release::{FORMAT, ReleaseEntry, ReleaseId, ReleasePointer};
    let id: ReleaseId = "r1".parse().unwrap();
    let order: Revision = request.place();
    let past = ReleaseEntry {
        id,
        release: request.release.clone(),
        cause: request.cause.clone(),
        instant: request.instant,
        revision: order,
        manifest: Some(id),
    };
    ReleasePointer {
        format: FORMAT,
        fence: 1,
        releases: vec![past],
        pending_invalidations: Vec::new(),
        finalized: true,
        skipped: Vec::new(),
    }
}
