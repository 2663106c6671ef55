//! Payloads of GitHub.

use serde_json::{Value, json};
use tidegate_core::release::Precedence;
use tidegate_lambda::trigger::{ArtifactRef, Trigger};
use tidegate_lambda::webhook::{NoOp, WebhookDecision};

use crate::match_sites::pointer;
use crate::support::{both_secrets, decide, fixture, fixture_bytes, github_config, github_request, outcome, with};

const SHA: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";

/// A rule for every event.
const ALL: &str = "events = [\"push\", \"release\", \"workflow_run\", \"deployment\"]\nbranch = \"**\"\ntag = \"**\"\nenvironment = \"**\"";

fn outcome_of_all(event: &str, payload: &Value) -> String {
    outcome(&github_config(ALL), event, payload)
}

fn trigger(rule: &str, event: &str, payload: &Value) -> Trigger {
    let request = github_request(event, &serde_json::to_vec(payload).unwrap());
    match decide(&github_config(rule), &request, &both_secrets()) {
        WebhookDecision::Publish(mut triggers) if triggers.len() == 1 => triggers.remove(0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_event_publishes_its_build() {
    for (event, name, release, cause, at) in [
        ("push", "github-push", SHA, "github push", "2026-03-02T09:13:20Z"),
        ("push", "github-push-tag", "v1.2.0", "github push", "2026-03-02T09:13:20Z"),
        ("release", "github-release", "v1.2.0", "github release", "2026-03-02T09:30:00Z"),
        ("workflow_run", "github-workflow-run", SHA, "github workflow_run", "2026-03-02T09:11:20Z"),
        ("deployment", "github-deployment", SHA, "github deployment", "2026-03-02T09:15:00Z"),
    ] {
        let trigger = trigger(ALL, event, &fixture(name));
        assert_eq!((trigger.release.as_str(), trigger.cause.to_string().as_str()), (release, cause));
        assert!(
            matches!(&trigger.artifact, ArtifactRef::Build(build) if build.name() == release),
            "{:?}",
            trigger.artifact
        );
        let at: tidegate_core::timestamp::Timestamp = at.parse().unwrap();
        assert_eq!(trigger.revision.unwrap().at, at.milliseconds(), "{name}");
    }
}

#[test]
fn resolves_an_annotated_tag_to_its_commit() {
    let trigger = trigger(
        &format!("{}\npublish = \"commit\"", ALL.replace(", \"release\"", "")),
        "push",
        &fixture("github-push-tag"),
    );
    assert_eq!(trigger.release, SHA);
}

#[test]
fn answers_a_signed_ping() {
    for name in ["github-ping", "github-ping-organization"] {
        let request = github_request("ping", &fixture_bytes(name));
        let decision = decide(&github_config(ALL), &request, &both_secrets());
        assert_eq!((decision.status(), &decision), (200, &WebhookDecision::NoOp(NoOp::Ping)), "{name}");
        assert!(matches!(decide(&github_config(ALL), &request, &Default::default()), WebhookDecision::Refused(_)));
    }
    // An organization has rules, but only its ping lacks a repository.
    let request = github_request("push", &fixture_bytes("github-ping-organization"));
    assert_eq!(decide(&github_config(ALL), &request, &both_secrets()).status(), 401);
}

#[test]
fn a_push_is_for_one_branch() {
    let config = github_config("branch = \"{main,next}\"");
    let pushed = |name: &str| outcome(&config, "push", &with(fixture("github-push"), &[("/ref", json!(name))]));
    assert!(pushed("refs/heads/main").starts_with("publish"));
    assert!(pushed("refs/heads/next").starts_with("publish"));
    assert_eq!(pushed("refs/heads/topic"), "nothing: `docs`: the rule is not for the branch `topic`");
    assert_eq!(pushed("refs/tags/main"), "nothing: `docs`: the rule is not for the tag `main`");
    assert_eq!(pushed("refs/notes/commits"), "nothing: `refs/notes/commits` is neither a branch nor a tag");
}

#[test]
fn ignores_deleted_branches() {
    let deleted = fixture("github-push-deleted");
    for payload in [
        with(deleted.clone(), &[("/deleted", json!(false))]),
        deleted,
        with(fixture("github-push"), &[("/deleted", json!(true))]),
    ] {
        assert_eq!(outcome_of_all("push", &payload), "nothing: the branch or tag was deleted");
    }
}

#[test]
fn forks_and_pull_requests_need_a_rule() {
    // A fork's branch is called `main` as well.
    let run = fixture("github-workflow-run");
    let fork = with(run.clone(), &[("/workflow_run/head_repository/full_name", json!("stranger/docs"))]);
    let gone = with(run.clone(), &[("/workflow_run/head_repository", Value::Null)]);
    let pull = with(run.clone(), &[("/workflow_run/event", json!("pull_request"))]);
    let both = with(fork.clone(), &[("/workflow_run/event", json!("pull_request_target"))]);
    let rule = |more: &str| github_config(&format!("events = [\"workflow_run\"]\nbranch = \"main\"\n{more}"));
    for (payload, closed, opened) in [
        (&fork, "from a fork", "forks = true"),
        (&gone, "from a fork", "forks = true"),
        (&pull, "for a pull request", "pull-requests = true"),
        (&both, "from a fork", "forks = true\npull-requests = true"),
    ] {
        let refused = outcome(&rule(""), "workflow_run", payload);
        assert!(refused.contains(closed), "{refused}");
        assert!(outcome(&rule(opened), "workflow_run", payload).starts_with("publish"), "{opened}");
    }
    assert!(outcome(&rule("forks = true"), "workflow_run", &both).contains("for a pull request"));
    assert!(outcome(&rule("pull-requests = true"), "workflow_run", &both).contains("from a fork"));
    // The same repository in other letters is not a fork.
    let own = with(run, &[("/workflow_run/head_repository/full_name", json!("Acme/Docs"))]);
    assert!(outcome(&rule(""), "workflow_run", &own).starts_with("publish"));
    // The run of a deployment usually has no repository.
    let deployed =
        |run: Value| outcome_of_all("deployment", &with(fixture("github-deployment"), &[("/workflow_run", run)]));
    assert!(deployed(json!({ "event": "push" })).starts_with("publish"));
    assert!(
        deployed(json!({ "event": "push", "head_repository": { "full_name": "acme/docs" } })).starts_with("publish")
    );
    assert!(deployed(json!({ "event": "push", "head_repository": { "full_name": "x/docs" } })).contains("from a fork"));
    assert!(deployed(json!({ "event": "push", "head_repository": null })).contains("from a fork"));
    assert!(deployed(json!({ "event": "pull_request" })).contains("from a fork"));
    let own = json!({ "event": "pull_request", "head_repository": { "full_name": "acme/docs" } });
    assert!(deployed(own).contains("for a pull request"));
    let merge = with(fixture("github-deployment"), &[("/deployment/ref", json!("refs/pull/7/merge"))]);
    assert!(outcome_of_all("deployment", &merge).contains("for a pull request"));
}

#[test]
fn skips_commits_with_a_marker() {
    let push = |message: &str| with(fixture("github-push"), &[("/head_commit/message", json!(message))]);
    for message in
        ["typo [skip ci]", "[ci skip]", "x [no ci]", "[skip actions]", "[actions skip]", "x\n\n\nskip-checks: true"]
    {
        assert_eq!(outcome_of_all("push", &push(message)), "nothing: the commit message asks to skip it", "{message}");
        let run = with(fixture("github-workflow-run"), &[("/workflow_run/head_commit/message", json!(message))]);
        assert_eq!(outcome_of_all("workflow_run", &run), "nothing: the commit message asks to skip it");
        // A run that was started manually is wanted.
        let manual = with(run, &[("/workflow_run/event", json!("workflow_dispatch"))]);
        assert!(outcome_of_all("workflow_run", &manual).starts_with("publish"));
    }
    assert!(outcome_of_all("push", &push("explain skip ci")).starts_with("publish"));
}

#[test]
fn a_payload_cannot_change_the_configuration() {
    // Whatever a branch brings along, the decision is that of the deployed configuration.
    let mut payload = fixture("github-push");
    for (name, value) in [
        ("publish", json!("newest")),
        ("branch", json!("**")),
        ("tidegate", json!({ "site": [{ "name": "docs", "target": "s3://evil/" }] })),
        ("site", json!("other")),
        ("source", json!("s3://evil/x.zip")),
        ("config", json!("[[site]]\nname = \"docs\"")),
    ] {
        payload[name] = value.clone();
        payload["head_commit"][name] = value.clone();
        payload["repository"][name] = value;
    }
    let plain = trigger("branch = \"main\"", "push", &fixture("github-push"));
    let loaded = trigger("branch = \"main\"", "push", &payload);
    assert_eq!((loaded.artifact, loaded.site, loaded.revision), (plain.artifact, plain.site, plain.revision));
}

#[test]
fn only_one_action_of_an_event_publishes() {
    let workflow = |action: &str, conclusion: Value| {
        with(fixture("github-workflow-run"), &[("/action", json!(action)), ("/workflow_run/conclusion", conclusion)])
    };
    for action in ["requested", "in_progress"] {
        assert!(
            outcome_of_all("workflow_run", &workflow(action, json!("success")))
                .contains("when its action is `completed`")
        );
    }
    for conclusion in ["failure", "cancelled", "skipped", "timed_out", "neutral", "action_required", "stale"] {
        assert!(
            outcome_of_all("workflow_run", &workflow("completed", json!(conclusion)))
                .contains("only `success` publishes")
        );
    }
    assert!(outcome_of_all("workflow_run", &workflow("completed", Value::Null)).contains("only `success` publishes"));
    for action in ["created", "edited", "deleted", "prereleased", "released", "unpublished"] {
        let release = with(fixture("github-release"), &[("/action", json!(action))]);
        assert!(outcome_of_all("release", &release).contains("when its action is `published`"), "{action}");
    }
    let draft = with(fixture("github-release"), &[("/release/draft", json!(true))]);
    assert!(outcome_of_all("release", &draft).contains("draft"));
    let deployment = with(fixture("github-deployment"), &[("/action", json!("deleted"))]);
    assert!(outcome_of_all("deployment", &deployment).contains("when its action is `created`"));
}

#[test]
fn ignores_unknown_events() {
    for event in ["star", "create", "delete", "pull_request", "workflow_job", "deployment_status", "\u{1b}[31m", ""] {
        let outcome = outcome_of_all(event, &fixture("github-push"));
        assert!(outcome.starts_with("nothing: the event `") && !outcome.contains('\u{1b}'), "{outcome}");
    }
}

#[test]
fn a_payload_of_another_event_publishes_nothing() {
    // The header with the name of the event is not signed.
    let bodies = [
        ("push", "github-push"),
        ("release", "github-release"),
        ("workflow_run", "github-workflow-run"),
        ("deployment", "github-deployment"),
        ("ping", "github-ping"),
    ];
    for (event, name) in bodies {
        for (other, _) in bodies.iter().filter(|(other, _)| *other != event && *other != "ping") {
            let outcome = outcome_of_all(other, &fixture(name));
            assert!(!outcome.starts_with("publish"), "{name} as {other}: {outcome}");
        }
    }
}

#[test]
fn refuses_payloads_without_required_fields() {
    for (event, name, missing) in [
        ("push", "github-push", "/ref"),
        ("push", "github-push", "/after"),
        ("push", "github-push", "/head_commit"),
        ("release", "github-release", "/release/tag_name"),
        ("workflow_run", "github-workflow-run", "/workflow_run/head_sha"),
        ("deployment", "github-deployment", "/deployment/created_at"),
    ] {
        let outcome = outcome_of_all(event, &with(fixture(name), &[(missing, Value::Null)]));
        assert!(outcome.starts_with("400: invalid payload of the event"), "{missing}: {outcome}");
    }
    let odd = with(fixture("github-push"), &[("/after", json!("HEAD")), ("/head_commit/id", json!("HEAD"))]);
    assert!(outcome_of_all("push", &odd).contains("`HEAD` is not the id of a commit"));
}

#[test]
fn github_decides_which_event_is_newer() {
    let request = |event: &str, payload: &Value| {
        let trigger = trigger(ALL, event, payload);
        trigger.request("s3://acme-artifacts/builds/x/".parse().unwrap(), 1_893_456_000_000)
    };
    let push = fixture("github-push");
    let live = pointer(&request("push", &push));
    let pushed_at = push["repository"]["pushed_at"].as_u64().unwrap();
    let earlier = with(push.clone(), &[("/repository/pushed_at", json!(pushed_at - 1))]);
    assert_eq!(live.precedence(&request("push", &earlier)), Precedence::Superseded);
    // A rebase keeps the author's date, which can be older than the commit that it replaces.
    let rebased = with(
        push.clone(),
        &[("/repository/pushed_at", json!(pushed_at + 1)), ("/head_commit/timestamp", json!("2020-01-01T00:00:00Z"))],
    );
    assert_eq!(live.precedence(&request("push", &rebased)), Precedence::Publish);
    let without = |time: &str| {
        with(push.clone(), &[("/repository/pushed_at", Value::Null), ("/head_commit/timestamp", json!(time))])
    };
    assert_eq!(live.precedence(&request("push", &without("2020-01-01T00:00:00Z"))), Precedence::Superseded);
    assert_eq!(live.precedence(&request("push", &without("2026-12-01T00:00:00Z"))), Precedence::Publish);
    assert_eq!(live.precedence(&request("release", &fixture("github-release"))), Precedence::Publish);
}

#[test]
fn a_later_run_of_the_same_commit_is_newer() {
    let run = fixture("github-workflow-run");
    let request = |payload: &Value| {
        let trigger = trigger(ALL, "workflow_run", payload);
        trigger.request("s3://acme-artifacts/builds/x/".parse().unwrap(), 1_893_456_000_000)
    };
    let live = pointer(&request(&run));
    let at = |time: &str| with(run.clone(), &[("/workflow_run/run_started_at", json!(time))]);
    assert_eq!(
        live.precedence(&request(&at("2026-03-03T09:11:20Z"))),
        Precedence::Publish,
        "scheduled, or another attempt"
    );
    assert_eq!(live.precedence(&request(&at("2026-03-01T09:11:20Z"))), Precedence::Superseded);
    // Redeliveries are recognized by their digest; this one publishes the same build again, which changes nothing.
    assert_eq!(live.precedence(&request(&run)), Precedence::Publish);
}

#[test]
fn a_publishing_webhook_is_accepted() {
    let request = github_request("push", &fixture_bytes("github-push"));
    assert_eq!(decide(&github_config(ALL), &request, &both_secrets()).status(), 202);
}
