//! One conversation with GitHub: requests, where answers lead, and when to ask again.
//!
//! Owns that the token goes to the configured API and to nobody else, and that waiting ends with the invocation.

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
use tidegate_core::timestamp::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::error::GithubError;
use super::file::JSON;
use super::response::{AnswerHead, AnswerMeaning, refusal};
use super::status::StatusPost;
use crate::context::InvocationContext;
use crate::secrets::Secret;

/// The version of the API that is spoken. Source: GitHub documentation, "API Versions".
const API_VERSION: &str = "2022-11-28";

/// How long one connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long the head of an answer, or the next piece of a body, may take.
pub(super) const QUIET: Duration = Duration::from_secs(30);

/// How often an answer may lead elsewhere: from the old name of a repository to the new one, and from there to the store.
const MOST_REDIRECTS: usize = 2;

/// Longest answer in JSON, in bytes: a page of a hundred assets has about two hundred thousand.
const MAX_JSON: usize = 8 * 1024 * 1024;

/// How often a request is sent again, and how long to wait before it where GitHub does not say.
const TRIES: usize = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// GitHub, by the right of one token, until the end of an invocation.
pub(crate) struct Github {
    http: Http,
    api: String,
    authorization: HeaderValue,
    now: Timestamp,
    since: Instant,
    deadline: Instant,
}

/// What a list answers.
pub(super) struct FileList {
    pub(super) body: Bytes,
    pub(super) goes_on: bool,
}

impl Github {
    /// Until the deadline of `moment`.
    ///
    /// # Errors
    /// [`GithubError`].
    pub(crate) fn new(access: &GithubAccess, token: &Secret, moment: InvocationContext) -> Result<Self, GithubError> {
        let mut authorization =
            HeaderValue::from_bytes(&[b"Bearer ", token.expose()].concat()).map_err(|_| GithubError::Token)?;
        authorization.set_sensitive(true);
        let connector = connector().map_err(GithubError::Certificates)?;
        Ok(Self {
            http: Client::builder(TokioExecutor::new()).build(connector),
            api: access.api.as_str().to_owned(),
            authorization,
            now: moment.now,
            since: Instant::now(),
            deadline: moment.deadline,
        })
    }

    /// Until when answers are waited for.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Until when the next sign of life is waited for.
    fn quiet(&self) -> Instant {
        self.deadline.min(Instant::now() + QUIET)
    }

    /// Asks for one page of a list.
    pub(super) async fn list(&self, path: &str) -> Result<FileList, GithubError> {
        let ask = || async {
            let answer = self.get(path, JSON).await?;
            let goes_on = head(answer.status().as_u16(), answer.headers()).next_page();
            let body = self.body(&format!("GET {path}"), answer).await?;
            Ok(FileList { body, goes_on })
        };
        self.again(ask, |error| Some(error)).await
    }

    /// Sends a status.
    pub(crate) async fn post_status(&self, note: &StatusPost) -> Result<(), GithubError> {
        let what = format!("POST {}", note.path);
        let send = || async {
            let body = Full::from(note.body.to_string());
            let request = self.request(Method::POST, &self.address(&note.path, &what)?, JSON, body, true);
            let answer = self.send(&what, request).await?;
            match self.meaning(&answer) {
                AnswerMeaning::Here => Ok(()),
                // Nothing is told twice: where a repository has a new name, the configuration is to name it.
                AnswerMeaning::Moved(_) => {
                    Err(elsewhere(&what, "which no status follows: does `repository` have a new name?"))
                }
                other => Err(self.failure(&what, &other, answer).await),
            }
        };
        self.again(send, |error| Some(error)).await
    }

    /// Asks for bytes, and goes where the answer leads. The token goes along as long as it is the API that is asked.
    pub(super) async fn get(&self, path: &str, accept: &'static str) -> Result<Response<Incoming>, GithubError> {
        let what = format!("GET {path}");
        let api = self.address(path, &what)?;
        let mut address = api.clone();
        for _ in 0..=MOST_REDIRECTS {
            let ours = same_origin(&api, &address);
            let request = self.request(Method::GET, &address, accept, Full::default(), ours);
            let answer = self.send(&what, request).await?;
            match self.meaning(&answer) {
                AnswerMeaning::Here => return Ok(answer),
                AnswerMeaning::Moved(to) => address = next(&what, &api, &to)?,
                // The store: its words repeat the signed address, and another address may fare better.
                AnswerMeaning::Refused if !ours => {
                    return Err(GithubError::Failing { what, status: answer.status().as_u16() });
                }
                other => return Err(self.failure(&what, &other, answer).await),
            }
        }
        Err(elsewhere(&what, "and from there elsewhere, too often"))
    }

    /// Asks again while that may help and there is time. `told` finds what GitHub said in a failure.
    pub(crate) async fn again<T, E, A: Future<Output = Result<T, E>>>(
        &self,
        ask: impl FnMut() -> A,
        told: impl Fn(&E) -> Option<&GithubError>,
    ) -> Result<T, E> {
        let pauses = ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_jitter().with_max_times(TRIES);
        ask.retry(pauses)
            .when(|error| told(error).is_some_and(GithubError::passes))
            .adjust(|error, pause| {
                let pause = pause.map(|pause| told(error).and_then(GithubError::wait).unwrap_or(pause))?;
                // Whoever comes later waits for less: a run that fails is started again by Lambda.
                (Instant::now() + pause < self.deadline).then_some(pause)
            })
            .notify(|error, pause| {
                if let Some(error) = told(error) {
                    tracing::info!(%error, ?pause, "GitHub is asked again");
                }
            })
            .await
    }

    fn address(&self, path: &str, what: &str) -> Result<Uri, GithubError> {
        format!("{}{path}", self.api).parse().map_err(|_| elsewhere(what, "where no address is"))
    }

    fn request(
        &self,
        method: Method,
        address: &Uri,
        accept: &'static str,
        body: Full<Bytes>,
        ours: bool,
    ) -> Request<Full<Bytes>> {
        let json = method == Method::POST;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = address.clone();
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("tidegate/", env!("CARGO_PKG_VERSION"))));
        if ours {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            headers.insert(AUTHORIZATION, self.authorization.clone());
            headers.insert("x-github-api-version", HeaderValue::from_static(API_VERSION));
        }
        if json {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        request
    }

    async fn send(&self, what: &str, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, GithubError> {
        match timeout_at(self.quiet(), self.http.request(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(silent(what, &error)),
            Err(_) if Instant::now() >= self.deadline => Err(GithubError::Late(what.to_owned())),
            Err(_) => Err(GithubError::Silent { what: what.to_owned(), why: "it took too long".to_owned() }),
        }
    }

    fn meaning(&self, answer: &Response<Incoming>) -> AnswerMeaning {
        let passed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let now = Timestamp::from_milliseconds(self.now.milliseconds().saturating_add(passed));
        head(answer.status().as_u16(), answer.headers()).meaning(now)
    }

    async fn failure(&self, what: &str, meaning: &AnswerMeaning, answer: Response<Incoming>) -> GithubError {
        let (status, what) = (answer.status().as_u16(), what.to_owned());
        match meaning {
            AnswerMeaning::Limited(seconds) => GithubError::Limited { what, seconds: *seconds },
            AnswerMeaning::Failing => GithubError::Failing { what, status },
            AnswerMeaning::Here | AnswerMeaning::Moved(_) | AnswerMeaning::Refused => {
                let body = self.body(&what, answer).await.unwrap_or_default();
                let why = refusal(&body).map(|why| format!(" and `{why}`")).unwrap_or_default();
                GithubError::Refused { what, status, why }
            }
        }
    }

    /// A whole body in memory.
    async fn body(&self, what: &str, answer: Response<Incoming>) -> Result<Bytes, GithubError> {
        let body = Limited::new(answer.into_body(), MAX_JSON).collect();
        match timeout_at(self.quiet(), body).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(GithubError::Long(what.to_owned())),
            Ok(Err(error)) => Err(silent(what, error.as_ref())),
            Err(_) => Err(GithubError::Silent { what: what.to_owned(), why: "the answer broke off".to_owned() }),
        }
    }
}

/// How connections are made. A run asks GitHub up to three times, and the machine's certificates are read once for a
/// process, whenever the first of them comes.
fn connector() -> std::io::Result<HttpsConnector<HttpConnector>> {
    static CONNECTOR: OnceLock<HttpsConnector<HttpConnector>> = OnceLock::new();
    if let Some(known) = CONNECTOR.get() {
        return Ok(known.clone());
    }
    let mut plain = HttpConnector::new();
    plain.enforce_http(false);
    plain.set_connect_timeout(Some(CONNECT));
    // The same library, the same cryptography and the same roots as for AWS.
    let made = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?
        .https_or_http()
        .enable_http1()
        .wrap_connector(plain);
    Ok(CONNECTOR.get_or_init(|| made).clone())
}

fn head(status: u16, headers: &HeaderMap) -> AnswerHead<'_> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    AnswerHead {
        status,
        location: text(LOCATION.as_str()),
        retry_after: text(RETRY_AFTER.as_str()),
        remaining: text("x-ratelimit-remaining"),
        reset: text("x-ratelimit-reset"),
        link: text(LINK.as_str()),
    }
}

/// An error with its causes; none of them names the address that was asked.
pub(super) fn silent(what: &str, error: &(dyn std::error::Error + 'static)) -> GithubError {
    let mut why = error.to_string();
    let mut inner = error.source();
    while let Some(cause) = inner {
        why = format!("{why}: {cause}");
        inner = cause.source();
    }
    GithubError::Silent { what: what.to_owned(), why: tidegate_publish::aws_error::plain(&why) }
}

fn elsewhere(what: &str, why: &'static str) -> GithubError {
    GithubError::Elsewhere { what: what.to_owned(), why }
}

/// Where an answer leads: to HTTPS, or to this machine where the API is on it. `what` was asked of `api`.
fn next(what: &str, api: &Uri, to: &str) -> Result<Uri, GithubError> {
    let to: Uri = to.parse().map_err(|_| elsewhere(what, "where no address is"))?;
    match to.scheme_str() {
        Some("https") => Ok(to),
        // Only an API of this machine is asked without TLS in the first place.
        Some("http") if api.scheme_str() == Some("http") && to.host().is_some_and(is_this_machine) => Ok(to),
        Some(_) => Err(elsewhere(what, "to an address that is not `https://…`")),
        None => Err(elsewhere(what, "to an address without a host")),
    }
}

fn is_this_machine(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

fn same_origin(one: &Uri, other: &Uri) -> bool {
    one.scheme() == other.scheme() && one.host() == other.host() && one.port_u16() == other.port_u16()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_https_or_stay_on_this_machine() {
        let github: Uri = "https://api.github.com/repos/acme/docs/actions/artifacts/1/zip".parse().unwrap();
        let local: Uri = "http://127.0.0.1:8080/repos/acme/docs".parse().unwrap();
        for (api, to, fine) in [
            (&github, "https://productionresults.blob.core.windows.net/x?sig=1", true),
            (&github, "http://productionresults.blob.core.windows.net/x", false),
            (&github, "http://127.0.0.1/x", false),
            (&github, "/elsewhere", false),
            (&github, "file:///etc/passwd", false),
            (&local, "http://127.0.0.1:9090/x", true),
            (&local, "https://example.com/x", true),
            (&local, "http://169.254.169.254/latest/meta-data/", false),
        ] {
            assert_eq!(next("GET x", api, to).is_ok(), fine, "{to}");
        }
        for (other, same) in [
            ("https://api.github.com/repositories/1", true),
            ("https://api.github.com:8443/x", false),
            ("http://api.github.com/x", false),
            ("https://api.github.com.evil.example/x", false),
        ] {
            assert_eq!(same_origin(&github, &other.parse().unwrap()), same, "{other}");
        }
    }
}
