//! STS: `AssumeRole` and `GetCallerIdentity` in the query protocol. [`IamService`] decides who may assume which role.
//!
//! Source of constraints, codes and messages: STS API Reference, "AssumeRole", "GetCallerIdentity" and "Common Errors".

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use crate::iam::clock::iso8601;
use crate::iam::signature::CredentialScope;
use crate::iam::{ACCOUNT_ID, AssumeError, AssumeRoleRequest, Caller, IamService};
use crate::query::{Parameters, QueryFailure, QueryForm, QueryProtocol};
use crate::xml::XmlElement;

const PROTOCOL: QueryProtocol = QueryProtocol {
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    version: "2011-06-15",
    scope: CredentialScope { service: "sts", region: None },
};
/// Most managed policies of one session.
const MAX_POLICY_ARNS: usize = 10;
/// Default duration of a session, in seconds.
const DEFAULT_DURATION: u32 = 3_600;

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

impl StsService {
    /// STS for the account's identities.
    #[must_use]
    pub fn new(iam: IamService) -> Self {
        Self { iam }
    }

    /// Answers one request.
    pub fn handle(&self, request: &Request<Bytes>) -> Response<Bytes> {
        PROTOCOL.handle(&self.iam, request, |caller, action, parameters| match action {
            "AssumeRole" => Some(self.assume_role(caller, parameters)),
            "GetCallerIdentity" => Some(parameters.finish(action).map(|()| caller_identity(caller))),
            _ => None,
        })
    }

    fn assume_role(&self, caller: &Caller, mut parameters: Parameters) -> Result<Vec<XmlElement>, QueryFailure> {
        let request = AssumeRoleRequest {
            role_arn: role_arn(&mut parameters)?,
            session_name: parameters.required("RoleSessionName", &SESSION_NAME)?,
            duration: parameters.number("DurationSeconds", 900..=43_200)?.unwrap_or(DEFAULT_DURATION),
            policy: parameters.text("Policy", &SESSION_POLICY)?,
            policy_arns: policy_arns(&mut parameters)?,
            external_id: parameters.text("ExternalId", &EXTERNAL_ID)?,
        };
        parameters.finish("AssumeRole")?;
        let assumed = self.iam.assume_role(caller, request)?;
        let user = XmlElement::new("AssumedRoleUser")
            .with(XmlElement::text("AssumedRoleId", &assumed.assumed_role_id))
            .with(XmlElement::text("Arn", &assumed.arn));
        let credentials = XmlElement::new("Credentials")
            .with(XmlElement::text("AccessKeyId", &assumed.access_key_id))
            .with(XmlElement::text("SecretAccessKey", &assumed.secret))
            .with(XmlElement::text("SessionToken", &assumed.token))
            .with(XmlElement::text("Expiration", &iso8601(assumed.expires)));
        let size = XmlElement::text("SessionTokenSize", &assumed.token.len());
        let packed = assumed.packed_policy_size.map(|percent| XmlElement::text("PackedPolicySize", &percent));
        Ok([user, credentials].into_iter().chain(packed).chain([size]).collect())
    }
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
