//! Secrets Manager for an emulated account: tests seed secrets, the product reads them with `GetSecretValue`.
//!
//! Source: Secrets Manager API Reference, "GetSecretValue"; names and ARNs: "CreateSecret". A secret has its current
//! version and the previous one. There is no rotation, replication, resource policy or KMS key. Secrets are in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use tidegate_emulator::LocalAws;
use tidegate_emulator::iam::signature::CredentialScope;
use tidegate_emulator::iam::{ACCOUNT_ID, AccessRequest, Caller, IamService};
use uuid::Uuid;

use crate::json_protocol::{self, JsonFailure, JsonProtocol};

const PROTOCOL: JsonProtocol = JsonProtocol {
    target: "secretsmanager.",
    scope: CredentialScope { service: "secretsmanager", region: Some("us-east-1") },
};
/// The staging label of the current version.
const CURRENT: &str = "AWSCURRENT";
/// The staging label of the version before it.
const PREVIOUS: &str = "AWSPREVIOUS";
/// Longest name of a secret, in characters.
const LONGEST_NAME: usize = 512;
/// Largest value of a secret, in bytes.
const LARGEST_VALUE: usize = 65_536;

/// Why a secret cannot be seeded.
#[derive(Debug, Error)]
pub enum SecretsError {
    /// A name that Secrets Manager rejects.
    #[error("invalid secret name `{0}`; use 1 to 512 letters, digits and `/_+=.@-`")]
    Name(String),
    /// A value that Secrets Manager rejects.
    #[error("invalid value of `{0}`: it is empty or larger than 65536 bytes")]
    Value(String),
}

/// The value of a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum StoredSecretValue {
    /// Text, returned as `SecretString`.
    Text(String),
    /// Bytes, returned as `SecretBinary`.
    Binary(Vec<u8>),
}

impl fmt::Debug for StoredSecretValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StoredSecretValue(…)")
    }
}

impl From<&str> for StoredSecretValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

#[derive(Clone)]
struct StoredSecret {
    /// The six random characters at the end of the ARN.
    suffix: String,
    current: SecretVersion,
    previous: Option<SecretVersion>,
}

#[derive(Clone)]
struct SecretVersion {
    id: String,
    value: StoredSecretValue,
    created: Timestamp,
}

/// The service. Cheap to clone; all clones hold the same secrets.
#[derive(Clone)]
pub struct SecretsManager {
    iam: IamService,
    secrets: Arc<Mutex<BTreeMap<String, StoredSecret>>>,
}

impl fmt::Debug for SecretsManager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SecretsManager").finish_non_exhaustive()
    }
}

impl SecretsManager {
    /// Adds the service to `account`.
    #[must_use]
    pub fn add_to(account: &LocalAws) -> Self {
        let manager = Self { iam: account.iam().clone(), secrets: Arc::default() };
        let service = manager.clone();
        account.add_service("secretsmanager", move |request| {
            PROTOCOL.handle(&service.iam, request, |caller, operation, body| match operation {
                "GetSecretValue" => Some(service.get_secret_value(caller, body)),
                _ => None,
            })
        });
        manager
    }

    /// Creates a secret, or gives it a new current version. Returns its ARN.
    ///
    /// # Errors
    /// Secrets Manager rejects the name or the value.
    pub fn put(&self, name: &str, value: impl Into<StoredSecretValue>) -> Result<String, SecretsError> {
        let allowed = |character: char| character.is_ascii_alphanumeric() || "/_+=.@-".contains(character);
        if !(1..=LONGEST_NAME).contains(&name.len()) || !name.chars().all(allowed) {
            return Err(SecretsError::Name(name.to_owned()));
        }
        let value = value.into();
        let size = match &value {
            StoredSecretValue::Text(text) => text.len(),
            StoredSecretValue::Binary(bytes) => bytes.len(),
        };
        if !(1..=LARGEST_VALUE).contains(&size) {
            return Err(SecretsError::Value(name.to_owned()));
        }
        let current = SecretVersion { id: Uuid::new_v4().to_string(), value, created: self.iam.clock().now() };
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = match secrets.remove(name) {
            Some(secret) => StoredSecret { suffix: secret.suffix, current, previous: Some(secret.current) },
            None => {
                let suffix = Uuid::new_v4().simple().to_string().chars().take(6).collect();
                StoredSecret { suffix, current, previous: None }
            }
        };
        let arn = arn(name, &secret.suffix);
        secrets.insert(name.to_owned(), secret);
        Ok(arn)
    }

    fn get_secret_value(&self, caller: &Caller, body: &[u8]) -> Result<Value, JsonFailure> {
        let request: GetSecretValue = json_protocol::input(body)?;
        let found = self.find(&request.secret_id);
        let resource = match &found {
            Some((name, secret)) => arn(name, &secret.suffix),
            None if request.secret_id.starts_with("arn:") => request.secret_id.clone(),
            None => format!("{}{}", arn_prefix(), request.secret_id),
        };
        let mut context = vec![("secretsmanager:SecretId", request.secret_id.as_str())];
        context.extend(request.version_id.iter().map(|id| ("secretsmanager:VersionId", id.as_str())));
        context.extend(request.version_stage.iter().map(|stage| ("secretsmanager:VersionStage", stage.as_str())));
        let access = AccessRequest { action: "secretsmanager:GetSecretValue", resource: &resource, context: &context };
        self.iam.authorize(&caller.access_key_id, &access)?;

        let missing =
            || JsonFailure::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
        let (name, secret) = found.ok_or_else(missing)?;
        let (version, stage) = secret.version(&request)?;
        let (field, value) = match &version.value {
            StoredSecretValue::Text(text) => ("SecretString", text.clone()),
            StoredSecretValue::Binary(bytes) => ("SecretBinary", STANDARD.encode(bytes)),
        };
        Ok(json!({
            "ARN": resource,
            "Name": name,
            "VersionId": version.id,
            field: value,
            "VersionStages": [stage],
            "CreatedDate": version.created.as_duration().as_secs_f64(),
        }))
    }

    /// Finds a secret by its name, its ARN, or its ARN without the suffix.
    fn find(&self, id: &str) -> Option<(String, StoredSecret)> {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let name = id.strip_prefix(&arn_prefix()).unwrap_or(id);
        if let Some(secret) = secrets.get(name) {
            return Some((name.to_owned(), secret.clone()));
        }
        let (name, suffix) = name.rsplit_once('-').filter(|_| name != id)?;
        let secret = secrets.get(name).filter(|secret| secret.suffix == suffix)?;
        Some((name.to_owned(), secret.clone()))
    }
}

impl StoredSecret {
    /// The requested version with its staging label.
    fn version(&self, request: &GetSecretValue) -> Result<(&SecretVersion, &'static str), JsonFailure> {
        let missing = |what: String| {
            let message = format!("Secrets Manager can't find the specified secret value for {what}");
            JsonFailure::new("ResourceNotFoundException", message)
        };
        let mut versions =
            [Some(&self.current).zip(Some(CURRENT)), self.previous.as_ref().zip(Some(PREVIOUS))].into_iter().flatten();
        let Some(id) = &request.version_id else {
            let stage = request.version_stage.as_deref().unwrap_or(CURRENT);
            let found = versions.find(|(_, label)| *label == stage);
            return found.ok_or_else(|| missing(format!("staging label: {stage}")));
        };
        let found = versions.find(|(version, _)| version.id == *id);
        let (version, label) = found.ok_or_else(|| missing(format!("VersionId: {id}")))?;
        match &request.version_stage {
            Some(stage) if stage != label => Err(JsonFailure::new(
                "InvalidRequestException",
                "You provided a VersionStage that is not associated to the provided VersionId.",
            )),
            _ => Ok((version, label)),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetSecretValue {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

fn arn_prefix() -> String {
    format!("arn:aws:secretsmanager:us-east-1:{ACCOUNT_ID}:secret:")
}

fn arn(name: &str, suffix: &str) -> String {
    format!("{}{name}-{suffix}", arn_prefix())
}
