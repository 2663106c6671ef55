//! Systems Manager's Parameter Store: parameters that are seeded from Rust and read through
//! `GetParameter`. It owns which parameter and which of its versions a request means.
//!
//! Source: Systems Manager API Reference, "GetParameter"; names and sizes: "PutParameter". Labels,
//! policies, other tiers and keys of one's own aren't here. Nothing is encrypted: what a secure
//! parameter answers without decryption stands for its ciphertext and says nothing about it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use crate::documents::Documents;
use crate::iam::signature::CredentialScope;
use crate::iam::{ACCOUNT_ID, AccessRequest, Caller, IamService, RandomError, identifier};
use crate::json::{self, JsonFailure, JsonProtocol};

const PROTOCOL: JsonProtocol =
    JsonProtocol { target: "AmazonSSM.", scope: CredentialScope { service: "ssm", region: Some("us-east-1") } };
/// The table of parameters, by name.
const TABLE: &str = "parameters";
/// Longest name of a parameter, the rest of its ARN left aside.
const LONGEST_NAME: usize = 1_011;
/// Largest value of a parameter of the standard tier, bytes.
const LARGEST_VALUE: usize = 4_096;

/// Why a parameter can't be seeded.
#[derive(Debug, Error)]
pub enum ParametersError {
    /// A name that the Parameter Store doesn't take.
    #[error(
        "`{0}` isn't a parameter's name: use letters, digits and `_.-`, and `/` if it begins with one; 1011 characters at the most"
    )]
    Name(String),
    /// A value that the Parameter Store doesn't take.
    #[error("the value of `{0}` is empty or larger than 4096 bytes: change it")]
    Value(String),
    /// What was kept can't be read, or can't be kept.
    #[error("the parameters can't be kept: {0}")]
    Storage(String),
    /// The machine has no randomness to give.
    #[error("the machine gives no random bytes: {0}")]
    Random(#[from] RandomError),
}

/// What a parameter holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterValue {
    /// A `String`.
    Text(String),
    /// A `SecureString`, which is told only to who asks for decryption.
    Secure(String),
}

impl fmt::Debug for ParameterValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ParameterValue(…)")
    }
}

impl From<&str> for ParameterValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A version of a parameter.
#[derive(Serialize, Deserialize)]
struct ParameterVersion {
    value: ParameterValue,
    /// What stands for the ciphertext.
    ciphertext: String,
    created: Timestamp,
}

/// The service. Cloning gives the same parameters.
#[derive(Clone)]
pub struct ParameterStore {
    documents: Arc<dyn Documents>,
    iam: IamService,
    /// Held while a parameter is read and written again.
    changing: Arc<Mutex<()>>,
}

impl fmt::Debug for ParameterStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ParameterStore").finish_non_exhaustive()
    }
}

impl ParameterStore {
    pub(crate) fn new(documents: Arc<dyn Documents>, iam: IamService) -> Self {
        Self { documents, iam, changing: Arc::default() }
    }

    /// Makes a parameter, or gives it a new version; answers its ARN.
    ///
    /// # Errors
    /// If the name or the value isn't what the Parameter Store takes, or can't be kept.
    pub fn put(&self, name: &str, value: impl Into<ParameterValue>) -> Result<String, ParametersError> {
        check_name(name)?;
        let value = value.into();
        let (ParameterValue::Text(text) | ParameterValue::Secure(text)) = &value;
        if !(1..=LARGEST_VALUE).contains(&text.len()) {
            return Err(ParametersError::Value(name.to_owned()));
        }
        let ciphertext = identifier("AQICAH", 64)?;
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut versions = self.versions(name)?;
        versions.push(ParameterVersion { value, ciphertext, created: self.iam.clock().now() });
        let kept = serde_json::to_value(versions).map_err(|error| ParametersError::Storage(error.to_string()))?;
        self.documents.put(TABLE, name, kept).map_err(|error| ParametersError::Storage(error.to_string()))?;
        Ok(arn(name))
    }

    /// Answers one request.
    #[expect(clippy::unused_async, reason = "every service of the stand-in is called alike")]
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        PROTOCOL.handle(&self.iam, &request, |caller, operation, body| match operation {
            "GetParameter" => Some(self.get_parameter(caller, body)),
            _ => None,
        })
    }

    /// All versions of a parameter, oldest first; none if there is no such parameter.
    fn versions(&self, name: &str) -> Result<Vec<ParameterVersion>, ParametersError> {
        let storage = |error: &dyn std::error::Error| ParametersError::Storage(error.to_string());
        let kept = self.documents.get(TABLE, name).map_err(|error| storage(&error))?;
        kept.map(serde_json::from_value).transpose().map_err(|error| storage(&error)).map(Option::unwrap_or_default)
    }

    fn get_parameter(&self, caller: &Caller, body: &[u8]) -> Result<Value, JsonFailure> {
        let wish: GetParameter = json::input(body)?;
        let (name, selector) = split(&wish.name);
        let (name, versions) =
            self.find(name).map_err(|error| JsonFailure::internal("InternalServerError", error.to_string()))?;
        let resource = arn(&name);
        let access = AccessRequest { action: "ssm:GetParameter", resource: &resource, context: &[] };
        self.iam.authorize(&caller.access_key_id, &access)?;

        let latest = versions.len();
        if latest == 0 {
            return Err(JsonFailure::new("ParameterNotFound", format!("There is no parameter {name}.")));
        }
        let number = selector.map_or(Some(latest), |selector| selector.parse().ok());
        let version = number.and_then(|number: usize| versions.get(number.checked_sub(1)?).zip(Some(number)));
        let (version, number) = version.ok_or_else(|| {
            let selector = selector.unwrap_or_default();
            let message = format!(
                "Systems Manager could not find version {selector} of {name}. Verify the version and try again."
            );
            JsonFailure::new("ParameterVersionNotFound", message)
        })?;
        let (kind, value) = match &version.value {
            ParameterValue::Text(text) => ("String", text),
            ParameterValue::Secure(text) if wish.with_decryption => ("SecureString", text),
            ParameterValue::Secure(_) => ("SecureString", &version.ciphertext),
        };
        let mut parameter = json!({
            "Name": name,
            "Type": kind,
            "Value": value,
            "Version": number,
            "LastModifiedDate": version.created.as_duration().as_secs_f64(),
            "ARN": resource,
            "DataType": "text",
        });
        if let (Some(selector), Some(fields)) = (selector, parameter.as_object_mut()) {
            fields.insert("Selector".to_owned(), json!(format!(":{selector}")));
        }
        Ok(json!({ "Parameter": parameter }))
    }

    /// The name that a name or an ARN means, and the versions of that parameter. An ARN doesn't tell `a`
    /// from `/a`.
    fn find(&self, id: &str) -> Result<(String, Vec<ParameterVersion>), ParametersError> {
        let Some(name) = id.strip_prefix(&arns()) else {
            return Ok((id.to_owned(), self.versions(id)?));
        };
        let versions = self.versions(name)?;
        if !versions.is_empty() {
            return Ok((name.to_owned(), versions));
        }
        let rooted = format!("/{name}");
        let versions = self.versions(&rooted)?;
        Ok((rooted, versions))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetParameter {
    name: String,
    #[serde(default)]
    with_decryption: bool,
}

fn check_name(name: &str) -> Result<(), ParametersError> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "_.-/".contains(character);
    let within = (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(allowed);
    let slashes = name.starts_with('/') == name.contains('/') && !name.ends_with('/') && !name.contains("//");
    if within && slashes { Ok(()) } else { Err(ParametersError::Name(name.to_owned())) }
}

/// A name or an ARN, and the version that stands behind its colon.
fn split(written: &str) -> (&str, Option<&str>) {
    let colons = if written.starts_with("arn:") { 6 } else { 1 };
    match written.rsplit_once(':') {
        Some((name, selector)) if written.matches(':').count() == colons => (name, Some(selector)),
        _ => (written, None),
    }
}

/// What the ARNs of all parameters begin with; a name's own slash is the same one.
fn arns() -> String {
    format!("arn:aws:ssm:us-east-1:{ACCOUNT_ID}:parameter/")
}

fn arn(name: &str) -> String {
    format!("{}{}", arns(), name.strip_prefix('/').unwrap_or(name))
}
