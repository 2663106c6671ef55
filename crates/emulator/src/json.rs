//! AWS's JSON protocol 1.1, which Secrets Manager and Systems Manager speak: a target in a header, a JSON
//! object in, one out. It owns the frame of answers and errors; what an operation means is the service's
//! business.
//!
//! Source: "AWS JSON 1.1 protocol" of the Smithy documentation; codes: "Common Errors" of the services'
//! API references.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::iam::signature::{self, CredentialScope, SignatureError};
use crate::iam::{AccessDenied, Caller, IamService};

/// The header that names the operation.
pub(crate) const TARGET: &str = "x-amz-target";

/// What sets one service apart from the others that speak the protocol.
pub(crate) struct JsonProtocol {
    /// What stands before the operation's name in the target, its dot included.
    pub(crate) target: &'static str,
    /// What requests have to be signed for.
    pub(crate) scope: CredentialScope,
}

/// A failure: status, code and message as AWS gives them.
#[derive(Debug)]
pub(crate) struct JsonFailure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl JsonFailure {
    /// The failure of a request that isn't as it has to be, as nearly all of them are.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    /// The failure of the service itself.
    pub(crate) fn internal(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, code, message: message.into() }
    }
}

impl From<AccessDenied> for JsonFailure {
    fn from(denied: AccessDenied) -> Self {
        Self::new("AccessDeniedException", denied.to_string())
    }
}

impl From<SignatureError> for JsonFailure {
    fn from(error: SignatureError) -> Self {
        let code = match &error {
            SignatureError::Missing => "MissingAuthenticationTokenException",
            SignatureError::Incomplete(_) => "IncompleteSignatureException",
            SignatureError::InvalidClientTokenId => "UnrecognizedClientException",
            SignatureError::ExpiredToken => "ExpiredTokenException",
            SignatureError::Scope(_) | SignatureError::Skewed(_) | SignatureError::Mismatch => {
                "InvalidSignatureException"
            }
        };
        Self::new(code, error.to_string())
    }
}

impl JsonProtocol {
    /// Answers one request with what `act` makes of the caller, the operation and its input; `None` for
    /// an operation that isn't there.
    pub(crate) fn handle(
        &self,
        iam: &IamService,
        request: &Request<Bytes>,
        act: impl FnOnce(&Caller, &str, &[u8]) -> Option<Result<Value, JsonFailure>>,
    ) -> Response<Bytes> {
        match self.answer(iam, request, act) {
            Ok(output) => answer(StatusCode::OK, &output),
            Err(JsonFailure { status, code, message }) => {
                answer(status, &json!({ "__type": code, "message": message }))
            }
        }
    }

    fn answer(
        &self,
        iam: &IamService,
        request: &Request<Bytes>,
        act: impl FnOnce(&Caller, &str, &[u8]) -> Option<Result<Value, JsonFailure>>,
    ) -> Result<Value, JsonFailure> {
        let caller = signature::verify(iam, request, self.scope)?;
        let target = request.headers().get(TARGET).and_then(|target| target.to_str().ok()).unwrap_or_default();
        let operation = target.strip_prefix(self.target).filter(|_| request.method() == Method::POST);
        operation.and_then(|operation| act(&caller, operation, request.body())).unwrap_or_else(|| {
            let message = format!("this stand-in doesn't implement `{} {target}`", request.method());
            Err(JsonFailure::new("UnknownOperationException", message))
        })
    }
}

/// Reads the input of an operation. A field that isn't understood is refused, never ignored.
pub(crate) fn input<T: DeserializeOwned>(body: &[u8]) -> Result<T, JsonFailure> {
    serde_json::from_slice(body).map_err(|error| JsonFailure::new("SerializationException", error.to_string()))
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(serde_json::to_vec(body).unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    if let Ok(id) = HeaderValue::from_str(&crate::xml::request_id()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
