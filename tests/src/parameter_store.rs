//! The Parameter Store of Systems Manager for an emulated account: tests seed parameters, the product reads them with
//! `GetParameter`.
//!
//! Source: Systems Manager API Reference, "GetParameter"; names and sizes: "PutParameter". There are no labels,
//! policies, KMS keys or tiers other than the standard one. Parameters are in memory. The ciphertext of a
//! `SecureString` is a fixed text, independent of the value.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use tidegate_emulator::LocalAws;
use tidegate_emulator::iam::signature::CredentialScope;
use tidegate_emulator::iam::{ACCOUNT_ID, AccessRequest, Caller, IamService};

use crate::json_protocol::{self, JsonFailure, JsonProtocol};

const PROTOCOL: JsonProtocol =
    JsonProtocol { target: "AmazonSSM.", scope: CredentialScope { service: "ssm", region: Some("us-east-1") } };
/// Longest name of a parameter without the rest of its ARN, in characters.
const LONGEST_NAME: usize = 1_011;
/// Largest value of a parameter of the standard tier, in bytes.
const LARGEST_VALUE: usize = 4_096;
/// The value of a `SecureString` without decryption.
const CIPHERTEXT: &str = "AQICAHciphertext";

/// Why a parameter cannot be seeded.
#[derive(Debug, Error)]
pub enum ParametersError {
    /// A name that the Parameter Store rejects.
    #[error(
        "invalid parameter name `{0}`; use 1 to 1011 letters, digits and `_.-`, and `/` only in a name that begins with it"
    )]
    Name(String),
    /// A value that the Parameter Store rejects.
    #[error("invalid value of `{0}`: it is empty or larger than 4096 bytes")]
    Value(String),
}

/// The value of a parameter.
#[derive(Clone, PartialEq, Eq)]
pub enum ParameterValue {
    /// A `String`.
    Text(String),
    /// A `SecureString`, returned only with decryption.
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

#[derive(Clone)]
struct ParameterVersion {
    value: ParameterValue,
    created: Timestamp,
}

/// The service. Cheap to clone; all clones hold the same parameters.
#[derive(Clone)]
pub struct ParameterStore {
    iam: IamService,
    /// Versions by name, the oldest first.
    parameters: Arc<Mutex<BTreeMap<String, Vec<ParameterVersion>>>>,
}

impl fmt::Debug for ParameterStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ParameterStore").finish_non_exhaustive()
    }
}

impl ParameterStore {
    /// Adds the service to `account`.
    #[must_use]
    pub fn add_to(account: &LocalAws) -> Self {
        let store = Self { iam: account.iam().clone(), parameters: Arc::default() };
        let service = store.clone();
        account.add_service("ssm", move |request| {
            PROTOCOL.handle(&service.iam, request, |caller, operation, body| match operation {
                "GetParameter" => Some(service.get_parameter(caller, body)),
                _ => None,
            })
        });
        store
    }

    /// Creates a parameter, or gives it a new version. Returns its ARN.
    ///
    /// # Errors
    /// The Parameter Store rejects the name or the value.
    pub fn put(&self, name: &str, value: impl Into<ParameterValue>) -> Result<String, ParametersError> {
        check_name(name)?;
        let value = value.into();
        let (ParameterValue::Text(text) | ParameterValue::Secure(text)) = &value;
        if !(1..=LARGEST_VALUE).contains(&text.len()) {
            return Err(ParametersError::Value(name.to_owned()));
        }
        let version = ParameterVersion { value, created: self.iam.clock().now() };
        let mut parameters = self.parameters.lock().unwrap_or_else(PoisonError::into_inner);
        parameters.entry(name.to_owned()).or_default().push(version);
        Ok(arn(name))
    }

    fn get_parameter(&self, caller: &Caller, body: &[u8]) -> Result<Value, JsonFailure> {
        let request: GetParameter = json_protocol::input(body)?;
        let (name, selector) = split(&request.name);
        let (name, versions) = self.find(name);
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
            ParameterValue::Text(text) => ("String", text.as_str()),
            ParameterValue::Secure(text) if request.with_decryption => ("SecureString", text.as_str()),
            ParameterValue::Secure(_) => ("SecureString", CIPHERTEXT),
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

    /// Resolves a name or an ARN to a name and the versions of that parameter. The ARNs of `a` and `/a` are equal.
    fn find(&self, id: &str) -> (String, Vec<ParameterVersion>) {
        let parameters = self.parameters.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = |name: &str| parameters.get(name).cloned().unwrap_or_default();
        match id.strip_prefix(&arn_prefix()) {
            Some(name) if !parameters.contains_key(name) => {
                let rooted = format!("/{name}");
                let versions = versions(&rooted);
                (rooted, versions)
            }
            Some(name) => (name.to_owned(), versions(name)),
            None => (id.to_owned(), versions(id)),
        }
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

/// Splits a name or an ARN from the version after its last colon.
fn split(id: &str) -> (&str, Option<&str>) {
    let colons = if id.starts_with("arn:") { 6 } else { 1 };
    match id.rsplit_once(':') {
        Some((name, selector)) if id.matches(':').count() == colons => (name, Some(selector)),
        _ => (id, None),
    }
}

/// The ARN of a parameter up to its name, whose own leading slash is the last character.
fn arn_prefix() -> String {
    format!("arn:aws:ssm:us-east-1:{ACCOUNT_ID}:parameter/")
}

fn arn(name: &str) -> String {
    format!("{}{}", arn_prefix(), name.strip_prefix('/').unwrap_or(name))
}
