//! An emulator of Lambda as a function sees it: the runtime API, and the queue of asynchronous invocations with its
//! retries.
//!
//! Written from the documentation of AWS, not from our function. It refuses what AWS refuses, and a function that
//! breaks the contract fails the test. Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom
//! runtimes", "How Lambda handles errors and retries with asynchronous invocation".

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as Segment, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};

/// Longest answer of a synchronous invocation, in bytes.
const MAX_ANSWER: usize = 6 * 1024 * 1024;

/// How often a failed asynchronous invocation is retried.
const RETRIES: u32 = 2;

pub(crate) const NAME: &str = "tidegate";

/// Most invocations of a function in one chain. Source: AWS Lambda developer guide, "Use Lambda recursive loop detection to
/// prevent infinite loops".
const LONGEST_CHAIN: u32 = 16;

/// The trace of an invocation, without the lineage, and the function in a lineage.
const TRACE: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0";
const FUNCTION_HASH: &str = "a87bd80c";

/// The answer of a function: a value, or an error with `errorType` and `errorMessage`.
pub(crate) type LambdaAnswer = Result<Value, Value>;

struct QueuedInvocation {
    id: String,
    event: Value,
    /// How many invocations of the function led to this one, itself included.
    chain: u32,
    /// Where the answer goes, or how many retries are left.
    origin: Origin,
}

enum Origin {
    Caller(oneshot::Sender<LambdaAnswer>),
    Queue { retries: u32 },
}

#[derive(Default)]
struct Inner {
    queued: VecDeque<QueuedInvocation>,
    running: HashMap<String, QueuedInvocation>,
    answers: Vec<LambdaAnswer>,
    init_error: Option<(String, Value)>,
    count: u64,
    /// How the function broke the contract.
    violations: Vec<String>,
    /// Events that Lambda dropped, since their chain is too long.
    dropped: usize,
}

/// One execution environment and the queue in front of it.
#[derive(Clone)]
struct Api {
    inner: Arc<Mutex<Inner>>,
    changed: Arc<Notify>,
    seconds: u64,
}

impl Api {
    fn enqueue(&self, event: Value, origin: Origin, chain: u32) {
        let mut inner = self.inner.lock().unwrap();
        inner.count += 1;
        let id = format!("00000000-0000-0000-0000-{:012}", inner.count);
        inner.queued.push_back(QueuedInvocation { id, event, origin, chain });
        drop(inner);
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    /// `GET /runtime/invocation/next`: waits for an invocation.
    async fn next(State(api): State<Self>) -> Response {
        loop {
            let changed = api.changed.notified();
            {
                let mut inner = api.inner.lock().unwrap();
                if !inner.running.is_empty() {
                    inner
                        .violations
                        .push("the function requested an event before it answered the previous one".to_owned());
                }
                if let Some(invocation) = inner.queued.pop_front() {
                    let deadline = SystemTime::now() + Duration::from_secs(api.seconds);
                    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
                    let headers = [
                        ("lambda-runtime-aws-request-id", invocation.id.clone()),
                        ("lambda-runtime-deadline-ms", deadline),
                        (
                            "lambda-runtime-invoked-function-arn",
                            format!("arn:aws:lambda:us-east-1:000000000000:function:{NAME}"),
                        ),
                        ("lambda-runtime-trace-id", format!("{TRACE};Lineage={FUNCTION_HASH}:{}", invocation.chain)),
                        ("content-type", "application/json".to_owned()),
                    ];
                    let body = invocation.event.to_string();
                    inner.running.insert(invocation.id.clone(), invocation);
                    return (axum::response::AppendHeaders(headers), body).into_response();
                }
            }
            changed.await;
        }
    }

    fn end(&self, id: &str, answer: LambdaAnswer) -> Response {
        let mut inner = self.inner.lock().unwrap();
        let Some(invocation) = inner.running.remove(id) else {
            inner.violations.push(format!("the function answered an invocation `{id}` that is not running"));
            return (StatusCode::BAD_REQUEST, json!({ "errorType": "InvalidRequestID" }).to_string()).into_response();
        };
        inner.answers.push(answer.clone());
        drop(inner);
        match invocation.origin {
            Origin::Caller(sender) => drop(sender.send(answer)),
            Origin::Queue { retries } if answer.is_err() && retries > 0 => {
                self.enqueue(invocation.event, Origin::Queue { retries: retries - 1 }, invocation.chain);
            }
            Origin::Queue { .. } => {}
        }
        (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response()
    }

    async fn response(State(api): State<Self>, Segment(id): Segment<String>, body: Bytes) -> Response {
        if body.len() > MAX_ANSWER {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        }
        match serde_json::from_slice(&body) {
            Ok(value) => api.end(&id, Ok(value)),
            Err(error) => {
                api.end(&id, Err(json!({ "errorType": "Runtime.MarshalError", "errorMessage": error.to_string() })))
            }
        }
    }

    async fn error(State(api): State<Self>, Segment(id): Segment<String>, body: Bytes) -> Response {
        let error: Value = serde_json::from_slice(&body).unwrap_or_default();
        if !(error["errorType"].is_string() && error["errorMessage"].is_string()) {
            api.inner.lock().unwrap().violations.push(format!("an error without type or message: {error}"));
        }
        api.end(&id, Err(error))
    }

    async fn init_error(State(api): State<Self>, headers: HeaderMap, body: Bytes) -> Response {
        let error_type = headers.get("lambda-runtime-function-error-type").and_then(|value| value.to_str().ok());
        let report = serde_json::from_slice(&body).unwrap_or_default();
        api.inner.lock().unwrap().init_error = Some((error_type.unwrap_or_default().to_owned(), report));
        api.changed.notify_waiters();
        (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response()
    }

    /// The API of the Lambda service: `Invoke`, asynchronously.
    async fn invoke(
        State(api): State<Self>,
        Segment(name): Segment<String>,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response {
        let is = |header: &str, value: &str| {
            headers.get(header).is_some_and(|found| found.to_str().unwrap().starts_with(value))
        };
        if !is("authorization", "AWS4-HMAC-SHA256") {
            return StatusCode::FORBIDDEN.into_response();
        }
        if name != NAME {
            return (StatusCode::NOT_FOUND, [("x-amzn-errortype", "ResourceNotFoundException")]).into_response();
        }
        // 1 MB. Source: AWS Lambda developer guide, "Lambda quotas" (asynchronous payload).
        if !is("x-amz-invocation-type", "Event") || body.len() > 1024 * 1024 {
            return (StatusCode::BAD_REQUEST, [("x-amzn-errortype", "InvalidParameterValueException")]).into_response();
        }
        let trace = headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some(chain) = trace.split_once(&format!("{FUNCTION_HASH}:")).and_then(|(_, count)| count.parse().ok())
        else {
            let violation = format!("the function does not pass its trace on, so AWS cannot detect loops: {trace}");
            api.inner.lock().unwrap().violations.push(violation);
            return StatusCode::BAD_REQUEST.into_response();
        };
        let chain: u32 = chain;
        if chain >= LONGEST_CHAIN {
            // An asynchronous invocation is dropped after it was accepted.
            api.inner.lock().unwrap().dropped += 1;
        } else {
            api.enqueue(serde_json::from_slice(&body).unwrap(), Origin::Queue { retries: RETRIES }, chain + 1);
        }
        StatusCode::ACCEPTED.into_response()
    }
}

/// A running function.
pub(crate) struct LambdaProcess {
    api: Api,
    child: tokio::process::Child,
    output: TempDir,
}

/// A function that ended.
pub(crate) struct EndedLambda {
    /// Standard output, line by line.
    pub(crate) log: Vec<String>,
    /// Standard error.
    pub(crate) stderr: String,
    /// The exit status, if it was not killed.
    pub(crate) status: Option<ExitStatus>,
    /// The header and the body of its initialization error.
    pub(crate) init_error: Option<(String, Value)>,
    /// The number of events that Lambda dropped, since their chain was too long.
    pub(crate) dropped: usize,
}

impl LambdaProcess {
    /// Starts the function in a directory, with a timeout in seconds, and the rest of AWS at an address.
    pub(crate) async fn start(root: &Path, seconds: u64, aws: &str, credentials: &Credentials) -> Self {
        Self::start_as(NAME, root, seconds, aws, credentials).await
    }

    /// Starts it with a function name.
    pub(crate) async fn start_as(name: &str, root: &Path, seconds: u64, aws: &str, credentials: &Credentials) -> Self {
        let api = Api { inner: Arc::default(), changed: Arc::default(), seconds };
        let runtime = "/2018-06-01/runtime";
        let router = Router::new()
            .route(&format!("{runtime}/invocation/next"), get(Api::next))
            .route(&format!("{runtime}/invocation/{{id}}/response"), post(Api::response))
            .route(&format!("{runtime}/invocation/{{id}}/error"), post(Api::error))
            .route(&format!("{runtime}/init/error"), post(Api::init_error))
            .route("/2015-03-31/functions/{name}/invocations", post(Api::invoke))
            .layer(axum::extract::DefaultBodyLimit::max(32 * 1024 * 1024))
            .with_state(api.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });

        let output = TempDir::new().unwrap();
        let out = |name: &str| Stdio::from(std::fs::File::create(output.path().join(name)).unwrap());
        let mut command = Command::new(root.join("bootstrap"));
        command
            .env_clear()
            .current_dir(root)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("LAMBDA_TASK_ROOT", root)
            .env("_HANDLER", "bootstrap")
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{NAME}"))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/22/[$LATEST]0123456789abcdef")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id())
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key())
            .env("AWS_ENDPOINT_URL", aws)
            .env("AWS_ENDPOINT_URL_LAMBDA", format!("http://{address}"))
            .stdin(Stdio::null())
            .stdout(out("out"))
            .stderr(out("err"));
        let child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
        Self { api, child, output }
    }

    /// Invokes it and waits for the answer.
    pub(crate) async fn invoke(&mut self, event: Value) -> LambdaAnswer {
        let (sender, receiver) = oneshot::channel();
        self.api.enqueue(event, Origin::Caller(sender), 1);
        tokio::select! {
            answer = receiver => answer.unwrap(),
            status = self.child.wait() => panic!("the function ended: {status:?}\n{}", self.read("err")),
        }
    }

    /// Waits until no invocation is queued or running, and returns every answer since the last call.
    pub(crate) async fn idle(&mut self) -> Vec<LambdaAnswer> {
        loop {
            {
                let mut inner = self.api.inner.lock().unwrap();
                if inner.queued.is_empty() && inner.running.is_empty() {
                    return std::mem::take(&mut inner.answers);
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.output.path().join(name)).unwrap()
    }

    fn ended(&self, status: Option<ExitStatus>) -> EndedLambda {
        let inner = self.api.inner.lock().unwrap();
        assert_eq!(inner.violations, Vec::<String>::new(), "the function broke the contract of the runtime API");
        EndedLambda {
            log: self.read("out").lines().map(str::to_owned).collect(),
            stderr: self.read("err"),
            status,
            init_error: inner.init_error.clone(),
            dropped: inner.dropped,
        }
    }

    /// Kills it, as Lambda stops an unused environment.
    pub(crate) async fn stop(mut self) -> EndedLambda {
        self.child.kill().await.unwrap();
        self.ended(None)
    }

    /// Waits until it exits.
    pub(crate) async fn exited(mut self) -> EndedLambda {
        let status = self.child.wait().await.unwrap();
        self.ended(Some(status))
    }
}
