//! Time limits of requests: an HTTP client that gives up a request without a response, and names the address in errors.

use std::error::Error;
use std::fmt;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tidegate_core::put_options::MULTIPART_BYTES;
use tokio::time::timeout;

/// How long the parts of a request may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLimits {
    /// Opening a connection.
    pub(super) connect: Duration,
    /// From the start of a request without a body to the headers of its response.
    pub(super) response: Duration,
    /// Slowest upload, in bytes per second: a body adds its size at this rate.
    pub(super) upload_rate: u64,
    /// Added for a copy within S3, of up to 5 GiB: at 8 MiB per second.
    pub(super) copy: Duration,
    /// How long a body may stand still, in either direction.
    pub(super) stall: Duration,
    /// When a request that still has no response is reported.
    pub(super) notice: Duration,
}

impl TimeLimits {
    pub(super) const DEFAULT: Self = Self {
        connect: Duration::from_secs(10),
        response: Duration::from_secs(60),
        upload_rate: 32 * 1024,
        copy: Duration::from_secs(640),
        stall: Duration::from_secs(20),
        notice: Duration::from_secs(2),
    };

    /// The limit of one attempt, up to the headers of its response.
    fn attempt(&self, request: &HttpRequest) -> Duration {
        let copy = if is_copy(request) { self.copy } else { Duration::ZERO };
        let size = body_bytes(request);
        self.response + copy + Duration::from_secs(size / self.upload_rate.max(1))
    }
}

/// Attempts after which a request without a response is given up: with [`TimeLimits::response`], 3 minutes. Other failures
/// have the attempts of the retry configuration.
const UNANSWERED_ATTEMPTS: u32 = 3;

/// Notices about slow requests are this far apart, since many requests are in flight.
const NOTICE_INTERVAL: Duration = Duration::from_secs(30);

/// A request got no response.
#[derive(Debug, thiserror::Error)]
#[error("no response from `{address}`: {cause}; check the network and the address")]
pub(crate) struct NoResponse {
    address: String,
    cause: String,
}

/// An HTTP client with [`TimeLimits`].
#[derive(Debug)]
pub(super) struct LimitedClient {
    inner: SharedHttpClient,
    limits: TimeLimits,
}

impl LimitedClient {
    pub(super) fn shared(inner: SharedHttpClient, limits: TimeLimits) -> SharedHttpClient {
        SharedHttpClient::new(Self { inner, limits })
    }
}

impl HttpClient for LimitedClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(LimitedConnector { inner, limits: self.limits })
    }
}

#[derive(Debug)]
struct LimitedConnector {
    inner: SharedHttpConnector,
    limits: TimeLimits,
}

impl HttpConnector for LimitedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let attempt = AttemptInfo::of(&request, self.limits);
        let call = self.inner.call(request);
        HttpConnectorFuture::new(attempt.run(call))
    }
}

/// One attempt of a request.
struct AttemptInfo {
    address: String,
    limit: Duration,
    /// When to report that there is no response yet; never for requests that take long anyway.
    notice: Option<Duration>,
    /// The number of the attempt, from 1. The SDK does not count requests for its own credentials.
    number: Option<u32>,
}

impl AttemptInfo {
    fn of(request: &HttpRequest, limits: TimeLimits) -> Self {
        let number = attempt_number(request);
        let quick = body_bytes(request) == 0 && !is_copy(request);
        Self {
            address: address(request.uri()),
            limit: limits.attempt(request),
            notice: (quick && number == Some(1)).then_some(limits.notice),
            number,
        }
    }

    async fn run(self, call: HttpConnectorFuture) -> Result<HttpResponse, ConnectorError> {
        let mut call = pin!(timeout(self.limit, call));
        let result = match self.notice.filter(|notice| *notice < self.limit) {
            None => call.await,
            Some(notice) => match timeout(notice, &mut call).await {
                Ok(result) => result,
                Err(_) => {
                    report(format_args!("waiting for a response from `{}`", self.address));
                    call.await
                }
            },
        };
        match result {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_timeout() => Err(self.timed_out("the connection timed out".to_owned())),
            Ok(Err(error)) if error.is_io() => {
                let error = self.no_response(innermost(&error));
                if self.number == Some(1) {
                    report(format_args!("{error}; retrying"));
                }
                Err(ConnectorError::io(error.into()))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(self.timed_out(format!("nothing received for {} s", self.limit.as_secs()))),
        }
    }

    fn no_response(&self, cause: String) -> NoResponse {
        NoResponse { address: self.address.clone(), cause }
    }

    fn timed_out(&self, cause: String) -> ConnectorError {
        let error = self.no_response(cause).into();
        match self.number {
            // An error of no kind is not retried.
            Some(number) if number >= UNANSWERED_ATTEMPTS => ConnectorError::other(error, None),
            _ => ConnectorError::timeout(error),
        }
    }
}

/// The size of the body: a body that is read as a stream may only have it in the header.
fn body_bytes(request: &HttpRequest) -> u64 {
    let header = request.headers().get("content-length").and_then(|value| value.parse().ok());
    header.or_else(|| request.body().content_length()).unwrap_or(MULTIPART_BYTES)
}

fn is_copy(request: &HttpRequest) -> bool {
    request.headers().get("x-amz-copy-source").is_some()
}

/// The SDK writes `attempt=2; max=6`.
fn attempt_number(request: &HttpRequest) -> Option<u32> {
    let info = request.headers().get("amz-sdk-request")?;
    info.split(';').find_map(|pair| pair.trim().strip_prefix("attempt=")?.parse().ok())
}

/// Scheme and host of a URI, without path and query.
fn address(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("https", uri));
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    format!("{scheme}://{host}")
}

/// The cause of an error: its texts repeat each other from the outside in.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Logs a warning, at most every [`NOTICE_INTERVAL`].
fn report(message: fmt::Arguments<'_>) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_none_or(|last| last.elapsed() >= NOTICE_INTERVAL) {
        *last = Some(Instant::now());
        tracing::warn!("{message}");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use aws_credential_types::Credentials;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::retry::RetryConfig;
    use futures::TryStreamExt as _;
    use tidegate_core::location::{Bucket, Location};

    use super::*;
    use crate::{AwsError, Connection, S3};

    const QUICK: TimeLimits = TimeLimits {
        connect: Duration::from_millis(200),
        response: Duration::from_millis(300),
        upload_rate: 1024 * 1024 * 1024,
        copy: Duration::ZERO,
        stall: Duration::from_millis(300),
        notice: Duration::from_millis(50),
    };

    /// A server that treats every connection alike.
    fn server(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let serve = serve.clone();
                std::thread::spawn(move || serve(connection.unwrap()));
            }
        });
        format!("http://{address}")
    }

    async fn s3(endpoint: &str) -> S3 {
        let retry = RetryConfig::standard().with_max_attempts(6).with_initial_backoff(Duration::from_millis(1));
        let config = Connection::loader(QUICK)
            .retry_config(retry)
            .credentials_provider(Credentials::from_keys("id", "secret", None))
            .region(aws_config::Region::from_static("us-east-1"))
            .endpoint_url(endpoint)
            .load()
            .await;
        S3::new(&Connection::new(config, true))
    }

    fn bucket() -> Bucket {
        "s3://docs-site/".parse::<Location>().unwrap().bucket
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async { timeout(Duration::from_secs(60), work).await.unwrap() })
    }

    fn sleep_forever() {
        std::thread::sleep(Duration::from_secs(3600));
    }

    #[test]
    fn gives_up_a_server_that_never_answers() {
        let endpoint = server(|mut connection| {
            let _ = connection.read(&mut [0; 1024]);
            sleep_forever();
        });
        let error = run(async { s3(&endpoint).await.document(&bucket(), "current.json").await.unwrap_err() });
        assert!(error.why.starts_with(&format!("no response from `{endpoint}`: nothing received")), "{error}");
        assert_eq!((error.status, error.code), (None, None));
    }

    #[test]
    fn names_the_address_that_refuses_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = run(async { s3(&endpoint).await.document(&bucket(), "current.json").await.unwrap_err() });
        assert!(error.why.starts_with(&format!("no response from `{endpoint}`: Connection refused")), "{error}");
        assert!(!error.why.contains("dispatch"), "{error}");
    }

    #[test]
    fn gives_up_a_response_that_stalls() {
        let endpoint = server(|mut connection| {
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\netag: \"a\"\r\n\r\nhalf");
            sleep_forever();
        });
        let error: AwsError = run(async {
            let stream = s3(&endpoint).await.stream(&bucket(), "large.bin").await.unwrap().unwrap();
            stream.try_collect::<Vec<_>>().await.unwrap_err()
        });
        assert!(error.why.contains("the body was interrupted"), "{error}");
    }

    #[test]
    fn gives_up_an_upload_that_stalls() {
        let endpoint = server(|mut connection| {
            let _ = connection.read(&mut [0; 4096]);
            sleep_forever();
        });
        // More than the buffers of a socket hold.
        let body = SdkBody::from(vec![0_u8; 64 * 1024 * 1024]);
        let error = run(async {
            let s3 = s3(&endpoint).await;
            let request = s3.client().put_object().bucket("docs-site").key("large.bin").body(body.into());
            AwsError::new("PutObject", "large.bin", &request.send().await.unwrap_err())
        });
        assert_eq!((error.status, error.code), (None, None), "{}", error.why);
    }

    #[test]
    fn limits_grow_with_the_body() {
        let limits = TimeLimits::DEFAULT;
        let request = |body: SdkBody| HttpRequest::new(body);
        assert_eq!(limits.attempt(&request(SdkBody::empty())), limits.response);
        let large = request(SdkBody::from(vec![0; 10 * 32 * 1024]));
        assert_eq!(limits.attempt(&large), limits.response + Duration::from_secs(10));
        let mut stream = request(SdkBody::taken());
        stream.headers_mut().insert("content-length", (20 * 32 * 1024).to_string());
        assert_eq!(limits.attempt(&stream), limits.response + Duration::from_secs(20));
        let mut copy = request(SdkBody::empty());
        copy.headers_mut().insert("x-amz-copy-source", "docs-site/a");
        assert_eq!(limits.attempt(&copy), limits.response + limits.copy);
    }

    #[test]
    fn addresses_have_no_path() {
        assert_eq!(address("https://s3.eu-west-1.amazonaws.com/docs/a?x=1"), "https://s3.eu-west-1.amazonaws.com");
        assert_eq!(address("http://127.0.0.1:9000"), "http://127.0.0.1:9000");
    }
}
