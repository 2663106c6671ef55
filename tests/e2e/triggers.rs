//! From an event to a live site: uploads, webhooks, runs that are handed on, and everything that may come twice, late or wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};
use tidegate_core::config::Config;
use tidegate_core::release::ReleaseId;
use tidegate_core::report::Outcome;
use tidegate_core::timestamp::Timestamp;
use tidegate_lambda::context::InvocationContext;
use tidegate_lambda::handler::{EventHandler, RunResult, SelfInvoke};
use tidegate_lambda::run_log::{RunLog, RunLogEntry};
use tidegate_lambda::secrets::AwsSecrets;
use tidegate_lambda::trigger::{Continuation, HttpRequest, InvocationEvent, ParsedRecord, RunId, match_sites, read};
use tidegate_publish::AwsError;
use tidegate_publish::publish::Publisher;
use tidegate_tests::events::{self, sign, zip};
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::source::STAGING;
use tidegate_tests::world::INSTANT;
use tidegate_tests::{World, calls};
use tokio::time::Instant;

const CONFIGURATION: &str = r#"
state = "s3://state/tidegate/"

[[site]]
name = "docs"
builds = "s3://staging/builds/"
target = "s3://site/docs/"
lease-seconds = 5
publish-on-upload = true

[[site.sync]]
plugin = "mime"

[[site.policy]]
plugin = "guard"
settings = { max-delete-share = 1.0 }

[[site.webhook]]
provider = "github"
repository = "acme/docs"
branch = "main"
secrets = ["secretsmanager:repo/github.com/acme/docs", "ssm:/tidegate/docs"]
"#;

/// Keeps what would go to another invocation.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) runs: Mutex<Vec<Continuation>>,
    broken: Mutex<bool>,
}

#[async_trait]
impl SelfInvoke for Kept {
    async fn continue_run(&self, run: &Continuation) -> Result<(), AwsError> {
        if *self.broken.lock().unwrap() {
            let why = "throttled".to_owned();
            return Err(AwsError {
                call: "Invoke",
                subject: "tidegate".to_owned(),
                code: None,
                status: Some(429),
                why,
            });
        }
        // As it would travel.
        let event = run.to_event().unwrap();
        match read(&event).unwrap() {
            InvocationEvent::Continuation(run) => self.runs.lock().unwrap().push(*run),
            other => panic!("{other:?}"),
        }
        Ok(())
    }
}

/// Keeps what is told of runs.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<RunLogEntry>>);

impl RunLog for Told {
    fn write(&self, entry: &RunLogEntry) {
        self.0.lock().unwrap().push(entry.clone());
    }
}

pub(crate) struct Function {
    pub(crate) world: World,
    pub(crate) handler: EventHandler,
    pub(crate) kept: Arc<Kept>,
    pub(crate) told: Arc<Told>,
}

pub(crate) fn moment(seconds: u64) -> InvocationContext {
    InvocationContext {
        now: Timestamp::from_milliseconds(INSTANT),
        deadline: Instant::now() + Duration::from_secs(seconds),
    }
}

async fn function() -> Function {
    let world = World::new().await;
    let publisher = world.publisher();
    function_in(world, publisher, CONFIGURATION).await
}

/// A function of that configuration, with that publisher's credentials.
pub(crate) async fn function_in(world: World, publisher: Publisher, configuration: &str) -> Function {
    world.account.s3().create_bucket("state").await.unwrap();
    let (kept, told) = (Arc::new(Kept::default()), Arc::new(Told::default()));
    let handler = EventHandler {
        config: Arc::new(Config::parse(configuration).unwrap()),
        secrets: Arc::new(AwsSecrets::new(&publisher.connection)),
        self_invoke: kept.clone(),
        run_log: told.clone(),
        publisher,
    };
    Function { world, handler, kept, told }
}

impl Function {
    async fn stage(&self, key: &str, body: &[u8]) -> String {
        let put = self.world.client().put_object().bucket(STAGING).key(key).body(ByteStream::from(body.to_vec()));
        put.send().await.unwrap().e_tag.unwrap().trim_matches('"').to_owned()
    }

    async fn upload(&self, event: &Value) -> Vec<RunResult> {
        let InvocationEvent::Records { records, .. } = read(event).unwrap() else { panic!("{event}") };
        let mut ended = Vec::new();
        for record in records {
            let Ok(ParsedRecord::Stored(stored)) = record.content else { continue };
            for trigger in match_sites(&self.handler.config, &stored).triggers {
                ended.push(self.handler.run(&trigger, &RunId::new("run"), moment(300)).await.unwrap());
            }
        }
        ended
    }

    /// Runs what was handed on, and what that hands on, to the end.
    pub(crate) async fn drain(&self, seconds: u64) -> Vec<RunResult> {
        let mut ended = Vec::new();
        loop {
            let Some(run) = self.kept.runs.lock().unwrap().pop() else { return ended };
            ended.push(self.handler.run(&run.trigger, &run.run, moment(seconds)).await.unwrap());
        }
    }
}

fn stored(key: &str, etag: &str, second: u32, sequencer: &str) -> Value {
    events::stored(STAGING, key, etag, second, sequencer)
}

pub(crate) fn outcome(ended: &RunResult) -> Outcome {
    match ended {
        RunResult::Report(report) => report.outcome,
        RunResult::Superseded(_) => Outcome::Superseded,
        RunResult::Continued { .. } => panic!("it was handed on"),
    }
}

#[tokio::test]
async fn a_zip_that_lands_is_published_and_its_event_again_changes_nothing() {
    let function = function().await;
    let etag = function.stage("builds/one.zip", &zip(&[("index.html", "1")])).await;
    let event = stored("builds/one.zip", &etag, 1, "0055AED6DCD90281E5");
    assert_eq!(outcome(&function.upload(&event).await[0]), Outcome::Live);
    assert_eq!(function.world.site().await.keys(), ["docs/index.html"]);
    // Edge case 6: the same event once more, afterwards and at once.
    function.world.forget();
    let (first, second) = tokio::join!(function.upload(&event), function.upload(&event));
    for ended in [&first[0], &second[0]] {
        assert!(matches!(outcome(ended), Outcome::Unchanged | Outcome::Superseded), "{ended:?}");
    }
    let calls = function.world.faults.calls();
    assert!(calls::keys(&calls, "PutObject").iter().all(|key| key.starts_with("tidegate/")), "{calls:?}");
    // A newer build, then an older event that comes late (edge cases 7 and 22).
    let etag = function.stage("builds/two.zip", &zip(&[("index.html", "2")])).await;
    assert_eq!(outcome(&function.upload(&stored("builds/two.zip", &etag, 5, "01")).await[0]), Outcome::Live);
    let etag = function.stage("builds/late.zip", &zip(&[("index.html", "late")])).await;
    let late = function.upload(&stored("builds/late.zip", &etag, 3, "01")).await;
    assert_eq!(outcome(&late[0]), Outcome::Superseded, "{late:?}");
    assert_eq!(function.world.site().await.get("docs/index.html").unwrap().body.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_folder_is_published_once_its_marker_lands_and_without_it() {
    let function = function().await;
    for (key, body) in [("builds/c0ffee/index.html", "1"), ("builds/c0ffee/a/b.css", "a{}")] {
        let etag = function.stage(key, body.as_bytes()).await;
        assert!(function.upload(&stored(key, &etag, 1, "01")).await.is_empty(), "a part is no build");
    }
    let etag = function.stage("builds/c0ffee/.ready", b"").await;
    let mut event = stored("builds/c0ffee/.ready", &etag, 2, "01");
    event["Records"][0]["s3"]["object"]["size"] = json!(0);
    assert_eq!(outcome(&function.upload(&event).await[0]), Outcome::Live);
    assert_eq!(function.world.site().await.keys(), ["docs/a/b.css", "docs/index.html"]);
}

#[tokio::test]
async fn an_object_that_was_replaced_waits_for_its_own_event() {
    let function = function().await;
    let old = function.stage("builds/one.zip", &zip(&[("index.html", "1")])).await;
    let new = function.stage("builds/one.zip", &zip(&[("index.html", "2")])).await;
    let ended = function.upload(&stored("builds/one.zip", &old, 1, "01")).await;
    assert!(matches!(&ended[0], RunResult::Superseded(why) if why.contains("was replaced")), "{ended:?}");
    assert!(function.world.site().await.keys().is_empty());
    assert_eq!(outcome(&function.upload(&stored("builds/one.zip", &new, 2, "02")).await[0]), Outcome::Live);
}

#[tokio::test]
async fn a_run_without_time_is_handed_on_until_it_has_an_end() {
    let function = function().await;
    let files: Vec<(String, String)> = (0..1_500).map(|at| (format!("{at}.html"), format!("<p>{at}"))).collect();
    let named: Vec<(&str, &str)> = files.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
    let etag = function.stage("builds/large.zip", &zip(&named)).await;
    // Every page takes half a second to write, 32 at a time.
    function.world.trouble(|call| {
        let page = call.key.as_deref().is_some_and(|key| key.starts_with("docs/"));
        (page && call.operation == "PutObject").then(|| InjectedFault::Delay(Duration::from_millis(500)))
    });
    let InvocationEvent::Records { records, .. } = read(&stored("builds/large.zip", &etag, 1, "01")).unwrap() else {
        panic!()
    };
    let Ok(ParsedRecord::Stored(event)) = &records[0].content else { panic!() };
    let trigger = match_sites(&function.handler.config, event).triggers.remove(0);
    // Fifteen seconds of work for each, and fifteen to hand on; the pages alone take 23.
    let first = function.handler.run(&trigger, &RunId::new("run-1"), moment(30)).await.unwrap();
    assert!(matches!(first, RunResult::Continued { continuations: 0 }), "{first:?}");
    let ended = function.drain(30).await;
    assert!(!ended.is_empty());
    assert_eq!(outcome(ended.last().unwrap()), Outcome::Live, "{ended:?}");
    assert_eq!(function.world.site().await.objects.len(), 1_500);
}

const COMMIT: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";

fn push(secret: &str, delivery: &str, message: &str) -> HttpRequest {
    let body = events::pushed(COMMIT, message, "2026-11-22T10:00:00Z");
    let body = serde_json::to_vec(&body).unwrap();
    let signature = sign(secret, &body);
    let headers = [
        ("content-type", "application/json"),
        ("x-github-event", "push"),
        ("x-github-delivery", delivery),
        ("x-hub-signature-256", signature.as_str()),
    ];
    HttpRequest::new("POST", "/", headers, body)
}

async fn with_secrets() -> Function {
    let function = function().await;
    function.world.secrets.put("repo/github.com/acme/docs", "old secret of this hook").unwrap();
    function.world.parameters.put("/tidegate/docs", "new secret of this hook").unwrap();
    function.stage(&format!("builds/{COMMIT}.zip"), &zip(&[("index.html", "pushed")])).await;
    function
}

#[tokio::test]
async fn a_signed_push_is_accepted_at_once_and_published_by_another_invocation() {
    let function = with_secrets().await;
    let answer = function.handler.answer_webhook(&push("old secret of this hook", "d-1", "Say more"), moment(10)).await;
    assert_eq!((answer.status, answer.runs.len()), (202, 1), "{answer:?}");
    assert!(function.world.site().await.keys().is_empty(), "nothing was published yet");
    let ended = function.drain(300).await;
    assert_eq!(outcome(&ended[0]), Outcome::Live, "{ended:?}");
    // Edge case 20: the same body under another id.
    let again = function.handler.answer_webhook(&push("old secret of this hook", "d-2", "Say more"), moment(10)).await;
    assert_eq!((again.status, again.runs.len()), (200, 0), "{again:?}");
    assert!(again.message.contains(&answer.runs[0].run), "{again:?}");
    // The other secret, while both are configured.
    let other = function.handler.answer_webhook(&push("new secret of this hook", "d-3", "Say less"), moment(10)).await;
    assert_eq!(other.status, 202, "{other:?}");
    for (call, status) in [
        (push("wrong", "d-4", "x"), 401),
        (push("old secret of this hook", "d-5", "Later [skip ci]"), 200),
        (HttpRequest::new("POST", "/", [("x-github-event", "push")], b"{}".to_vec()), 401),
        (HttpRequest::new("GET", "/", [], Vec::new()), 405),
    ] {
        let answer = function.handler.answer_webhook(&call, moment(10)).await;
        assert_eq!((answer.status, answer.runs.len()), (status, 0), "{answer:?}");
    }
}

#[tokio::test]
async fn a_delivery_that_failed_runs_when_it_is_delivered_again() {
    let function = with_secrets().await;
    let call = push("old secret of this hook", "d-1", "Say more");
    // Edge case 21: the run fails, since the site cannot be written.
    assert_eq!(function.handler.answer_webhook(&call, moment(10)).await.status, 202);
    function.world.trouble(|call| {
        call.key
            .as_deref()
            .is_some_and(|key| key.starts_with("docs/"))
            .then(|| InjectedFault::answer(403, "AccessDenied"))
    });
    let ended = function.drain(300).await;
    assert!(ended[0].failed(), "{ended:?}");
    function.world.peace();
    let again = function.handler.answer_webhook(&call, moment(10)).await;
    assert_eq!(again.status, 202, "{again:?}");
    assert_eq!(outcome(&function.drain(300).await[0]), Outcome::Live);
    // Nobody takes it over: the sender is told to send it again, and may.
    let call = push("old secret of this hook", "d-2", "Say other things");
    *function.kept.broken.lock().unwrap() = true;
    assert_eq!(function.handler.answer_webhook(&call, moment(10)).await.status, 503);
    *function.kept.broken.lock().unwrap() = false;
    assert_eq!(function.handler.answer_webhook(&call, moment(10)).await.status, 202);
}

#[tokio::test]
async fn secrets_that_cannot_be_read_are_nobodys_wrong_signature() {
    let function = function().await;
    let answer = function.handler.answer_webhook(&push("any", "d-1", "x"), moment(10)).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(!answer.message.contains("repo/github.com"), "{answer:?}");
}

#[tokio::test]
async fn a_direct_invocation_publishes_what_it_names() {
    let function = function().await;
    function.stage("builds/one.zip", &zip(&[("index.html", "1")])).await;
    let event = json!({ "site": "docs", "source": "s3://staging/builds/one.zip", "release": "by hand" });
    let InvocationEvent::Direct(asked) = read(&event).unwrap() else { panic!() };
    let ended = function.handler.invoke(&asked, &RunId::new("run"), moment(300)).await.unwrap();
    assert_eq!(outcome(&ended), Outcome::Live);
    for (event, expected) in [
        (json!({ "site": "docs", "source": "/etc/site" }), "a local path"),
        (json!({ "site": "docs" }), "add a `source`"),
        (json!({ "site": "nothing" }), "`nothing`"),
    ] {
        let InvocationEvent::Direct(asked) = read(&event).unwrap() else { panic!() };
        let error = function.handler.invoke(&asked, &RunId::new("run"), moment(300)).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn every_run_is_told_and_its_report_is_kept_beside_the_release() {
    let function = function().await;
    let etag = function.stage("builds/one.zip", &zip(&[("index.html", "1")])).await;
    function.upload(&stored("builds/one.zip", &etag, 1, "01")).await;
    let late = function.stage("builds/late.zip", b"no archive").await;
    let event = json!({ "site": "docs", "source": "s3://staging/builds/late.zip" });
    // The same bytes are as wrong the next time, so nobody is to try again.
    let told = function.handler.handle(&event, "request", moment(300)).await.unwrap();
    assert_eq!(told["errorType"], "Tidegate.Artifact", "{late}: {told}");
    let told = function.told.0.lock().unwrap().clone();
    let outcomes: Vec<Value> = told.iter().map(RunLogEntry::outcome).collect();
    assert_eq!(outcomes, [json!("live"), json!("failed")]);
    assert_eq!(told[1].run, "request");
    assert!(told[1].line().contains("Tidegate.Artifact"), "{}", told[1].line());
    let first: ReleaseId = "r1".parse().unwrap();
    let key = format!("tidegate/docs/releases/{}.report.json", first.stem());
    let kept = function.world.client().get_object().bucket("state").key(key).send().await.unwrap();
    let kept: Value = serde_json::from_slice(&kept.body.collect().await.unwrap().into_bytes()).unwrap();
    assert_eq!((&kept["outcome"], &kept["done"]["written"]), (&json!("live"), &json!(1)), "{kept}");
}

#[tokio::test]
async fn only_the_messages_that_failed_come_again() {
    let function = function().await;
    let etag = function.stage("builds/one.zip", &zip(&[("index.html", "1")])).await;
    let away = function.stage("builds/away.zip", &zip(&[("index.html", "2")])).await;
    let broken = function.stage("builds/broken.zip", b"no archive").await;
    function.world.trouble(|call| {
        (call.key.as_deref() == Some("builds/away.zip")).then(|| InjectedFault::answer(403, "AccessDenied"))
    });
    let message = |id: &str, body: &Value| {
        json!({ "messageId": id, "eventSource": "aws:sqs", "body": body.to_string(), "receiptHandle": "r",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:builds" })
    };
    let event = json!({ "Records": [
        message("m-0", &stored("builds/broken.zip", &broken, 2, "01")),
        message("m-1", &stored("builds/away.zip", &away, 2, "01")),
        message("m-2", &json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": STAGING })),
        message("m-3", &stored("builds/one.zip", &etag, 1, "01")),
    ]});
    let answer = function.handler.handle(&event, "request", moment(300)).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m-1" }] }));
    assert_eq!(function.world.site().await.keys(), ["docs/index.html"]);
    // A failure without a queue fails the invocation, so that Lambda tries it again, and says whose fault it was.
    let error = function.handler.handle(&stored("builds/away.zip", &away, 3, "02"), "request", moment(300)).await;
    assert_eq!(error.unwrap_err().kind().error_type(), "Tidegate.Cloud");
}
