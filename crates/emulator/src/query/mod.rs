//! AWS's query protocol, which STS and IAM speak: a form goes in, XML comes out. It owns the frame of
//! answers and errors; what an action means is the service's business.

mod parameters;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

pub(crate) use parameters::{Parameters, QueryForm};

use crate::iam::signature::{self, CredentialScope};
use crate::iam::{AccessDenied, Caller, IamService};
use crate::xml::{self, XmlElement};

/// What sets one service apart from the others that speak the protocol.
pub(crate) struct QueryProtocol {
    /// The namespace of its answers.
    pub(crate) namespace: &'static str,
    /// The version of its API.
    pub(crate) version: &'static str,
    /// What requests have to be signed for.
    pub(crate) scope: CredentialScope,
}

/// A failure: status, code and message as AWS gives them.
#[derive(Debug)]
pub(crate) struct QueryFailure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl QueryFailure {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// A parameter that is not as it has to be.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message)
    }

    /// A parameter that breaks a constraint.
    pub(crate) fn constraint(value: &str, parameter: &str, constraint: &str) -> Self {
        Self::invalid(format!(
            "1 validation error detected: Value '{value}' at '{}' failed to satisfy constraint: Member must {constraint}",
            member(parameter)
        ))
    }

    /// A parameter that is not there.
    pub(crate) fn missing(parameter: &str) -> Self {
        Self::invalid(format!(
            "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
            member(parameter)
        ))
    }

    /// A parameter, or a value of one, that AWS knows and the stand-in doesn't.
    pub(crate) fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
    }
}

impl From<AccessDenied> for QueryFailure {
    fn from(denied: AccessDenied) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", denied.to_string())
    }
}

/// A parameter's name as messages say it: `RoleArn` is `roleArn`.
fn member(parameter: &str) -> String {
    let mut characters = parameter.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}

impl QueryProtocol {
    /// Answers one request with what `act` makes of the caller, the action and its parameters: the
    /// children of the action's result, none for an action without a result; `None` for an action that
    /// isn't there.
    pub(crate) fn handle(
        &self,
        iam: &IamService,
        request: &Request<Bytes>,
        act: impl FnOnce(&Caller, &str, Parameters) -> Option<Result<Vec<XmlElement>, QueryFailure>>,
    ) -> Response<Bytes> {
        match self.answer(iam, request, act) {
            Ok((action, children)) => {
                let request_id = xml::request_id();
                let metadata = XmlElement::new("ResponseMetadata").with(XmlElement::text("RequestId", &request_id));
                let result =
                    (!children.is_empty()).then(|| XmlElement::new(format!("{action}Result")).with_each(children));
                let root = XmlElement::new(format!("{action}Response")).with_each(result).with(metadata);
                xml::answer(StatusCode::OK, self.namespace, &request_id, &root)
            }
            Err(failure) => xml::error(self.namespace, failure.status, failure.code, &failure.message),
        }
    }

    fn answer(
        &self,
        iam: &IamService,
        request: &Request<Bytes>,
        act: impl FnOnce(&Caller, &str, Parameters) -> Option<Result<Vec<XmlElement>, QueryFailure>>,
    ) -> Result<(String, Vec<XmlElement>), QueryFailure> {
        if request.method() != Method::POST {
            let message = "this stand-in takes requests by POST only";
            return Err(QueryFailure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message));
        }
        let caller = signature::verify(iam, request, self.scope)
            .map_err(|error| QueryFailure::new(error.status(), error.code(), error.to_string()))?;
        let mut parameters = Parameters::read(request.body())?;
        let action = parameters.take("Action").unwrap_or_default();
        let version = parameters.take("Version").unwrap_or_default();
        let known = version == self.version;
        match known.then(|| act(&caller, &action, parameters)).flatten() {
            Some(result) => Ok((action, result?)),
            None => {
                let message = format!("Could not find operation {action} for version {version}");
                Err(QueryFailure::new(StatusCode::BAD_REQUEST, "InvalidAction", message))
            }
        }
    }
}
