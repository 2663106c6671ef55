//! Lambda, as far as a function sees it: the runtime API, and the queue of asynchronous invocations with its retries.
//!
//! Written from AWS's documentation, not from our function. What AWS refuses is refused, and a function that breaks the
//! contract fails the test. Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes", "How Lambda
//! handles errors and retries with asynchronous invocation".

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

/// Largest answer of a synchronous invocation, in bytes.
const LARGEST_ANSWER: usize = 6 * 1024 * 1024;

/// How often an asynchronous invocation that fails is tried again.
const RETRIES: u32 = 2;

pub(crate) const NAME: &str = "tidegate";

/// What a function answered: a value, or its error with `errorType` and `errorMessage`.
pub(crate) type Answer = Result<Value, Value>;

struct Invocation {
    id: String,
    event: Value,
    /// Who waits for the answer, or how often it may be tried again.
    origin: Origin,
}

enum Origin {
    Caller(oneshot::Sender<Answer>),
    Queue { retries: u32 },
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Invocation>,
    running: HashMap<String, Invocation>,
    ended: Vec<Answer>,
    init_error: Option<(String, Value)>,
    asked: u64,
    numbered: u64,
    broken: Vec<String>,
}

/// One execution environment and the queue in front of it.
#[derive(Clone)]
struct Api {
    inner: Arc<Mutex<Inner>>,
    changed: Arc<Notify>,
    seconds: u64,
}

impl Api {
    fn enqueue(&self, event: Value, origin: Origin) {
        let mut inner = self.inner.lock().unwrap();
        inner.numbered += 1;
        let id = format!("00000000-0000-0000-0000-{:012}", inner.numbered);
        inner.waiting.push_back(Invocation { id, event, origin });
        drop(inner);
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    /// `GET /runtime/invocation/next`: waits until there is one.
    async fn next(State(api): State<Self>) -> Response {
        loop {
            let changed = api.changed.notified();
            {
                let mut inner = api.inner.lock().unwrap();
                inner.asked += 1;
                if !inner.running.is_empty() {
                    inner.broken.push("the function asked for an event before it had answered the last one".to_owned());
                }
                if let Some(invocation) = inner.waiting.pop_front() {
                    let deadline = SystemTime::now() + Duration::from_secs(api.seconds);
                    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
                    let headers = [
                        ("lambda-runtime-aws-request-id", invocation.id.clone()),
                        ("lambda-runtime-deadline-ms", deadline),
                        (
                            "lambda-runtime-invoked-function-arn",
                            format!("arn:aws:lambda:us-east-1:000000000000:function:{NAME}"),
                        ),
                        (
                            "lambda-runtime-trace-id",
                            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0".to_owned(),
                        ),
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

    fn end(&self, id: &str, answer: Answer) -> Response {
        let mut inner = self.inner.lock().unwrap();
        let Some(invocation) = inner.running.remove(id) else {
            inner.broken.push(format!("the function answered an invocation `{id}` that is not running"));
            return (StatusCode::BAD_REQUEST, json!({ "errorType": "InvalidRequestID" }).to_string()).into_response();
        };
        inner.ended.push(answer.clone());
        drop(inner);
        match invocation.origin {
            Origin::Caller(sender) => drop(sender.send(answer)),
            Origin::Queue { retries } if answer.is_err() && retries > 0 => {
                self.enqueue(invocation.event, Origin::Queue { retries: retries - 1 });
            }
            Origin::Queue { .. } => {}
        }
        (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response()
    }

    async fn response(State(api): State<Self>, Segment(id): Segment<String>, body: Bytes) -> Response {
        if body.len() > LARGEST_ANSWER {
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
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        if !(told["errorType"].is_string() && told["errorMessage"].is_string()) {
            api.inner.lock().unwrap().broken.push(format!("an error without type or message: {told}"));
        }
        api.end(&id, Err(told))
    }

    async fn init_error(State(api): State<Self>, headers: HeaderMap, body: Bytes) -> Response {
        let kind = headers.get("lambda-runtime-function-error-type").and_then(|kind| kind.to_str().ok());
        let told = serde_json::from_slice(&body).unwrap_or_default();
        api.inner.lock().unwrap().init_error = Some((kind.unwrap_or_default().to_owned(), told));
        api.changed.notify_waiters();
        (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response()
    }

    /// The service's own API: `Invoke`, asynchronously.
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
        api.enqueue(serde_json::from_slice(&body).unwrap(), Origin::Queue { retries: RETRIES });
        StatusCode::ACCEPTED.into_response()
    }
}

/// A function that runs.
pub(crate) struct Function {
    api: Api,
    child: tokio::process::Child,
    place: TempDir,
}

/// What is said of a function that ended.
pub(crate) struct Ended {
    /// Standard output, line by line.
    pub(crate) log: Vec<String>,
    /// Standard error.
    pub(crate) errors: String,
    /// How it ended by itself, where it did.
    pub(crate) status: Option<ExitStatus>,
    /// What it told of why it could not start: the header and the body.
    pub(crate) init_error: Option<(String, Value)>,
}

impl Function {
    /// Starts the function in a directory, with an invocation's seconds, and the rest of AWS at an address.
    pub(crate) async fn start(root: &Path, seconds: u64, aws: &str, credentials: &Credentials) -> Self {
        Self::start_as(NAME, root, seconds, aws, credentials).await
    }

    /// Starts it under a name.
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

        let place = TempDir::new().unwrap();
        let out = |name: &str| Stdio::from(std::fs::File::create(place.path().join(name)).unwrap());
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
        Self { api, child, place }
    }

    /// Invokes it and waits for the answer.
    pub(crate) async fn invoke(&mut self, event: Value) -> Answer {
        let (sender, receiver) = oneshot::channel();
        self.api.enqueue(event, Origin::Caller(sender));
        tokio::select! {
            answer = receiver => answer.unwrap(),
            status = self.child.wait() => panic!("the function ended: {status:?}\n{}", self.said("err")),
        }
    }

    /// Waits until nothing is left to do, and returns every answer since it was asked last.
    pub(crate) async fn settle(&mut self) -> Vec<Answer> {
        loop {
            {
                let mut inner = self.api.inner.lock().unwrap();
                if inner.waiting.is_empty() && inner.running.is_empty() {
                    return std::mem::take(&mut inner.ended);
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.place.path().join(name)).unwrap()
    }

    fn told(&self, status: Option<ExitStatus>) -> Ended {
        let inner = self.api.inner.lock().unwrap();
        assert_eq!(inner.broken, Vec::<String>::new(), "the function broke the runtime's contract");
        Ended {
            log: self.said("out").lines().map(str::to_owned).collect(),
            errors: self.said("err"),
            status,
            init_error: inner.init_error.clone(),
        }
    }

    /// Stops it, as Lambda stops an environment that nobody needs.
    pub(crate) async fn stop(mut self) -> Ended {
        self.child.kill().await.unwrap();
        self.told(None)
    }

    /// Waits until it ends by itself.
    pub(crate) async fn end(mut self) -> Ended {
        let status = self.child.wait().await.unwrap();
        self.told(Some(status))
    }
}
