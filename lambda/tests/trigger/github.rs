//! Payloads of GitHub.

use serde_json::{Value, json};
use tidegate_core::release::Precedence;
use tidegate_lambda::trigger::{ArtifactRef, Trigger};
use tidegate_lambda::webhook::{NoOp, WebhookDecision};

use crate::match_sites::pointer;
use crate::support::{both_secrets, decide, fixture, fixture_bytes, github_config, github_request, outcome, with};

const SHA: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";

/// A rule for every event.
const ALL: &str = "events = [\"push\", \"release\", \"workflow_run\", \"deployment_status\"]\nbranch = \"**\"\ntag = \"**\"\nenvironment = \"**\"";

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
        ("deployment_status", "github-deployment-status", SHA, "github deployment_status", "2026-03-02T09:20:00Z"),
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
    let status = || fixture("github-deployment-status");
    let deployed = |run: Value| outcome_of_all("deployment_status", &with(status(), &[("/workflow_run", run)]));
    assert!(deployed(json!({ "event": "push" })).starts_with("publish"));
    assert!(
        deployed(json!({ "event": "push", "head_repository": { "full_name": "acme/docs" } })).starts_with("publish")
    );
    assert!(deployed(json!({ "event": "push", "head_repository": { "full_name": "x/docs" } })).contains("from a fork"));
    assert!(deployed(json!({ "event": "push", "head_repository": null })).contains("from a fork"));
    assert!(deployed(json!({ "event": "pull_request" })).contains("from a fork"));
    let own = json!({ "event": "pull_request", "head_repository": { "full_name": "acme/docs" } });
    assert!(deployed(own).contains("for a pull request"));
    let merge = with(status(), &[("/deployment/ref", json!("refs/pull/7/merge"))]);
    assert!(outcome_of_all("deployment_status", &merge).contains("for a pull request"));
}

#[test]
fn only_listed_events_start_runs_that_publish() {
    let started = |rule: &str, event: &str, name: &str| {
        let payload = with(fixture(name), &[("/workflow_run/event", json!(event))]);
        outcome(&github_config(&ALL.replace("branch", &format!("{rule}branch"))), kind(name), &payload)
    };
    fn kind(name: &str) -> &'static str {
        if name == "github-workflow-run" { "workflow_run" } else { "deployment_status" }
    }
    for name in ["github-workflow-run", "github-deployment-status"] {
        for event in ["push", "schedule", "workflow_dispatch", "release", "repository_dispatch"] {
            assert!(started("", event, name).starts_with("publish"), "{event}");
        }
        // They run on the default branch for every fork and every comment, and `dynamic` ones have no file.
        for event in
            ["workflow_run", "issue_comment", "issues", "discussion", "watch", "fork", "status", "dynamic", "x"]
        {
            let refused = started("", event, name);
            assert!(refused.contains(&format!("the run was started by `{event}`")), "{refused}");
        }
        let rule = "run-events = [\"push\", \"workflow_run\"]\n";
        assert!(started(rule, "workflow_run", name).starts_with("publish"));
        assert!(started(rule, "schedule", name).contains("the run was started by `schedule`"));
    }
}

#[test]
fn branches_of_a_merge_queue_never_publish() {
    let queue = "gh-readonly-queue/main/pr-7-6113728f27ae82c7b1a177c8d03f9e96e0adf246";
    for (event, name, pointer, reference) in [
        ("push", "github-push", "/ref", format!("refs/heads/{queue}")),
        ("workflow_run", "github-workflow-run", "/workflow_run/head_branch", queue.to_owned()),
        ("deployment_status", "github-deployment-status", "/deployment/ref", queue.to_owned()),
        ("deployment_status", "github-deployment-status", "/deployment/ref", format!("refs/heads/{queue}")),
    ] {
        let payload = with(fixture(name), &[(pointer, json!(reference))]);
        let refused = outcome_of_all(event, &payload);
        assert!(refused.contains("the branch belongs to a merge queue"), "{event}: {refused}");
    }
    let tag = with(fixture("github-push-tag"), &[("/ref", json!("refs/tags/gh-readonly-queue/x"))]);
    assert!(!outcome_of_all("push", &tag).contains("merge queue"));
}

#[test]
fn a_deployment_publishes_after_its_approval() {
    let status = |changes: &[(&str, Value)]| {
        outcome_of_all("deployment_status", &with(fixture("github-deployment-status"), changes))
    };
    for state in ["in_progress", "success"] {
        assert!(status(&[("/deployment_status/state", json!(state))]).starts_with("publish"), "{state}");
    }
    for state in ["waiting", "pending", "queued", "failure", "error", "inactive", "approved"] {
        let refused = status(&[("/deployment_status/state", json!(state))]);
        assert_eq!(
            refused,
            format!("nothing: the deployment is `{state}`, and only `in_progress` and `success` publish")
        );
    }
    // A status that is added to an old deployment does not make it newer.
    let late = with(
        fixture("github-deployment-status"),
        &[
            ("/deployment_status/state", json!("success")),
            ("/deployment_status/created_at", json!("2026-09-01T00:00:00Z")),
            ("/check_run/status", json!("completed")),
        ],
    );
    let started: tidegate_core::timestamp::Timestamp = "2026-03-02T09:20:00Z".parse().unwrap();
    assert_eq!(trigger(ALL, "deployment_status", &late).revision.unwrap().at, started.milliseconds());
    // The API makes deployments and statuses without approval.
    let by_api = [("/workflow_run", Value::Null), ("/check_run", Value::Null)];
    assert!(status(&by_api).starts_with("nothing: no workflow deploys"));
    for waiting in ["waiting", "queued", "pending", "requested"] {
        let refused = status(&[("/check_run/status", json!(waiting))]);
        assert!(refused.starts_with(&format!("nothing: the job that deploys is `{waiting}`")), "{refused}");
        let refused = status(&[("/check_run", Value::Null), ("/workflow_run/status", json!(waiting))]);
        assert!(refused.starts_with(&format!("nothing: the job that deploys is `{waiting}`")), "{refused}");
    }
    assert!(status(&[("/check_run", Value::Null)]).starts_with("publish"));
    // A deployment is made before it is approved.
    let made = outcome_of_all("deployment", &fixture("github-deployment"));
    assert_eq!(made, "nothing: the event `deployment` does not publish");
}

#[test]
fn several_webhooks_about_one_release_publish_once() {
    let digest = |rule: &str, event: &str, payload: &Value| trigger(rule, event, payload).delivery.unwrap();
    let status = fixture("github-deployment-status");
    let done = with(status.clone(), &[("/deployment_status/state", json!("success"))]);
    let other = with(status.clone(), &[("/deployment/id", json!(7))]);
    let again = with(status.clone(), &[("/deployment_status/id", json!(7))]);
    assert_eq!(digest(ALL, "deployment_status", &status), digest(ALL, "deployment_status", &again));
    assert_ne!(digest(ALL, "deployment_status", &status), digest(ALL, "deployment_status", &done));
    assert_ne!(digest(ALL, "deployment_status", &status), digest(ALL, "deployment_status", &other));
    let all = format!("pre-releases = true\n{ALL}");
    let release = |action: &str, prerelease: bool| {
        let changes = [("/action", json!(action)), ("/release/prerelease", json!(prerelease))];
        digest(&all, "release", &with(fixture("github-release"), &changes))
    };
    assert_eq!(release("published", false), release("released", false));
    assert_eq!(release("published", true), release("prereleased", true));
    assert_ne!(release("published", true), release("released", false), "the promotion of a pre-release");
}

#[test]
fn pre_releases_publish_only_by_rule_and_their_promotion_always() {
    let release = |action: &str, prerelease: bool| {
        with(fixture("github-release"), &[("/action", json!(action)), ("/release/prerelease", json!(prerelease))])
    };
    for action in ["published", "prereleased"] {
        let refused = outcome_of_all("release", &release(action, true));
        assert!(refused.contains("the release is a pre-release"), "{refused}");
        let config = github_config(&format!("pre-releases = true\n{ALL}"));
        assert!(outcome(&config, "release", &release(action, true)).starts_with("publish"), "{action}");
    }
    // A pre-release that becomes a release is newer than what was published in the meantime.
    let mut promoted = release("released", false);
    promoted["release"]["updated_at"] = json!("2026-03-09T10:00:00Z");
    let at: tidegate_core::timestamp::Timestamp = "2026-03-09T10:00:00Z".parse().unwrap();
    assert_eq!(trigger(ALL, "release", &promoted).revision.unwrap().at, at.milliseconds());
    promoted["release"].as_object_mut().unwrap().remove("prerelease");
    assert!(outcome_of_all("release", &promoted).starts_with("publish"), "servers without pre-releases");
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
fn only_some_actions_of_an_event_publish() {
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
    for action in ["created", "edited", "deleted", "unpublished"] {
        let release = with(fixture("github-release"), &[("/action", json!(action))]);
        assert!(outcome_of_all("release", &release).contains("when its action is `published`, `released`"), "{action}");
    }
    let draft = with(fixture("github-release"), &[("/release/draft", json!(true))]);
    assert!(outcome_of_all("release", &draft).contains("draft"));
}

#[test]
fn ignores_unknown_events() {
    for event in ["star", "create", "delete", "pull_request", "workflow_job", "deployment", "\u{1b}[31m", ""] {
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
        ("deployment_status", "github-deployment-status"),
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
        ("deployment_status", "github-deployment-status", "/deployment_status/state"),
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
