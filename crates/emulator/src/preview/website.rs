//! The origin of the preview: a bucket that answers as the S3 website endpoint does, with index and error documents,
//! redirects and headers.
//!
//! Source: "Hosting a static website using Amazon S3": "Configuring an index document", "custom error document",
//! "(Optional) Configuring a webpage redirect". One difference: if the origin has a path, a redirect to `dir/` omits
//! it, as a visitor needs.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, EXPIRES, LAST_MODIFIED,
    LOCATION,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::cloudfront::{ServedDistribution, ViewerPath};
use crate::s3::{ObjectContent, ObjectInfo, ObjectStore, S3Failure};

/// The index document of a bucket without website configuration.
const INDEX: &str = "index.html";
/// Error documents to look for if none is configured. The first that exists is used.
const ERROR_PAGES: [&str; 2] = ["404.html", "error.html"];
/// The type of an object that was stored without one.
const DEFAULT_TYPE: &str = "binary/octet-stream";

/// An answer of the origin.
pub(super) struct WebsiteAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: WebsiteBody,
}

/// The body of an answer.
pub(super) enum WebsiteBody {
    /// Fixed text.
    Text(&'static str),
    /// The content of the object with this key.
    Object { key: String, content: ObjectContent },
}

impl WebsiteBody {
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Text(text) => u64::try_from(text.len()).unwrap_or(u64::MAX),
            Self::Object { content, .. } => content.length(),
        }
    }
}

/// Answers the request for `path`.
pub(super) fn answer(
    store: &ObjectStore,
    distribution: &ServedDistribution,
    path: &ViewerPath,
) -> Result<WebsiteAnswer, S3Failure> {
    let bucket = &distribution.origin.bucket;
    let website = store.bucket(bucket)?.website;
    let index = website.as_ref().map_or(INDEX, |website| &website.index_document);
    let origin_path = distribution.origin.path.trim_start_matches('/');
    let under_origin = |key: &str| {
        if origin_path.is_empty() { key.to_owned() } else { format!("{origin_path}/{key}") }
    };

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
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))]);
    let body = WebsiteBody::Text("<!doctype html><title>404 Not Found</title><h1>404 Not Found</h1>\n");
    Ok(WebsiteAnswer { status: StatusCode::NOT_FOUND, headers, body })
}

fn find(store: &ObjectStore, bucket: &str, key: &str, status: StatusCode) -> Result<Option<WebsiteAnswer>, S3Failure> {
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
    let body = WebsiteBody::Object { key: key.to_owned(), content: object.content };
    Ok(Some(WebsiteAnswer { status, headers, body }))
}

fn exists(store: &ObjectStore, bucket: &str, key: &str) -> Result<bool, S3Failure> {
    match store.head(bucket, key) {
        Ok(_) => Ok(true),
        Err(S3Failure::NoSuchKey | S3Failure::KeyTooLong) => Ok(false),
        Err(error) => Err(error),
    }
}

fn redirect(status: StatusCode, target: &str) -> WebsiteAnswer {
    let mut headers = HeaderMap::new();
    if let Ok(target) = HeaderValue::from_str(target) {
        headers.insert(LOCATION, target);
    }
    WebsiteAnswer { status, headers, body: WebsiteBody::Text("") }
}

/// The ETag of an object as a header.
pub(super) fn etag(info: &ObjectInfo) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{}\"", info.etag)).ok()
}

fn headers(info: &ObjectInfo) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let stored = &info.headers;
    let content_type = stored.content_type.as_deref().unwrap_or(DEFAULT_TYPE);
    headers.extend(etag(info).map(|value| (ETAG, value)));
    let modified = Timestamp::try_from(info.modified())
        .ok()
        .and_then(|modified| DateTimePrinter::new().timestamp_to_rfc9110_string(&modified).ok());
    for (name, value) in [
        (CONTENT_TYPE, Some(content_type)),
        (LAST_MODIFIED, modified.as_deref()),
        (CACHE_CONTROL, stored.cache_control.as_deref()),
        (CONTENT_DISPOSITION, stored.content_disposition.as_deref()),
        (CONTENT_ENCODING, stored.content_encoding.as_deref()),
        (CONTENT_LANGUAGE, stored.content_language.as_deref()),
        (EXPIRES, stored.expires.as_deref()),
    ] {
        // A value that HTTP cannot carry was never received over HTTP.
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    for (name, value) in &stored.metadata {
        let name = HeaderName::try_from(format!("x-amz-meta-{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    headers
}
