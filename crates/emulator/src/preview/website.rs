//! A bucket that answers as the S3 website endpoint does, with index and error documents,
//! redirects and headers.
//!
//! Source: "Hosting a static website using Amazon S3": "Configuring an index document", "custom error document",
//! "(Optional) Configuring a webpage redirect". One difference: if the origin has a path, a redirect to `dir/` omits
//! it, as a visitor needs.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::origin::{OriginAnswer, OriginBody, headers, under};
use crate::cloudfront::{ServedDistribution, ViewerPath};
use crate::s3::{ObjectStore, S3Failure};

/// The index document of a bucket without website configuration.
const INDEX: &str = "index.html";
/// Error documents to look for if none is configured. The first that exists is used.
const ERROR_PAGES: [&str; 2] = ["404.html", "error.html"];

/// Answers the request for `path`.
pub(super) fn answer(
    store: &ObjectStore,
    distribution: &ServedDistribution,
    path: &ViewerPath,
) -> Result<OriginAnswer, S3Failure> {
    let bucket = &distribution.origin.bucket;
    let website = store.bucket(bucket)?.website;
    let index = website.as_ref().map_or(INDEX, |website| &website.index_document);
    let under_origin = |key: &str| under(&distribution.origin.path, key);

    if let Some(decoded) = path.decoded() {
        let requested = decoded.strip_prefix('/').unwrap_or(&decoded);
        let key = match &distribution.default_root_object {
            Some(root) if requested.is_empty() => root.clone(),
            _ if requested.is_empty() || requested.ends_with('/') => format!("{requested}{index}"),
            _ => requested.to_owned(),
        };
        if let Some(found) = find(store, bucket, &under_origin(&key), StatusCode::OK)? {
            return Ok(found);
        }
        if !requested.is_empty() && !requested.ends_with('/') {
            let directory = under_origin(&format!("{requested}/{index}"));
            if exists(store, bucket, &directory)? {
                return Ok(redirect(StatusCode::FOUND, &format!("{}/", path.as_str())));
            }
        }
    }

    let configured = website.and_then(|website| website.error_document);
    for key in configured.into_iter().chain(ERROR_PAGES.map(under_origin)) {
        if let Some(found) = find(store, bucket, &key, StatusCode::NOT_FOUND)? {
            return Ok(found);
        }
    }
    let page = "<!doctype html><title>404 Not Found</title><h1>404 Not Found</h1>\n";
    Ok(OriginAnswer::text(StatusCode::NOT_FOUND, "text/html; charset=utf-8", page))
}

/// Answers an OPTIONS request. Source: "Hosting a static website using Amazon S3", "Key differences between a website
/// endpoint and a REST API endpoint": it supports only GET and HEAD.
pub(super) fn options() -> OriginAnswer {
    let page = "<!doctype html><title>405 Method Not Allowed</title><h1>405 Method Not Allowed</h1>\n";
    OriginAnswer::text(StatusCode::METHOD_NOT_ALLOWED, "text/html; charset=utf-8", page)
}

fn find(store: &ObjectStore, bucket: &str, key: &str, status: StatusCode) -> Result<Option<OriginAnswer>, S3Failure> {
    let object = match store.get(bucket, key) {
        Ok(object) => object,
        // A key that S3 would reject does not exist either.
        Err(S3Failure::NoSuchKey | S3Failure::KeyTooLong) => return Ok(None),
        Err(error) => return Err(error),
    };
    let headers = headers(&object.info);
    if status == StatusCode::OK
        && let Some(target) = &object.info.headers.website_redirect
    {
        let mut answer = redirect(StatusCode::MOVED_PERMANENTLY, target);
        answer.headers.extend(headers.get(CACHE_CONTROL).cloned().map(|value| (CACHE_CONTROL, value)));
        return Ok(Some(answer));
    }
    let body = OriginBody::Object { key: key.to_owned(), content: object.content };
    Ok(Some(OriginAnswer { status, headers, body }))
}

fn exists(store: &ObjectStore, bucket: &str, key: &str) -> Result<bool, S3Failure> {
    match store.head(bucket, key) {
        Ok(_) => Ok(true),
        Err(S3Failure::NoSuchKey | S3Failure::KeyTooLong) => Ok(false),
        Err(error) => Err(error),
    }
}

fn redirect(status: StatusCode, target: &str) -> OriginAnswer {
    let mut headers = HeaderMap::new();
    if let Ok(target) = HeaderValue::from_str(target) {
        headers.insert(LOCATION, target);
    }
    OriginAnswer { status, headers, body: OriginBody::Text(Bytes::new()) }
}
