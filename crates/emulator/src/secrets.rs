//! Secrets Manager: secrets that are seeded from Rust and read through `GetSecretValue`. It owns which
//! secret and which of its versions a request means.
//!
//! Source: Secrets Manager API Reference, "GetSecretValue"; names and ARNs: "CreateSecret". A secret has
//! its current version and the one before it; rotation, replicas, resource policies and keys of one's own
//! aren't here. Nothing is encrypted.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use crate::documents::Documents;
use crate::iam::signature::CredentialScope;
use crate::iam::{ACCOUNT_ID, AccessRequest, Caller, IamService, RandomError, identifier, uuid};
use crate::json::{self, JsonFailure, JsonProtocol};

const PROTOCOL: JsonProtocol = JsonProtocol {
    target: "secretsmanager.",
    scope: CredentialScope { service: "secretsmanager", region: Some("us-east-1") },
};
/// The table of secrets, by name.
const TABLE: &str = "secrets";
/// The label of the version that counts.
const CURRENT: &str = "AWSCURRENT";
/// The label of the version that counted before.
const PREVIOUS: &str = "AWSPREVIOUS";
/// Longest name of a secret.
const LONGEST_NAME: usize = 512;
/// Largest value of a secret, bytes.
const LARGEST_VALUE: usize = 65_536;

/// Why a secret can't be seeded.
#[derive(Debug, Error)]
pub enum SecretsError {
    /// A name that Secrets Manager doesn't take.
    #[error("`{0}` isn't a secret's name: use letters, digits and `/_+=.@-`, 512 of them at the most")]
    Name(String),
    /// A value that Secrets Manager doesn't take.
    #[error("the value of `{0}` is empty or larger than 65536 bytes: change it")]
    Value(String),
    /// What was kept can't be read, or can't be kept.
    #[error("the secrets can't be kept: {0}")]
    Storage(String),
    /// The machine has no randomness to give.
    #[error("the machine gives no random bytes: {0}")]
    Random(#[from] RandomError),
}

/// What a secret holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoredSecretValue {
    /// Text, which `SecretString` answers.
    Text(String),
    /// Bytes, which `SecretBinary` answers.
    Binary(Vec<u8>),
}

impl fmt::Debug for StoredSecretValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretValue(…)")
    }
}

impl From<&str> for StoredSecretValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A secret as it is kept.
#[derive(Serialize, Deserialize)]
struct StoredSecret {
    /// The six characters that end the ARN: a secret that is made anew has another ARN.
    suffix: String,
    current: SecretVersion,
    previous: Option<SecretVersion>,
}

/// A version of a secret.
#[derive(Serialize, Deserialize)]
struct SecretVersion {
    id: String,
    value: StoredSecretValue,
    created: Timestamp,
}

/// The service. Cloning gives the same secrets.
#[derive(Clone)]
pub struct Secrets {
    documents: Arc<dyn Documents>,
    iam: IamService,
    /// Held while a secret is read and written again.
    changing: Arc<Mutex<()>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    pub(crate) fn new(documents: Arc<dyn Documents>, iam: IamService) -> Self {
        Self { documents, iam, changing: Arc::default() }
    }

    /// Makes a secret, or gives it a new current version; answers its ARN.
    ///
    /// # Errors
    /// If the name or the value isn't what Secrets Manager takes, or can't be kept.
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
        let current = SecretVersion { id: uuid()?, value, created: self.iam.clock().now() };
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = match self.get(name)? {
            Some(secret) => StoredSecret { suffix: secret.suffix, current, previous: Some(secret.current) },
            None => StoredSecret { suffix: identifier("", 6)?, current, previous: None },
        };
        let arn = arn(name, &secret.suffix);
        let kept = serde_json::to_value(secret).map_err(|error| SecretsError::Storage(error.to_string()))?;
        self.documents.put(TABLE, name, kept).map_err(|error| SecretsError::Storage(error.to_string()))?;
        Ok(arn)
    }

    /// Answers one request.
    #[expect(clippy::unused_async, reason = "every service of the stand-in is called alike")]
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        PROTOCOL.handle(&self.iam, &request, |caller, operation, body| match operation {
            "GetSecretValue" => Some(self.get_secret_value(caller, body)),
            _ => None,
        })
    }

    fn get(&self, name: &str) -> Result<Option<StoredSecret>, SecretsError> {
        let storage = |error: &dyn std::error::Error| SecretsError::Storage(error.to_string());
        let kept = self.documents.get(TABLE, name).map_err(|error| storage(&error))?;
        kept.map(serde_json::from_value).transpose().map_err(|error| storage(&error))
    }

    fn get_secret_value(&self, caller: &Caller, body: &[u8]) -> Result<Value, JsonFailure> {
        let wish: GetSecretValue = json::input(body)?;
        let found = self
            .find(&wish.secret_id)
            .map_err(|error| JsonFailure::internal("InternalServiceError", error.to_string()))?;
        let resource = match &found {
            Some((name, secret)) => arn(name, &secret.suffix),
            None if wish.secret_id.starts_with("arn:") => wish.secret_id.clone(),
            None => format!("{}{}", arns(), wish.secret_id),
        };
        let mut context = vec![("secretsmanager:SecretId", wish.secret_id.as_str())];
        context.extend(wish.version_id.iter().map(|id| ("secretsmanager:VersionId", id.as_str())));
        context.extend(wish.version_stage.iter().map(|stage| ("secretsmanager:VersionStage", stage.as_str())));
        let access = AccessRequest { action: "secretsmanager:GetSecretValue", resource: &resource, context: &context };
        self.iam.authorize(&caller.access_key_id, &access)?;

        let missing = |what: &str| JsonFailure::new("ResourceNotFoundException", what);
        let (name, secret) = found.ok_or_else(|| missing("Secrets Manager can't find the specified secret."))?;
        let (version, stage) = secret.version(&wish)?;
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

    /// The secret that an identifier means: its name, its ARN, or its ARN without the suffix.
    fn find(&self, id: &str) -> Result<Option<(String, StoredSecret)>, SecretsError> {
        let name = id.strip_prefix(&arns()).unwrap_or(id);
        if let Some(secret) = self.get(name)? {
            return Ok(Some((name.to_owned(), secret)));
        }
        let Some((name, suffix)) = name.rsplit_once('-').filter(|_| name != id) else {
            return Ok(None);
        };
        let secret = self.get(name)?.filter(|secret| secret.suffix == suffix);
        Ok(secret.map(|secret| (name.to_owned(), secret)))
    }
}

impl StoredSecret {
    /// The version that is asked for, with its label.
    fn version(&self, wish: &GetSecretValue) -> Result<(&SecretVersion, &'static str), JsonFailure> {
        let missing = |what: String| {
            let message = format!("Secrets Manager can't find the specified secret value for {what}");
            JsonFailure::new("ResourceNotFoundException", message)
        };
        let mut versions =
            [Some(&self.current).zip(Some(CURRENT)), self.previous.as_ref().zip(Some(PREVIOUS))].into_iter().flatten();
        let Some(id) = &wish.version_id else {
            let stage = wish.version_stage.as_deref().unwrap_or(CURRENT);
            let found = versions.find(|(_, label)| *label == stage);
            return found.ok_or_else(|| missing(format!("staging label: {stage}")));
        };
        let found = versions.find(|(version, _)| version.id == *id);
        let (version, label) = found.ok_or_else(|| missing(format!("VersionId: {id}")))?;
        match &wish.version_stage {
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

/// What the ARNs of all secrets begin with.
fn arns() -> String {
    format!("arn:aws:secretsmanager:us-east-1:{ACCOUNT_ID}:secret:")
}

fn arn(name: &str, suffix: &str) -> String {
    format!("{}{name}-{suffix}", arns())
}
