//! The cache in front of the origin, and custom error responses.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use http::header::{AGE, ETAG};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use jiff::Timestamp;

use super::answer::{RangePart, part, response, set};
use super::cache::{CachedObject, MAX_OBJECT_SIZE, PreviewCache};
use super::freshness::{self, Freshness, MIN_ERROR_LIFETIME};
use super::origin::{OriginAnswer, OriginBody, etag};
use super::{PreviewError, X_CACHE, bucket, website};
use crate::cloudfront::path::tags;
use crate::cloudfront::{
    CacheResult, CloudFrontService, Distribution, ErrorResponse, OriginAccess, ServedDistribution, ViewerPath,
};
use crate::iam::arn;
use crate::s3::{Authorizer, ObjectInfo, ObjectStore, OriginCaller};

/// A distribution with its cache.
#[derive(Clone)]
pub(super) struct Edge {
    pub(super) cloudfront: CloudFrontService,
    pub(super) store: ObjectStore,
    pub(super) authorizer: Authorizer,
    pub(super) distribution: String,
    pub(super) cache: Arc<Mutex<PreviewCache>>,
}

/// An answer of the cache or the origin, before a request's conditions and ranges are applied.
pub(super) struct FetchedAnswer {
    status: StatusCode,
    /// The status of the origin, if a custom error response replaced it.
    pub(super) origin_status: StatusCode,
    headers: HeaderMap,
    body: FetchedBody,
    /// `Hit`, `Miss`, `RefreshHit`, or `Error` for a custom error response that was not cached.
    source: &'static str,
    /// When the origin sent a copy of the cache.
    since: Option<Timestamp>,
}

enum FetchedBody {
    Cached(Bytes),
    Origin(OriginBody),
}

impl FetchedAnswer {
    fn cached(cached: CachedObject, source: &'static str) -> Self {
        Self {
            status: cached.status,
            origin_status: cached.origin_status,
            headers: cached.headers,
            body: FetchedBody::Cached(cached.body),
            source,
            since: Some(cached.since),
        }
    }

    /// What the cache did.
    pub(super) fn cache_result(&self) -> CacheResult {
        match self.source {
            "Hit" => CacheResult::Hit,
            "RefreshHit" => CacheResult::Refresh,
            _ => CacheResult::Miss,
        }
    }

    fn passed_on(origin: OriginAnswer) -> Self {
        Self {
            status: origin.status,
            origin_status: origin.status,
            headers: origin.headers,
            body: FetchedBody::Origin(origin.body),
            source: "Miss",
            since: None,
        }
    }
}

impl Edge {
    /// The answer for a path.
    pub(super) async fn fetch(
        &self,
        distribution: &Distribution,
        served: &ServedDistribution,
        path: &ViewerPath,
    ) -> Result<FetchedAnswer, PreviewError> {
        let now = self.cloudfront.clock().now();
        let cached = self.cached(path)?;
        if let Some(cached) = &cached
            && now < cached.fresh_until
        {
            return Ok(FetchedAnswer::cached(cached.clone(), "Hit"));
        }
        // Read before the origin: an invalidation that completes in the meantime clears the answer that is read now.
        let seen = self.cloudfront.completed(&self.distribution)?;
        let origin = self.ask(distribution, served, path)?;
        let error = served.error_responses.iter().find(|error| error.error_code == origin.status.as_u16());
        let min_error = error.and_then(|error| error.caching_min_ttl).unwrap_or(MIN_ERROR_LIFETIME);
        let freshness = freshness::of(origin.status, &origin.headers, now, min_error);
        if let Some(ErrorResponse { page: Some((page, status)), .. }) = error {
            let answer = self.error_page(distribution, served, &origin, page, *status).await?;
            if let Freshness::For(lifetime) = freshness {
                let fresh_until = now.checked_add(lifetime).unwrap_or(Timestamp::MAX);
                let copy = CachedObject { since: now, fresh_until, seen, ..answer.clone() };
                self.lock(|cache| cache.put(path.clone(), copy));
            }
            return Ok(FetchedAnswer::cached(answer, "Error"));
        }
        let Freshness::For(lifetime) = freshness else {
            self.lock(|cache| cache.remove(path));
            return Ok(FetchedAnswer::passed_on(origin));
        };
        let fresh_until = now.checked_add(lifetime).unwrap_or(Timestamp::MAX);
        if let Some(cached) = cached
            && cached.status == origin.status
            && cached.headers == origin.headers
            && cached.headers.contains_key(ETAG)
        {
            let confirmed = CachedObject { since: now, fresh_until, seen, ..cached };
            self.lock(|cache| cache.put(path.clone(), confirmed.clone()));
            return Ok(FetchedAnswer::cached(confirmed, "RefreshHit"));
        }
        if origin.body.length() > MAX_OBJECT_SIZE {
            self.lock(|cache| cache.remove(path));
            return Ok(FetchedAnswer::passed_on(origin));
        }
        let tags = tags_of(served, &origin.headers);
        let (status, headers, body) = (origin.status, origin.headers, origin.body.bytes().await?);
        let cached = CachedObject { status, origin_status: status, headers, body, since: now, fresh_until, seen, tags };
        self.lock(|cache| cache.put(path.clone(), cached.clone()));
        Ok(FetchedAnswer::cached(cached, "Miss"))
    }

    /// The answer to an OPTIONS request, which is not cached.
    pub(super) async fn options(
        &self,
        distribution: &Distribution,
        served: &ServedDistribution,
    ) -> Result<FetchedAnswer, PreviewError> {
        let is_website = served.access == Some(OriginAccess::Website);
        let origin = if is_website { website::options() } else { bucket::options() };
        let error = served.error_responses.iter().find(|error| error.error_code == origin.status.as_u16());
        match error {
            Some(ErrorResponse { page: Some((page, status)), .. }) => {
                let answer = self.error_page(distribution, served, &origin, page, *status).await?;
                Ok(FetchedAnswer::cached(answer, "Error"))
            }
            _ => Ok(FetchedAnswer::passed_on(origin)),
        }
    }

    /// Asks the origin.
    fn ask(
        &self,
        distribution: &Distribution,
        served: &ServedDistribution,
        path: &ViewerPath,
    ) -> Result<OriginAnswer, PreviewError> {
        let root = served.default_root_object.as_ref().filter(|_| path.as_str() == "/");
        let path = root.map_or_else(|| path.clone(), |root| ViewerPath::new(&format!("/{root}")));
        let arn = arn::distribution(&distribution.id);
        let caller = match served.access {
            Some(OriginAccess::Website) => return Ok(website::answer(&self.store, served, &path)?),
            Some(OriginAccess::Control) if distribution.signs_requests(&self.cloudfront) => {
                OriginCaller::Distribution(&arn)
            }
            Some(OriginAccess::Control | OriginAccess::Anonymous) => OriginCaller::Anonymous,
            None => return Err(PreviewError::Unsupported("Origins")),
        };
        Ok(bucket::answer(&self.store, &self.authorizer, caller, served, &path)?)
    }

    /// The answer to an error of the origin: the page, or the origin's answer for the page if that is an error, too.
    /// The page has a copy of its own in the cache.
    async fn error_page(
        &self,
        distribution: &Distribution,
        served: &ServedDistribution,
        origin: &OriginAnswer,
        page: &str,
        status: u16,
    ) -> Result<CachedObject, PreviewError> {
        // Without the custom error responses, so that a missing page does not replace itself.
        let without = ServedDistribution { error_responses: Vec::new(), ..served.clone() };
        let page = Box::pin(self.fetch(distribution, &without, &ViewerPath::new(page))).await?;
        let replaced = if page.status == StatusCode::OK { StatusCode::from_u16(status).ok() } else { None };
        let now = self.cloudfront.clock().now();
        Ok(CachedObject {
            status: replaced.unwrap_or(page.status),
            origin_status: origin.status,
            tags: tags_of(served, &page.headers),
            headers: page.headers,
            body: match page.body {
                FetchedBody::Cached(body) => body,
                FetchedBody::Origin(body) => body.bytes().await?,
            },
            since: now,
            fresh_until: now,
            seen: 0,
        })
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

    /// Answers a request. An object that is not cached is streamed, without reading it into memory.
    pub(super) fn respond(
        &self,
        request: &Parts,
        served: &ServedDistribution,
        fetched: FetchedAnswer,
    ) -> Result<Response<Body>, PreviewError> {
        let FetchedAnswer { status, headers, body, source, since, .. } = fetched;
        let length = match &body {
            FetchedBody::Cached(body) => u64::try_from(body.len()).unwrap_or(u64::MAX),
            FetchedBody::Origin(body) => body.length(),
        };
        let part = part(status, &headers, length, &request.headers);
        let body = match (body, &part) {
            (FetchedBody::Cached(body) | FetchedBody::Origin(OriginBody::Text(body)), RangePart::Range(range)) => {
                let index = |at: u64| usize::try_from(at).unwrap_or(body.len()).min(body.len());
                Body::from(body.slice(index(range.start)..index(range.end)))
            }
            (FetchedBody::Cached(body) | FetchedBody::Origin(OriginBody::Text(body)), _) => Body::from(body),
            (FetchedBody::Origin(OriginBody::Object { key, content }), RangePart::Range(range)) => {
                drop(content);
                let select = |info: &ObjectInfo| Ok(range.start.min(info.size)..range.end.min(info.size));
                let object = self.store.get_range(&served.origin.bucket, &key, select)?;
                if etag(&object.info) != headers.get(ETAG).cloned() {
                    return Err(PreviewError::Replaced);
                }
                Body::from_stream(object.content.stream())
            }
            (FetchedBody::Origin(OriginBody::Object { content, .. }), _) => Body::from_stream(content.stream()),
        };
        let mut response = response(&request.method, status, &headers, length, &part, body);
        set(&mut response, X_CACHE, &format!("{source} from tidegate"));
        if source == "Hit"
            && let Some(since) = since
        {
            let age = self.cloudfront.clock().now().duration_since(since).as_secs().max(0);
            set(&mut response, AGE, &age.to_string());
        }
        Ok(response)
    }

    fn lock<T>(&self, use_cache: impl FnOnce(&mut PreviewCache) -> T) -> T {
        use_cache(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The cache tags of an answer.
fn tags_of(served: &ServedDistribution, headers: &HeaderMap) -> Vec<String> {
    let header = served.cache_tags.as_ref().and_then(|name| headers.get(name.as_str()));
    header.and_then(|value| value.to_str().ok()).map(tags).unwrap_or_default()
}
