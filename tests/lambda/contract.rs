//! What the function answers, logs and publishes: uploads, webhooks, denials, failures, timeouts and concurrency.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::primitives::ByteStream;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_core::config::FunctionConfig;
use tidegate_emulator::iam::ACCOUNT_ID;
use tidegate_iam::policies;
use tidegate_tests::World;
use tidegate_tests::deployed::{package, unpack};
use tidegate_tests::events::{self, sign, zip};
use tidegate_tests::source::STAGING;
use tokio::net::TcpListener;

use crate::lambda::{EndedLambda, LambdaProcess, NAME};

const CONFIGURATION: &str = r#"
state = "s3://state/tidegate/"

[function]
engine = "lambda"

[[site]]
name = "docs"
builds = "s3://staging/builds/"
target = "s3://site/docs/"
role = "arn:aws:iam::000000000000:role/publisher"
cdn = [{ distribution = "E2EXAMPLE", origin-path = "/docs" }]
lease-seconds = 10
publish-on-upload = true

[[site.sync]]
plugin = "exclude"
settings = { globs = ["drafts/**"] }

[[site.sync]]
plugin = "rewrite"

[[site.sync]]
plugin = "mime"

[[site.sync]]
plugin = "headers"

[[site.policy]]
plugin = "guard"
settings = { required = ["index.html"], max-delete-share = 1.0 }

[[site.webhook]]
provider = "github"
repository = "acme/docs"
branch = "main"
secrets = ["secretsmanager:repo/github.com/acme/docs"]
"#;

const SECRET: &str = "not-to-be-printed";

/// How AWS answers writes to the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writes {
    Normal,
    /// Every write takes this long.
    Slow(Duration),
    /// Every write is denied.
    Denied,
}

struct LambdaFixture {
    world: World,
    writes: Arc<Mutex<Writes>>,
    aws: String,
    root: TempDir,
    credentials: Credentials,
}

async fn intercept(writes: Arc<Mutex<Writes>>, request: Request, next: Next) -> Response {
    let write = request.method() == Method::PUT && request.uri().path().starts_with("/site/docs/");
    let behavior = *writes.lock().unwrap();
    match behavior {
        Writes::Slow(delay) if write => tokio::time::sleep(delay).await,
        Writes::Denied if write => {
            let body = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
            return (StatusCode::FORBIDDEN, body).into_response();
        }
        _ => {}
    }
    next.run(request).await
}

impl LambdaFixture {
    /// An account with exactly what the function needs, and the permissions that `tidegate policy` prints.
    async fn new() -> Self {
        let world = World::new().await;
        world.account.s3().create_bucket("state").await.unwrap();
        world.secrets.put("repo/github.com/acme/docs", SECRET).unwrap();
        let site = tidegate_tests::world::site(CONFIGURATION);
        let trust = policies::trust_account(&format!("arn:aws:iam::{ACCOUNT_ID}:root")).document.compact().unwrap();
        let publisher = policies::site(&site, ACCOUNT_ID, &[]).document.compact().unwrap();
        world.account.iam().create_role("publisher", &trust, &[("site", &publisher)]).unwrap();
        let settings = FunctionConfig { name: NAME.to_owned().try_into().unwrap(), ..FunctionConfig::default() };
        let execution = policies::lambda(&[&site], ACCOUNT_ID, "us-east-1", &settings).document.compact().unwrap();
        world.account.iam().create_user("function", &[("execution", &execution)]).unwrap();
        let credentials = world.account.iam().create_access_key("function").unwrap().credentials();

        let writes = Arc::new(Mutex::new(Writes::Normal));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let aws = format!("http://{}", listener.local_addr().unwrap());
        let intercepted = Arc::clone(&writes);
        let router = world.account.router().layer(middleware::from_fn(move |request: Request, next: Next| {
            intercept(Arc::clone(&intercepted), request, next)
        }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let root = TempDir::new().unwrap();
        unpack(&package(CONFIGURATION), root.path());
        Self { world, writes, aws, root, credentials }
    }

    async fn start(&self, seconds: u64) -> LambdaProcess {
        LambdaProcess::start(self.root.path(), seconds, &self.aws, &self.credentials).await
    }

    /// Uploads a zip and returns its event.
    async fn upload(&self, name: &str, second: u32, files: &[(&str, &str)]) -> Value {
        let key = format!("builds/{name}.zip");
        let put = self.world.client().put_object().bucket(STAGING).key(&key).body(ByteStream::from(zip(files)));
        let etag = put.send().await.unwrap().e_tag.unwrap();
        event(&key, etag.trim_matches('"'), second)
    }

    async fn keys(&self) -> Vec<String> {
        self.world.site().await.keys().into_iter().map(str::to_owned).collect()
    }
}

fn event(key: &str, etag: &str, second: u32) -> Value {
    events::stored(STAGING, key, etag, second, &format!("{second:016X}"))
}

/// A webhook as a function URL delivers it.
fn push(commit: &str) -> Value {
    let body = events::pushed(commit, "Say more", "2026-11-22T10:00:30Z").to_string();
    json!({
        "version": "2.0", "rawPath": "/",
        "headers": {
            "content-type": "application/json", "x-github-event": "push", "x-github-delivery": "d-1",
            "x-hub-signature-256": sign(SECRET, body.as_bytes()),
        },
        "requestContext": { "http": { "method": "POST", "path": "/" } },
        "body": body, "isBase64Encoded": false,
    })
}

/// The lines of a log. Asserts that each is JSON without control characters and without the secret.
fn lines(ended: &EndedLambda) -> Vec<Value> {
    assert_eq!(ended.stderr, "");
    let read = |line: &String| -> Value {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(!line.contains(SECRET), "{line}");
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    ended.log.iter().map(read).collect()
}

fn runs(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter(|line| line["message"] == "run").collect()
}

#[tokio::test]
async fn publishes_an_upload_and_logs_two_lines() {
    let fixture = LambdaFixture::new().await;
    let mut function = fixture.start(60).await;
    let upload = fixture.upload("one", 1, &[("index.html", "<p>1"), ("drafts/x.html", "x"), ("a.css", "a{}")]).await;
    let answer = function.invoke(upload.clone()).await.unwrap();
    assert_eq!(answer[0]["outcome"], "live", "{answer}");
    assert_eq!(fixture.keys().await, ["docs/a.css", "docs/index.html"]);
    // The same event again, and one whose key has terminal escape sequences.
    assert_eq!(function.invoke(upload).await.unwrap()[0]["outcome"], "unchanged");
    assert_eq!(function.invoke(event("builds/%1B%5B2J%0Aevil.zip", "0", 2)).await.unwrap(), json!([]));
    let lines = lines(&function.stop().await);
    let runs = runs(&lines);
    assert_eq!(runs.iter().map(|run| &run["outcome"]).collect::<Vec<_>>(), ["live", "unchanged"]);
    assert_eq!((&runs[0]["site"], &runs[0]["release"]), (&json!("docs"), &json!("one")));
    assert_eq!(runs[0]["report"]["done"]["written"], 2);
    let metrics: Vec<&Value> = lines.iter().filter(|line| line.get("_aws").is_some()).collect();
    assert_eq!(metrics.iter().map(|line| &line["ObjectsWritten"]).collect::<Vec<_>>(), [2, 0]);
    assert!(metrics[0]["PluginFuel"].as_u64().unwrap() > 0, "{}", metrics[0]);
    assert_eq!(metrics[0]["Plugins"].as_object().unwrap().len(), 5, "{}", metrics[0]);
}

#[tokio::test]
async fn answers_a_denial_and_fails_with_the_error_kind() {
    let fixture = LambdaFixture::new().await;
    let mut function = fixture.start(60).await;
    let denied = fixture.upload("bare", 1, &[("a.css", "a{}")]).await;
    assert_eq!(function.invoke(denied).await.unwrap()[0]["outcome"], "denied");
    assert_eq!(fixture.keys().await, Vec::<String>::new());
    let error_type = |answer: Result<Value, Value>| answer.unwrap_err()["errorType"].as_str().unwrap().to_owned();
    assert_eq!(error_type(function.invoke(json!({ "what": 1 })).await), "Tidegate.Configuration");
    assert_eq!(error_type(function.invoke(json!([])).await), "Tidegate.Configuration");
    assert_eq!(error_type(function.invoke(json!({ "site": "other" })).await), "Tidegate.Configuration");
    let fine = fixture.upload("fine", 2, &[("index.html", "1")]).await;
    *fixture.writes.lock().unwrap() = Writes::Denied;
    assert_eq!(error_type(function.invoke(fine.clone()).await), "Tidegate.Cloud");
    // A failure of AWS is the only one that a retry can fix.
    *fixture.writes.lock().unwrap() = Writes::Normal;
    assert_eq!(function.invoke(fine).await.unwrap()[0]["outcome"], "live");
    let lines = lines(&function.stop().await);
    let levels: Vec<_> = runs(&lines).iter().map(|run| (run["level"].clone(), run["outcome"].clone())).collect();
    let run = |level: &str, outcome: &str| (json!(level), json!(outcome));
    assert_eq!(levels, [run("INFO", "denied"), run("ERROR", "failed"), run("INFO", "live")]);
}

#[tokio::test]
async fn answers_a_webhook_before_it_publishes() {
    let fixture = LambdaFixture::new().await;
    let commit = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";
    fixture.upload(commit, 1, &[("index.html", "pushed")]).await;
    let mut function = fixture.start(60).await;
    let answer = function.invoke(push(commit)).await.unwrap();
    assert_eq!((&answer["statusCode"], &answer["isBase64Encoded"]), (&json!(202), &json!(false)), "{answer}");
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    let run = body["runs"][0]["run"].as_str().unwrap().to_owned();
    let ended = function.idle().await;
    assert_eq!(ended.last().unwrap().as_ref().unwrap()["outcome"], "live", "{ended:?}");
    assert_eq!(fixture.keys().await, ["docs/index.html"]);
    let again = function.invoke(push(commit)).await.unwrap();
    assert!(again["statusCode"] == 200 && again["body"].as_str().unwrap().contains(&run), "{again}");
    let mut forged = push(commit);
    forged["body"] = json!(forged["body"].as_str().unwrap().replace("Say more", "Say less"));
    assert_eq!(function.invoke(forged).await.unwrap()["statusCode"], 401);
    let lines = lines(&function.stop().await);
    assert_eq!(runs(&lines).iter().map(|line| &line["run"]).collect::<Vec<_>>(), [&json!(run)]);
}

fn pages(count: usize) -> Vec<(String, String)> {
    let page = |at| (format!("{at}.html"), format!("<p>{at}"));
    (0..count).map(page).chain([("index.html".to_owned(), "<p>".to_owned())]).collect()
}

fn named(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect()
}

#[tokio::test]
async fn continues_a_long_run_in_other_invocations() {
    let fixture = LambdaFixture::new().await;
    let upload = fixture.upload("large", 1, &named(&pages(400))).await;
    *fixture.writes.lock().unwrap() = Writes::Slow(Duration::from_secs(1));
    // 8 seconds to work and 15 to continue. The pages alone take 12 seconds, 32 at a time.
    let mut function = fixture.start(23).await;
    let first = function.invoke(upload).await.unwrap();
    assert_eq!(first[0]["outcome"], "continued", "{first}");
    let ended = function.idle().await;
    assert_eq!(ended.last().unwrap().as_ref().unwrap()["outcome"], "live", "{:?}", ended.last());
    assert_eq!(fixture.keys().await.len(), 401);
    let lines = lines(&function.stop().await);
    let runs = runs(&lines);
    assert!(runs.iter().all(|run| run["run"] == runs[0]["run"]), "all parts have the id of the run");
    let continuations: Vec<u64> = runs.iter().map(|run| run["continuations"].as_u64().unwrap()).collect();
    assert_eq!(continuations, (0..continuations.len() as u64).collect::<Vec<_>>());
    assert!(continuations.len() > 1);
}

#[tokio::test]
async fn a_run_that_never_ends_is_reported_before_lambda_drops_it() {
    let fixture = LambdaFixture::new().await;
    let files = pages(800);
    let upload = fixture.upload("endless", 1, &named(&files)).await;
    *fixture.writes.lock().unwrap() = Writes::Slow(Duration::from_secs(1));
    // A second to work and 15 to continue. The pages take 25 seconds, 32 at a time.
    let mut function = fixture.start(16).await;
    let first = function.invoke(upload).await.unwrap();
    assert_eq!(first[0]["outcome"], "continued", "{first}");
    let ended = function.idle().await;
    let error = ended.last().unwrap().as_ref().unwrap_err()["errorMessage"].as_str().unwrap().to_owned();
    assert!(error.contains("the run did not finish after 12 continuations"), "{error}");
    let stopped = function.stop().await;
    assert_eq!(stopped.dropped, 0, "Lambda dropped a continuation");
    let lines = lines(&stopped);
    let last = runs(&lines).last().unwrap()["continuations"].as_u64();
    assert_eq!(last, Some(12));
}

#[tokio::test]
async fn concurrent_and_killed_functions_leave_a_complete_site() {
    let fixture = LambdaFixture::new().await;
    let files = pages(60);
    let upload = fixture.upload("one", 1, &named(&files)).await;
    *fixture.writes.lock().unwrap() = Writes::Slow(Duration::from_millis(250));
    // Killed in the middle, as by a timeout.
    let mut killed = fixture.start(60).await;
    tokio::select! {
        answer = killed.invoke(upload.clone()) => panic!("it should be killed first: {answer:?}"),
        () = async { while fixture.keys().await.is_empty() { tokio::time::sleep(Duration::from_millis(10)).await } } => {}
    }
    killed.stop().await;
    assert!((1..61).contains(&fixture.keys().await.len()));
    // Lambda retries the event, and also delivers it a second time.
    let (mut first_function, mut second_function) = (fixture.start(60).await, fixture.start(60).await);
    let (first, second) = tokio::join!(first_function.invoke(upload.clone()), second_function.invoke(upload));
    let mut outcomes: Vec<String> =
        [first, second].into_iter().map(|answer| answer.unwrap()[0]["outcome"].as_str().unwrap().to_owned()).collect();
    outcomes.sort();
    assert_eq!(outcomes, ["live", "unchanged"]);
    assert_eq!(fixture.keys().await.len(), 61);
    drop((first_function.stop().await, second_function.stop().await));
}
