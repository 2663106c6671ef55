//! Passes each request to its service. Requests come from an SDK in the same process or from a socket.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
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

use crate::http::service_name;

/// Largest request body of every service except S3, in bytes. An invalidation of 3,000 paths of 4,000 characters fits.
const MAX_REQUEST_BODY: usize = 16 * 1024 * 1024;

/// Answers the requests for one service.
type ServiceHandler = dyn Fn(&Request<Bytes>) -> Response<Bytes> + Send + Sync;

/// Passes each request to its service.
pub(crate) struct Router {
    s3: S3Service,
    /// All services except S3, by name.
    services: RwLock<BTreeMap<&'static str, Arc<ServiceHandler>>>,
    requests: AtomicU64,
}

impl Router {
    /// A router to S3 alone.
    pub(crate) fn new(s3: S3Service) -> Self {
        Self { s3, services: RwLock::default(), requests: AtomicU64::new(1) }
    }

    /// Adds or replaces the service with this name.
    pub(crate) fn add(
        &self,
        name: &'static str,
        handler: impl Fn(&Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) {
        self.services.write().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::new(handler));
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, mut request: Request<Body>) -> Response<Body> {
        if !request.headers().contains_key(header::HOST)
            && let Some(host) = host_header(request.uri())
        {
            request.headers_mut().insert(header::HOST, host);
        }
        join_lines(request.headers_mut(), &header::CONTENT_ENCODING);
        let is_head = request.method() == Method::HEAD;
        let mut response = match self.service(&request) {
            Some(handler) => with_whole_body(request, &*handler).await,
            None => self.s3.call(request).await.unwrap_or_else(|error| {
                tracing::error!(?error, "cannot answer a request");
                empty_response(StatusCode::INTERNAL_SERVER_ERROR)
            }),
        };
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        if let Ok(id) = HeaderValue::from_str(&format!("{number:016X}")) {
            response.headers_mut().entry("x-amz-request-id").or_insert(id);
        }
        // HTTP allows no body in these responses, not even for an error.
        if is_head || response.status() == StatusCode::NOT_MODIFIED {
            *response.body_mut() = Body::empty();
        }
        response
    }

    fn service(&self, request: &Request<Body>) -> Option<Arc<ServiceHandler>> {
        let name = service_name(request.uri(), request.headers());
        self.services.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// Joins several lines of one header with commas, as signers do. SDKs send the encoding of the content and the encoding
/// of the transfer in separate lines.
fn join_lines(headers: &mut HeaderMap, name: &header::HeaderName) {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    if lines.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b','))
    {
        headers.insert(name, joined);
    }
}

fn empty_response(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Reads the request body and passes the request to `handler`.
async fn with_whole_body(request: Request<Body>, handler: &ServiceHandler) -> Response<Body> {
    let (parts, body) = request.into_parts();
    match Limited::new(body, MAX_REQUEST_BODY).collect().await {
        Ok(body) => handler(&Request::from_parts(parts, body.to_bytes())).map(Body::from),
        Err(_) => empty_response(StatusCode::PAYLOAD_TOO_LARGE),
    }
}

/// The Host header that an HTTP client would send. The signature covers it.
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

/// An HTTP client for SDKs that calls the router directly, without a socket.
pub(crate) struct InProcess(Arc<Router>);

impl InProcess {
    pub(crate) fn new(router: Arc<Router>) -> Self {
        Self(router)
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
        let router = Arc::clone(&self.0);
        HttpConnectorFuture::new_boxed(Box::pin(async move {
            let request = request.try_into_http1x().map_err(user_error)?;
            let response = router.answer(request.map(into_service_body)).await;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x)).map_err(user_error)
        }))
    }
}

fn into_service_body(body: SdkBody) -> Body {
    match body.bytes() {
        Some(bytes) => Body::from(Bytes::copy_from_slice(bytes)),
        None => Body::http_body_unsync(body),
    }
}

fn user_error(error: impl Into<BoxError>) -> ConnectorError {
    ConnectorError::user(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn omits_the_default_port_from_the_host() {
        let host = |uri: &str| host_header(&uri.parse().unwrap()).map(|host| host.to_str().unwrap().to_owned());
        assert_eq!(host("https://s3.amazonaws.com:443/a").as_deref(), Some("s3.amazonaws.com"));
        assert_eq!(host("http://localhost:9000/a").as_deref(), Some("localhost:9000"));
        assert_eq!(host("/a"), None);
    }
}
