//! CloudFront's protocol, REST with XML: routes, permissions, and the format of bodies.
//!
//! Source of formats and statuses: CloudFront API Reference, version 2020-05-31. Source of actions and resources:
//! Service Authorization Reference, "Actions, resources, and condition keys for Amazon CloudFront".

mod answer;
mod distribution;
mod invalidation;
mod page;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use percent_encoding::percent_decode_str;

pub(super) use answer::{CloudFrontAnswer, CloudFrontFailure};
pub(super) use page::PageQuery;

use super::CloudFrontService;
use crate::iam::signature::{self, CredentialScope};
use crate::iam::{AccessRequest, Caller};

/// The namespace of CloudFront's answers.
const NAMESPACE: &str = "http://cloudfront.amazonaws.com/doc/2020-05-31/";
/// The API version, which is also the first segment of every path.
const VERSION: &str = "2020-05-31";

impl CloudFrontService {
    /// Answers one request.
    pub fn handle(&self, request: &Request<Bytes>) -> Response<Bytes> {
        match self.answer(request) {
            Ok(answer) => answer.into_response(),
            Err(failure) => failure.into_response(),
        }
    }

    fn answer(&self, request: &Request<Bytes>) -> Result<CloudFrontAnswer, CloudFrontFailure> {
        let caller =
            signature::verify(&self.iam, request, CredentialScope { service: "cloudfront", region: Some("us-east-1") })
                .map_err(|error| CloudFrontFailure::new(error.status(), error.code(), error.to_string()))?;
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let answer = match segments.as_slice() {
            [VERSION, "distribution", id, "invalidation", rest @ ..] => {
                self.answer_invalidation(&caller, request, id, rest)?
            }
            [VERSION, "distribution", rest @ ..] => self.answer_distribution(&caller, request, rest)?,
            [VERSION, "function", rest @ ..] => self.answer_function(&caller, request, rest)?,
            [VERSION, "key-value-store", rest @ ..] => self.answer_store(&caller, request, rest)?,
            [VERSION, "origin-access-control", rest @ ..] => self.answer_access_control(&caller, request, rest)?,
            [VERSION, "response-headers-policy", rest @ ..] => self.answer_headers_policy(&caller, request, rest)?,
            [VERSION, "tagging"] => self.answer_tags(&caller, request)?,
            _ => None,
        };
        answer.ok_or_else(|| {
            let message = format!("the emulator does not support {} {path} of CloudFront", request.method());
            CloudFrontFailure::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
        })
    }

    pub(super) fn allow(&self, caller: &Caller, action: &str, resource: &str) -> Result<(), CloudFrontFailure> {
        self.iam
            .authorize(&caller.access_key_id, &AccessRequest { action, resource, context: &[] })
            .map_err(|denied| CloudFrontFailure::new(StatusCode::FORBIDDEN, "AccessDenied", denied.to_string()))
    }
}
