//! The Lambda's event handler: uploads, webhooks, continuations, and events that are repeated, late or invalid.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

pub(crate) const CONFIGURATION: &str = r#"
state = "s3://state/tidegate/"

[[site]]
name = "docs"
builds = "s3://staging/builds/"
target = "s3://site/docs/"
lease-seconds = 60
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

/// Records the continuations that would invoke the function again.
#[derive(Default)]
pub(crate) struct SelfInvokeRecorder {
    pub(crate) runs: Mutex<Vec<Continuation>>,
    /// Whether invocations fail.
    throttled: Mutex<bool>,
}

#[async_trait]
impl SelfInvoke for SelfInvokeRecorder {
    async fn continue_run(&self, run: &Continuation) -> Result<(), AwsError> {
        if *self.throttled.lock().unwrap() {
            let why = "throttled".to_owned();
            return Err(AwsError {
                call: "Invoke",
                subject: "tidegate".to_owned(),
                code: None,
                status: Some(429),
                why,
            });
        }
        // Serialize and parse it, as the invocation would.
        let event = run.to_event().unwrap();
        match read(&event).unwrap() {
            InvocationEvent::Continuation(run) => self.runs.lock().unwrap().push(*run),
            other => panic!("{other:?}"),
        }
        Ok(())
    }
}

/// Records the entries of the run log.
#[derive(Default)]
pub(crate) struct RunLogRecorder(Mutex<Vec<RunLogEntry>>);

impl RunLogRecorder {
    pub(crate) fn entries(&self) -> Vec<RunLogEntry> {
        self.0.lock().unwrap().clone()
    }
}

impl RunLog for RunLogRecorder {
    fn write(&self, entry: &RunLogEntry) {
        self.0.lock().unwrap().push(entry.clone());
    }
}

/// The event handler in a world of its own.
pub(crate) struct Function {
    pub(crate) world: World,
    pub(crate) handler: EventHandler,
    pub(crate) self_invoke: Arc<SelfInvokeRecorder>,
    pub(crate) run_log: Arc<RunLogRecorder>,
}

/// The context of an invocation that times out in `seconds`.
pub(crate) fn context(seconds: u64) -> InvocationContext {
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

/// A function with this configuration and the credentials of this publisher.
pub(crate) async fn function_in(world: World, publisher: Publisher, configuration: &str) -> Function {
    world.account.s3().create_bucket("state").await.unwrap();
    let (self_invoke, run_log) = (Arc::new(SelfInvokeRecorder::default()), Arc::new(RunLogRecorder::default()));
    let handler = EventHandler {
        config: Arc::new(Config::parse(configuration).unwrap()),
        secrets: Arc::new(AwsSecrets::new(&publisher.connection)),
        offline_github: None,
        self_invoke: self_invoke.clone(),
        executions: None,
        run_log: run_log.clone(),
        publisher,
    };
    Function { world, handler, self_invoke, run_log }
}

impl Function {
    /// Writes an object to the staging bucket and returns its ETag.
    pub(crate) async fn stage(&self, key: &str, body: &[u8]) -> String {
        let put = self.world.client().put_object().bucket(STAGING).key(key).body(ByteStream::from(body.to_vec()));
        put.send().await.unwrap().e_tag.unwrap().trim_matches('"').to_owned()
    }

    /// Runs everything that an upload event triggers.
    async fn upload(&self, event: &Value) -> Vec<RunResult> {
        self.upload_within(event, 300).await
    }

    /// Runs everything that an upload event triggers, in an invocation that times out in `seconds`.
    pub(crate) async fn upload_within(&self, event: &Value, seconds: u64) -> Vec<RunResult> {
        let InvocationEvent::Records { records, .. } = read(event).unwrap() else { panic!("{event}") };
        let mut results = Vec::new();
        for record in records {
            let Ok(ParsedRecord::Stored(stored)) = record.content else { continue };
            for trigger in match_sites(&self.handler.config, &stored).triggers {
                results.push(self.handler.run(&trigger, &RunId::new("run"), context(seconds)).await.unwrap());
            }
        }
        results
    }

    /// Runs all continuations, including those that they create.
    pub(crate) async fn run_continuations(&self, seconds: u64) -> Vec<RunResult> {
        let mut results = Vec::new();
        loop {
            let Some(run) = self.self_invoke.runs.lock().unwrap().pop() else { return results };
            results.push(self.handler.run(&run.trigger, &run.run, context(seconds)).await.unwrap());
        }
    }
}

pub(crate) fn stored(key: &str, etag: &str, second: u32, sequencer: &str) -> Value {
    events::stored(STAGING, key, etag, second, sequencer)
}

pub(crate) fn outcome(result: &RunResult) -> Outcome {
    match result {
        RunResult::Report(report) => report.outcome,
        RunResult::Superseded(_) => Outcome::Superseded,
        RunResult::Continued { .. } | RunResult::Distributed { .. } => panic!("the run was continued"),
    }
}

#[tokio::test]
async fn publishes_an_uploaded_zip_once_and_ignores_older_events() {
    let function = function().await;
    let etag = function.stage("builds/one.zip", &zip(&[("index.html", "1")])).await;
    let event = stored("builds/one.zip", &etag, 1, "0055AED6DCD90281E5");
    assert_eq!(outcome(&function.upload(&event).await[0]), Outcome::Live);
    assert_eq!(function.world.site().await.keys(), ["docs/index.html"]);
    // The same event is delivered two more times, concurrently.
    function.world.clear_requests();
    let (first, second) = tokio::join!(function.upload(&event), function.upload(&event));
    for result in [&first[0], &second[0]] {
        assert!(matches!(outcome(result), Outcome::Unchanged | Outcome::Superseded), "{result:?}");
    }
    let calls = function.world.faults.calls();
    assert!(calls::keys(&calls, "PutObject").iter().all(|key| key.starts_with("tidegate/")), "{calls:?}");
    // A newer build, then the event of an older build, which arrives late.
    let etag = function.stage("builds/two.zip", &zip(&[("index.html", "2")])).await;
    assert_eq!(outcome(&function.upload(&stored("builds/two.zip", &etag, 5, "01")).await[0]), Outcome::Live);
    let etag = function.stage("builds/late.zip", &zip(&[("index.html", "late")])).await;
    let late = function.upload(&stored("builds/late.zip", &etag, 3, "01")).await;
    assert_eq!(outcome(&late[0]), Outcome::Superseded, "{late:?}");
    assert_eq!(function.world.site().await.get("docs/index.html").unwrap().body.as_deref(), Some("2"));
}

#[tokio::test]
async fn publishes_a_folder_when_its_marker_is_uploaded() {
    let function = function().await;
    for (key, body) in [("builds/c0ffee/index.html", "1"), ("builds/c0ffee/a/b.css", "a{}")] {
        let etag = function.stage(key, body.as_bytes()).await;
        assert!(
            function.upload(&stored(key, &etag, 1, "01")).await.is_empty(),
            "a file without the marker must not trigger a publish"
        );
    }
    let etag = function.stage("builds/c0ffee/.ready", b"").await;
    let mut event = stored("builds/c0ffee/.ready", &etag, 2, "01");
    event["Records"][0]["s3"]["object"]["size"] = json!(0);
    assert_eq!(outcome(&function.upload(&event).await[0]), Outcome::Live);
    assert_eq!(function.world.site().await.keys(), ["docs/a/b.css", "docs/index.html"]);
}

#[tokio::test]
async fn ignores_the_event_of_a_replaced_object() {
    let function = function().await;
    let old = function.stage("builds/one.zip", &zip(&[("index.html", "1")])).await;
    let new = function.stage("builds/one.zip", &zip(&[("index.html", "2")])).await;
    let results = function.upload(&stored("builds/one.zip", &old, 1, "01")).await;
    assert!(matches!(&results[0], RunResult::Superseded(why) if why.contains("was replaced")), "{results:?}");
    assert!(function.world.site().await.keys().is_empty());
    assert_eq!(outcome(&function.upload(&stored("builds/one.zip", &new, 2, "02")).await[0]), Outcome::Live);
}

#[tokio::test]
async fn continues_a_long_run_in_further_invocations() {
    let function = function().await;
    let files: Vec<(String, String)> = (0..1_500).map(|at| (format!("{at}.html"), format!("<p>{at}"))).collect();
    let named: Vec<(&str, &str)> = files.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
    let etag = function.stage("builds/large.zip", &zip(&named)).await;
    // Each page takes half a second to write, with 32 writes at a time.
    function.world.inject_faults(|call| {
        let page = call.key.as_deref().is_some_and(|key| key.starts_with("docs/"));
        (page && call.operation == "PutObject").then(|| InjectedFault::Delay(Duration::from_millis(500)))
    });
    let InvocationEvent::Records { records, .. } = read(&stored("builds/large.zip", &etag, 1, "01")).unwrap() else {
        panic!()
    };
    let Ok(ParsedRecord::Stored(event)) = &records[0].content else { panic!() };
    let trigger = match_sites(&function.handler.config, event).triggers.remove(0);
    // Each invocation works for 15 seconds and reserves 15 to continue. Writing the pages takes 23 seconds.
    let first = function.handler.run(&trigger, &RunId::new("run-1"), context(30)).await.unwrap();
    assert!(matches!(first, RunResult::Continued { continuations: 0 }), "{first:?}");
    let results = function.run_continuations(30).await;
    assert!(!results.is_empty());
    assert_eq!(outcome(results.last().unwrap()), Outcome::Live, "{results:?}");
    assert_eq!(function.world.site().await.objects.len(), 1_500);
}

const COMMIT: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";

/// A signed webhook for a push.
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
async fn accepts_a_signed_push_once_and_publishes_it_in_another_invocation() {
    let function = with_secrets().await;
    let response =
        function.handler.answer_webhook(&push("old secret of this hook", "d-1", "Say more"), context(10)).await;
    assert_eq!((response.status, response.runs.len()), (202, 1), "{response:?}");
    assert!(function.world.site().await.keys().is_empty(), "the webhook itself must not publish");
    let results = function.run_continuations(300).await;
    assert_eq!(outcome(&results[0]), Outcome::Live, "{results:?}");
    // The same body with another delivery ID.
    let again = function.handler.answer_webhook(&push("old secret of this hook", "d-2", "Say more"), context(10)).await;
    assert_eq!((again.status, again.runs.len()), (200, 0), "{again:?}");
    assert!(again.message.contains(&response.runs[0].run), "{again:?}");
    // The other configured secret.
    let other = function.handler.answer_webhook(&push("new secret of this hook", "d-3", "Say less"), context(10)).await;
    assert_eq!(other.status, 202, "{other:?}");
    for (call, status) in [
        (push("wrong", "d-4", "x"), 401),
        (push("old secret of this hook", "d-5", "Later [skip ci]"), 200),
        (HttpRequest::new("POST", "/", [("x-github-event", "push")], b"{}".to_vec()), 401),
        (HttpRequest::new("GET", "/", [], Vec::new()), 405),
    ] {
        let response = function.handler.answer_webhook(&call, context(10)).await;
        assert_eq!((response.status, response.runs.len()), (status, 0), "{response:?}");
    }
}

#[tokio::test]
async fn a_redelivery_runs_again_after_a_failure() {
    let function = with_secrets().await;
    let call = push("old secret of this hook", "d-1", "Say more");
    // The run fails because the site cannot be written.
    assert_eq!(function.handler.answer_webhook(&call, context(10)).await.status, 202);
    function.world.inject_faults(|call| {
        call.key
            .as_deref()
            .is_some_and(|key| key.starts_with("docs/"))
            .then(|| InjectedFault::answer(403, "AccessDenied"))
    });
    let results = function.run_continuations(300).await;
    assert!(results[0].failed(), "{results:?}");
    function.world.stop_faults();
    let again = function.handler.answer_webhook(&call, context(10)).await;
    assert_eq!(again.status, 202, "{again:?}");
    assert_eq!(outcome(&function.run_continuations(300).await[0]), Outcome::Live);
    // If the function cannot invoke itself, the response asks the sender to retry.
    let call = push("old secret of this hook", "d-2", "Say other things");
    *function.self_invoke.throttled.lock().unwrap() = true;
    assert_eq!(function.handler.answer_webhook(&call, context(10)).await.status, 503);
    *function.self_invoke.throttled.lock().unwrap() = false;
    assert_eq!(function.handler.answer_webhook(&call, context(10)).await.status, 202);
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_like_a_wrong_signature() {
    let function = function().await;
    let unknown = {
        let body = serde_json::to_vec(&json!({ "repository": { "full_name": "acme/unknown" } })).unwrap();
        let signature = sign("any", &body);
        let headers = [("x-github-event", "push"), ("x-hub-signature-256", signature.as_str())];
        HttpRequest::new("POST", "/", headers, body)
    };
    let expected = function.handler.answer_webhook(&unknown, context(10)).await;
    assert_eq!((expected.status, expected.message.as_str()), (401, "no rule accepts this signature"));
    let answer = function.handler.answer_webhook(&push("any", "d-1", "x"), context(10)).await;
    assert_eq!(answer, expected);
    // The failure is remembered: a secret that is created now is not read at once.
    function.world.secrets.put("repo/github.com/acme/docs", "any").unwrap();
    function.world.parameters.put("/tidegate/docs", "any").unwrap();
    assert_eq!(function.handler.answer_webhook(&push("any", "d-2", "x"), context(10)).await, expected);
}

#[tokio::test]
async fn records_of_old_deliveries_are_deleted() {
    let function = with_secrets().await;
    let records = async || -> usize {
        let list = function.world.client().list_objects_v2().bucket("state").prefix("tidegate/docs/deliveries/");
        list.send().await.unwrap().contents().len()
    };
    let month = 31 * 24 * 60 * 60 * 1000;
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    // The emulator writes records now, and the invocation is a month later.
    for (message, at, left) in [("one", now, 1), ("two", now + 1_000, 2), ("three", now + month, 0)] {
        let at = InvocationContext { now: Timestamp::from_milliseconds(at), ..context(300) };
        assert_eq!(
            function.handler.answer_webhook(&push("old secret of this hook", "d", message), at).await.status,
            202
        );
        let run = function.self_invoke.runs.lock().unwrap().pop().unwrap();
        function.handler.run(&run.trigger, &run.run, at).await.unwrap();
        assert_eq!(records().await, left, "{message}");
    }
}

const GENERIC: &str = "\n[[site.webhook]]\nprovider = \"generic\"\nsecrets = [\"ssm:/tidegate/docs\"]\n";

#[tokio::test]
async fn a_generic_webhook_publishes_a_folder_only_with_its_marker() {
    let world = World::new().await;
    let publisher = world.publisher();
    let function = function_in(world, publisher, &format!("{CONFIGURATION}{GENERIC}")).await;
    function.world.parameters.put("/tidegate/docs", "secret").unwrap();
    function.stage("builds/half/index.html", b"half").await;
    // Another build with the same name is not what the sender named.
    function.stage("builds/half.zip", &zip(&[("index.html", "zip")])).await;
    let send = async |release: &str| {
        let body = format!(r#"{{"site":"docs","source":"s3://staging/builds/half/","release":"{release}"}}"#);
        let at = (INSTANT / 1000).to_string();
        let signature = sign("secret", format!("{at}.{body}").as_bytes());
        let headers = [("x-tidegate-timestamp", at.as_str()), ("x-tidegate-signature-256", signature.as_str())];
        let request = HttpRequest::new("POST", "/", headers, body.into_bytes());
        assert_eq!(function.handler.answer_webhook(&request, context(10)).await.status, 202);
        let run = function.self_invoke.runs.lock().unwrap().pop().unwrap();
        function.handler.run(&run.trigger, &run.run, context(300)).await
    };
    let error = send("one").await.unwrap_err().to_string();
    assert!(error.contains("the build `half` is not complete: its `.ready` does not exist"), "{error}");
    assert!(function.world.site().await.keys().is_empty());
    function.stage("builds/half/.ready", b"").await;
    assert_eq!(outcome(&send("two").await.unwrap()), Outcome::Live);
    assert_eq!(function.world.site().await.get("docs/index.html").unwrap().body.as_deref(), Some("half"));
}

#[tokio::test]
async fn publishes_keys_that_other_servers_do_not_encode() {
    let function = function().await;
    let etag = function.stage("builds/c++ 1.zip", &zip(&[("index.html", "1")])).await;
    for (second, source, key) in [(1, "aws:s3", "builds/c%2B%2B+1.zip"), (2, "ceph:s3", "builds/c++ 1.zip")] {
        let mut event = stored(key, &etag, second, "01");
        event["Records"][0]["eventSource"] = json!(source);
        let results = function.upload(&event).await;
        assert!(matches!(outcome(&results[0]), Outcome::Live | Outcome::Unchanged), "{source}: {results:?}");
    }
    // Both objects exist, and the event has the ETag of one of them.
    let other = function.stage("builds/c   1.zip", &zip(&[("index.html", "2")])).await;
    let mut event = stored("builds/c++ 1.zip", &other, 3, "03");
    event["Records"][0]["eventSource"] = json!("ceph:s3");
    assert_eq!(outcome(&function.upload(&event).await[0]), Outcome::Live);
    assert_eq!(function.world.site().await.get("docs/index.html").unwrap().body.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_direct_invocation_publishes_the_named_source() {
    let function = function().await;
    function.stage("builds/one.zip", &zip(&[("index.html", "1")])).await;
    let event = json!({ "site": "docs", "source": "s3://staging/builds/one.zip", "release": "by hand" });
    let InvocationEvent::Direct(request) = read(&event).unwrap() else { panic!() };
    let result = function.handler.invoke(&request, &RunId::new("run"), context(300)).await.unwrap();
    assert_eq!(outcome(&result), Outcome::Live);
    for (event, expected) in [
        (json!({ "site": "docs", "source": "/etc/site" }), "a local path"),
        (json!({ "site": "docs" }), "add a `source`"),
        (json!({ "site": "nothing" }), "`nothing`"),
    ] {
        let InvocationEvent::Direct(request) = read(&event).unwrap() else { panic!() };
        let error = function.handler.invoke(&request, &RunId::new("run"), context(300)).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn logs_every_run_and_stores_its_report() {
    let function = function().await;
    let etag = function.stage("builds/one.zip", &zip(&[("index.html", "1")])).await;
    function.upload(&stored("builds/one.zip", &etag, 1, "01")).await;
    let late = function.stage("builds/late.zip", b"not an archive").await;
    let event = json!({ "site": "docs", "source": "s3://staging/builds/late.zip" });
    // A retry would read the same bytes, so the invocation must succeed.
    let response = function.handler.handle(&event, "request", context(300)).await.unwrap();
    assert_eq!(response["errorType"], "Tidegate.Artifact", "{late}: {response}");
    let entries = function.run_log.entries();
    let outcomes: Vec<Value> = entries.iter().map(RunLogEntry::outcome).collect();
    assert_eq!(outcomes, [json!("live"), json!("failed")]);
    assert_eq!(entries[1].run, "request");
    assert!(entries[1].line().contains("Tidegate.Artifact"), "{}", entries[1].line());
    let first: ReleaseId = "r1".parse().unwrap();
    let key = format!("tidegate/docs/releases/{}.report.json", first.stem());
    let report = function.world.client().get_object().bucket("state").key(key).send().await.unwrap();
    let report: Value = serde_json::from_slice(&report.body.collect().await.unwrap().into_bytes()).unwrap();
    assert_eq!((&report["outcome"], &report["done"]["written"]), (&json!("live"), &json!(1)), "{report}");
}

#[tokio::test]
async fn reports_only_failed_messages_of_a_batch() {
    let function = function().await;
    let etag = function.stage("builds/one.zip", &zip(&[("index.html", "1")])).await;
    let denied = function.stage("builds/denied.zip", &zip(&[("index.html", "2")])).await;
    let broken = function.stage("builds/broken.zip", b"not an archive").await;
    function.world.inject_faults(|call| {
        (call.key.as_deref() == Some("builds/denied.zip")).then(|| InjectedFault::answer(403, "AccessDenied"))
    });
    let message = |id: &str, body: &Value| {
        json!({ "messageId": id, "eventSource": "aws:sqs", "body": body.to_string(), "receiptHandle": "r",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:builds" })
    };
    let event = json!({ "Records": [
        message("m-0", &stored("builds/broken.zip", &broken, 2, "01")),
        message("m-1", &stored("builds/denied.zip", &denied, 2, "01")),
        message("m-2", &json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": STAGING })),
        message("m-3", &stored("builds/one.zip", &etag, 1, "01")),
    ]});
    let response = function.handler.handle(&event, "request", context(300)).await.unwrap();
    assert_eq!(response, json!({ "batchItemFailures": [{ "itemIdentifier": "m-1" }] }));
    assert_eq!(function.world.site().await.keys(), ["docs/index.html"]);
    // If every message failed, so does the invocation: a mapping that expects no report deletes the messages otherwise.
    let message_of = |id: &str, key: &str| message(id, &stored(key, &denied, 2, "01"));
    for messages in [
        vec![message_of("m-1", "builds/denied.zip")],
        vec![message_of("m-1", "builds/denied.zip"), message("m-2", &json!("not an event"))],
        // A message without an id cannot be reported.
        vec![
            {
                let mut message = message_of("m-1", "builds/denied.zip");
                message.as_object_mut().unwrap().remove("messageId");
                message
            },
            message("m-3", &stored("builds/one.zip", &etag, 1, "01")),
        ],
    ] {
        let error =
            function.handler.handle(&json!({ "Records": messages }), "request", context(300)).await.unwrap_err();
        assert_eq!(error.kind().error_type(), "Tidegate.Cloud", "{error}");
    }
    // Without a queue, a failure fails the invocation, so that Lambda retries it. The error type names the kind.
    let error = function.handler.handle(&stored("builds/denied.zip", &denied, 3, "02"), "request", context(300)).await;
    assert_eq!(error.unwrap_err().kind().error_type(), "Tidegate.Cloud");
}

#[tokio::test]
async fn a_failed_message_of_a_fifo_queue_fails_the_rest_of_its_group() {
    for (queue, failed) in [("builds.fifo", vec!["a-2", "a-3"]), ("builds", vec!["a-2"])] {
        let function = function().await;
        let mut records = Vec::new();
        for (group, index, body) in
            [("a", 1, "1"), ("b", 1, "2"), ("a", 2, "denied"), ("b", 2, "3"), ("a", 3, "4"), ("b", 3, "5")]
        {
            let key = format!("builds/{group}{index}.zip");
            let etag = function.stage(&key, &zip(&[(&format!("{group}{index}.html"), body)])).await;
            records.push(json!({
                "messageId": format!("{group}-{index}"), "eventSource": "aws:sqs", "receiptHandle": "r",
                "eventSourceARN": format!("arn:aws:sqs:us-east-1:123456789012:{queue}"),
                "attributes": { "MessageGroupId": group },
                "body": stored(&key, &etag, 1, &format!("0{index}")).to_string(),
            }));
        }
        function.world.inject_faults(|call| {
            (call.key.as_deref() == Some("builds/a2.zip")).then(|| InjectedFault::answer(403, "AccessDenied"))
        });
        let response = function.handler.handle(&json!({ "Records": records }), "request", context(300)).await.unwrap();
        let failed: Vec<Value> = failed.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
        assert_eq!(response, json!({ "batchItemFailures": failed }), "{queue}");
    }
}
