//! A preview of a site as its visitors see it, behind a cache that keeps what it served until it is invalidated or
//! expires. A missing invalidation therefore shows in a browser.
//!
//! The modules, in the order in which data meets them: `cache` (cached answers), `website` (the bucket as origin),
//! `freshness` (how long answers are cached), `answer` (the visitor's answer). As with CloudFront's default cache
//! policy, the path is the cache key and the query is not part of it.

mod answer;
mod cache;
mod freshness;
mod website;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use bytes::Bytes;
use http::header::{AGE, ALLOW, CONTENT_TYPE, ETAG};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use thiserror::Error;

use crate::cloudfront::path::tags;
use crate::cloudfront::{CloudFrontError, CloudFrontService, ViewerPath};
use crate::s3::{ObjectInfo, ObjectStore, S3Failure};
use answer::{RangePart, part, response, set};
use cache::{CAPACITY, CachedObject, MAX_OBJECT_SIZE, PreviewCache};
use freshness::Freshness;

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
}

/// A distribution with its cache.
#[derive(Clone)]
struct Edge {
    cloudfront: CloudFrontService,
    store: ObjectStore,
    distribution: String,
    cache: Arc<Mutex<PreviewCache>>,
}

/// The site of a distribution, for GET and HEAD on any path. The cache starts empty and lives as long as the router.
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
        distribution: distribution.to_owned(),
        cache: Arc::new(Mutex::new(PreviewCache::new(CAPACITY))),
    };
    Ok(Router::new().fallback(serve).with_state(edge))
}

async fn serve(State(edge): State<Edge>, request: Request) -> Response<Body> {
    let (request, _) = request.into_parts();
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match edge.answer(&request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(%error, path = request.uri.path(), "the preview cannot answer");
            let mut response = Response::new(Body::from(format!("{error}\n")));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            set(&mut response, X_CACHE, "Error from tidegate");
            response
        }
    }
}

impl Edge {
    async fn answer(&self, request: &Parts) -> Result<Response<Body>, PreviewError> {
        let path = ViewerPath::new(request.uri.path());
        let now = self.cloudfront.clock().now();
        let cached = self.cached(&path)?;
        if let Some(cached) = &cached
            && now < cached.fresh_until
        {
            return Ok(self.respond(request, cached, "Hit from tidegate"));
        }

        // Read before the origin: an invalidation that completes in the meantime clears the answer that is read now.
        let seen = self.cloudfront.completed(&self.distribution)?;
        let distribution = self.cloudfront.distribution(&self.distribution)?.served();
        let origin = website::answer(&self.store, &distribution, &path)?;
        let Freshness::For(lifetime) = freshness::of(origin.status, &origin.headers, now) else {
            self.lock(|cache| cache.remove(&path));
            return self.stream(request, origin);
        };
        let fresh_until = now.checked_add(lifetime).unwrap_or(jiff::Timestamp::MAX);
        if let Some(cached) = cached
            && cached.status == origin.status
            && cached.headers == origin.headers
            && cached.headers.contains_key(ETAG)
        {
            let confirmed = CachedObject { since: now, fresh_until, seen, ..cached };
            self.lock(|cache| cache.put(path, confirmed.clone()));
            return Ok(self.respond(request, &confirmed, "RefreshHit from tidegate"));
        }
        if origin.body.length() > MAX_OBJECT_SIZE {
            self.lock(|cache| cache.remove(&path));
            return self.stream(request, origin);
        }
        let body = match origin.body {
            website::WebsiteBody::Text(text) => Bytes::from_static(text.as_bytes()),
            website::WebsiteBody::Object { content, .. } => content.bytes().await?,
        };
        let (status, headers) = (origin.status, origin.headers);
        let header = distribution.cache_tags.as_ref().and_then(|name| headers.get(name.as_str()));
        let tags = header.and_then(|value| value.to_str().ok()).map(tags).unwrap_or_default();
        let cached = CachedObject { status, headers, body, since: now, fresh_until, seen, tags };
        self.lock(|cache| cache.put(path, cached.clone()));
        Ok(self.respond(request, &cached, "Miss from tidegate"))
    }

    /// The cached answer for a path, unless an invalidation cleared it.
    fn cached(&self, path: &ViewerPath) -> Result<Option<CachedObject>, PreviewError> {
        let Some(cached) = self.lock(|cache| cache.get(path).cloned()) else {
            return Ok(None);
        };
        let completed = self.cloudfront.completed(&self.distribution)?;
        if self.cloudfront.cleared_with(&self.distribution, path, &cached.tags, cached.seen)? {
            self.lock(|cache| cache.remove(path));
            return Ok(None);
        }
        // These invalidations need not be compared again.
        self.lock(|cache| cache.get(path).map(|cached| cached.seen = cached.seen.max(completed)));
        Ok(Some(cached))
    }

    fn respond(&self, request: &Parts, cached: &CachedObject, x_cache: &str) -> Response<Body> {
        let length = u64::try_from(cached.body.len()).unwrap_or(u64::MAX);
        let part = part(cached.status, &cached.headers, length, &request.headers);
        let body = match &part {
            RangePart::Range(range) => {
                let index = |at: u64| usize::try_from(at).unwrap_or(cached.body.len()).min(cached.body.len());
                cached.body.slice(index(range.start)..index(range.end))
            }
            _ => cached.body.clone(),
        };
        let mut response = response(&request.method, cached.status, &cached.headers, length, &part, Body::from(body));
        set(&mut response, X_CACHE, x_cache);
        if x_cache.starts_with("Hit") {
            let age = self.cloudfront.clock().now().duration_since(cached.since).as_secs().max(0);
            set(&mut response, AGE, &age.to_string());
        }
        response
    }

    /// Streams an answer that is not cached, without reading it into memory.
    fn stream(&self, request: &Parts, origin: website::WebsiteAnswer) -> Result<Response<Body>, PreviewError> {
        let length = origin.body.length();
        let part = part(origin.status, &origin.headers, length, &request.headers);
        let body = match (origin.body, &part) {
            (website::WebsiteBody::Text(text), _) => Body::from(text),
            (website::WebsiteBody::Object { key, content }, RangePart::Range(range)) => {
                drop(content);
                let distribution = self.cloudfront.distribution(&self.distribution)?.served();
                let select = |info: &ObjectInfo| Ok(range.start.min(info.size)..range.end.min(info.size));
                let object = self.store.get_range(&distribution.origin.bucket, &key, select)?;
                if website::etag(&object.info) != origin.headers.get(ETAG).cloned() {
                    return Err(PreviewError::Replaced);
                }
                Body::from_stream(object.content.stream())
            }
            (website::WebsiteBody::Object { content, .. }, _) => Body::from_stream(content.stream()),
        };
        let mut response = response(&request.method, origin.status, &origin.headers, length, &part, body);
        set(&mut response, X_CACHE, "Miss from tidegate");
        Ok(response)
    }

    fn lock<T>(&self, use_cache: impl FnOnce(&mut PreviewCache) -> T) -> T {
        use_cache(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
