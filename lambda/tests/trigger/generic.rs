//! Webhooks of anybody who signs as Tidegate documents.

use tidegate_core::config::Config;
use tidegate_lambda::trigger::{ArtifactRef, HttpRequest};
use tidegate_lambda::webhook::{Fetched, WebhookDecision, candidates};

use crate::support::{SECRET, config, judge, now, outcome_of, secrets, signature};

/// The second of [`now`].
const NOW: u64 = 1_772_442_848;

fn site(fields: &str) -> Config {
    config(&format!("{fields}\n[[site.webhook]]\nprovider = \"generic\"\nsecrets = [\"ssm:/docs\"]\n"))
}

fn known() -> Fetched {
    secrets(&[("ssm:/docs", SECRET)])
}

fn call(at: &str, body: &str) -> HttpRequest {
    let signature = signature(SECRET, format!("{at}.{body}").as_bytes());
    let headers = [("X-Tidegate-Timestamp", at), ("X-Tidegate-Signature-256", signature.as_str())];
    HttpRequest::new("POST", "/cms", headers, body.as_bytes().to_vec())
}

fn told(fields: &str, body: &str) -> String {
    outcome_of(&judge(&site(fields), &call(&NOW.to_string(), body), &known()))
}

const BUILDS: &str = "builds = \"s3://acme/b/\"";

#[test]
fn a_body_names_a_build_a_place_or_the_newest() {
    let wanted = |fields: &str, body: &str| match judge(&site(fields), &call(&NOW.to_string(), body), &known()) {
        WebhookDecision::Publish(mut triggers) => triggers.remove(0),
        other => panic!("{other:?}"),
    };
    let build = wanted(BUILDS, r#"{"site":"docs","release":"r42"}"#);
    assert!(
        matches!(&build.artifact, ArtifactRef::Build(build) if build.marker().to_string() == "s3://acme/b/r42/.ready")
    );
    assert_eq!((build.release.as_str(), build.cause.to_string().as_str()), ("r42", "webhook"));
    assert_eq!(build.revision.unwrap().at, NOW * 1000);
    assert!(matches!(wanted(BUILDS, r#"{"site":"docs"}"#).artifact, ArtifactRef::Newest(_)));
    let staged = wanted("staged = \"s3://acme/s/\"", r#"{"site":"docs","release":"post 7"}"#);
    assert!(matches!(&staged.artifact, ArtifactRef::Source { source, .. } if source.to_string() == "s3://acme/s/"));
    let named = wanted(BUILDS, r#"{"site":"docs","source":"s3://acme/b/x.zip","committed":"2026-03-01T00:00:00Z"}"#);
    assert!(matches!(&named.artifact, ArtifactRef::Source { source, .. } if source.to_string() == "s3://acme/b/x.zip"));
    assert_eq!(named.revision.unwrap().at, 1_772_323_200_000);
}

#[test]
fn a_body_names_nothing_outside_of_its_sites_places() {
    for source in
        ["s3://acme/other/x.zip", "s3://acme/b2/", "s3://acme/", "s3://evil/b/x.zip", "/etc", "release:r1", "x.zip"]
    {
        let told = told(BUILDS, &format!("{{\"site\":\"docs\",\"source\":\"{source}\"}}"));
        assert!(told.starts_with("400: the source"), "{source}: {told}");
    }
    let zip = "staged = \"s3://acme/b/x.zip\"";
    assert!(told(zip, r#"{"site":"docs","source":"s3://acme/b/x.zip"}"#).starts_with("publish"));
    assert!(told(zip, r#"{"site":"docs","source":"s3://acme/b/y.zip"}"#).starts_with("400"));
    for body in [
        r#"{"site":"docs","release":"../x"}"#,
        r#"{"site":"docs","release":"a/b"}"#,
        r#"{"site":"docs","target":"s3://evil/"}"#,
        r#"{"site":"docs","committed":"yesterday"}"#,
        r#"{"site":"docs","source":"s3://acme/b/../x.zip"}"#,
    ] {
        assert!(told(BUILDS, body).starts_with("400: "), "{body}: {}", told(BUILDS, body));
    }
    assert_eq!(told(BUILDS, r#"{"site":"blog"}"#), "401: no rule accepts this signature");
}

#[test]
fn the_time_is_signed_and_must_be_now() {
    let body = r#"{"site":"docs"}"#;
    let at = |at: &str| outcome_of(&judge(&site(BUILDS), &call(at, body), &known()));
    for good in [NOW, NOW - 300, NOW + 300] {
        assert!(at(&good.to_string()).starts_with("publish"), "{good}");
    }
    for old in [NOW - 301, NOW + 301, 0] {
        assert!(at(&old.to_string()).starts_with("401: the webhook was signed more than 300 seconds"), "{old}");
    }
    for bad in ["", "now", "-1", "1e9", "+1772442848", " 1772442848.0", "9999999999999999"] {
        assert!(at(bad).starts_with("401: the webhook has no `x-tidegate-timestamp`"), "{bad}: {}", at(bad));
    }
    // Another time under the same signature is another message.
    let signed = call(&NOW.to_string(), body);
    let later = (NOW + 1).to_string();
    let headers = [
        ("x-tidegate-timestamp", later.as_str()),
        ("x-tidegate-signature-256", signed.header("x-tidegate-signature-256").unwrap()),
    ];
    let moved = HttpRequest::new("POST", "/", headers, signed.body.clone());
    assert_eq!(outcome_of(&judge(&site(BUILDS), &moved, &known())), "401: no rule accepts this signature");
}

#[test]
fn a_webhook_of_one_kind_is_none_of_the_other() {
    let config = site(BUILDS);
    let body = r#"{"site":"docs","repository":{"full_name":"acme/docs"}}"#;
    let github = crate::support::github_call("push", body.as_bytes());
    assert_eq!(judge(&config, &github, &known()).status(), 401);
    let signed = signature(SECRET, body.as_bytes());
    let without =
        HttpRequest::new("POST", "/", [("x-tidegate-signature-256", signed.as_str())], body.as_bytes().to_vec());
    assert!(outcome_of(&judge(&config, &without, &known())).contains("x-tidegate-timestamp"));
    let time = NOW.to_string();
    let unsigned = HttpRequest::new("POST", "/", [("x-tidegate-timestamp", time.as_str())], body.as_bytes().to_vec());
    assert!(outcome_of(&judge(&config, &unsigned, &known())).contains("x-tidegate-signature-256"));
}

#[test]
fn the_same_body_at_another_time_is_another_delivery() {
    let config = site(BUILDS);
    let identity =
        |at: u64| candidates(&call(&at.to_string(), r#"{"site":"docs"}"#), &config).unwrap().identity().clone();
    assert_eq!(identity(NOW), identity(NOW));
    assert_ne!(identity(NOW), identity(NOW + 60));
    assert_eq!(now().milliseconds(), NOW * 1000);
}
