//! Secrets of webhooks: the only place that names the SDKs of Secrets Manager and of Systems Manager.
//!
//! Owns reading them, and how long they are remembered. No error and no log holds one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tidegate_core::config::SecretReference;
use tidegate_publish::Connection;
use tidegate_publish::aws_error::AwsError;

use super::secret::{Secret, SecretError};

/// How long a secret is remembered. One that was replaced is taken for as long; while rotating, both are configured.
const REMEMBERED: Duration = Duration::from_secs(300);

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretStoreError {
    /// AWS refuses.
    #[error(transparent)]
    Cloud(#[from] AwsError),
    /// What is kept there is no secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Bytes instead of text.
    #[error("the secret `{0}` holds bytes and no text, store it as text")]
    Binary(SecretReference),
}

/// Where secrets are.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// A secret.
    ///
    /// # Errors
    /// [`SecretStoreError`].
    async fn secret(&self, reference: &SecretReference) -> Result<Secret, SecretStoreError>;
}

/// AWS's two stores, remembered for a while.
#[derive(Debug)]
pub struct AwsSecrets {
    manager: aws_sdk_secretsmanager::Client,
    parameters: aws_sdk_ssm::Client,
    known: Mutex<BTreeMap<SecretReference, (Secret, Instant)>>,
}

impl AwsSecrets {
    /// With the caller's own connection.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self {
            manager: aws_sdk_secretsmanager::Client::new(connection.config()),
            parameters: aws_sdk_ssm::Client::new(connection.config()),
            known: Mutex::default(),
        }
    }

    async fn read(&self, reference: &SecretReference) -> Result<String, SecretStoreError> {
        let told = reference.to_string();
        match reference {
            SecretReference::SecretsManager { id, .. } => {
                let answer = self.manager.get_secret_value().secret_id(id).send().await;
                let answer = answer.map_err(|error| AwsError::new("GetSecretValue", told, &error))?;
                answer.secret_string.ok_or_else(|| SecretStoreError::Binary(reference.clone()))
            }
            SecretReference::Parameter(name) => {
                let answer = self.parameters.get_parameter().name(name).with_decryption(true).send().await;
                let answer = answer.map_err(|error| AwsError::new("GetParameter", &told, &error))?;
                let value = answer.parameter.and_then(|parameter| parameter.value);
                Ok(value.ok_or_else(|| AwsError::malformed("GetParameter", told, "the answer has no value"))?)
            }
        }
    }
}

#[async_trait]
impl SecretStore for AwsSecrets {
    async fn secret(&self, reference: &SecretReference) -> Result<Secret, SecretStoreError> {
        let fresh = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(reference).filter(|(_, at)| at.elapsed() < REMEMBERED).map(|(secret, _)| secret.clone())
        };
        if let Some(secret) = fresh {
            return Ok(secret);
        }
        let secret = Secret::new(reference, self.read(reference).await?)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(reference.clone(), (secret.clone(), Instant::now()));
        Ok(secret)
    }
}
