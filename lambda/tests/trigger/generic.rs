//! Generic webhooks.

use tidegate_core::config::Config;
use tidegate_lambda::trigger::{ArtifactRef, HttpRequest};
use tidegate_lambda::webhook::{FetchedSecrets, WebhookDecision, candidates};

use crate::support::{SECRET, config, decide, now, outcome_of, secrets, signature};

/// The second of [`now`].
const NOW: u64 = 1_772_442_848;

fn site(fields: &str) -> Config {
    config(&format!("{fields}\n[[site.webhook]]\nprovider = \"generic\"\nsecrets = [\"ssm:/docs\"]\n"))
}

fn known_secrets() -> FetchedSecrets {
    secrets(&[("ssm:/docs", SECRET)])
}

fn request(at: &str, body: &str) -> HttpRequest {
    let signature = signature(SECRET, format!("{at}.{body}").as_bytes());
    let headers = [("X-Tidegate-Timestamp", at), ("X-Tidegate-Signature-256", signature.as_str())];
    HttpRequest::new("POST", "/cms", headers, body.as_bytes().to_vec())
}

fn outcome(fields: &str, body: &str) -> String {
    outcome_of(&decide(&site(fields), &request(&NOW.to_string(), body), &known_secrets()))
}

const BUILDS: &str = "builds = \"s3://acme/b/\"";

#[test]
fn publishes_a_build_a_source_or_the_newest_build() {
    let trigger =
        |fields: &str, body: &str| match decide(&site(fields), &request(&NOW.to_string(), body), &known_secrets()) {
            WebhookDecision::Publish(mut triggers) => triggers.remove(0),
            other => panic!("{other:?}"),
        };
    let build = trigger(BUILDS, r#"{"site":"docs","release":"r42"}"#);
    assert!(
        matches!(&build.artifact, ArtifactRef::Build(build) if build.marker().to_string() == "s3://acme/b/r42/.ready")
    );
    assert_eq!((build.release.as_str(), build.cause.to_string().as_str()), ("r42", "webhook"));
    assert_eq!(build.revision.unwrap().at, NOW * 1000);
    assert!(matches!(trigger(BUILDS, r#"{"site":"docs"}"#).artifact, ArtifactRef::Newest(_)));
    let staged = trigger("staged = \"s3://acme/s/\"", r#"{"site":"docs","release":"post 7"}"#);
    assert!(matches!(&staged.artifact, ArtifactRef::Source { source, .. } if source.to_string() == "s3://acme/s/"));
    let named = trigger(BUILDS, r#"{"site":"docs","source":"s3://acme/b/x.zip","commit-time":"2026-03-01T00:00:00Z"}"#);
    assert!(matches!(&named.artifact, ArtifactRef::Source { source, .. } if source.to_string() == "s3://acme/b/x.zip"));
    assert_eq!(named.revision.unwrap().at, 1_772_323_200_000);
}

#[test]
fn refuses_sources_that_are_not_one_build_of_the_site() {
    for source in [
        "s3://acme/other/x.zip",
        "s3://acme/b2/",
        "s3://acme/",
        "s3://evil/b/x.zip",
        "s3://evil/b/x/",
        "/etc",
        "release:r1",
        "x.zip",
        // All builds, a part of a build, and what is not a build.
        "s3://acme/b/",
        "s3://acme/b/x/en/",
        "s3://acme/b/x/files.zip",
        "s3://acme/b/x/index.html",
    ] {
        let outcome = outcome(BUILDS, &format!("{{\"site\":\"docs\",\"source\":\"{source}\"}}"));
        assert!(outcome.starts_with("400: the source"), "{source}: {outcome}");
    }
    // A folder is one build, whose marker is looked up later.
    let body = r#"{"site":"docs","source":"s3://acme/b/x/"}"#;
    match decide(&site(BUILDS), &request(&NOW.to_string(), body), &known_secrets()) {
        WebhookDecision::Publish(triggers) => {
            let ArtifactRef::Folder(build) = &triggers[0].artifact else { panic!("{triggers:?}") };
            assert_eq!(build.marker().to_string(), "s3://acme/b/x/.ready");
        }
        other => panic!("{other:?}"),
    }
    let prefix = "staged = \"s3://acme/s/\"";
    assert!(outcome(prefix, r#"{"site":"docs","source":"s3://acme/s/"}"#).starts_with("publish"));
    for part in ["s3://acme/s/en/", "s3://acme/s/x.zip", "s3://acme/"] {
        assert!(outcome(prefix, &format!("{{\"site\":\"docs\",\"source\":\"{part}\"}}")).starts_with("400"), "{part}");
    }
    let zip = "staged = \"s3://acme/b/x.zip\"";
    assert!(outcome(zip, r#"{"site":"docs","source":"s3://acme/b/x.zip"}"#).starts_with("publish"));
    assert!(outcome(zip, r#"{"site":"docs","source":"s3://acme/b/y.zip"}"#).starts_with("400"));
    for body in [
        r#"{"site":"docs","release":"../x"}"#,
        r#"{"site":"docs","release":"a/b"}"#,
        r#"{"site":"docs","target":"s3://evil/"}"#,
        r#"{"site":"docs","commit-time":"yesterday"}"#,
        r#"{"site":"docs","source":"s3://acme/b/../x.zip"}"#,
    ] {
        assert!(outcome(BUILDS, body).starts_with("400: "), "{body}: {}", outcome(BUILDS, body));
    }
    assert_eq!(outcome(BUILDS, r#"{"site":"blog"}"#), "401: no rule accepts this signature");
}

#[test]
fn requires_a_recent_signed_timestamp() {
    let body = r#"{"site":"docs"}"#;
    let at = |at: &str| outcome_of(&decide(&site(BUILDS), &request(at, body), &known_secrets()));
    for good in [NOW, NOW - 300, NOW + 300] {
        assert!(at(&good.to_string()).starts_with("publish"), "{good}");
    }
    for old in [NOW - 301, NOW + 301, 0] {
        assert!(at(&old.to_string()).starts_with("401: the webhook was signed more than 300 seconds"), "{old}");
    }
    for bad in ["", "now", "-1", "1e9", "+1772442848", " 1772442848.0", "9999999999999999"] {
        assert!(at(bad).starts_with("401: the webhook has no valid `x-tidegate-timestamp`"), "{bad}: {}", at(bad));
    }
    // The signature covers the timestamp.
    let signed = request(&NOW.to_string(), body);
    let later = (NOW + 1).to_string();
    let headers = [
        ("x-tidegate-timestamp", later.as_str()),
        ("x-tidegate-signature-256", signed.header("x-tidegate-signature-256").unwrap()),
    ];
    let moved = HttpRequest::new("POST", "/", headers, signed.body.clone());
    assert_eq!(outcome_of(&decide(&site(BUILDS), &moved, &known_secrets())), "401: no rule accepts this signature");
}

#[test]
fn refuses_a_webhook_of_the_other_kind() {
    let config = site(BUILDS);
    let body = r#"{"site":"docs","repository":{"full_name":"acme/docs"}}"#;
    let github = crate::support::github_request("push", body.as_bytes());
    assert_eq!(decide(&config, &github, &known_secrets()).status(), 401);
    let signed = signature(SECRET, body.as_bytes());
    let without =
        HttpRequest::new("POST", "/", [("x-tidegate-signature-256", signed.as_str())], body.as_bytes().to_vec());
    assert!(outcome_of(&decide(&config, &without, &known_secrets())).contains("x-tidegate-timestamp"));
    let time = NOW.to_string();
    let unsigned = HttpRequest::new("POST", "/", [("x-tidegate-timestamp", time.as_str())], body.as_bytes().to_vec());
    assert!(outcome_of(&decide(&config, &unsigned, &known_secrets())).contains("x-tidegate-signature-256"));
}

#[test]
fn digest_covers_the_timestamp() {
    let config = site(BUILDS);
    let digest =
        |at: u64| candidates(&request(&at.to_string(), r#"{"site":"docs"}"#), &config).unwrap().digest().clone();
    assert_eq!(digest(NOW), digest(NOW));
    assert_ne!(digest(NOW), digest(NOW + 60));
    assert_eq!(now().milliseconds(), NOW * 1000);
}
