//! Authorizes recorded GitHub webhooks, all payloads of `@octokit/webhooks-examples`, against every kind of rule.
//!
//! They are reliable for the form of payloads. None is from a pull request of a fork, so such payloads are made from a recorded
//! workflow run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_core::config::{Config, SecretReference};
use tidegate_core::timestamp::Timestamp;
use tidegate_lambda::secrets::Secret;
use tidegate_lambda::trigger::HttpRequest;
use tidegate_lambda::webhook::{FetchedSecrets, NoOp, WebhookDecision, WebhookRefusal, candidates};
use tidegate_tests::events::sign;

use tidegate_tests::skipped::skipped;

const SECRET: &str = "the secret of this hook";

/// The sites and their rules, without repository and secrets.
const RULES: [(&str, &str); 7] = [
    ("branches", "branch = \"**\""),
    ("tags", "tag = \"**\"\npublish = \"tag\""),
    ("releases", "events = [\"release\"]\npublish = \"artifact\"\nartifact = \"*.zip\"\ntoken = \"ssm:/token\""),
    (
        "runs",
        "events = [\"workflow_run\"]\nbranch = \"**\"\nworkflow = \"**\"\npublish = \"artifact\"\nartifact = \"site\"\ntoken = \"ssm:/token\"\nstatus = \"commit\"",
    ),
    (
        "all-runs",
        "events = [\"workflow_run\"]\nbranch = \"**\"\nforks = true\npull-requests = true\npublish = \"newest\"",
    ),
    (
        "deployments",
        "events = [\"deployment_status\"]\nenvironment = \"**\"\nrun-events = [\"dynamic\"]\nstatus = \"deployment\"\ntoken = \"ssm:/token\"\npublish = \"newest\"",
    ),
    (
        "everything",
        "events = [\"push\", \"release\", \"workflow_run\", \"deployment_status\"]\nbranch = \"**\"\ntag = \"**\"\nenvironment = \"**\"\npublish = \"staged\"",
    ),
];

#[derive(Deserialize)]
struct Examples {
    name: String,
    examples: Vec<Value>,
}

/// The payloads of one version of GitHub, with their event names.
fn payloads(version: &str, test: &str) -> Option<Vec<(String, Value)>> {
    let package = "../.tools/octokit/package";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(package).join(version).join("index.json");
    let Ok(text) = std::fs::read(path) else {
        skipped(test, "the payloads are not installed; run `scripts/servers install octokit`");
        return None;
    };
    let all: Vec<Examples> = serde_json::from_slice(&text).unwrap();
    Some(all.into_iter().flat_map(|kind| kind.examples.into_iter().map(move |one| (kind.name.clone(), one))).collect())
}

/// Sites with every kind of rule, for every repository in the payloads.
fn configuration(payloads: &[(String, Value)]) -> Config {
    let name = |payload: &Value| payload.pointer("/repository/full_name")?.as_str().map(str::to_owned);
    let repositories: BTreeSet<String> = payloads.iter().filter_map(|(_, payload)| name(payload)).collect();
    let mut text = "state = \"s3://state/\"\n".to_owned();
    for (site, rule) in RULES {
        text += &format!(
            "[[site]]\nname = \"{site}\"\ntarget = \"s3://{site}-site/\"\nbuilds = \"s3://{site}-builds/\"\nstaged = \"s3://{site}-staged/\"\n"
        );
        for repository in &repositories {
            text += &format!(
                "[[site.webhook]]\nprovider = \"github\"\nrepository = \"{repository}\"\nsecrets = [\"ssm:/secret\"]\n{rule}\n"
            );
        }
    }
    Config::parse(&text).unwrap()
}

fn signed_request(event: &str, payload: &Value, secret: &str) -> HttpRequest {
    let body = serde_json::to_vec(payload).unwrap();
    let signature = sign(secret, &body);
    let headers = [
        ("Content-Type", "application/json"),
        ("X-GitHub-Event", event),
        ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ("X-Hub-Signature-256", signature.as_str()),
    ];
    HttpRequest::new("POST", "/", headers, body)
}

fn authorize(config: &Config, request: &HttpRequest) -> WebhookDecision {
    let reference = SecretReference::try_from("ssm:/secret".to_owned()).unwrap();
    let secret = Secret::new(&reference, SECRET.to_owned()).unwrap();
    let fetched = FetchedSecrets::from([(reference, secret)]);
    match candidates(request, config) {
        Ok(candidates) => candidates.authorize(request, &fetched, Timestamp::from_milliseconds(1_800_000_000_000)),
        Err(refusal) => WebhookDecision::Refused(refusal),
    }
}

/// The sites that are published, or the reason why none is.
fn summary(decision: &WebhookDecision) -> String {
    match decision {
        WebhookDecision::Publish(triggers) => {
            let sites: Vec<&str> = triggers.iter().map(|trigger| trigger.site.as_str()).collect();
            sites.join(" ")
        }
        WebhookDecision::NoOp(NoOp::Ping) => "ping".to_owned(),
        WebhookDecision::NoOp(NoOp::Event(_)) => "ignored".to_owned(),
        WebhookDecision::NoOp(NoOp::Rules(_)) => "no rule".to_owned(),
        WebhookDecision::Refused(WebhookRefusal::Unauthentic) => "unauthentic".to_owned(),
        WebhookDecision::Refused(refusal) => format!("refused: {refusal}"),
    }
}

#[test]
fn reads_every_github_payload() {
    let Some(payloads) = payloads("api.github.com", "reads_every_github_payload") else { return };
    let config = configuration(&payloads);
    let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for (event, payload) in &payloads {
        let known = ["push", "release", "workflow_run", "deployment_status", "ping"].contains(&event.as_str());
        let kind = if known { event.as_str() } else { "other" };
        *counts.entry((kind, summary(&authorize(&config, &signed_request(event, payload, SECRET))))).or_default() += 1;
        // Signed with another secret.
        let wrong = summary(&authorize(&config, &signed_request(event, payload, "another secret")));
        assert_eq!(wrong, "unauthentic", "{event}");
    }
    let counted: Vec<(&str, &str, usize)> =
        counts.iter().map(|((kind, summary), count)| (*kind, summary.as_str(), *count)).collect();
    assert_eq!(
        counted,
        [
            // One is of GitHub Pages, whose runs are `dynamic`; three are of deployments that were made with the API.
            ("deployment_status", "deployments", 1),
            ("deployment_status", "ignored", 3),
            // The unauthentic ones are events of accounts, organizations and marketplaces, which have no repository.
            ("other", "ignored", 248),
            ("other", "unauthentic", 48),
            ("ping", "ping", 4),
            ("push", "branches everything", 2),
            ("push", "ignored", 4),
            ("push", "tags everything", 1),
            // Two are pre-releases.
            ("release", "ignored", 7),
            ("release", "no rule", 2),
            ("release", "releases everything", 4),
            ("workflow_run", "ignored", 3),
            ("workflow_run", "runs all-runs everything", 2),
        ]
    );
    assert_eq!(payloads.len(), 329);
}

#[test]
fn runs_of_forks_and_pull_requests_need_a_rule_that_allows_them() {
    let test = "runs_of_forks_and_pull_requests_need_a_rule_that_allows_them";
    let Some(payloads) = payloads("api.github.com", test) else { return };
    let config = configuration(&payloads);
    let mut count = 0;
    for (_, payload) in payloads.iter().filter(|(event, _)| event == "workflow_run") {
        if payload.pointer("/workflow_run/conclusion") != Some(&json!("success")) {
            continue;
        }
        for (pointer, value) in [
            ("/workflow_run/head_repository/full_name", json!("mallory/octo-repo")),
            ("/workflow_run/head_repository", Value::Null),
            ("/workflow_run/event", json!("pull_request")),
            ("/workflow_run/event", json!("pull_request_target")),
        ] {
            let mut changed = payload.clone();
            *changed.pointer_mut(pointer).unwrap() = value;
            assert_eq!(
                summary(&authorize(&config, &signed_request("workflow_run", &changed, SECRET))),
                "all-runs",
                "{pointer}"
            );
            count += 1;
        }
    }
    assert_eq!(count, 8);
    // No rule is for events of pull requests.
    let of_pull_requests = payloads.iter().filter(|(event, _)| event.starts_with("pull_request"));
    let summaries: Vec<String> = of_pull_requests
        .map(|(event, payload)| summary(&authorize(&config, &signed_request(event, payload, SECRET))))
        .collect();
    assert_eq!((summaries.len(), summaries.iter().all(|one| one == "ignored")), (41, true), "{summaries:?}");
}

/// The header with the event's name is not signed, so a sender can choose it.
#[test]
fn payloads_with_another_event_name_publish_nothing() {
    let Some(payloads) = payloads("api.github.com", "payloads_with_another_event_name_publish_nothing") else {
        return;
    };
    let config = configuration(&payloads);
    let mut published: BTreeMap<String, usize> = BTreeMap::new();
    let mut tried = 0;
    for (event, payload) in &payloads {
        for other in ["push", "release", "workflow_run", "deployment_status"].into_iter().filter(|other| other != event)
        {
            tried += 1;
            if let WebhookDecision::Publish(_) = authorize(&config, &signed_request(other, payload, SECRET)) {
                *published.entry(format!("{event} as {other}")).or_default() += 1;
            }
        }
    }
    assert_eq!(tried, 4 * 329 - (7 + 13 + 5 + 4));
    assert_eq!(published, BTreeMap::new());
}

#[test]
fn reads_payloads_of_older_servers() {
    let mut count = 0;
    for version in ["ghes-31", "ghes-32", "ghes-33", "ghes-34", "ghes-35"] {
        let Some(payloads) = payloads(version, "reads_payloads_of_older_servers") else { return };
        let config = configuration(&payloads);
        for (event, payload) in &payloads {
            let summary = summary(&authorize(&config, &signed_request(event, payload, SECRET)));
            assert!(!summary.starts_with("refused"), "{version} {event}: {summary}");
            count += 1;
        }
    }
    assert_eq!(count, 397);
}
