//! A client for GitHub's API: requests, redirects and retries.
//!
//! The token goes to the configured API only, never to an address that a response redirects to. No retry waits past the
//! end of the invocation.

use std::sync::OnceLock;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LINK, LOCATION, RETRY_AFTER, USER_AGENT,
};
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tidegate_core::config::GithubAccess;
use tidegate_core::sanitize::{LOG_BYTES, sanitize};
use tidegate_core::timestamp::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::error::GithubError;
use super::file::JSON;
use super::response::{ResponseHead, ResponseMeaning, refusal_message};
use super::status::StatusPost;
use crate::context::InvocationContext;
use crate::secrets::Secret;

/// The version of the API. Source: GitHub documentation, "API Versions".
const API_VERSION: &str = "2022-11-28";

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the head of a response, or the next piece of a body, may take.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Most redirects of one request: from the old name of a repository to the new one, and from there to the file store.
const MAX_REDIRECTS: usize = 2;

/// Longest JSON response, in bytes. A page of 100 assets has about 200,000.
const MAX_JSON: usize = 8 * 1024 * 1024;

/// Most retries of a request, and the wait before the first one if GitHub names none.
const MAX_RETRIES: usize = 3;
const FIRST_WAIT: Duration = Duration::from_millis(500);

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client with one token, which lives as long as an invocation.
pub(crate) struct Github {
    http: HttpClient,
    api: String,
    authorization: HeaderValue,
    now: Timestamp,
    created: Instant,
    deadline: Instant,
}

/// One page of a list.
pub(super) struct GithubPage {
    pub(super) body: Bytes,
    pub(super) has_next: bool,
}

impl Github {
    /// A client that stops at the deadline of `context`.
    ///
    /// # Errors
    /// [`GithubError`].
    pub(crate) fn new(access: &GithubAccess, token: &Secret, context: InvocationContext) -> Result<Self, GithubError> {
        let mut authorization =
            HeaderValue::from_bytes(&[b"Bearer ", token.expose()].concat()).map_err(|_| GithubError::Token)?;
        authorization.set_sensitive(true);
        let connector = connector().map_err(GithubError::Certificates)?;
        Ok(Self {
            http: Client::builder(TokioExecutor::new()).build(connector),
            api: access.api.as_str().to_owned(),
            authorization,
            now: context.now,
            created: Instant::now(),
            deadline: context.deadline,
        })
    }

    /// When the client stops.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// When the next read times out.
    fn read_deadline(&self) -> Instant {
        self.deadline.min(Instant::now() + READ_TIMEOUT)
    }

    /// Gets one page of a list.
    pub(super) async fn list(&self, path: &str) -> Result<GithubPage, GithubError> {
        let get = || async {
            let response = self.get(path, JSON).await?;
            let has_next = head(&response).has_next_page();
            let body = self.body(&format!("GET {path}"), response).await?;
            Ok(GithubPage { body, has_next })
        };
        self.retry(get, |error| Some(error)).await
    }

    /// Posts a status.
    pub(crate) async fn post_status(&self, status: &StatusPost) -> Result<(), GithubError> {
        let name = format!("POST {}", status.path);
        let post = || async {
            let body = Full::from(status.body.to_string());
            let request = self.request(Method::POST, &self.address(&status.path, &name)?, JSON, body, true);
            let response = self.send(&name, request).await?;
            match self.meaning(&response) {
                ResponseMeaning::Success => Ok(()),
                // A redirect of a POST is not followed: the status could be posted twice.
                ResponseMeaning::Redirect(_) => Err(redirect(
                    &name,
                    "to another address, which a status does not follow; update `repository` if it was renamed",
                )),
                other => Err(self.failure(&name, &other, response).await),
            }
        };
        self.retry(post, |error| Some(error)).await
    }

    /// Gets a response and follows redirects. Only requests to the API carry the token.
    pub(super) async fn get(&self, path: &str, accept: &'static str) -> Result<Response<Incoming>, GithubError> {
        let name = format!("GET {path}");
        let api = self.address(path, &name)?;
        let mut address = api.clone();
        for _ in 0..=MAX_REDIRECTS {
            let to_api = is_same_origin(&api, &address);
            let request = self.request(Method::GET, &address, accept, Full::default(), to_api);
            let response = self.send(&name, request).await?;
            match self.meaning(&response) {
                ResponseMeaning::Success => return Ok(response),
                ResponseMeaning::Redirect(target) => address = redirect_target(&name, &api, &target)?,
                // A refusal of the file store repeats the signed address in its body, and a retry gets a new address.
                ResponseMeaning::Refused if !to_api => {
                    return Err(GithubError::ServerError { request: name, status: response.status().as_u16() });
                }
                other => return Err(self.failure(&name, &other, response).await),
            }
        }
        Err(redirect(&name, "too many times"))
    }

    /// Retries an operation while a retry may succeed and there is time. `cause` finds GitHub's part in a failure.
    pub(crate) async fn retry<T, E, A: Future<Output = Result<T, E>>>(
        &self,
        operation: impl FnMut() -> A,
        cause: impl Fn(&E) -> Option<&GithubError>,
    ) -> Result<T, E> {
        let waits = ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_jitter().with_max_times(MAX_RETRIES);
        operation
            .retry(waits)
            .when(|error| cause(error).is_some_and(GithubError::is_transient))
            .adjust(|error, wait| {
                let wait = wait.map(|wait| cause(error).and_then(GithubError::retry_after).unwrap_or(wait))?;
                // Past the deadline, fail at once: Lambda retries the run.
                (Instant::now() + wait < self.deadline).then_some(wait)
            })
            .notify(|error, wait| {
                if let Some(error) = cause(error) {
                    tracing::info!(%error, ?wait, "retrying a request to GitHub");
                }
            })
            .await
    }

    fn address(&self, path: &str, name: &str) -> Result<Uri, GithubError> {
        format!("{}{path}", self.api).parse().map_err(|_| redirect(name, INVALID_ADDRESS))
    }

    fn request(
        &self,
        method: Method,
        address: &Uri,
        accept: &'static str,
        body: Full<Bytes>,
        to_api: bool,
    ) -> Request<Full<Bytes>> {
        let json = method == Method::POST;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = address.clone();
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("tidegate/", env!("CARGO_PKG_VERSION"))));
        if to_api {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            headers.insert(AUTHORIZATION, self.authorization.clone());
            headers.insert("x-github-api-version", HeaderValue::from_static(API_VERSION));
        }
        if json {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        request
    }

    async fn send(&self, name: &str, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, GithubError> {
        match timeout_at(self.read_deadline(), self.http.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(no_response(name, &error)),
            Err(_) if Instant::now() >= self.deadline => Err(GithubError::Timeout(name.to_owned())),
            Err(_) => Err(GithubError::NoResponse { request: name.to_owned(), reason: "it timed out".to_owned() }),
        }
    }

    fn meaning(&self, response: &Response<Incoming>) -> ResponseMeaning {
        let elapsed = u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX);
        let now = Timestamp::from_milliseconds(self.now.milliseconds().saturating_add(elapsed));
        head(response).meaning(now)
    }

    async fn failure(&self, name: &str, meaning: &ResponseMeaning, response: Response<Incoming>) -> GithubError {
        let (status, request) = (response.status().as_u16(), name.to_owned());
        match meaning {
            ResponseMeaning::RateLimited(seconds) => GithubError::RateLimited { request, seconds: *seconds },
            ResponseMeaning::ServerError => GithubError::ServerError { request, status },
            ResponseMeaning::Success | ResponseMeaning::Redirect(_) | ResponseMeaning::Refused => {
                let body = self.body(name, response).await.unwrap_or_default();
                let message = refusal_message(&body).map(|message| format!(" and `{message}`")).unwrap_or_default();
                GithubError::Refused { request, status, message }
            }
        }
    }

    /// Reads a whole body into memory.
    async fn body(&self, name: &str, response: Response<Incoming>) -> Result<Bytes, GithubError> {
        let body = Limited::new(response.into_body(), MAX_JSON).collect();
        match timeout_at(self.read_deadline(), body).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                Err(GithubError::TooLong(name.to_owned()))
            }
            Ok(Err(error)) => Err(no_response(name, error.as_ref())),
            Err(_) => {
                Err(GithubError::NoResponse { request: name.to_owned(), reason: "the response stalled".to_owned() })
            }
        }
    }
}

/// A connector that is made once per process: reading the root certificates is slow, and a run makes up to three
/// clients.
fn connector() -> std::io::Result<HttpsConnector<HttpConnector>> {
    static CONNECTOR: OnceLock<HttpsConnector<HttpConnector>> = OnceLock::new();
    if let Some(connector) = CONNECTOR.get() {
        return Ok(connector.clone());
    }
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    // The same library, cryptography and roots as for AWS.
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    Ok(CONNECTOR.get_or_init(|| connector).clone())
}

fn head(response: &Response<Incoming>) -> ResponseHead<'_> {
    let headers: &HeaderMap = response.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    ResponseHead {
        status: response.status().as_u16(),
        location: text(LOCATION.as_str()),
        retry_after: text(RETRY_AFTER.as_str()),
        remaining: text("x-ratelimit-remaining"),
        reset: text("x-ratelimit-reset"),
        link: text(LINK.as_str()),
    }
}

/// An error with its causes. None of them names the requested address.
pub(super) fn no_response(name: &str, error: &(dyn std::error::Error + 'static)) -> GithubError {
    let mut reason = error.to_string();
    let mut inner = error.source();
    while let Some(cause) = inner {
        reason = format!("{reason}: {cause}");
        inner = cause.source();
    }
    GithubError::NoResponse { request: name.to_owned(), reason: sanitize(&reason, LOG_BYTES) }
}

/// The end of a sentence about a redirect.
const INVALID_ADDRESS: &str = "to an invalid address";

fn redirect(name: &str, reason: &'static str) -> GithubError {
    GithubError::Redirect { request: name.to_owned(), reason }
}

/// Checks the target of a redirect: HTTPS, or this machine if the API is on it.
fn redirect_target(name: &str, api: &Uri, target: &str) -> Result<Uri, GithubError> {
    let target: Uri = target.parse().map_err(|_| redirect(name, INVALID_ADDRESS))?;
    match target.scheme_str() {
        Some("https") => Ok(target),
        // The configuration allows an API without TLS on this machine only.
        Some("http") if api.scheme_str() == Some("http") && target.host().is_some_and(is_loopback) => Ok(target),
        Some(_) => Err(redirect(name, "to an address that is not `https://…`")),
        None => Err(redirect(name, "to an address without a host")),
    }
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

fn is_same_origin(one: &Uri, other: &Uri) -> bool {
    one.scheme() == other.scheme() && one.host() == other.host() && one.port_u16() == other.port_u16()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_redirects_to_https_or_loopback_only() {
        let github: Uri = "https://api.github.com/repos/acme/docs/actions/artifacts/1/zip".parse().unwrap();
        let local: Uri = "http://127.0.0.1:8080/repos/acme/docs".parse().unwrap();
        for (api, target, allowed) in [
            (&github, "https://productionresults.blob.core.windows.net/x?sig=1", true),
            (&github, "http://productionresults.blob.core.windows.net/x", false),
            (&github, "http://127.0.0.1/x", false),
            (&github, "/elsewhere", false),
            (&github, "file:///etc/passwd", false),
            (&local, "http://127.0.0.1:9090/x", true),
            (&local, "https://example.com/x", true),
            (&local, "http://169.254.169.254/latest/meta-data/", false),
        ] {
            assert_eq!(redirect_target("GET x", api, target).is_ok(), allowed, "{target}");
        }
        for (other, same) in [
            ("https://api.github.com/repositories/1", true),
            ("https://api.github.com:8443/x", false),
            ("http://api.github.com/x", false),
            ("https://api.github.com.evil.example/x", false),
        ] {
            assert_eq!(is_same_origin(&github, &other.parse().unwrap()), same, "{other}");
        }
    }
}
