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

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
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
    cache: Mutex<BTreeMap<SecretReference, (Secret, Instant)>>,
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
            cache.get(reference).filter(|(_, read_at)| read_at.elapsed() < CACHED).map(|(secret, _)| secret.clone())
        };
        if let Some(secret) = cached {
            return Ok(secret);
        }
        let secret = Secret::new(reference, self.read(reference).await?)?;
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(reference.clone(), (secret.clone(), Instant::now()));
        Ok(secret)
    }
}
