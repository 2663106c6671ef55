//! Reads secrets from Secrets Manager and from parameters of Systems Manager, and caches them.
//!
//! No error and no log line holds a secret.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tidegate_core::config::SecretReference;
use tidegate_publish::Connection;
use tidegate_publish::aws_error::AwsError;

use super::secret::{Secret, SecretError};

/// How long a secret is cached. A replaced secret stays valid for as long; a rotation configures both.
const CACHED: Duration = Duration::from_secs(300);

/// How long a failure is remembered. Anyone can send webhooks that are refused, and each would ask AWS again.
const FAILURE_CACHED: Duration = Duration::from_secs(10);

/// Why a secret could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretStoreError {
    /// The call to AWS failed.
    #[error(transparent)]
    Cloud(#[from] AwsError),
    /// The stored value cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The stored value is binary.
    #[error("the secret `{0}` is binary; store it as text")]
    Binary(SecretReference),
}

/// A store of secrets.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// Reads a secret.
    ///
    /// # Errors
    /// [`SecretStoreError`].
    async fn secret(&self, reference: &SecretReference) -> Result<Secret, SecretStoreError>;
}

/// Secrets Manager and Systems Manager, with a cache.
#[derive(Debug)]
pub struct AwsSecrets {
    secrets_manager: aws_sdk_secretsmanager::Client,
    systems_manager: aws_sdk_ssm::Client,
    cache: Mutex<BTreeMap<SecretReference, CachedSecret>>,
}

/// A secret, or why it could not be read, and when it was asked for.
#[derive(Debug, Clone)]
struct CachedSecret {
    result: Result<Secret, SecretStoreError>,
    read_at: Instant,
}

impl CachedSecret {
    fn is_fresh(&self) -> bool {
        self.read_at.elapsed() < if self.result.is_ok() { CACHED } else { FAILURE_CACHED }
    }
}

impl AwsSecrets {
    /// Reads with the credentials of a connection.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self {
            secrets_manager: aws_sdk_secretsmanager::Client::new(connection.config()),
            systems_manager: aws_sdk_ssm::Client::new(connection.config()),
            cache: Mutex::default(),
        }
    }

    async fn read(&self, reference: &SecretReference) -> Result<String, SecretStoreError> {
        let name = reference.to_string();
        match reference {
            SecretReference::SecretsManager { id, .. } => {
                let response = self.secrets_manager.get_secret_value().secret_id(id).send().await;
                let response = response.map_err(|error| AwsError::new("GetSecretValue", name, &error))?;
                response.secret_string.ok_or_else(|| SecretStoreError::Binary(reference.clone()))
            }
            SecretReference::Parameter(parameter) => {
                let response = self.systems_manager.get_parameter().name(parameter).with_decryption(true).send().await;
                let response = response.map_err(|error| AwsError::new("GetParameter", &name, &error))?;
                let value = response.parameter.and_then(|parameter| parameter.value);
                Ok(value.ok_or_else(|| AwsError::malformed("GetParameter", name, "the response has no value"))?)
            }
        }
    }
}

#[async_trait]
impl SecretStore for AwsSecrets {
    async fn secret(&self, reference: &SecretReference) -> Result<Secret, SecretStoreError> {
        let cached = {
            let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.get(reference).filter(|cached| cached.is_fresh()).map(|cached| cached.result.clone())
        };
        if let Some(result) = cached {
            return result;
        }
        let result = match self.read(reference).await {
            Ok(stored) => Secret::new(reference, stored).map_err(SecretStoreError::from),
            Err(error) => Err(error),
        };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(reference.clone(), CachedSecret { result: result.clone(), read_at: Instant::now() });
        result
    }
}
