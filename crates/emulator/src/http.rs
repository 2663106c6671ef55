//! The door of an account: every request to any of its services comes through here, with or without a socket. Owns finding
//! the service that a request is for; never what the service answers.

use std::{
    fmt,
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use s3s::{Body, service::S3Service};
use tokio::net::TcpListener;

use crate::account::LocalAws;
use crate::cloudfront::CloudFrontService;
use crate::iam::IamService;
use crate::parameters::ParameterStore;
use crate::secrets::Secrets;
use crate::sts::StsService;

/// Largest body that any service but S3 is given, bytes: 3,000 paths of 4,000 characters and their elements.
const LARGEST_DOCUMENT: usize = 16 * 1024 * 1024;

/// A service of the stand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpService {
    /// Simple Storage Service.
    S3,
    /// Security Token Service.
    Sts,
    /// Identity and Access Management.
    Iam,
    /// CloudFront.
    CloudFront,
    /// Secrets Manager.
    SecretsManager,
    /// Systems Manager, of which there is the Parameter Store.
    SystemsManager,
}

/// The service that a request is for: by what it is signed for, else by its host; S3 if neither tells.
pub(crate) fn service_of(uri: &Uri, headers: &HeaderMap) -> HttpService {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …
    let signed_for = text(header::AUTHORIZATION)
        .and_then(|value| value.split_once("Credential="))
        .and_then(|(_, scope)| scope.split('/').nth(3));
    let host = text(header::HOST).or_else(|| uri.host()).unwrap_or_default();
    match signed_for {
        Some("sts") => HttpService::Sts,
        Some("iam") => HttpService::Iam,
        Some("cloudfront") => HttpService::CloudFront,
        Some("secretsmanager") => HttpService::SecretsManager,
        Some("ssm") => HttpService::SystemsManager,
        Some(_) => HttpService::S3,
        None if host.starts_with("sts.") => HttpService::Sts,
        None if host.starts_with("iam.") => HttpService::Iam,
        None if host.starts_with("cloudfront.") => HttpService::CloudFront,
        None if host.starts_with("secretsmanager.") => HttpService::SecretsManager,
        None if host.starts_with("ssm.") => HttpService::SystemsManager,
        None => HttpService::S3,
    }
}

/// The bucket that a host such as `bucket.s3.localhost:9000` or `a.b.s3.eu-west-1.amazonaws.com` names, if it names one.
pub(crate) fn bucket_of_host(host: &str) -> Option<&str> {
    // The last one, since a bucket's own name may hold ".s3.".
    host.rsplit_once(".s3.").map(|(bucket, _)| bucket).filter(|bucket| !bucket.is_empty())
}

/// All services of an account behind one function.
pub(crate) struct Router {
    pub(crate) s3: S3Service,
    pub(crate) sts: StsService,
    pub(crate) iam: IamService,
    pub(crate) cloudfront: CloudFrontService,
    pub(crate) secrets: Secrets,
    pub(crate) parameters: ParameterStore,
    pub(crate) requests: AtomicU64,
}

impl Router {
    /// Answers one request.
    pub(crate) async fn answer(&self, mut request: Request<Body>) -> Response<Body> {
        if !request.headers().contains_key(header::HOST)
            && let Some(host) = host_header(request.uri())
        {
            request.headers_mut().insert(header::HOST, host);
        }
        join(request.headers_mut(), &header::CONTENT_ENCODING);
        let is_head = request.method() == Method::HEAD;
        let mut response = match service_of(request.uri(), request.headers()) {
            HttpService::S3 => self.s3.call(request).await.unwrap_or_else(|error| {
                tracing::error!(?error, "a request could not be answered");
                plain(StatusCode::INTERNAL_SERVER_ERROR)
            }),
            HttpService::Sts => whole(request, |request| self.sts.handle(request)).await,
            HttpService::Iam => whole(request, |request| self.iam.handle(request)).await,
            HttpService::CloudFront => whole(request, |request| self.cloudfront.handle(request)).await,
            HttpService::SecretsManager => whole(request, |request| self.secrets.handle(request)).await,
            HttpService::SystemsManager => whole(request, |request| self.parameters.handle(request)).await,
        };
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        if let Ok(id) = HeaderValue::from_str(&format!("{number:016X}")) {
            response.headers_mut().entry("x-amz-request-id").or_insert(id);
        }
        // HTTP has no body here, whatever the error says; nor has S3.
        if is_head || response.status() == StatusCode::NOT_MODIFIED {
            *response.body_mut() = Body::empty();
        }
        response
    }
}

/// Makes one line of several, as HTTP allows and as signatures see them: SDKs send the encoding of the content and that of
/// the transfer in lines of their own.
fn join(headers: &mut HeaderMap, name: &header::HeaderName) {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    if lines.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b','))
    {
        headers.insert(name, joined);
    }
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Has a request answered by a service that takes it with its whole body.
async fn whole<F: Future<Output = Response<Bytes>>>(
    request: Request<Body>,
    handle: impl FnOnce(Request<Bytes>) -> F,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    match Limited::new(body, LARGEST_DOCUMENT).collect().await {
        Ok(body) => handle(Request::from_parts(parts, body.to_bytes())).await.map(Body::from),
        Err(_) => plain(StatusCode::PAYLOAD_TOO_LARGE),
    }
}

/// The Host header that an HTTP client would send, which is part of what is signed.
fn host_header(uri: &Uri) -> Option<HeaderValue> {
    let host = uri.host()?;
    let default = match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    };
    match uri.port_u16().filter(|port| Some(*port) != default) {
        Some(port) => HeaderValue::from_str(&format!("{host}:{port}")).ok(),
        None => HeaderValue::from_str(host).ok(),
    }
}

/// An HTTP client for the SDKs that needs no socket.
pub(crate) struct InProcess(Arc<Router>);

impl InProcess {
    pub(crate) fn new(front: Arc<Router>) -> Self {
        Self(front)
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InProcess")
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Self(Arc::clone(&self.0)))
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let front = Arc::clone(&self.0);
        HttpConnectorFuture::new_boxed(Box::pin(async move {
            let request = request.try_into_http1x().map_err(unusable)?;
            let response = front.answer(request.map(into_service_body)).await;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x)).map_err(unusable)
        }))
    }
}

fn into_service_body(body: SdkBody) -> Body {
    match body.bytes() {
        Some(bytes) => Body::from(Bytes::copy_from_slice(bytes)),
        None => Body::http_body_unsync(body),
    }
}

fn unusable(error: impl Into<BoxError>) -> ConnectorError {
    ConnectorError::user(error.into())
}

/// Serves an account over HTTP/1.1 until `shutdown` is done, then lets the requests in flight finish.
///
/// Both ways of addressing buckets work: `http://127.0.0.1:PORT/bucket/key` and `http://bucket.s3.localhost:PORT/key`. The
/// services are told apart by what a request is signed for.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    account: LocalAws,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(&account)).with_graceful_shutdown(shutdown).await
}

/// What [`serve`] serves, for whoever puts something before it.
pub fn router(account: &LocalAws) -> axum::Router {
    let front = account.front();
    let handle = move |request: axum::extract::Request| {
        let front = Arc::clone(&front);
        async move {
            let response = front.answer(request.map(Body::http_body_unsync)).await;
            response.map(axum::body::Body::new)
        }
    };
    axum::Router::new().fallback(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_name_buckets() {
        assert_eq!(bucket_of_host("acme.s3.localhost:9000"), Some("acme"));
        assert_eq!(bucket_of_host("docs.acme.com.s3.eu-west-1.amazonaws.com"), Some("docs.acme.com"));
        assert_eq!(bucket_of_host("s3.us-east-1.amazonaws.com"), None);
        assert_eq!(bucket_of_host("127.0.0.1:9000"), None);
        assert_eq!(bucket_of_host("localhost"), None);
    }

    #[test]
    fn services_are_told_by_signature_then_by_host() {
        let service = |uri: &str, authorization: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(authorization) = authorization {
                headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
            }
            service_of(&uri.parse().unwrap(), &headers)
        };
        let signed = |service: &str| {
            format!(
                "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
            )
        };
        assert_eq!(service("http://127.0.0.1:9000/", Some(&signed("sts"))), HttpService::Sts);
        assert_eq!(service("http://127.0.0.1:9000/2020-05-31/", Some(&signed("cloudfront"))), HttpService::CloudFront);
        assert_eq!(service("https://sts.amazonaws.com/", Some(&signed("s3"))), HttpService::S3);
        assert_eq!(service("https://sts.us-east-1.amazonaws.com/", None), HttpService::Sts);
        assert_eq!(service("https://bucket.s3.amazonaws.com/", None), HttpService::S3);
        for (name, expected) in [
            ("iam", HttpService::Iam),
            ("secretsmanager", HttpService::SecretsManager),
            ("ssm", HttpService::SystemsManager),
        ] {
            assert_eq!(service("http://127.0.0.1:9000/", Some(&signed(name))), expected);
            assert_eq!(service(&format!("https://{name}.us-east-1.amazonaws.com/"), None), expected);
        }
    }

    #[test]
    fn only_unusual_ports_are_in_the_host() {
        let host = |uri: &str| host_header(&uri.parse().unwrap()).map(|host| host.to_str().unwrap().to_owned());
        assert_eq!(host("https://s3.amazonaws.com:443/a").as_deref(), Some("s3.amazonaws.com"));
        assert_eq!(host("http://localhost:9000/a").as_deref(), Some("localhost:9000"));
        assert_eq!(host("/a"), None);
    }
}
