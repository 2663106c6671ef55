//! Helpers: fixtures, configurations, and requests that are signed as GitHub signs them.

use std::path::PathBuf;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tidegate_core::config::{Config, SecretReference};
use tidegate_core::timestamp::Timestamp;
use tidegate_lambda::secrets::Secret;
use tidegate_lambda::trigger::{
    EventRecord, EventSource, HttpRequest, InvocationEvent, ParsedRecord, StoredObject, read,
};
use tidegate_lambda::webhook::{FetchedSecrets, WebhookDecision, WebhookRefusal, candidates};

/// The event in a fixture.
pub(crate) fn fixture(name: &str) -> Value {
    serde_json::from_slice(&fixture_bytes(name)).unwrap()
}

pub(crate) fn fixture_bytes(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/trigger/fixtures/{name}.json"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The event with other values at these JSON Pointers.
pub(crate) fn with(mut event: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        *event.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value.clone();
    }
    event
}

pub(crate) fn records(event: &Value) -> (EventSource, Vec<EventRecord>) {
    match read(event) {
        Ok(InvocationEvent::Records { source, records }) => (source, records),
        other => panic!("{other:?}"),
    }
}

/// The stored object of an event with one record.
pub(crate) fn stored(event: &Value) -> StoredObject {
    match records(event).1.as_slice() {
        [EventRecord { content: Ok(ParsedRecord::Stored(stored)), .. }] => (**stored).clone(),
        other => panic!("{other:?}"),
    }
}

/// A line for each record: its key, or why it has none.
pub(crate) fn lines(event: &Value) -> Vec<String> {
    let line = |record: EventRecord| match record.content {
        Ok(ParsedRecord::Stored(stored)) => stored.key.to_string(),
        Ok(ParsedRecord::Continuation(continuation)) => format!("run {}", continuation.run.id),
        Ok(ParsedRecord::Ignored(ignored)) => format!("ignored: {ignored}"),
        Err(error) => format!("bad: {error}"),
    };
    records(event).1.into_iter().map(line).collect()
}

/// One site `docs` with these fields, and the sites after it.
pub(crate) fn config(fields: &str) -> Config {
    Config::parse(&format!(
        "state = \"s3://acme-state/\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://docs.acme.com/\"\n{fields}"
    ))
    .unwrap()
}

pub(crate) const SECRET: &str = "It's a Secret to Everybody";

/// A site with builds and one rule for `acme/docs`.
pub(crate) fn github_config(rule: &str) -> Config {
    let text = format!(
        "state = \"s3://acme-state/\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://docs.acme.com/\"\n\
         builds = \"s3://acme-artifacts/builds/\"\nstaged = \"s3://acme-artifacts/staged/\"\n[[site.webhook]]\nprovider = \"github\"\n\
         repository = \"acme/docs\"\nsecrets = [\"secretsmanager:old\", \"secretsmanager:new\"]\n{rule}"
    );
    Config::parse(&text).unwrap()
}

pub(crate) fn secrets(list: &[(&str, &str)]) -> FetchedSecrets {
    let secret = |(name, value): &(&str, &str)| {
        let reference = SecretReference::try_from((*name).to_owned()).unwrap();
        let secret = Secret::new(&reference, (*value).to_owned()).unwrap();
        (reference, secret)
    };
    list.iter().map(secret).collect()
}

/// The secrets of [`github_config`].
pub(crate) fn both_secrets() -> FetchedSecrets {
    secrets(&[("secretsmanager:old", "an older one"), ("secretsmanager:new", SECRET)])
}

pub(crate) fn signature(secret: &str, signed: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// A signed webhook from GitHub.
pub(crate) fn github_request(event: &str, body: &[u8]) -> HttpRequest {
    let signature = signature(SECRET, body);
    let headers =
        [("X-GitHub-Event", event), ("X-GitHub-Delivery", "72d3162e"), ("X-Hub-Signature-256", signature.as_str())];
    HttpRequest::new("POST", "/", headers, body.to_vec())
}

/// 2026-03-02T09:14:08Z.
pub(crate) fn now() -> Timestamp {
    "2026-03-02T09:14:08Z".parse().unwrap()
}

/// Both steps of the decision.
pub(crate) fn decide(config: &Config, request: &HttpRequest, secrets: &FetchedSecrets) -> WebhookDecision {
    match candidates(request, config) {
        Ok(candidates) => candidates.authorize(request, secrets, now()),
        Err(refusal) => WebhookDecision::Refused(refusal),
    }
}

/// The decision about a signed payload, in one line.
pub(crate) fn outcome(config: &Config, event: &str, payload: &Value) -> String {
    outcome_of(&decide(config, &github_request(event, &serde_json::to_vec(payload).unwrap()), &both_secrets()))
}

pub(crate) fn outcome_of(decision: &WebhookDecision) -> String {
    match decision {
        WebhookDecision::Publish(triggers) => {
            let line = |trigger: &tidegate_lambda::trigger::Trigger| format!("{} {}", trigger.site, trigger.release);
            format!("publish {}", triggers.iter().map(line).collect::<Vec<_>>().join(", "))
        }
        WebhookDecision::NoOp(reason) => format!("nothing: {reason}"),
        WebhookDecision::Refused(refusal) => refused(refusal),
    }
}

pub(crate) fn refused(refusal: &WebhookRefusal) -> String {
    format!("{}: {refusal}", refusal.status())
}
