//! What payloads of GitHub announce, and what they never do.

use serde_json::{Value, json};
use tidegate_core::release::Precedence;
use tidegate_lambda::trigger::{ArtifactRef, Trigger};
use tidegate_lambda::webhook::{NoOp, WebhookDecision};

use crate::claims::pointer;
use crate::support::{both, fixture, fixture_bytes, github_call, github_config, judge, outcome, with};

const SHA: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";

/// A rule for everything.
const ALL: &str = "events = [\"push\", \"release\", \"workflow_run\", \"deployment\"]\nbranch = \"**\"\ntag = \"**\"\nenvironment = \"**\"";

fn told(event: &str, payload: &Value) -> String {
    outcome(&github_config(ALL), event, payload)
}

fn trigger(rule: &str, event: &str, payload: &Value) -> Trigger {
    let call = github_call(event, &serde_json::to_vec(payload).unwrap());
    match judge(&github_config(rule), &call, &both()) {
        WebhookDecision::Publish(mut triggers) if triggers.len() == 1 => triggers.remove(0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_event_publishes_what_it_is_about() {
    for (event, name, release, cause, at) in [
        ("push", "github-push", SHA, "github push", "2026-03-02T09:11:12Z"),
        ("push", "github-push-tag", "v1.2.0", "github push", "2026-03-02T09:11:12Z"),
        ("release", "github-release", "v1.2.0", "github release", "2026-03-02T09:30:00Z"),
        ("workflow_run", "github-workflow-run", SHA, "github workflow_run", "2026-03-02T09:11:12Z"),
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
fn the_commit_of_an_annotated_tag_is_not_the_tags_own_object() {
    let trigger = trigger(
        &format!("{}\npublish = \"commit\"", ALL.replace(", \"release\"", "")),
        "push",
        &fixture("github-push-tag"),
    );
    assert_eq!(trigger.release, SHA);
}

#[test]
fn a_ping_is_answered_well_and_only_when_it_is_signed() {
    for name in ["github-ping", "github-ping-organization"] {
        let call = github_call("ping", &fixture_bytes(name));
        let verdict = judge(&github_config(ALL), &call, &both());
        assert_eq!((verdict.status(), &verdict), (200, &WebhookDecision::Nothing(NoOp::Ping)), "{name}");
        assert!(matches!(judge(&github_config(ALL), &call, &Default::default()), WebhookDecision::Refused(_)));
    }
    // An organization has rules, but only its ping lacks a repository.
    let call = github_call("push", &fixture_bytes("github-ping-organization"));
    assert_eq!(judge(&github_config(ALL), &call, &both()).status(), 401);
}

#[test]
fn one_push_of_three_branches_is_three_events_of_one_branch_each() {
    // 14
    let config = github_config("branch = \"{main,next}\"");
    let pushed = |name: &str| outcome(&config, "push", &with(fixture("github-push"), &[("/ref", json!(name))]));
    assert!(pushed("refs/heads/main").starts_with("publish"));
    assert!(pushed("refs/heads/next").starts_with("publish"));
    assert_eq!(pushed("refs/heads/topic"), "nothing: `docs`: the rule is not for branch `topic`");
    assert_eq!(pushed("refs/tags/main"), "nothing: `docs`: the rule is not for tag `main`");
    assert_eq!(pushed("refs/notes/commits"), "nothing: `refs/notes/commits` is neither a branch nor a tag");
}

#[test]
fn a_deleted_branch_publishes_nothing() {
    // 14
    let deleted = fixture("github-push-deleted");
    for payload in [
        with(deleted.clone(), &[("/deleted", json!(false))]),
        deleted,
        with(fixture("github-push"), &[("/deleted", json!(true))]),
    ] {
        assert_eq!(told("push", &payload), "nothing: a deleted branch or tag publishes nothing");
    }
}

#[test]
fn a_fork_and_a_pull_request_get_nothing_unless_a_rule_says_so() {
    // 15: a fork's branch is called `main` as well.
    let run = fixture("github-workflow-run");
    let fork = with(run.clone(), &[("/workflow_run/head_repository/full_name", json!("stranger/docs"))]);
    let gone = with(run.clone(), &[("/workflow_run/head_repository", Value::Null)]);
    let pull = with(run.clone(), &[("/workflow_run/event", json!("pull_request"))]);
    let both = with(fork.clone(), &[("/workflow_run/event", json!("pull_request_target"))]);
    let rule = |more: &str| github_config(&format!("events = [\"workflow_run\"]\nbranch = \"main\"\n{more}"));
    for (payload, closed, opened) in [
        (&fork, "code of a fork", "forks = true"),
        (&gone, "code of a fork", "forks = true"),
        (&pull, "a pull request", "pull-requests = true"),
        (&both, "code of a fork", "forks = true\npull-requests = true"),
    ] {
        let told = outcome(&rule(""), "workflow_run", payload);
        assert!(told.contains(closed), "{told}");
        assert!(outcome(&rule(opened), "workflow_run", payload).starts_with("publish"), "{opened}");
    }
    assert!(outcome(&rule("forks = true"), "workflow_run", &both).contains("a pull request"));
    assert!(outcome(&rule("pull-requests = true"), "workflow_run", &both).contains("code of a fork"));
    // The name of one's own repository in other letters is no fork.
    let own = with(run, &[("/workflow_run/head_repository/full_name", json!("Acme/Docs"))]);
    assert!(outcome(&rule(""), "workflow_run", &own).starts_with("publish"));
    // The run of a deployment is told without its repository, mostly.
    let deployed = |run: Value| told("deployment", &with(fixture("github-deployment"), &[("/workflow_run", run)]));
    assert!(deployed(json!({ "event": "push" })).starts_with("publish"));
    assert!(
        deployed(json!({ "event": "push", "head_repository": { "full_name": "acme/docs" } })).starts_with("publish")
    );
    assert!(
        deployed(json!({ "event": "push", "head_repository": { "full_name": "x/docs" } })).contains("code of a fork")
    );
    assert!(deployed(json!({ "event": "push", "head_repository": null })).contains("code of a fork"));
    assert!(deployed(json!({ "event": "pull_request" })).contains("code of a fork"));
    let own = json!({ "event": "pull_request", "head_repository": { "full_name": "acme/docs" } });
    assert!(deployed(own).contains("a pull request"));
    let merge = with(fixture("github-deployment"), &[("/deployment/ref", json!("refs/pull/7/merge"))]);
    assert!(told("deployment", &merge).contains("a pull request"));
}

#[test]
fn a_commit_that_asks_to_be_skipped_is_skipped() {
    // 15
    let push = |message: &str| with(fixture("github-push"), &[("/head_commit/message", json!(message))]);
    for message in
        ["typo [skip ci]", "[ci skip]", "x [no ci]", "[skip actions]", "[actions skip]", "x\n\n\nskip-checks: true"]
    {
        assert_eq!(told("push", &push(message)), "nothing: the commit asks to be skipped", "{message}");
        let run = with(fixture("github-workflow-run"), &[("/workflow_run/head_commit/message", json!(message))]);
        assert_eq!(told("workflow_run", &run), "nothing: the commit asks to be skipped");
        // Whoever starts the workflow by hand wants it.
        let by_hand = with(run, &[("/workflow_run/event", json!("workflow_dispatch"))]);
        assert!(told("workflow_run", &by_hand).starts_with("publish"));
    }
    assert!(told("push", &push("explain skip ci")).starts_with("publish"));
}

#[test]
fn nothing_in_a_payload_configures_anything() {
    // 16: whatever a branch brings along, the verdict is that of the deployed configuration.
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
fn only_the_part_of_an_events_life_that_counts_publishes() {
    let workflow = |action: &str, conclusion: Value| {
        with(fixture("github-workflow-run"), &[("/action", json!(action)), ("/workflow_run/conclusion", conclusion)])
    };
    for action in ["requested", "in_progress"] {
        assert!(told("workflow_run", &workflow(action, json!("success"))).contains("once it is `completed`"));
    }
    for conclusion in ["failure", "cancelled", "skipped", "timed_out", "neutral", "action_required", "stale"] {
        assert!(told("workflow_run", &workflow("completed", json!(conclusion))).contains("only `success` publishes"));
    }
    assert!(told("workflow_run", &workflow("completed", Value::Null)).contains("only `success` publishes"));
    for action in ["created", "edited", "deleted", "prereleased", "released", "unpublished"] {
        let release = with(fixture("github-release"), &[("/action", json!(action))]);
        assert!(told("release", &release).contains("once it is `published`"), "{action}");
    }
    let draft = with(fixture("github-release"), &[("/release/draft", json!(true))]);
    assert!(told("release", &draft).contains("draft"));
    let deployment = with(fixture("github-deployment"), &[("/action", json!("deleted"))]);
    assert!(told("deployment", &deployment).contains("once it is `created`"));
}

#[test]
fn unknown_events_are_ignored_politely() {
    for event in ["star", "create", "delete", "pull_request", "workflow_job", "deployment_status", "\u{1b}[31m", ""] {
        let told = told(event, &fixture("github-push"));
        assert!(told.starts_with("nothing: the event `") && !told.contains('\u{1b}'), "{told}");
    }
}

#[test]
fn a_body_under_the_name_of_another_event_publishes_nothing() {
    // The name of the event is not signed.
    let bodies = [
        ("push", "github-push"),
        ("release", "github-release"),
        ("workflow_run", "github-workflow-run"),
        ("deployment", "github-deployment"),
        ("ping", "github-ping"),
    ];
    for (event, name) in bodies {
        for (other, _) in bodies.iter().filter(|(other, _)| *other != event && *other != "ping") {
            let told = told(other, &fixture(name));
            assert!(!told.starts_with("publish"), "{name} as {other}: {told}");
        }
    }
}

#[test]
fn payloads_without_what_they_must_have_are_refused() {
    for (event, name, gone) in [
        ("push", "github-push", "/ref"),
        ("push", "github-push", "/after"),
        ("push", "github-push", "/head_commit"),
        ("push", "github-push", "/head_commit/timestamp"),
        ("release", "github-release", "/release/tag_name"),
        ("workflow_run", "github-workflow-run", "/workflow_run/head_sha"),
        ("deployment", "github-deployment", "/deployment/created_at"),
    ] {
        let told = told(event, &with(fixture(name), &[(gone, Value::Null)]));
        assert!(told.starts_with("400: the payload is not one of a"), "{gone}: {told}");
    }
    let odd = with(fixture("github-push"), &[("/after", json!("HEAD")), ("/head_commit/id", json!("HEAD"))]);
    assert!(told("push", &odd).contains("`HEAD` is no commit"));
}

#[test]
fn an_older_commit_that_arrives_late_is_superseded() {
    // 22
    let request = |event: &str, payload: &Value| {
        let trigger = trigger(ALL, event, payload);
        trigger.request("s3://acme-artifacts/builds/x/".parse().unwrap(), 1)
    };
    let live = pointer(&request("push", &fixture("github-push")));
    let older = with(
        fixture("github-push"),
        &[("/head_commit/timestamp", json!("2026-03-02T09:11:11Z")), ("/head_commit/id", json!("ab".repeat(20)))],
    );
    assert_eq!(live.precedence(&request("push", &older)), Precedence::Superseded);
    assert_eq!(live.precedence(&request("push", &fixture("github-push"))), Precedence::Done);
    // The run of the same commit is the same release, by whichever event it is announced.
    assert_eq!(live.precedence(&request("workflow_run", &fixture("github-workflow-run"))), Precedence::Done);
    assert_eq!(live.precedence(&request("release", &fixture("github-release"))), Precedence::Publish);
}

#[test]
fn what_is_carried_out_later_is_answered_at_once() {
    // 23
    let call = github_call("push", &fixture_bytes("github-push"));
    assert_eq!(judge(&github_config(ALL), &call, &both()).status(), 202);
}
