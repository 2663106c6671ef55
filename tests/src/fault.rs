//! Fault injection between an AWS SDK and AWS. A [`Faults`] wraps the HTTP client below the SDK, so it sees every
//! request, retries included. It records each one and breaks those that a script selects.

mod call;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures::stream;
use http::{Method, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};

pub use self::call::{ApiCall, AwsService};

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InjectedFault {
    /// The connection fails before AWS sees the request.
    Refuse,
    /// AWS carries out the request, but the response is lost.
    Lose,
    /// AWS returns an error and does nothing.
    Answer {
        /// HTTP status, such as 503.
        status: u16,
        /// Error code, such as `SlowDown`.
        code: String,
        /// Error message.
        message: String,
    },
    /// The request waits, then continues.
    Delay(Duration),
    /// The request waits until the gate opens, then continues, as after a stopped process or network.
    Hold(FaultGate),
    /// The response body ends in an error after its first half.
    Cut,
}

/// Holds requests until it is opened. Cheap to clone; all clones are the same gate.
#[derive(Debug, Clone)]
pub struct FaultGate(Arc<tokio::sync::watch::Sender<bool>>);

impl FaultGate {
    /// A closed gate.
    #[must_use]
    pub fn closed() -> Self {
        Self(Arc::new(tokio::sync::watch::Sender::new(false)))
    }

    /// Lets all requests continue from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Whether the gate is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) async fn pass(&self) {
        // The sender lives as long as this gate, so waiting cannot fail.
        drop(self.0.subscribe().wait_for(|open| *open).await);
    }
}

impl PartialEq for FaultGate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for FaultGate {}

impl InjectedFault {
    /// An [`InjectedFault::Answer`].
    #[must_use]
    pub fn answer(status: u16, code: &str) -> Self {
        Self::Answer { status, code: code.to_owned(), message: format!("{code}, injected by a test") }
    }
}

type Script = dyn Fn(&ApiCall) -> Option<InjectedFault> + Send + Sync;

/// Records requests and injects faults. Cheap to clone; all clones share one record and one count.
#[derive(Clone)]
pub struct Faults(Arc<FaultLog>);

struct FaultLog {
    script: Box<Script>,
    calls: Mutex<Vec<ApiCall>>,
    next: AtomicU64,
}

impl fmt::Debug for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Faults").field("calls", &self.calls().len()).finish_non_exhaustive()
    }
}

impl Faults {
    /// Faults that `script` selects request by request. A retry of the SDK is a request of its own.
    pub fn new(script: impl Fn(&ApiCall) -> Option<InjectedFault> + Send + Sync + 'static) -> Self {
        Self(Arc::new(FaultLog { script: Box::new(script), calls: Mutex::default(), next: AtomicU64::new(1) }))
    }

    /// Records requests without faults.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| None)
    }

    /// Puts these faults in front of `client`.
    #[must_use]
    pub fn wrap(&self, client: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(FaultyClient { faults: self.clone(), client })
    }

    /// All recorded requests, in the order in which they began.
    #[must_use]
    pub fn calls(&self) -> Vec<ApiCall> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Clears the record. The numbers of later requests continue.
    pub fn clear(&self) {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The number of the next request.
    pub(crate) fn next_number(&self) -> u64 {
        self.0.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn record(&self, call: ApiCall) -> Option<InjectedFault> {
        let fault = (self.0.script)(&call);
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        fault
    }
}

#[derive(Debug)]
struct FaultyClient {
    faults: Faults,
    client: SharedHttpClient,
}

impl HttpClient for FaultyClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(FaultyConnector {
            faults: self.faults.clone(),
            connector: self.client.http_connector(settings, components),
        })
    }
}

#[derive(Debug)]
struct FaultyConnector {
    faults: Faults,
    connector: SharedHttpConnector,
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (faults, connector) = (self.faults.clone(), self.connector.clone());
        HttpConnectorFuture::new_boxed(Box::pin(async move {
            let number = faults.next_number();
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let call = ApiCall::of(number, &request);
            let (service, is_head) = (call.service, request.method() == Method::HEAD);
            let fault = faults.record(call);
            let request = HttpRequest::try_from(request).map_err(|error| ConnectorError::user(error.into()))?;
            match fault {
                None => connector.call(request).await,
                Some(InjectedFault::Delay(time)) => {
                    tokio::time::sleep(time).await;
                    connector.call(request).await
                }
                Some(InjectedFault::Hold(gate)) => {
                    gate.pass().await;
                    connector.call(request).await
                }
                Some(InjectedFault::Refuse) => Err(reset("a test refused the connection")),
                Some(InjectedFault::Lose) => {
                    connector.call(request).await?;
                    Err(reset("a test lost the response"))
                }
                Some(InjectedFault::Answer { status, code, message }) => {
                    let body = if is_head { String::new() } else { service.error_body(&code, &message) };
                    error_response(service, status, body)
                }
                Some(InjectedFault::Cut) => cut(connector.call(request).await?).await,
            }
        }))
    }
}

fn reset(message: &'static str) -> ConnectorError {
    ConnectorError::io(std::io::Error::new(std::io::ErrorKind::ConnectionReset, message).into())
}

fn error_response(service: AwsService, status: u16, body: String) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::from_u16(status).map_err(|error| ConnectorError::user(error.into()))?;
    let response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, service.content_type())
        .header("x-amz-request-id", "FAULT")
        .body(SdkBody::from(body))
        .map_err(|error| ConnectorError::user(error.into()))?;
    HttpResponse::try_from(response).map_err(|error| ConnectorError::user(error.into()))
}

/// The same response, whose body ends in an error after its first half.
async fn cut(response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let response = response.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = response.into_parts();
    let whole = body.collect().await.map_err(ConnectorError::io)?.to_bytes();
    let half = whole.slice(..whole.len() / 2);
    let frames: [std::io::Result<Frame<Bytes>>; 2] =
        [Ok(Frame::data(half)), Err(std::io::Error::new(std::io::ErrorKind::ConnectionReset, "a test cut the body"))];
    let body = SdkBody::from_body_1_x(StreamBody::new(stream::iter(frames)));
    HttpResponse::try_from(Response::from_parts(parts, body)).map_err(|error| ConnectorError::user(error.into()))
}
