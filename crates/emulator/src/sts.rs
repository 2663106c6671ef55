//! STS in the query protocol: sessions of roles, scoped credentials, sessions of users, and the identity of the caller.
//! [`IamService`] decides who may do what.
//!
//! Source of constraints, codes and messages: STS API Reference, the actions and "Common Errors".

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use crate::iam::clock::iso8601;
use crate::iam::signature::CredentialScope;
use crate::iam::{
    ACCOUNT_ID, AssumeError, AssumeRoleRequest, AssumedRole, Caller, IamService, ScopeError, ScopeRequest,
    TemporaryCredentials, TokenRefusal,
};
use crate::query::{Parameters, QueryFailure, QueryForm, QueryProtocol};
use crate::xml::XmlElement;

const PROTOCOL: QueryProtocol = QueryProtocol {
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    version: "2011-06-15",
    scope: CredentialScope { service: "sts", region: None },
};
/// Most managed policies of one session.
const MAX_POLICY_ARNS: usize = 10;
/// Default duration of a session of a role, in seconds.
const DEFAULT_DURATION: u32 = 3_600;
/// Default duration of the session of a user, in seconds.
const DEFAULT_USER_DURATION: u32 = 43_200;
/// The host that does not support `GetScopedCredentials`.
const GLOBAL_ENDPOINT: &str = "sts.amazonaws.com";

/// An ARN. Its content is checked where it is used.
const ARN: QueryForm = QueryForm { length: 20..=2_048, allowed: |_| true, pattern: ".*" };
const SESSION_NAME: QueryForm = QueryForm {
    length: 2..=64,
    allowed: |character| character.is_ascii_alphanumeric() || "_+=,.@-".contains(character),
    pattern: r"[\w+=,.@-]*",
};
const SESSION_POLICY: QueryForm = QueryForm {
    length: 1..=2_048,
    allowed: |character| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{ff}'),
    pattern: r"[\u0009\u000A\u000D\u0020-\u00FF]+",
};
const SESSION_DESCRIPTION: QueryForm = QueryForm {
    length: 2..=256,
    allowed: |character| matches!(character, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}'),
    pattern: r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*",
};
/// The action that needs no signature.
const WEB_IDENTITY: &str = "AssumeRoleWithWebIdentity";
const TOKEN: QueryForm = QueryForm { length: 4..=20_000, allowed: |_| true, pattern: ".*" };
const EXTERNAL_ID: QueryForm = QueryForm {
    length: 2..=1_224,
    allowed: |character| character.is_ascii_alphanumeric() || "_+=,.@:/\\-".contains(character),
    pattern: r"[\w+=,.@:\/-]*",
};

/// The STS service.
#[derive(Debug, Clone)]
pub struct StsService {
    iam: IamService,
}

impl From<AssumeError> for QueryFailure {
    fn from(error: AssumeError) -> Self {
        let (status, code) = match &error {
            AssumeError::Denied(_) | AssumeError::NotTrusted => (StatusCode::FORBIDDEN, "AccessDenied"),
            AssumeError::Token(TokenRefusal::Expired) => (StatusCode::BAD_REQUEST, "ExpiredTokenException"),
            AssumeError::Token(_) => (StatusCode::BAD_REQUEST, "InvalidIdentityToken"),
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

impl From<ScopeError> for QueryFailure {
    fn from(error: ScopeError) -> Self {
        let (status, code) = match &error {
            ScopeError::NotASession(_) | ScopeError::Denied(_) => (StatusCode::FORBIDDEN, "AccessDenied"),
            ScopeError::InvalidSession => (StatusCode::BAD_REQUEST, "InvalidSubjectCredentials"),
            ScopeError::TooLong => (StatusCode::BAD_REQUEST, "InsufficientSessionLifetime"),
            ScopeError::Malformed(_) => (StatusCode::BAD_REQUEST, "MalformedPolicyDocument"),
            ScopeError::PackedPolicyTooLarge(_) => (StatusCode::BAD_REQUEST, "PackedPolicyTooLarge"),
            ScopeError::Iam(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl StsService {
    /// STS for the account's identities.
    #[must_use]
    pub fn new(iam: IamService) -> Self {
        Self { iam }
    }

    /// Answers one request.
    pub fn handle(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let with_token = PROTOCOL.handle_unsigned(request, WEB_IDENTITY, |parameters| self.with_token(parameters));
        if let Some(response) = with_token {
            return response;
        }
        let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
        let is_global = host.or_else(|| request.uri().host()) == Some(GLOBAL_ENDPOINT);
        PROTOCOL.handle(&self.iam, request, |caller, action, parameters| match action {
            "AssumeRole" => Some(self.assume_role(caller, parameters)),
            "GetCallerIdentity" => Some(parameters.finish(action).map(|()| caller_identity(caller))),
            "GetSessionToken" => Some(self.session_token(caller, parameters)),
            "GetScopedCredentials" if !is_global => Some(self.scoped_credentials(caller, parameters)),
            _ => None,
        })
    }

    /// The bearer of a token needs no credentials.
    fn with_token(&self, mut parameters: Parameters) -> Result<Vec<XmlElement>, QueryFailure> {
        let token = parameters.required("WebIdentityToken", &TOKEN)?;
        let request = request(&mut parameters)?;
        parameters.finish(WEB_IDENTITY)?;
        let (assumed, verified) = self.iam.assume_role_with_web_identity(&token, request)?;
        let mut elements = vec![
            XmlElement::text("SubjectFromWebIdentityToken", &verified.subject),
            XmlElement::text("Audience", &verified.audience),
            XmlElement::text("Provider", &verified.provider_arn()),
        ];
        elements.extend(session(&assumed));
        Ok(elements)
    }

    fn assume_role(&self, caller: &Caller, mut parameters: Parameters) -> Result<Vec<XmlElement>, QueryFailure> {
        let external_id = parameters.text("ExternalId", &EXTERNAL_ID)?;
        let request = AssumeRoleRequest { external_id, ..request(&mut parameters)? };
        parameters.finish("AssumeRole")?;
        Ok(session(&self.iam.assume_role(caller, request)?))
    }

    fn session_token(&self, caller: &Caller, mut parameters: Parameters) -> Result<Vec<XmlElement>, QueryFailure> {
        let duration = parameters.number("DurationSeconds", 900..=129_600)?.unwrap_or(DEFAULT_USER_DURATION);
        parameters.finish("GetSessionToken")?;
        Ok(credentials(&self.iam.session_token(caller, duration)?).into())
    }

    fn scoped_credentials(&self, caller: &Caller, mut parameters: Parameters) -> Result<Vec<XmlElement>, QueryFailure> {
        let request = ScopeRequest {
            policy: parameters.text("Policy", &SESSION_POLICY)?,
            duration: parameters.number("DurationSeconds", 1..=129_600)?,
        };
        // It has an effect in CloudTrail only.
        parameters.text("ScopedSessionDescription", &SESSION_DESCRIPTION)?;
        parameters.finish("GetScopedCredentials")?;
        if request.policy.is_none() && request.duration.is_none() {
            return Err(QueryFailure::invalid("Either Policy or DurationSeconds must be specified"));
        }
        let scoped = self.iam.scope(caller, request)?;
        let session = XmlElement::new("SessionInfo")
            .with(XmlElement::text("ScopedSessionId", &caller.user_id()))
            .with(XmlElement::text("Arn", &caller.arn()));
        let count = XmlElement::text("ScopedPoliciesCount", &scoped.scopes);
        let [credentials, size] = credentials(&scoped.credentials);
        Ok(vec![credentials, session, count, size])
    }
}

/// The parameters that both actions have.
fn request(parameters: &mut Parameters) -> Result<AssumeRoleRequest, QueryFailure> {
    Ok(AssumeRoleRequest {
        role_arn: role_arn(parameters)?,
        session_name: parameters.required("RoleSessionName", &SESSION_NAME)?,
        duration: parameters.number("DurationSeconds", 900..=43_200)?.unwrap_or(DEFAULT_DURATION),
        policy: parameters.text("Policy", &SESSION_POLICY)?,
        policy_arns: policy_arns(parameters)?,
        external_id: None,
    })
}

/// The elements of a new session.
fn session(assumed: &AssumedRole) -> Vec<XmlElement> {
    let user = XmlElement::new("AssumedRoleUser")
        .with(XmlElement::text("AssumedRoleId", &assumed.assumed_role_id))
        .with(XmlElement::text("Arn", &assumed.arn));
    let [credentials, size] = credentials(&assumed.credentials);
    let packed = assumed.packed_policy_size.map(|percent| XmlElement::text("PackedPolicySize", &percent));
    [user, credentials].into_iter().chain(packed).chain([size]).collect()
}

/// The element of the credentials, and that of the size of their token.
fn credentials(issued: &TemporaryCredentials) -> [XmlElement; 2] {
    let credentials = XmlElement::new("Credentials")
        .with(XmlElement::text("AccessKeyId", &issued.access_key_id))
        .with(XmlElement::text("SecretAccessKey", &issued.secret))
        .with(XmlElement::text("SessionToken", &issued.token))
        .with(XmlElement::text("Expiration", &iso8601(issued.expires)));
    [credentials, XmlElement::text("SessionTokenSize", &issued.token.len())]
}

fn caller_identity(caller: &Caller) -> Vec<XmlElement> {
    vec![
        XmlElement::text("Arn", &caller.arn()),
        XmlElement::text("UserId", &caller.user_id()),
        XmlElement::text("Account", ACCOUNT_ID),
    ]
}

fn role_arn(parameters: &mut Parameters) -> Result<String, QueryFailure> {
    let arn = parameters.required("RoleArn", &ARN)?;
    if !arn.starts_with("arn:") || arn.splitn(6, ':').count() != 6 {
        return Err(QueryFailure::invalid(format!("{arn} is invalid")));
    }
    Ok(arn)
}

fn policy_arns(parameters: &mut Parameters) -> Result<Vec<String>, QueryFailure> {
    let mut arns = Vec::new();
    for mut member in parameters.structures("PolicyArns") {
        arns.push(member.required("arn", &ARN)?);
        member.finish("AssumeRole")?;
    }
    if arns.len() > MAX_POLICY_ARNS {
        let value = format!("[{} ARNs]", arns.len());
        return Err(QueryFailure::constraint(&value, "PolicyArns", "have length less than or equal to 10"));
    }
    Ok(arns)
}
