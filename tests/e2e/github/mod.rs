//! From a signed webhook of GitHub to a live site whose build only GitHub has, and back: statuses of commits and deployments.

mod server;

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use serde_json::{Value, json};
use tidegate_core::config::Config;
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::report::Outcome;
use tidegate_emulator::iam::ACCOUNT_ID;
use tidegate_iam::policies;
use tidegate_lambda::handler::{RunError, RunResult};
use tidegate_lambda::trigger::{ArtifactRef, Continuation, HttpRequest, InvocationEvent, read};
use tidegate_tests::World;
use tidegate_tests::events::{sign, zip};
use tidegate_tests::fault::InjectedFault;
use tracing_subscriber::fmt::MakeWriter;

use crate::triggers::{Function, function_in, moment, outcome};
use server::{Github, SIGNATURE, TOKEN};

const COMMIT: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";
const SECRET: &str = "It's a Secret to Everybody";
const ROLE: &str = "arn:aws:iam::000000000000:role/publisher";

/// A site with one rule, whose API is this server.
fn configuration(github: &Github, rule: &str) -> String {
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

const RUNS: &str = "events = [\"workflow_run\"]\nbranch = \"main\"\npublish = \"artifact\"\nartifact = \"site\"\nstatus = \"commit\"\nsite-url = \"https://docs.acme.com/\"";
const RELEASES: &str = "events = [\"release\"]\ntag = \"v*\"\npublish = \"artifact\"\nartifact = \"site-*.zip\"";

/// The function with the execution role that `policy lambda` prints and nothing else, and the publisher's that `policy site` prints.
async fn function(github: &Github, rule: &str) -> Function {
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
    let standing = policies::lambda(&[docs], ACCOUNT_ID, "us-east-1", "tidegate").document.compact().unwrap();
    iam.create_user("function", &[("standing", &standing)]).unwrap();
    let credentials = iam.create_access_key("function").unwrap().credentials();
    let stored = json!({ "webhook": SECRET, "token": TOKEN }).to_string();
    world.secrets.put("repo/github.com/acme/docs", stored.as_str()).unwrap();
    let publisher = world.publisher_with(credentials, 1);
    function_in(world, publisher, &text).await
}

fn call(event: &str, body: &Value) -> HttpRequest {
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

fn run() -> HttpRequest {
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
    call("workflow_run", &body)
}

fn release() -> HttpRequest {
    let body = json!({
        "action": "published",
        "repository": { "full_name": "acme/docs" },
        "release": { "id": 9, "tag_name": "v1", "draft": false, "published_at": "2026-11-22T10:00:00Z" },
    });
    call("release", &body)
}

fn deployment() -> HttpRequest {
    let body = json!({
        "action": "created",
        "repository": { "full_name": "acme/docs" },
        "deployment": {
            "id": 11, "sha": COMMIT, "ref": "main", "environment": "production", "created_at": "2026-11-22T10:00:00Z",
        },
        "workflow_run": null,
    });
    call("deployment", &body)
}

impl Function {
    /// Accepts a webhook and takes what it hands on.
    async fn accept(&self, call: &HttpRequest) -> Continuation {
        let answer = self.handler.answer_webhook(call, moment(10)).await;
        assert_eq!((answer.status, answer.runs.len()), (202, 1), "{answer:?}");
        self.kept.runs.lock().unwrap().pop().unwrap()
    }

    /// One invocation.
    async fn invoke(&self, run: &Continuation) -> Result<RunResult, RunError> {
        self.handler.run(&run.trigger, &run.run, moment(300)).await
    }

    async fn fails(&self, call: &HttpRequest) -> RunError {
        let run = self.accept(call).await;
        self.invoke(&run).await.unwrap_err()
    }

    async fn page(&self) -> Option<String> {
        self.world.site().await.get("docs/index.html").and_then(|object| object.body.clone())
    }

    /// What lies in the state besides what releases and deliveries leave there.
    async fn fetched(&self) -> Vec<String> {
        let listed =
            self.world.client().list_objects_v2().bucket("state").prefix("tidegate/docs/fetched/").send().await;
        listed.unwrap().contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    /// Uploads that were begun and neither finished nor given up.
    async fn unfinished(&self) -> usize {
        self.world.client().list_multipart_uploads().bucket("state").send().await.unwrap().uploads().len()
    }
}

/// Bytes that do not shrink, so that a zip of them is larger than one part of an upload.
fn noise(length: usize) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    (0..length).map(|_| char::from(random.u8(33..127))).collect()
}

#[tokio::test]
async fn an_artifact_of_a_run_is_fetched_published_and_reported() {
    let github = Github::start().await;
    let (small, large) =
        (zip(&[("index.html", "small")]), zip(&[("index.html", "large"), ("noise.txt", &noise(12 << 20))]));
    assert!(large.len() > 8 << 20, "{}", large.len());
    github.artifact(1, "site", &large);
    github.artifact(2, "coverage", &small);
    let function = function(&github, RUNS).await;
    let run = function.accept(&run()).await;
    assert!(matches!(run.trigger.artifact, ArtifactRef::GithubFile(_)));
    assert_eq!(github.told(), [], "nothing is reported before the run begins");
    let ended = function.invoke(&run).await.unwrap();
    assert_eq!(outcome(&ended), Outcome::Live, "{ended:?}");
    assert_eq!(function.page().await.as_deref(), Some("large"));
    assert_eq!(function.fetched().await, [] as [&str; 0], "it goes with the run that published it");
    assert_eq!(github.downloads(), 1);
    let told = github.known().statuses.clone();
    let path = format!("/repos/acme/docs/statuses/{COMMIT}");
    assert!(told.iter().all(|(to, body)| *to == path && body["context"] == "tidegate/docs"), "{told:?}");
    assert!(told.iter().all(|(_, body)| body["target_url"] == "https://docs.acme.com/"), "{told:?}");
    assert_eq!(
        github.told(),
        [("pending", "publishing"), ("success", "live: 2 written, 0 deleted")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
}

#[tokio::test]
async fn a_file_is_found_on_any_page_and_the_newest_attempt_counts() {
    let github = Github::start().await;
    for id in 100..220 {
        github.artifact(id, &format!("log-{id}"), b"x");
    }
    github.artifact(300, "site-html", &zip(&[("index.html", "first attempt")]));
    github.artifact(301, "site-html", &zip(&[("index.html", "second attempt")]));
    let function = function(&github, &RUNS.replace("\"site\"", "\"site-*\"")).await;
    let handed = function.accept(&run()).await;
    assert_eq!(outcome(&function.invoke(&handed).await.unwrap()), Outcome::Live);
    assert_eq!(function.page().await.as_deref(), Some("second attempt"));
    let lists = github.known().log.iter().filter(|line| line.contains("/actions/runs/7/artifacts 200")).count();
    assert_eq!(lists, 2);
}

#[tokio::test]
async fn an_asset_of_a_release_is_fetched_and_published() {
    let github = Github::start().await;
    github.asset(21, "site-v1.zip", &zip(&[("index.html", "released")]));
    github.asset(22, "SHA256SUMS", b"x");
    let function = function(&github, RELEASES).await;
    let handed = function.accept(&release()).await;
    let RunResult::Report(report) = function.invoke(&handed).await.unwrap() else { panic!() };
    assert_eq!((report.outcome, report.release.as_str()), (Outcome::Live, "v1"));
    assert_eq!(function.page().await.as_deref(), Some("released"));
    assert_eq!(github.told(), [], "nobody wished for a status");
}

#[tokio::test]
async fn a_download_that_is_cut_is_asked_for_again_with_a_new_address() {
    let github = Github::start().await;
    let large = zip(&[("index.html", "whole"), ("noise.txt", &noise(12 << 20))]);
    github.artifact(1, "site", &large);
    // In the first request of the upload, and after it was begun in parts.
    github.known().cuts.extend([1_000, 9 << 20]);
    let function = function(&github, RUNS).await;
    let handed = function.accept(&run()).await;
    assert_eq!(outcome(&function.invoke(&handed).await.unwrap()), Outcome::Live);
    assert_eq!((function.page().await.as_deref(), github.downloads()), (Some("whole"), 3));
    assert_eq!(function.unfinished().await, 0);
}

#[tokio::test]
async fn what_is_not_what_github_announced_is_not_published() {
    let whole = zip(&[("index.html", "1"), ("noise.txt", &noise(12 << 20))]);
    let other = [&whole[..whole.len() - 1], b"x"].concat();
    let longer = [&whole[..], b"x"].concat();
    for (sent, unmeasured, why) in [
        (&other, false, "SHA-256"),
        (&longer, true, "more than"),
        (&whole[..whole.len() - 1].to_vec(), true, "instead of"),
    ] {
        let github = Github::start().await;
        github.artifact(1, "site", &whole);
        github.known().bodies.insert(1, sent.clone());
        github.known().unmeasured = unmeasured;
        let function = function(&github, RUNS).await;
        let error = function.fails(&run()).await;
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(error.kind(), ErrorKind::Cloud);
        assert_eq!(
            (function.page().await, function.fetched().await, function.unfinished().await),
            (None, Vec::new(), 0)
        );
        assert_eq!(github.downloads(), 1, "what is wrong is not fetched again by the same run");
        assert_eq!(github.told().last().unwrap().0, "failure");
    }
}

#[tokio::test]
async fn an_artifact_without_a_digest_is_as_long_as_its_answer_says() {
    let github = Github::start().await;
    github.artifact(1, "site", &zip(&[("index.html", "1")]));
    // What old versions of `upload-artifact` stored: the size of the unpacked files, and no digest.
    let old = |known: &mut server::Known| {
        let artifact = &mut known.artifacts.get_mut(&7).unwrap()[0];
        artifact["size_in_bytes"] = json!(1);
        artifact["digest"] = Value::Null;
    };
    old(&mut github.known());
    let function = function(&github, RUNS).await;
    let handed = function.accept(&run()).await;
    assert_eq!(outcome(&function.invoke(&handed).await.unwrap()), Outcome::Live);
}

#[tokio::test]
async fn a_run_that_comes_again_finds_what_was_fetched() {
    let github = Github::start().await;
    github.artifact(1, "site", &zip(&[("index.html", "1")]));
    let function = function(&github, RUNS).await;
    let handed = function.accept(&run()).await;
    function.world.trouble(|call| {
        call.key.as_deref().is_some_and(|key| key.starts_with("docs/")).then(|| InjectedFault::answer(503, "SlowDown"))
    });
    assert!(function.invoke(&handed).await.unwrap().failed());
    assert_eq!(function.fetched().await.len(), 1);
    function.world.peace();
    assert_eq!(outcome(&function.invoke(&handed).await.unwrap()), Outcome::Live);
    assert_eq!((github.downloads(), function.fetched().await.len()), (1, 0));
    let states: Vec<String> = github.told().into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, ["pending", "failure", "pending", "success"]);
    // Once more, when it is live already.
    assert_eq!(outcome(&function.invoke(&handed).await.unwrap()), Outcome::Unchanged);
    assert_eq!(function.fetched().await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_run_that_is_handed_on_reads_what_the_first_one_fetched() {
    let github = Github::start().await;
    let files: Vec<(String, String)> = (0..600).map(|at| (format!("{at}.html"), format!("<p>{at}"))).collect();
    let named: Vec<(&str, &str)> = files.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
    github.artifact(1, "site", &zip(&named));
    // The second one waits until the lease of the first one is over.
    let brief = configuration(&github, RUNS).replace("lease-seconds = 60", "lease-seconds = 5");
    let function = function_of(brief).await;
    let handed = function.accept(&run()).await;
    function.world.trouble(|call| {
        let page = call.key.as_deref().is_some_and(|key| key.starts_with("docs/"));
        (page && call.operation == "PutObject").then(|| InjectedFault::Delay(std::time::Duration::from_secs(1)))
    });
    // Eight seconds of work, and fifteen to hand on.
    let first = function.handler.run(&handed.trigger, &handed.run, moment(23)).await.unwrap();
    assert!(matches!(first, RunResult::Continued { continuations: 0 }), "{first:?}");
    assert_eq!(github.told().len(), 1, "it is still under way");
    function.world.peace();
    let ended = function.drain(300).await;
    assert_eq!(outcome(ended.last().unwrap()), Outcome::Live);
    assert_eq!((github.downloads(), function.fetched().await.len()), (1, 0));
    let states: Vec<String> = github.told().into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, ["pending", "success"]);
}

#[tokio::test]
async fn files_that_cannot_be_had_are_told_in_one_sentence() {
    let spoil = |name: &'static str, value: Value| {
        move |known: &mut server::Known| {
            for artifact in known.artifacts.get_mut(&7).unwrap() {
                artifact[name] = value.clone();
            }
        }
    };
    type Spoil = Box<dyn Fn(&mut server::Known)>;
    let cases: [(Spoil, &str, ErrorKind); 6] = [
        (
            Box::new(spoil("expired", json!(true))),
            "the artifact `site` has expired at GitHub; run the workflow again",
            ErrorKind::Configuration,
        ),
        (Box::new(spoil("size_in_bytes", json!(11_u64 << 30))), "upload it to S3", ErrorKind::Configuration),
        (Box::new(spoil("name", json!("si\nte"))), "has no file `site`; available: none", ErrorKind::Configuration),
        (Box::new(spoil("id", json!("one"))), "cannot read GitHub's list of files", ErrorKind::Cloud),
        (Box::new(|known| known.stale = true), "HTTP status 403", ErrorKind::Cloud),
        (Box::new(|known| known.bodies.clear()), "HTTP status 404 and `Not Found`", ErrorKind::Configuration),
    ];
    for (spoil, told, blame) in cases {
        let github = Github::start().await;
        github.artifact(1, "site", &zip(&[("index.html", "1")]));
        spoil(&mut github.known());
        let function = function(&github, RUNS).await;
        let error = function.fails(&run()).await;
        assert!(error.to_string().contains(told), "{told}: {error}");
        assert_eq!(error.kind(), blame, "{error}");
        assert!(!error.to_string().contains(SIGNATURE) && !error.to_string().contains('\n'), "{error}");
        assert_eq!((function.page().await, function.fetched().await), (None, Vec::new()));
        let (state, description) = github.told().pop().unwrap();
        assert_eq!(state, "failure");
        assert!(
            description.starts_with("failed; see the log of the run ") && !description.contains("artifact"),
            "{description}"
        );
    }
    let github = Github::start().await;
    github.asset(21, "site-a.zip", b"x");
    github.asset(22, "site-b.zip", b"x");
    let function = function(&github, RELEASES).await;
    let error = function.fails(&release()).await.to_string();
    assert!(error.contains("several files that match `site-*.zip`: `site-a.zip`, `site-b.zip`"), "{error}");
}

#[tokio::test]
async fn limits_are_waited_for_where_there_is_time_and_told_where_there_is_none() {
    let github = Github::start().await;
    github.artifact(1, "site", &zip(&[("index.html", "1")]));
    let function = function(&github, RUNS.split("\nstatus").next().unwrap()).await;
    let limited = |name, value: &str| {
        (StatusCode::FORBIDDEN, vec![("x-ratelimit-remaining", "0".to_owned()), (name, value.to_owned())])
    };
    github.known().troubles.extend([
        (StatusCode::TOO_MANY_REQUESTS, vec![("retry-after", "0".to_owned())]),
        limited("x-ratelimit-reset", "1"),
        (StatusCode::BAD_GATEWAY, Vec::new()),
    ]);
    let handed = function.accept(&run()).await;
    assert_eq!(outcome(&function.invoke(&handed).await.unwrap()), Outcome::Live);
    // An hour is longer than any invocation: Lambda is to start the run again.
    github.known().troubles.push_back((StatusCode::TOO_MANY_REQUESTS, vec![("retry-after", "3600".to_owned())]));
    let error = function.invoke(&handed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cloud);
    assert!(error.to_string().contains("no more requests for 3600 seconds"), "{error}");
    // A refusal is nobody's limit.
    github.known().troubles.push_back((StatusCode::FORBIDDEN, vec![("x-ratelimit-remaining", "17".to_owned())]));
    assert_eq!(function.invoke(&handed).await.unwrap_err().kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn a_denial_is_a_failure_with_the_count_of_its_findings() {
    let github = Github::start().await;
    github.artifact(1, "site", &zip(&[("index.html", "1"), ("a.key", "x"), ("b.key", "x")]));
    let function = function(&github, RUNS).await;
    let handed = function.accept(&run()).await;
    assert_eq!(outcome(&function.invoke(&handed).await.unwrap()), Outcome::Denied);
    let (state, description) = github.told().pop().unwrap();
    assert_eq!(
        (state.as_str(), description.as_str()),
        ("failure", "denied by policy; nothing was changed: 2 findings")
    );
    assert_eq!((function.page().await, function.fetched().await), (None, Vec::new()));
}

#[tokio::test]
async fn a_deployment_is_told_how_it_went_and_what_cannot_be_told_fails_nothing() {
    let rule = "events = [\"deployment\"]\nenvironment = \"production\"\nstatus = \"deployment\"\nsite-url = \"https://docs.acme.com/\"";
    let github = Github::start().await;
    let function = function(&github, rule).await;
    let put = function.world.client().put_object().bucket("staging").key(format!("builds/{COMMIT}.zip"));
    put.body(zip(&[("index.html", "1")]).into()).send().await.unwrap();
    let handed = function.accept(&deployment()).await;
    assert_eq!(outcome(&function.invoke(&handed).await.unwrap()), Outcome::Live);
    let told = github.known().statuses.clone();
    assert!(told.iter().all(|(to, _)| to == "/repos/acme/docs/deployments/11/statuses"), "{told:?}");
    assert_eq!(told[0].1, json!({ "state": "in_progress", "description": "publishing" }));
    assert_eq!(told[1].1["state"], "success");
    assert_eq!(told[1].1["environment_url"], "https://docs.acme.com/");
    // A token that was taken back: the run is as good as before.
    github.known().troubles.extend([(StatusCode::UNAUTHORIZED, Vec::new()), (StatusCode::NOT_FOUND, Vec::new())]);
    assert_eq!(outcome(&function.invoke(&handed).await.unwrap()), Outcome::Unchanged);
    assert_eq!(github.told().len(), 2);
}

#[tokio::test]
async fn a_made_up_run_gets_no_token() {
    let (github, stranger) = (Github::start().await, Github::start().await);
    github.artifact(1, "site", &zip(&[("index.html", "1")]));
    let function = function(&github, RUNS).await;
    let honest = function.accept(&run()).await;
    let event = honest.to_event().unwrap().to_string();
    for (from, to) in [
        (github.api.as_str(), stranger.api.as_str()),
        ("docs#token", "docs#webhook"),
        ("\"repository\":\"acme/docs\"", "\"repository\":\"acme/other\""),
    ] {
        assert!(event.contains(from), "{event}");
        let InvocationEvent::Continuation(made_up) =
            read(&serde_json::from_str(&event.replace(from, to)).unwrap()).unwrap()
        else {
            panic!()
        };
        let error = function.invoke(&made_up).await.unwrap_err();
        assert!(error.to_string().contains("no rule of the site `docs`"), "{error}");
    }
    assert_eq!(stranger.known().log, [] as [&str; 0]);
    assert_eq!(github.known().log, [] as [&str; 0]);
    assert_eq!(outcome(&function.invoke(&honest).await.unwrap()), Outcome::Live);
}

/// Everything that is logged, by whomever but AWS's SDK, whose debug records no entry shows.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_log_and_no_error_holds_a_secret() {
    let log = Log::default();
    let filter = tracing_subscriber::EnvFilter::new(
        "trace,aws=off,aws_smithy_runtime=off,aws_smithy_runtime_api=off,aws_runtime=off,aws_sdk_s3=off,aws_sdk_secretsmanager=off,aws_sdk_sts=off,aws_credential_types=off,aws_config=off,aws_smithy_http_client=off",
    );
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(log.clone()).finish();
    // For this test's thread, on which its runtime runs everything.
    let _guard = tracing::subscriber::set_default(subscriber);
    let github = Github::start().await;
    github.artifact(1, "site", &zip(&[("index.html", "1")]));
    let function = function(&github, RUNS).await;
    let handed = function.accept(&run()).await;
    github.known().troubles.push_back((StatusCode::UNAUTHORIZED, Vec::new()));
    github.known().cuts.push_back(10);
    assert_eq!(outcome(&function.invoke(&handed).await.unwrap()), Outcome::Live);
    github.known().stale = true;
    let error = function.invoke(&handed).await.unwrap_err();
    let told = format!("{}{error}{error:?}", String::from_utf8_lossy(&log.0.lock().unwrap()));
    assert!(
        told.contains("the status could not be reported to GitHub") && told.contains("retrying a request to GitHub"),
        "{told}"
    );
    assert!(told.contains("hyper"), "the records of the client are among them");
    for secret in [TOKEN, SIGNATURE, SECRET] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
}
