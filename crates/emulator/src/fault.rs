//! Faults between an SDK and AWS, for tests of what uses the SDK. Owns recording every request and, where a script says so,
//! breaking it; knows nothing of who answers behind it.

mod call;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures::stream;
use http::{Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

pub use self::call::ApiCall;
use crate::http::HttpService;

/// What may go wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InjectedFault {
    /// The connection fails before AWS sees the request.
    Refuse,
    /// AWS does what was asked, and its answer is lost.
    Lose,
    /// AWS refuses with an error and does nothing.
    Answer {
        /// HTTP status, such as 503.
        status: u16,
        /// Error code, such as `SlowDown`.
        code: String,
        /// Error message.
        message: String,
    },
    /// The request is made to wait, then goes through.
    Delay(Duration),
    /// The request is made to wait until the gate opens, then goes through: the process was stopped, or its network was.
    Hold(FaultGate),
    /// The answer's body breaks off half way.
    Cut,
}

/// Holds requests back until it is opened. Cheap to clone; all clones are one gate.
#[derive(Debug, Clone)]
pub struct FaultGate(Arc<tokio::sync::watch::Sender<bool>>);

impl FaultGate {
    /// A closed gate.
    #[must_use]
    pub fn closed() -> Self {
        Self(Arc::new(tokio::sync::watch::Sender::new(false)))
    }

    /// Lets everybody through from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self.0.borrow()
    }

    async fn pass(&self) {
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
    /// A [`InjectedFault::Answer`].
    #[must_use]
    pub fn answer(status: u16, code: &str) -> Self {
        Self::Answer { status, code: code.to_owned(), message: format!("{code}, injected by a test") }
    }
}

type Script = dyn Fn(&ApiCall) -> Option<InjectedFault> + Send + Sync;

/// A recorder of requests and a source of faults. Cheap to clone; all clones share one record and one count.
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
    /// Faults that `script` decides on, request by request. An SDK's retry is a request of its own.
    pub fn new(script: impl Fn(&ApiCall) -> Option<InjectedFault> + Send + Sync + 'static) -> Self {
        Self(Arc::new(FaultLog { script: Box::new(script), calls: Mutex::default(), next: AtomicU64::new(1) }))
    }

    /// No faults, only the record.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| None)
    }

    /// `client` with these faults before it.
    #[must_use]
    pub fn wrap(&self, client: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(FaultyClient { faults: self.clone(), client })
    }

    /// Every request so far, in the order in which they began.
    #[must_use]
    pub fn calls(&self) -> Vec<ApiCall> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the record; the count goes on.
    pub fn forget(&self) {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn meet(&self, call: ApiCall) -> Option<InjectedFault> {
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
            let number = faults.0.next.fetch_add(1, Ordering::Relaxed);
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let call = ApiCall::of(number, &request);
            let (service, is_head) = (call.service, request.method() == Method::HEAD);
            let fault = faults.meet(call);
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
                Some(InjectedFault::Refuse) => Err(broken("the connection was refused by a test")),
                Some(InjectedFault::Lose) => {
                    connector.call(request).await?;
                    Err(broken("the answer was lost by a test"))
                }
                Some(InjectedFault::Answer { status, code, message }) => {
                    error_answer(service, is_head, status, &code, &message)
                }
                Some(InjectedFault::Cut) => cut(connector.call(request).await?).await,
            }
        }))
    }
}

fn broken(what: &'static str) -> ConnectorError {
    ConnectorError::io(std::io::Error::new(std::io::ErrorKind::ConnectionReset, what).into())
}

/// An error as the service would write it.
fn error_answer(
    service: HttpService,
    is_head: bool,
    status: u16,
    code: &str,
    message: &str,
) -> Result<HttpResponse, ConnectorError> {
    let inner = || {
        let (code, message) = (quick_xml::escape::escape(code), quick_xml::escape::escape(message));
        format!("<Code>{code}</Code><Message>{message}</Message>")
    };
    let body = match service {
        _ if is_head => String::new(),
        HttpService::S3 => format!("<Error>{}<RequestId>FAULT</RequestId></Error>", inner()),
        HttpService::Sts | HttpService::Iam | HttpService::CloudFront => format!(
            "<ErrorResponse><Error><Type>Sender</Type>{}</Error><RequestId>FAULT</RequestId></ErrorResponse>",
            inner()
        ),
        HttpService::SecretsManager | HttpService::SystemsManager => {
            serde_json::json!({ "__type": code, "message": message }).to_string()
        }
    };
    let content_type = match service {
        HttpService::SecretsManager | HttpService::SystemsManager => "application/x-amz-json-1.1",
        HttpService::S3 | HttpService::Sts | HttpService::Iam | HttpService::CloudFront => "application/xml",
    };
    let status = StatusCode::from_u16(status).map_err(|error| ConnectorError::user(error.into()))?;
    let response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, content_type)
        .header("x-amz-request-id", "FAULT")
        .body(SdkBody::from(body))
        .map_err(|error| ConnectorError::user(error.into()))?;
    HttpResponse::try_from(response).map_err(|error| ConnectorError::user(error.into()))
}

/// The same answer, whose body ends in an error after its first half.
async fn cut(response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let response = response.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = response.into_parts();
    let whole = body.collect().await.map_err(ConnectorError::io)?.to_bytes();
    let half = whole.slice(..whole.len() / 2);
    let frames: [std::io::Result<Frame<Bytes>>; 2] = [
        Ok(Frame::data(half)),
        Err(std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the body was cut by a test")),
    ];
    let body = SdkBody::from_body_1_x(StreamBody::new(stream::iter(frames)));
    HttpResponse::try_from(Response::from_parts(parts, body)).map_err(|error| ConnectorError::user(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code and the message are where each protocol has them, escaped as it does.
    #[test]
    fn an_injected_error_is_written_in_the_words_of_its_protocol() {
        let body = |service| {
            let answer = error_answer(service, false, 400, "Throttling", "<slow> \"down\"").unwrap();
            String::from_utf8(answer.body().bytes().unwrap().to_vec()).unwrap()
        };
        for service in [HttpService::S3, HttpService::Sts, HttpService::Iam, HttpService::CloudFront] {
            let text = body(service);
            assert!(text.contains("<Code>Throttling</Code><Message>&lt;slow&gt; &quot;down&quot;</Message>"), "{text}");
        }
        for service in [HttpService::SecretsManager, HttpService::SystemsManager] {
            let parsed: serde_json::Value = serde_json::from_str(&body(service)).unwrap();
            assert_eq!(parsed, serde_json::json!({ "__type": "Throttling", "message": "<slow> \"down\"" }));
        }
    }
}
