//! AWS's query protocol, which STS and IAM use: requests are forms, answers are XML.

mod parameters;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

pub(crate) use parameters::{Parameters, QueryForm};

use crate::iam::signature::{self, CredentialScope};
use crate::iam::{AccessDenied, Caller, IamService};
use crate::xml::{self, XmlElement};

/// What differs between the services that use the protocol.
pub(crate) struct QueryProtocol {
    /// The namespace of answers.
    pub(crate) namespace: &'static str,
    /// The API version.
    pub(crate) version: &'static str,
    /// The service and region that requests must be signed for.
    pub(crate) scope: CredentialScope,
}

/// An error with AWS's status, code and message.
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

    /// An invalid parameter.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message)
    }

    /// A parameter that violates a constraint.
    pub(crate) fn constraint(value: &str, parameter: &str, constraint: &str) -> Self {
        Self::invalid(format!(
            "1 validation error detected: Value '{value}' at '{}' failed to satisfy constraint: Member must {constraint}",
            member(parameter)
        ))
    }

    /// A missing parameter.
    pub(crate) fn missing(parameter: &str) -> Self {
        Self::invalid(format!(
            "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
            member(parameter)
        ))
    }

    /// A parameter or value that AWS supports and the emulator does not.
    pub(crate) fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
    }
}

impl From<AccessDenied> for QueryFailure {
    fn from(denied: AccessDenied) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", denied.to_string())
    }
}

/// A parameter's name as error messages write it: `RoleArn` becomes `roleArn`.
fn member(parameter: &str) -> String {
    let mut characters = parameter.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}

impl QueryProtocol {
    /// Answers one request. `act` gets the caller, the action and its parameters, and returns the children of the
    /// action's result (none for an action without a result), or `None` for an unknown action.
    pub(crate) fn handle(
        &self,
        iam: &IamService,
        request: &Request<Bytes>,
        act: impl FnOnce(&Caller, &str, Parameters) -> Option<Result<Vec<XmlElement>, QueryFailure>>,
    ) -> Response<Bytes> {
        match self.answer(iam, request, act) {
            Ok((action, children)) => self.success(&action, children),
            Err(failure) => xml::error(self.namespace, failure.status, failure.code, &failure.message),
        }
    }

    /// Answers an unsigned request for `action`; `None` if the request is for another.
    pub(crate) fn handle_unsigned(
        &self,
        request: &Request<Bytes>,
        action: &str,
        act: impl FnOnce(Parameters) -> Result<Vec<XmlElement>, QueryFailure>,
    ) -> Option<Response<Bytes>> {
        let mut parameters = Parameters::read(request.body()).ok()?;
        let is_meant = parameters.take("Action").as_deref() == Some(action)
            && parameters.take("Version").as_deref() == Some(self.version);
        (is_meant && request.method() == Method::POST).then(|| match act(parameters) {
            Ok(children) => self.success(action, children),
            Err(failure) => xml::error(self.namespace, failure.status, failure.code, &failure.message),
        })
    }

    fn success(&self, action: &str, children: Vec<XmlElement>) -> Response<Bytes> {
        let request_id = xml::request_id();
        let metadata = XmlElement::new("ResponseMetadata").with(XmlElement::text("RequestId", &request_id));
        let result = (!children.is_empty()).then(|| XmlElement::new(format!("{action}Result")).with_each(children));
        let root = XmlElement::new(format!("{action}Response")).with_each(result).with(metadata);
        xml::answer(StatusCode::OK, self.namespace, &request_id, &root)
    }

    fn answer(
        &self,
        iam: &IamService,
        request: &Request<Bytes>,
        act: impl FnOnce(&Caller, &str, Parameters) -> Option<Result<Vec<XmlElement>, QueryFailure>>,
    ) -> Result<(String, Vec<XmlElement>), QueryFailure> {
        if request.method() != Method::POST {
            let message = "the emulator accepts only POST requests of this service";
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
