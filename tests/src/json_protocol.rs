//! The AWS JSON 1.1 protocol, which Secrets Manager and Systems Manager use: the operation in a header, a JSON object
//! in the request, a JSON object in the response.
//!
//! Source: "AWS JSON 1.1 protocol" in the Smithy documentation; codes: "Common Errors" in the API references of the
//! services.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tidegate_emulator::iam::signature::{self, CredentialScope, SignatureError};
use tidegate_emulator::iam::{AccessDenied, Caller, IamService};

/// The header that names the operation.
pub(crate) const TARGET: &str = "x-amz-target";
/// The media type of requests and responses.
pub(crate) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// What distinguishes one service of the protocol from the others.
pub(crate) struct JsonProtocol {
    /// The prefix of the target, including its dot.
    pub(crate) target: &'static str,
    /// What requests must be signed for.
    pub(crate) scope: CredentialScope,
}

/// An error response with status 400.
#[derive(Debug)]
pub(crate) struct JsonFailure {
    code: &'static str,
    message: String,
}

impl JsonFailure {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
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
    /// Authenticates the caller and answers with the result of `act`, which returns `None` for an unknown operation.
    pub(crate) fn handle(
        &self,
        iam: &IamService,
        request: &Request<Bytes>,
        act: impl FnOnce(&Caller, &str, &[u8]) -> Option<Result<Value, JsonFailure>>,
    ) -> Response<Bytes> {
        let (status, body) = match self.answer(iam, request, act) {
            Ok(output) => (StatusCode::OK, output),
            Err(JsonFailure { code, message }) => {
                (StatusCode::BAD_REQUEST, json!({ "__type": code, "message": message }))
            }
        };
        Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, CONTENT_TYPE)
            .body(Bytes::from(body.to_string()))
            .unwrap()
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
            let message = format!("the emulator does not implement `{} {target}`", request.method());
            Err(JsonFailure::new("UnknownOperationException", message))
        })
    }
}

/// Reads the input of an operation. An unknown field is an error.
pub(crate) fn input<T: DeserializeOwned>(body: &[u8]) -> Result<T, JsonFailure> {
    serde_json::from_slice(body).map_err(|error| JsonFailure::new("SerializationException", error.to_string()))
}
