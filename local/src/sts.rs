//! STS: `AssumeRole` and `GetCallerIdentity` in the query protocol. It owns the protocol and the
//! form of each parameter; who may assume what is decided by [`Iam`].
//!
//! Constraints, codes and messages: STS API Reference, "AssumeRole", "GetCallerIdentity" and
//! "Common Errors".

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use crate::iam::clock::iso8601;
use crate::iam::signature::{self, Scope};
use crate::iam::{ACCOUNT_ID, AssumeError, AssumeRole, Caller, Iam};
use crate::xml::{self, Element};

/// The namespace of STS's answers.
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// The version of the API.
const VERSION: &str = "2011-06-15";
/// Longest inline session policy, in characters.
const LONGEST_POLICY: usize = 2_048;
/// Most managed session policies.
const MOST_POLICY_ARNS: usize = 10;
/// Seconds that a session lasts unless the request says so.
const DEFAULT_DURATION: u32 = 3_600;

/// The service.
#[derive(Debug, Clone)]
pub struct Sts {
    iam: Iam,
}

/// A failure: status, code and message as AWS gives them.
struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// A parameter that breaks a constraint.
    fn constraint(value: &str, parameter: &str, constraint: &str) -> Self {
        let message = format!(
            "1 validation error detected: Value '{value}' at '{parameter}' failed to satisfy constraint: Member must {constraint}"
        );
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message)
    }

    fn missing(parameter: &str) -> Self {
        let message = format!(
            "1 validation error detected: Value null at '{parameter}' failed to satisfy constraint: Member must not be null"
        );
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message)
    }
}

impl From<AssumeError> for Failure {
    fn from(error: AssumeError) -> Self {
        let (status, code) = match &error {
            AssumeError::Denied(_) => (StatusCode::FORBIDDEN, "AccessDenied"),
            AssumeError::TooLong | AssumeError::TooLongChained => (StatusCode::BAD_REQUEST, "ValidationError"),
            AssumeError::Malformed(_) | AssumeError::NoSuchPolicy(_) => {
                (StatusCode::BAD_REQUEST, "MalformedPolicyDocument")
            }
            AssumeError::PackedPolicyTooLarge(_) => (StatusCode::BAD_REQUEST, "PackedPolicyTooLarge"),
            AssumeError::Iam(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl Sts {
    /// The service over the account's identities.
    #[must_use]
    pub fn new(iam: Iam) -> Self {
        Self { iam }
    }

    /// Answers one request.
    #[expect(clippy::unused_async, reason = "every service of the stand-in is called alike")]
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        match self.answer(&request) {
            Ok((action, result)) => {
                let request_id = xml::request_id();
                let metadata = Element::new("ResponseMetadata").with(Element::text("RequestId", &request_id));
                let root = Element::new(action).with(result).with(metadata);
                xml::answer(StatusCode::OK, NAMESPACE, &request_id, &root)
            }
            Err(failure) => xml::error(NAMESPACE, failure.status, failure.code, &failure.message),
        }
    }

    fn answer(&self, request: &Request<Bytes>) -> Result<(&'static str, Element), Failure> {
        if request.method() != Method::POST {
            let message = "this stand-in of STS takes requests by POST only";
            return Err(Failure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message));
        }
        let caller = signature::verify(&self.iam, request, Scope { service: "sts", region: None })
            .map_err(|error| Failure::new(error.status(), error.code(), error.to_string()))?;
        let mut parameters = Parameters::read(request.body())?;
        let action = parameters.take("Action").unwrap_or_default();
        let version = parameters.take("Version").unwrap_or_default();
        match (action.as_str(), version.as_str()) {
            ("AssumeRole", VERSION) => Ok(("AssumeRoleResponse", self.assume_role(&caller, parameters)?)),
            ("GetCallerIdentity", VERSION) => {
                parameters.finish(&action)?;
                Ok(("GetCallerIdentityResponse", caller_identity(&caller)))
            }
            _ => {
                let message = format!("Could not find operation {action} for version {version}");
                Err(Failure::new(StatusCode::BAD_REQUEST, "InvalidAction", message))
            }
        }
    }

    fn assume_role(&self, caller: &Caller, mut parameters: Parameters) -> Result<Element, Failure> {
        let wish = AssumeRole {
            role_arn: role_arn(parameters.take("RoleArn"))?,
            session_name: session_name(parameters.take("RoleSessionName"))?,
            duration: duration(parameters.take("DurationSeconds"))?,
            policy: parameters.take("Policy").map(session_policy).transpose()?,
            policy_arns: policy_arns(&mut parameters)?,
            external_id: parameters.take("ExternalId").map(external_id).transpose()?,
        };
        parameters.finish("AssumeRole")?;
        let assumed = self.iam.assume_role(caller, wish)?;
        let user = Element::new("AssumedRoleUser")
            .with(Element::text("AssumedRoleId", &assumed.assumed_role_id))
            .with(Element::text("Arn", &assumed.arn));
        let credentials = Element::new("Credentials")
            .with(Element::text("AccessKeyId", &assumed.access_key_id))
            .with(Element::text("SecretAccessKey", &assumed.secret))
            .with(Element::text("SessionToken", &assumed.token))
            .with(Element::text("Expiration", &iso8601(assumed.expires)));
        let size = Element::text("SessionTokenSize", &assumed.token.len());
        let packed = assumed.packed_policy_size.map(|percent| Element::text("PackedPolicySize", &percent));
        Ok(Element::new("AssumeRoleResult").with(user).with(credentials).with_each(packed).with(size))
    }
}

fn caller_identity(caller: &Caller) -> Element {
    Element::new("GetCallerIdentityResult")
        .with(Element::text("Arn", &caller.arn()))
        .with(Element::text("UserId", &caller.user_id()))
        .with(Element::text("Account", ACCOUNT_ID))
}

/// The fields of a form, each taken once; what is left over isn't understood.
struct Parameters(BTreeMap<String, String>);

impl Parameters {
    fn read(body: &[u8]) -> Result<Self, Failure> {
        let mut fields = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(body) {
            if fields.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                let message = format!("the parameter {name} occurs twice");
                return Err(Failure::new(StatusCode::BAD_REQUEST, "MalformedQueryString", message));
            }
        }
        Ok(Self(fields))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Session tags, MFA, source identities and the like would change what a session may do:
    /// refused, not ignored.
    fn finish(self, action: &str) -> Result<(), Failure> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => {
                let message = format!("this stand-in doesn't implement the parameter {name} of {action}");
                Err(Failure::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message))
            }
        }
    }
}

fn length(value: &str, parameter: &str, shortest: usize, longest: usize) -> Result<(), Failure> {
    let length = value.chars().count();
    if length < shortest {
        let constraint = format!("have length greater than or equal to {shortest}");
        return Err(Failure::constraint(value, parameter, &constraint));
    }
    if length > longest {
        return Err(Failure::constraint(value, parameter, &format!("have length less than or equal to {longest}")));
    }
    Ok(())
}

fn pattern(value: &str, parameter: &str, allowed: fn(char) -> bool, pattern: &str) -> Result<(), Failure> {
    if value.chars().all(allowed) {
        Ok(())
    } else {
        Err(Failure::constraint(value, parameter, &format!("satisfy regular expression pattern: {pattern}")))
    }
}

fn role_arn(value: Option<String>) -> Result<String, Failure> {
    let arn = value.ok_or_else(|| Failure::missing("roleArn"))?;
    length(&arn, "roleArn", 20, 2_048)?;
    if !arn.starts_with("arn:") || arn.splitn(6, ':').count() != 6 {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "ValidationError", format!("{arn} is invalid")));
    }
    Ok(arn)
}

fn session_name(value: Option<String>) -> Result<String, Failure> {
    let name = value.ok_or_else(|| Failure::missing("roleSessionName"))?;
    length(&name, "roleSessionName", 2, 64)?;
    let allowed = |character: char| character.is_ascii_alphanumeric() || "_+=,.@-".contains(character);
    pattern(&name, "roleSessionName", allowed, r"[\w+=,.@-]*")?;
    Ok(name)
}

fn duration(value: Option<String>) -> Result<u32, Failure> {
    let Some(value) = value else {
        return Ok(DEFAULT_DURATION);
    };
    let seconds: i64 = value.parse().map_err(|_| {
        let message = format!("{value} isn't a number, which DurationSeconds has to be");
        Failure::new(StatusCode::BAD_REQUEST, "MalformedInput", message)
    })?;
    if seconds < 900 {
        return Err(Failure::constraint(&value, "durationSeconds", "have value greater than or equal to 900"));
    }
    match u32::try_from(seconds) {
        Ok(seconds) if seconds <= 43_200 => Ok(seconds),
        _ => Err(Failure::constraint(&value, "durationSeconds", "have value less than or equal to 43200")),
    }
}

fn session_policy(policy: String) -> Result<String, Failure> {
    length(&policy, "policy", 1, LONGEST_POLICY)?;
    let latin = |character: char| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{ff}');
    pattern(&policy, "policy", latin, r"[\u0009\u000A\u000D\u0020-\u00FF]+")?;
    Ok(policy)
}

fn external_id(id: String) -> Result<String, Failure> {
    length(&id, "externalId", 2, 1_224)?;
    let allowed = |character: char| character.is_ascii_alphanumeric() || "_+=,.@:/\\-".contains(character);
    pattern(&id, "externalId", allowed, r"[\w+=,.@:\/-]*")?;
    Ok(id)
}

fn policy_arns(parameters: &mut Parameters) -> Result<Vec<String>, Failure> {
    let mut arns = Vec::new();
    while let Some(arn) = parameters.take(&format!("PolicyArns.member.{}.arn", arns.len() + 1)) {
        length(&arn, "policyArns", 20, 2_048)?;
        arns.push(arn);
    }
    if arns.len() > MOST_POLICY_ARNS {
        let value = format!("[{} ARNs]", arns.len());
        return Err(Failure::constraint(&value, "policyArns", "have length less than or equal to 10"));
    }
    Ok(arns)
}
