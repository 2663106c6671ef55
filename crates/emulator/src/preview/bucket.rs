//! A bucket that answers as the S3 REST endpoint does: an object for its exact key, and an error otherwise. The bucket's
//! policy must allow the distribution to read it.
//!
//! Source: Amazon S3 API Reference, "GetObject": without permission to list the bucket, a missing key is a 403.

use http::{HeaderName, HeaderValue, StatusCode};

use super::origin::{OriginAnswer, OriginBody, headers, under};
use crate::cloudfront::{ServedDistribution, ViewerPath};
use crate::s3::{Authorizer, ObjectStore, OriginCaller, S3Failure};
use crate::xml::XmlElement;

/// Keys of a listing. S3 lists the bucket where the path is empty and listing is allowed.
const LISTED: usize = 1_000;

/// Longest key, in bytes.
const MAX_KEY: usize = 1_024;

/// The header of an object that the website endpoint would redirect. The REST endpoint sends it and the object.
const REDIRECT: HeaderName = HeaderName::from_static("x-amz-website-redirect-location");

/// Answers the request for `path`.
pub(super) fn answer(
    store: &ObjectStore,
    authorizer: &Authorizer,
    caller: OriginCaller<'_>,
    distribution: &ServedDistribution,
    path: &ViewerPath,
) -> Result<OriginAnswer, S3Failure> {
    let bucket = &distribution.origin.bucket;
    store.bucket(bucket)?;
    let Some(decoded) = path.decoded() else {
        return Ok(error(StatusCode::BAD_REQUEST, "InvalidURI", "Couldn't parse the specified URI."));
    };
    let requested = decoded.strip_prefix('/').unwrap_or(&decoded);
    let key = under(&distribution.origin.path, requested);
    let may_list = || authorizer.origin_may_list(caller, bucket);
    if key.is_empty() {
        return if may_list() { list(store, bucket) } else { Ok(denied()) };
    }
    if key.len() > MAX_KEY {
        return Ok(error(StatusCode::BAD_REQUEST, "KeyTooLongError", "Your key is too long"));
    }
    if !authorizer.origin_may_get(caller, bucket, &key) {
        return Ok(denied());
    }
    match store.get(bucket, &key) {
        Ok(object) => {
            let mut headers = headers(&object.info);
            let redirect = object.info.headers.website_redirect.as_deref();
            headers
                .extend(redirect.and_then(|target| HeaderValue::from_str(target).ok()).map(|value| (REDIRECT, value)));
            let body = OriginBody::Object { key, content: object.content };
            Ok(OriginAnswer { status: StatusCode::OK, headers, body })
        }
        Err(S3Failure::NoSuchKey) if may_list() => {
            Ok(error(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist."))
        }
        Err(S3Failure::NoSuchKey) => Ok(denied()),
        Err(failure) => Err(failure),
    }
}

/// Answers an OPTIONS request, which has no `Origin`: CloudFront forwards that header only if a cache policy or an origin
/// request policy says so, and the preview has neither. Source: Amazon S3 API Reference, "OPTIONS object".
pub(super) fn options() -> OriginAnswer {
    error(StatusCode::BAD_REQUEST, "BadRequest", "Insufficient information. Origin request header needed.")
}

fn denied() -> OriginAnswer {
    error(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied")
}

fn error(status: StatusCode, code: &str, message: &str) -> OriginAnswer {
    let root = XmlElement::new("Error").with(XmlElement::text("Code", code)).with(XmlElement::text("Message", message));
    document(status, &root)
}

fn document(status: StatusCode, root: &XmlElement) -> OriginAnswer {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", root.to_document());
    OriginAnswer::text(status, "application/xml", text)
}

/// The list of a bucket, which a site must not show.
fn list(store: &ObjectStore, bucket: &str) -> Result<OriginAnswer, S3Failure> {
    let objects = store.list(bucket, "")?;
    let keys = objects.iter().take(LISTED).map(|(key, _)| XmlElement::text("Key", key));
    let contents = keys.map(|key| XmlElement::new("Contents").with(key));
    let root = XmlElement::new("ListBucketResult").with(XmlElement::text("Name", bucket)).with_each(contents);
    Ok(document(StatusCode::OK, &root))
}
