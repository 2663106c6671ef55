//! Publishing builds stored at GitHub: a signed webhook, the download of an artifact or asset, the publish, and the
//! commit or deployment status.

mod server;

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tidegate_core::config::Config;
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::report::Outcome;
use tidegate_core::request::Revision;
use tidegate_emulator::iam::ACCOUNT_ID;
use tidegate_iam::policies;
use tidegate_lambda::handler::{MAX_CONTINUATIONS, RunError, RunResult};
use tidegate_lambda::trigger::{ArtifactRef, Continuation, HttpRequest, InvocationEvent, RunId, read};
use tidegate_tests::World;
use tidegate_tests::events::{sign, zip};
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::world::INSTANT;
use tracing_subscriber::fmt::MakeWriter;

use crate::triggers::{Function, context, function_in, outcome};
use server::{GithubServer, SIGNATURE, TOKEN};

const COMMIT: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";
const SECRET: &str = "It's a Secret to Everybody";
const ROLE: &str = "arn:aws:iam::000000000000:role/publisher";

/// A site with one webhook rule, whose API is this server.
fn configuration(github: &GithubServer, rule: &str) -> String {
    format!(
        r#"
state = "s3://state/tidegate/"

[[site]]
name = "docs"
builds = "s3://staging/builds/"
target = "s3://site/docs/"
role = "{ROLE}"
lease-seconds = 60

[[site.policy]]
plugin = "guard"
settings = {{ max-delete-share = 1.0, forbidden = ["*.key"] }}

[[site.webhook]]
provider = "github"
repository = "acme/docs"
secrets = ["secretsmanager:repo/github.com/acme/docs#webhook"]
token = "secretsmanager:repo/github.com/acme/docs#token"
api-url = "{}"
{rule}
"#,
        github.api
    )
}

const RUNS: &str = "events = [\"workflow_run\"]\nbranch = \"main\"\nworkflow = \"site.yml\"\npublish = \"artifact\"\nartifact = \"site\"\nstatus = \"commit\"\nsite-url = \"https://docs.acme.com/\"";
const RELEASES: &str = "events = [\"release\"]\ntag = \"v*\"\npublish = \"artifact\"\nartifact = \"site-*.zip\"";

/// A function with the execution role that `policy lambda` prints and a site role that `policy site` prints.
async fn function(github: &GithubServer, rule: &str) -> Function {
    function_of(configuration(github, rule)).await
}

async fn function_of(text: String) -> Function {
    let world = World::new().await;
    let config = Config::parse(&text).unwrap();
    let docs = config.site("docs").unwrap();
    let iam = world.account.iam();
    let trust = policies::trust_account(&format!("arn:aws:iam::{ACCOUNT_ID}:root")).document.compact().unwrap();
    let site = policies::site(docs, ACCOUNT_ID, &[]).document.compact().unwrap();
    iam.create_role("publisher", &trust, &[("site", &site)]).unwrap();
    let execution = policies::lambda(&[docs], ACCOUNT_ID, "us-east-1", &config.function).document.compact().unwrap();
    iam.create_user("function", &[("execution", &execution)]).unwrap();
    let credentials = iam.create_access_key("function").unwrap().credentials();
    let stored = json!({ "webhook": SECRET, "token": TOKEN }).to_string();
    world.secrets.put("repo/github.com/acme/docs", stored.as_str()).unwrap();
    let publisher = world.publisher_with(credentials, 1);
    function_in(world, publisher, &text).await
}

/// A signed webhook.
fn webhook(event: &str, body: &Value) -> HttpRequest {
    let body = serde_json::to_vec(body).unwrap();
    let signature = sign(SECRET, &body);
    let headers = [
        ("content-type", "application/json"),
        ("x-github-event", event),
        ("x-github-delivery", "d-1"),
        ("x-hub-signature-256", signature.as_str()),
    ];
    HttpRequest::new("POST", "/", headers, body)
}

fn workflow_run() -> HttpRequest {
    let body = json!({
        "action": "completed",
        "repository": { "full_name": "acme/docs" },
        "workflow_run": {
            "id": 7, "name": "Site", "path": ".github/workflows/site.yml", "event": "push", "conclusion": "success",
            "head_branch": "main", "head_sha": COMMIT, "head_repository": { "full_name": "acme/docs" },
            "head_commit": { "id": COMMIT, "message": "Say more", "timestamp": "2026-11-22T10:00:00Z" },
            "updated_at": "2026-11-22T10:05:00Z",
        },
    });
    webhook("workflow_run", &body)
}

fn release() -> HttpRequest {
    let body = json!({
        "action": "published",
        "repository": { "full_name": "acme/docs" },
        "release": { "id": 9, "tag_name": "v1", "draft": false, "published_at": "2026-11-22T10:00:00Z" },
    });
    webhook("release", &body)
}

fn deployment_status() -> HttpRequest {
    let body = json!({
        "action": "created",
        "repository": { "full_name": "acme/docs" },
        "deployment": { "id": 11, "sha": COMMIT, "ref": "main", "environment": "production" },
        "deployment_status": { "state": "in_progress", "created_at": "2026-11-22T10:00:00Z" },
        "workflow_run": { "event": "push", "status": "in_progress" },
        "check_run": { "status": "in_progress" },
    });
    webhook("deployment_status", &body)
}

impl Function {
    /// Accepts a webhook and returns the continuation that publishes.
    async fn accept(&self, request: &HttpRequest) -> Continuation {
        let response = self.handler.answer_webhook(request, context(10)).await;
        assert_eq!((response.status, response.runs.len()), (202, 1), "{response:?}");
        self.self_invoke.runs.lock().unwrap().pop().unwrap()
    }

    /// Invokes the function with a continuation.
    async fn invoke(&self, run: &Continuation) -> Result<RunResult, RunError> {
        self.handler.run(&run.trigger, &run.run, context(300)).await
    }

    async fn fails(&self, request: &HttpRequest) -> RunError {
        let run = self.accept(request).await;
        self.invoke(&run).await.unwrap_err()
    }

    async fn page(&self) -> Option<String> {
        self.world.site().await.get("docs/index.html").and_then(|object| object.body.clone())
    }

    /// Keys of downloaded builds in the state.
    async fn downloaded(&self) -> Vec<String> {
        let listed =
            self.world.client().list_objects_v2().bucket("state").prefix("tidegate/docs/fetched/").send().await;
        listed.unwrap().contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    /// The number of multipart uploads that were neither completed nor aborted.
    async fn unfinished(&self) -> usize {
        self.world.client().list_multipart_uploads().bucket("state").send().await.unwrap().uploads().len()
    }
}

/// Incompressible text, so that a zip of it is larger than one part of an upload.
fn noise(length: usize) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    (0..length).map(|_| char::from(random.u8(33..127))).collect()
}

#[tokio::test]
async fn downloads_publishes_and_reports_a_workflow_artifact() {
    let github = GithubServer::start().await;
    let (small, large) =
        (zip(&[("index.html", "small")]), zip(&[("index.html", "large"), ("noise.txt", &noise(12 << 20))]));
    assert!(large.len() > 8 << 20, "{}", large.len());
    github.artifact(1, "site", &large);
    github.artifact(2, "coverage", &small);
    let function = function(&github, RUNS).await;
    let continuation = function.accept(&workflow_run()).await;
    assert!(matches!(continuation.trigger.artifact, ArtifactRef::GithubFile(_)));
    assert_eq!(github.statuses(), [], "nothing is reported before the run begins");
    let result = function.invoke(&continuation).await.unwrap();
    assert_eq!(outcome(&result), Outcome::Live, "{result:?}");
    assert_eq!(function.page().await.as_deref(), Some("large"));
    assert_eq!(function.downloaded().await, [] as [&str; 0], "a complete run deletes the downloaded build");
    assert_eq!(github.downloads(), 1);
    let statuses = github.state().statuses.clone();
    let path = format!("/repos/acme/docs/statuses/{COMMIT}");
    assert!(statuses.iter().all(|(to, body)| *to == path && body["context"] == "tidegate/docs"), "{statuses:?}");
    assert!(statuses.iter().all(|(_, body)| body["target_url"] == "https://docs.acme.com/"), "{statuses:?}");
    assert_eq!(
        github.statuses(),
        [("pending", "publishing"), ("success", "live: 2 written, 0 deleted")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
}

#[tokio::test]
async fn finds_an_artifact_on_any_page_and_uses_the_newest_attempt() {
    let github = GithubServer::start().await;
    for id in 100..220 {
        github.artifact(id, &format!("log-{id}"), b"x");
    }
    github.artifact(300, "site-html", &zip(&[("index.html", "first attempt")]));
    github.artifact(301, "site-html", &zip(&[("index.html", "second attempt")]));
    let function = function(&github, &RUNS.replace("\"site\"", "\"site-*\"")).await;
    let continuation = function.accept(&workflow_run()).await;
    assert_eq!(outcome(&function.invoke(&continuation).await.unwrap()), Outcome::Live);
    assert_eq!(function.page().await.as_deref(), Some("second attempt"));
    let lists = github.state().log.iter().filter(|line| line.contains("/actions/runs/7/artifacts 200")).count();
    assert_eq!(lists, 2);
}

#[tokio::test]
async fn downloads_and_publishes_a_release_asset() {
    let github = GithubServer::start().await;
    github.asset(21, "site-v1.zip", &zip(&[("index.html", "released")]));
    github.asset(22, "SHA256SUMS", b"x");
    let function = function(&github, RELEASES).await;
    let continuation = function.accept(&release()).await;
    let RunResult::Report(report) = function.invoke(&continuation).await.unwrap() else { panic!() };
    assert_eq!((report.outcome, report.release.as_str()), (Outcome::Live, "v1"));
    assert_eq!(function.page().await.as_deref(), Some("released"));
    assert_eq!(github.statuses(), [], "the rule configures no status");
}

#[tokio::test]
async fn retries_an_interrupted_download_with_a_new_url() {
    let github = GithubServer::start().await;
    let large = zip(&[("index.html", "whole"), ("noise.txt", &noise(12 << 20))]);
    github.artifact(1, "site", &large);
    // Before the first part of the upload to S3 is full, and after the multipart upload has begun.
    github.state().cuts.extend([1_000, 9 << 20]);
    let function = function(&github, RUNS).await;
    let continuation = function.accept(&workflow_run()).await;
    assert_eq!(outcome(&function.invoke(&continuation).await.unwrap()), Outcome::Live);
    assert_eq!((function.page().await.as_deref(), github.downloads()), (Some("whole"), 3));
    assert_eq!(function.unfinished().await, 0);
}

#[tokio::test]
async fn does_not_publish_a_download_of_the_wrong_digest_or_length() {
    let whole = zip(&[("index.html", "1"), ("noise.txt", &noise(12 << 20))]);
    let other = [&whole[..whole.len() - 1], b"x"].concat();
    let longer = [&whole[..], b"x"].concat();
    for (sent, without_length, why) in [
        (&other, false, "SHA-256"),
        (&longer, true, "more than"),
        (&whole[..whole.len() - 1].to_vec(), true, "instead of"),
    ] {
        let github = GithubServer::start().await;
        github.artifact(1, "site", &whole);
        github.state().bodies.insert(1, sent.clone());
        github.state().without_length = without_length;
        let function = function(&github, RUNS).await;
        let error = function.fails(&workflow_run()).await;
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(error.kind(), ErrorKind::Cloud);
        assert_eq!(
            (function.page().await, function.downloaded().await, function.unfinished().await),
            (None, Vec::new(), 0)
        );
        assert_eq!(github.downloads(), 1, "the run must not download it again");
        assert_eq!(github.statuses().last().unwrap().0, "failure");
    }
}

#[tokio::test]
async fn accepts_an_artifact_without_a_digest_or_its_packed_size() {
    let github = GithubServer::start().await;
    github.artifact(1, "site", &zip(&[("index.html", "1")]));
    // Old versions of `upload-artifact` stored the unpacked size and no digest.
    let make_old = |state: &mut server::GithubState| {
        let artifact = &mut state.artifacts.get_mut(&7).unwrap()[0];
        artifact["size_in_bytes"] = json!(1);
        artifact["digest"] = Value::Null;
    };
    make_old(&mut github.state());
    let function = function(&github, RUNS).await;
    let continuation = function.accept(&workflow_run()).await;
    assert_eq!(outcome(&function.invoke(&continuation).await.unwrap()), Outcome::Live);
}

#[tokio::test]
async fn a_repeated_run_uses_the_downloaded_build() {
    let github = GithubServer::start().await;
    github.artifact(1, "site", &zip(&[("index.html", "1")]));
    let function = function(&github, RUNS).await;
    let continuation = function.accept(&workflow_run()).await;
    function.world.inject_faults(|call| {
        call.key.as_deref().is_some_and(|key| key.starts_with("docs/")).then(|| InjectedFault::answer(503, "SlowDown"))
    });
    assert!(function.invoke(&continuation).await.unwrap().failed());
    assert_eq!(function.downloaded().await.len(), 1);
    function.world.stop_faults();
    assert_eq!(outcome(&function.invoke(&continuation).await.unwrap()), Outcome::Live);
    assert_eq!((github.downloads(), function.downloaded().await.len()), (1, 0));
    let states: Vec<String> = github.statuses().into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, ["pending", "failure", "pending", "success"]);
    // Once more, after it is live.
    assert_eq!(outcome(&function.invoke(&continuation).await.unwrap()), Outcome::Unchanged);
    assert_eq!(function.downloaded().await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_continued_run_uses_the_downloaded_build() {
    let github = GithubServer::start().await;
    let files: Vec<(String, String)> = (0..600).map(|at| (format!("{at}.html"), format!("<p>{at}"))).collect();
    let named: Vec<(&str, &str)> = files.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
    github.artifact(1, "site", &zip(&named));
    // The lease lasts longer than an invocation: the first one releases it.
    let function = function_of(configuration(&github, RUNS)).await;
    let continuation = function.accept(&workflow_run()).await;
    function.world.inject_faults(|call| {
        let page = call.key.as_deref().is_some_and(|key| key.starts_with("docs/"));
        (page && call.operation == "PutObject").then(|| InjectedFault::Delay(Duration::from_secs(1)))
    });
    // The invocation works for 8 seconds and reserves 15 to continue.
    let first = function.handler.run(&continuation.trigger, &continuation.run, context(23)).await.unwrap();
    assert!(matches!(first, RunResult::Continued { continuations: 0 }), "{first:?}");
    assert_eq!(github.statuses().len(), 1, "the run is still pending");
    function.world.stop_faults();
    let results = function.run_continuations(300).await;
    assert_eq!(outcome(results.last().unwrap()), Outcome::Live);
    assert_eq!((github.downloads(), function.downloaded().await.len()), (1, 0));
    let states: Vec<String> = github.statuses().into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, ["pending", "success"]);
}

#[tokio::test]
async fn explains_unavailable_artifacts_in_one_sentence() {
    let set_field = |name: &'static str, value: Value| {
        move |state: &mut server::GithubState| {
            for artifact in state.artifacts.get_mut(&7).unwrap() {
                artifact[name] = value.clone();
            }
        }
    };
    type Change = Box<dyn Fn(&mut server::GithubState)>;
    let cases: [(Change, &str, ErrorKind); 6] = [
        (
            Box::new(set_field("expired", json!(true))),
            "the artifact `site` has expired at GitHub; run the workflow again",
            ErrorKind::Configuration,
        ),
        (Box::new(set_field("size_in_bytes", json!(11_u64 << 30))), "upload it to S3", ErrorKind::Configuration),
        (Box::new(set_field("name", json!("si\nte"))), "has no file `site`; available: none", ErrorKind::Configuration),
        (Box::new(set_field("id", json!("one"))), "cannot read GitHub's list of files", ErrorKind::Cloud),
        (Box::new(|state| state.expired_urls = true), "HTTP status 403", ErrorKind::Cloud),
        (Box::new(|state| state.bodies.clear()), "HTTP status 404 and `Not Found`", ErrorKind::Configuration),
    ];
    for (change, expected, kind) in cases {
        let github = GithubServer::start().await;
        github.artifact(1, "site", &zip(&[("index.html", "1")]));
        change(&mut github.state());
        let function = function(&github, RUNS).await;
        let error = function.fails(&workflow_run()).await;
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!error.to_string().contains(SIGNATURE) && !error.to_string().contains('\n'), "{error}");
        assert_eq!((function.page().await, function.downloaded().await), (None, Vec::new()));
        let (state, description) = github.statuses().pop().unwrap();
        assert_eq!(state, "failure");
        assert!(
            description.starts_with("failed; see the log of the run ") && !description.contains("artifact"),
            "{description}"
        );
    }
    let github = GithubServer::start().await;
    github.asset(21, "site-a.zip", b"x");
    github.asset(22, "site-b.zip", b"x");
    let function = function(&github, RELEASES).await;
    let error = function.fails(&release()).await.to_string();
    assert!(error.contains("several files that match `site-*.zip`: `site-a.zip`, `site-b.zip`"), "{error}");
}

#[tokio::test]
async fn waits_for_rate_limits_if_there_is_time_and_fails_otherwise() {
    let github = GithubServer::start().await;
    github.artifact(1, "site", &zip(&[("index.html", "1")]));
    let function = function(&github, RUNS.split("\nstatus").next().unwrap()).await;
    let limited = |name, value: &str| {
        (StatusCode::FORBIDDEN, vec![("x-ratelimit-remaining", "0".to_owned()), (name, value.to_owned())])
    };
    github.state().errors.extend([
        (StatusCode::TOO_MANY_REQUESTS, vec![("retry-after", "0".to_owned())]),
        limited("x-ratelimit-reset", "1"),
        (StatusCode::BAD_GATEWAY, Vec::new()),
    ]);
    let continuation = function.accept(&workflow_run()).await;
    assert_eq!(outcome(&function.invoke(&continuation).await.unwrap()), Outcome::Live);
    // An hour is longer than any invocation, so the run fails and Lambda retries it.
    github.state().errors.push_back((StatusCode::TOO_MANY_REQUESTS, vec![("retry-after", "3600".to_owned())]));
    let error = function.invoke(&continuation).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cloud);
    assert!(error.to_string().contains("no more requests for 3600 seconds"), "{error}");
    // A 403 with remaining requests is a denial, not a rate limit.
    github.state().errors.push_back((StatusCode::FORBIDDEN, vec![("x-ratelimit-remaining", "17".to_owned())]));
    assert_eq!(function.invoke(&continuation).await.unwrap_err().kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn reports_a_denied_publish_as_a_failure_with_the_number_of_findings() {
    let github = GithubServer::start().await;
    github.artifact(1, "site", &zip(&[("index.html", "1"), ("a.key", "x"), ("b.key", "x")]));
    let function = function(&github, RUNS).await;
    let continuation = function.accept(&workflow_run()).await;
    assert_eq!(outcome(&function.invoke(&continuation).await.unwrap()), Outcome::Denied);
    let (state, description) = github.statuses().pop().unwrap();
    assert_eq!(
        (state.as_str(), description.as_str()),
        ("failure", "denied by policy; nothing was changed: 2 findings")
    );
    assert_eq!((function.page().await, function.downloaded().await), (None, Vec::new()));
}

#[tokio::test]
async fn reports_deployment_statuses_and_tolerates_a_failure_to_report() {
    let rule = "events = [\"deployment_status\"]\nenvironment = \"production\"\nstatus = \"deployment\"\nsite-url = \"https://docs.acme.com/\"";
    let github = GithubServer::start().await;
    let function = function(&github, rule).await;
    let put = function.world.client().put_object().bucket("staging").key(format!("builds/{COMMIT}.zip"));
    put.body(zip(&[("index.html", "1")]).into()).send().await.unwrap();
    let continuation = function.accept(&deployment_status()).await;
    assert_eq!(outcome(&function.invoke(&continuation).await.unwrap()), Outcome::Live);
    let statuses = github.state().statuses.clone();
    assert!(statuses.iter().all(|(to, _)| to == "/repos/acme/docs/deployments/11/statuses"), "{statuses:?}");
    // No other `in_progress`: GitHub would announce it with another webhook.
    assert_eq!(statuses.len(), 1, "{statuses:?}");
    assert_eq!(statuses[0].1["state"], "success");
    assert_eq!(statuses[0].1["environment_url"], "https://docs.acme.com/");
    // A revoked token does not fail the run.
    github.state().errors.extend([(StatusCode::UNAUTHORIZED, Vec::new()), (StatusCode::NOT_FOUND, Vec::new())]);
    assert_eq!(outcome(&function.invoke(&continuation).await.unwrap()), Outcome::Unchanged);
    assert_eq!(github.statuses().len(), 1);
}

#[tokio::test]
async fn waits_for_an_asset_that_is_still_being_uploaded() {
    let github = GithubServer::start().await;
    let function = function(&github, RELEASES).await;
    let continuation = function.accept(&release()).await;
    let upload = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        github.asset(21, "site-v1.zip", &zip(&[("index.html", "released")]));
        github.state().assets.get_mut(&9).unwrap()[0]["state"] = json!("starter");
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        github.state().assets.get_mut(&9).unwrap()[0]["state"] = json!("uploaded");
    };
    let (result, ()) = tokio::join!(function.invoke(&continuation), upload);
    assert_eq!(outcome(&result.unwrap()), Outcome::Live);
    assert_eq!(function.page().await.as_deref(), Some("released"));
}

#[tokio::test]
async fn waits_for_an_asset_in_further_invocations_and_not_for_ever() {
    let github = GithubServer::start().await;
    github.asset(22, "SHA256SUMS", b"x");
    let function = function(&github, RELEASES).await;
    let continuation = function.accept(&release()).await;
    // 2 seconds to work, and 15 to continue.
    let first = function.handler.run(&continuation.trigger, &continuation.run, context(17)).await.unwrap();
    assert!(matches!(first, RunResult::Continued { continuations: 0 }), "{first:?}");
    let next = function.self_invoke.runs.lock().unwrap().pop().unwrap();
    // The release was published long ago.
    let mut old = next.trigger.clone();
    old.revision = Some(Revision::at(INSTANT - 15 * 60 * 1000));
    let error = function.handler.run(&old, &next.run, context(300)).await.unwrap_err().to_string();
    assert!(error.contains("has no file `site-*.zip`; available: `SHA256SUMS`"), "{error}");
    // The asset of another invocation.
    github.asset(21, "site-v1.zip", &zip(&[("index.html", "released")]));
    assert_eq!(outcome(&function.invoke(&next).await.unwrap()), Outcome::Live);
}

#[tokio::test]
async fn a_run_that_is_continued_too_often_tells_github_and_the_run_log() {
    let github = GithubServer::start().await;
    let files: Vec<(String, String)> = (0..600).map(|at| (format!("{at}.html"), format!("<p>{at}"))).collect();
    let named: Vec<(&str, &str)> = files.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
    github.artifact(1, "site", &zip(&named));
    let function = function(&github, RUNS).await;
    let continuation = function.accept(&workflow_run()).await;
    function.world.inject_faults(|call| {
        let page = call.key.as_deref().is_some_and(|key| key.starts_with("docs/"));
        (page && call.operation == "PutObject").then(|| InjectedFault::Delay(Duration::from_secs(1)))
    });
    let last = RunId { id: continuation.run.id.clone(), continuations: MAX_CONTINUATIONS };
    // Lambda drops the event of about the 16th invocation in a chain: the webhook, the first run and its continuations.
    const { assert!(MAX_CONTINUATIONS + 2 < 16) };
    let error = function.handler.run(&continuation.trigger, &last, context(19)).await.unwrap_err();
    assert!(matches!(error, RunError::TooManyContinuations), "{error}");
    assert_eq!(github.statuses().last().unwrap().0, "failure");
    assert_eq!(function.run_log.entries().last().unwrap().outcome(), json!("failed"));
    assert_eq!(*function.self_invoke.runs.lock().unwrap(), [], "nothing follows");
    // The webhook may be delivered again.
    function.world.stop_faults();
    let again = function.accept(&workflow_run()).await;
    assert_eq!(outcome(&function.invoke(&again).await.unwrap()), Outcome::Live);
}

#[tokio::test]
async fn a_forged_continuation_gets_no_token() {
    let (github, attacker) = (GithubServer::start().await, GithubServer::start().await);
    github.artifact(1, "site", &zip(&[("index.html", "1")]));
    let function = function(&github, RUNS).await;
    let genuine = function.accept(&workflow_run()).await;
    let event = genuine.to_event().unwrap().to_string();
    for (from, to) in [
        (github.api.as_str(), attacker.api.as_str()),
        ("docs#token", "docs#webhook"),
        ("\"repository\":\"acme/docs\"", "\"repository\":\"acme/other\""),
    ] {
        assert!(event.contains(from), "{event}");
        let InvocationEvent::Continuation(forged) =
            read(&serde_json::from_str(&event.replace(from, to)).unwrap()).unwrap()
        else {
            panic!()
        };
        let error = function.invoke(&forged).await.unwrap_err();
        assert!(error.to_string().contains("no rule of the site `docs`"), "{error}");
    }
    assert_eq!(attacker.state().log, [] as [&str; 0]);
    assert_eq!(github.state().log, [] as [&str; 0]);
    assert_eq!(outcome(&function.invoke(&genuine).await.unwrap()), Outcome::Live);
}

/// Captures the log of everything except the AWS SDK, whose debug records the entry points never print.
#[derive(Clone, Default)]
struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl Write for LogBuffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogBuffer {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn logs_and_errors_contain_no_secret() {
    let log = LogBuffer::default();
    let filter = tracing_subscriber::EnvFilter::new(
        "trace,aws=off,aws_smithy_runtime=off,aws_smithy_runtime_api=off,aws_runtime=off,aws_sdk_s3=off,aws_sdk_secretsmanager=off,aws_sdk_sts=off,aws_credential_types=off,aws_config=off,aws_smithy_http_client=off",
    );
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(log.clone()).finish();
    // Applies to this thread only, which is where the test's runtime runs all tasks.
    let _guard = tracing::subscriber::set_default(subscriber);
    let github = GithubServer::start().await;
    github.artifact(1, "site", &zip(&[("index.html", "1")]));
    let function = function(&github, RUNS).await;
    let continuation = function.accept(&workflow_run()).await;
    github.state().errors.push_back((StatusCode::UNAUTHORIZED, Vec::new()));
    github.state().cuts.push_back(10);
    assert_eq!(outcome(&function.invoke(&continuation).await.unwrap()), Outcome::Live);
    github.state().expired_urls = true;
    let error = function.invoke(&continuation).await.unwrap_err();
    let text = format!("{}{error}{error:?}", String::from_utf8_lossy(&log.0.lock().unwrap()));
    assert!(
        text.contains("the status could not be reported to GitHub") && text.contains("retrying a request to GitHub"),
        "{text}"
    );
    assert!(text.contains("hyper"), "the log must contain the records of the HTTP client");
    for secret in [TOKEN, SIGNATURE, SECRET] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}
