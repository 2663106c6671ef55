//! Answers of CloudFront: a document, the code of a function, or an error.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::super::CloudFrontError;
use super::{NAMESPACE, VERSION};
use crate::xml::{self, XmlElement};

/// An error with AWS's status, code and message.
pub(in super::super) struct CloudFrontFailure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl CloudFrontFailure {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        xml::error(NAMESPACE, self.status, self.code, &self.message)
    }
}

impl From<CloudFrontError> for CloudFrontFailure {
    fn from(error: CloudFrontError) -> Self {
        Self::new(error.status(), error.code(), error.to_string())
    }
}

enum AnswerBody {
    Document(XmlElement),
    Code(Vec<u8>),
    Nothing,
}

/// A successful answer.
pub(in super::super) struct CloudFrontAnswer {
    status: StatusCode,
    body: AnswerBody,
    headers: Vec<(HeaderName, String)>,
}

impl CloudFrontAnswer {
    pub(in super::super) fn ok(root: XmlElement) -> Self {
        Self { status: StatusCode::OK, body: AnswerBody::Document(root), headers: Vec::new() }
    }

    /// The code of a function.
    pub(in super::super) fn code(code: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, body: AnswerBody::Code(code), headers: Vec::new() }
    }

    /// The answer to a deletion.
    pub(in super::super) fn deleted() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: AnswerBody::Nothing, headers: Vec::new() }
    }

    pub(in super::super) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(in super::super) fn with_etag(self, etag: &str) -> Self {
        self.with_header(header::ETAG, etag)
    }

    /// The same for a resource that was created. `path` follows the version.
    pub(in super::super) fn created(mut self, path: &str) -> Self {
        self.status = StatusCode::CREATED;
        self.with_header(header::LOCATION, &format!("https://cloudfront.amazonaws.com/{VERSION}/{path}"))
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        let mut response = match self.body {
            AnswerBody::Document(root) => xml::answer(self.status, NAMESPACE, &xml::request_id(), &root),
            AnswerBody::Code(code) => {
                let mut response = Response::new(Bytes::from(code));
                let content_type = HeaderValue::from_static("application/octet-stream");
                response.headers_mut().insert(header::CONTENT_TYPE, content_type);
                response
            }
            AnswerBody::Nothing => Response::new(Bytes::new()),
        };
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
