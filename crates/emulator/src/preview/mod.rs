//! A preview of a site as its visitors see it, behind a cache that keeps what it served until it is invalidated or
//! expires. A missing invalidation therefore shows in a browser.
//!
//! The modules, in the order in which data meets them: `functions` (the distribution's functions), `edge` (the cache and
//! custom error responses), `cache` (cached answers), `website` and `bucket` (the bucket as `origin`, by its website or
//! its REST endpoint), `freshness` (how long answers are cached), `answer` (the visitor's answer). As with CloudFront's
//! default cache policy, the path is the cache key and the query is not part of it.

mod answer;
mod bucket;
mod cache;
mod edge;
mod freshness;
mod functions;
mod origin;
mod website;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use thiserror::Error;

use crate::cloudfront::{CacheResult, CloudFrontError, CloudFrontService, Distribution, ViewerExchange, ViewerPath};
use crate::s3::{Authorizer, ObjectStore, S3Failure};
use answer::set;
use cache::{CAPACITY, PreviewCache};
use edge::Edge;
use functions::RequestOutcome;

/// Says in the header `x-cache` where an answer came from.
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// Why the preview cannot answer.
#[derive(Debug, Error)]
enum PreviewError {
    #[error("cannot serve the distribution: {0}")]
    CloudFront(#[from] CloudFrontError),
    #[error("cannot read the bucket: {0}")]
    Store(#[from] S3Failure),
    #[error("cannot read the object: {0}")]
    Read(#[from] std::io::Error),
    #[error("the object was replaced while it was read; load it again")]
    Replaced,
    #[error("the preview does not support `{0}` of the distribution's configuration")]
    Unsupported(&'static str),
    #[error("the preview does not forward {0} requests")]
    Method(Method),
    #[error("the path `{0}` that the function returned is invalid: {1}")]
    Path(String, http::uri::InvalidUri),
}

/// The site of a distribution, for GET, HEAD and OPTIONS on any path. The cache starts empty and lives as long as the router.
///
/// # Errors
/// The distribution does not exist.
pub fn router(
    cloudfront: &CloudFrontService,
    store: &ObjectStore,
    distribution: &str,
) -> Result<Router, CloudFrontError> {
    cloudfront.distribution(distribution)?;
    let edge = Edge {
        cloudfront: cloudfront.clone(),
        store: store.clone(),
        authorizer: Authorizer::new(store.clone(), cloudfront.iam().clone()),
        distribution: distribution.to_owned(),
        cache: Arc::new(Mutex::new(PreviewCache::new(CAPACITY))),
    };
    Ok(Router::new().fallback(serve).with_state(edge))
}

async fn serve(State(edge): State<Edge>, request: Request) -> Response<Body> {
    let (request, _) = request.into_parts();
    match answer(&edge, &request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(%error, path = request.uri.path(), "the preview cannot answer");
            own_response(StatusCode::BAD_GATEWAY, &error.to_string())
        }
    }
}

/// A response that the edge makes.
fn own_response(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    set(&mut response, X_CACHE, "Error from tidegate");
    response
}

/// A response, and what the cache and the origin did for it.
struct EdgeResponse {
    response: Response<Body>,
    cache: Option<CacheResult>,
    origin_time: Duration,
}

impl EdgeResponse {
    /// A response that the edge or a function made.
    fn made(response: Response<Body>) -> Self {
        Self { response, cache: None, origin_time: Duration::ZERO }
    }
}

/// Answers a visitor: the function of the viewer request, the cache or the origin, the function of the viewer response,
/// and the response headers policy.
async fn answer(edge: &Edge, request: &Parts) -> Result<Response<Body>, PreviewError> {
    let started = Instant::now();
    let distribution = edge.cloudfront.distribution(&edge.distribution)?;
    let served = distribution.served();
    if let Some(element) = served.unsupported {
        return Err(PreviewError::Unsupported(element));
    }
    let answered = if served.allowed_methods.iter().any(|method| method == request.method.as_str()) {
        respond(edge, &distribution, request).await?
    } else {
        // The status and the text are known from reports.
        let text =
            "This distribution is not configured to allow the HTTP request method that was used for this request.";
        EdgeResponse::made(own_response(StatusCode::FORBIDDEN, text))
    };
    let EdgeResponse { mut response, cache, origin_time } = answered;
    if let Some(policy) = served.headers_policy.and_then(|id| edge.cloudfront.headers_policy(&id)) {
        let time = started.elapsed();
        let exchange = ViewerExchange { method: &request.method, headers: &request.headers, cache, origin_time, time };
        policy.apply(&exchange, response.headers_mut());
    }
    Ok(response)
}

async fn respond(edge: &Edge, distribution: &Distribution, request: &Parts) -> Result<EdgeResponse, PreviewError> {
    let served = distribution.served();
    let uri = request.uri.path();
    let root = served.default_root_object.as_ref().filter(|_| uri == "/").map(|root| format!("/{root}"));
    let (request, event) = match &served.viewer_request {
        Some(function) => {
            // AWS does not document whether a function sees `/` or the default root object. Other emulators show it
            // the object, and a function must cope with both.
            let uri = root.as_deref().unwrap_or(uri);
            match functions::on_request(&edge.cloudfront, distribution, function, request, uri)? {
                RequestOutcome::Continue(request, event) => (*request, Some(event)),
                RequestOutcome::Answer(response) => return Ok(EdgeResponse::made(*response)),
            }
        }
        None => (request.clone(), None),
    };
    let path = ViewerPath::new(request.uri.path());
    let asked = Instant::now();
    let fetched = match request.method {
        Method::GET | Method::HEAD => edge.fetch(distribution, &served, &path).await?,
        Method::OPTIONS => edge.options(distribution, &served).await?,
        method => return Err(PreviewError::Method(method)),
    };
    let (origin_status, origin_time, cache) = (fetched.origin_status, asked.elapsed(), fetched.cache_result());
    let mut response = edge.respond(&request, &served, fetched)?;
    // CloudFront does not call the function if the origin's status is an error, even if a page replaces the error.
    if let Some(function) = &served.viewer_response
        && origin_status.as_u16() < 400
    {
        let event = event.unwrap_or_else(|| functions::event_request(distribution, &request, uri));
        functions::on_response(&edge.cloudfront, distribution, function, &request.method, &event, &mut response)?;
    }
    Ok(EdgeResponse { response, cache: Some(cache), origin_time })
}
