//! The origin of the preview: a bucket, by its website endpoint or by its REST endpoint.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, EXPIRES, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::s3::{ObjectContent, ObjectInfo};

/// The type of an object that was stored without one.
const DEFAULT_TYPE: &str = "binary/octet-stream";

/// An answer of the origin.
pub(super) struct OriginAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: OriginBody,
}

/// The body of an answer.
pub(super) enum OriginBody {
    /// Text.
    Text(Bytes),
    /// The content of the object with this key.
    Object { key: String, content: ObjectContent },
}

impl OriginAnswer {
    /// An answer with text.
    pub(super) fn text(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        Self { status, headers, body: OriginBody::Text(text.into()) }
    }
}

impl OriginBody {
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Text(text) => u64::try_from(text.len()).unwrap_or(u64::MAX),
            Self::Object { content, .. } => content.length(),
        }
    }

    pub(super) async fn bytes(self) -> std::io::Result<Bytes> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Object { content, .. } => content.bytes().await,
        }
    }
}

/// The key below the path of an origin.
pub(super) fn under(origin_path: &str, key: &str) -> String {
    let prefix = origin_path.trim_matches('/');
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}/{key}") }
}

/// The ETag of an object as a header.
pub(super) fn etag(info: &ObjectInfo) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{}\"", info.etag)).ok()
}

/// The headers of an object.
pub(super) fn headers(info: &ObjectInfo) -> HeaderMap {
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
