//! What the local emulator needs before an event: objects and secrets.

use async_trait::async_trait;
use tidegate_core::config::SecretReference;
use tidegate_emulator::s3::StoredHeaders;
use tidegate_lambda::secrets::{Secret, SecretStore, SecretStoreError};

use crate::arguments::PutFlag;
use crate::emulator::LocalAccount;
use crate::error::CliError;

/// One random secret for every reference.
pub(super) struct LocalSecrets(String);

impl Default for LocalSecrets {
    fn default() -> Self {
        Self(format!("{:032x}", fastrand::u128(..)))
    }
}

impl LocalSecrets {
    /// The secret to sign with.
    pub(super) fn secret(&self) -> Option<Secret> {
        let reference = SecretReference::Parameter("/local".to_owned());
        Secret::new(&reference, self.0.clone()).ok()
    }
}

#[async_trait]
impl SecretStore for LocalSecrets {
    async fn secret(&self, reference: &SecretReference) -> Result<Secret, SecretStoreError> {
        let text = match reference {
            SecretReference::SecretsManager { field: Some(field), .. } => {
                serde_json::json!({ field: self.0 }).to_string()
            }
            SecretReference::SecretsManager { field: None, .. } | SecretReference::Parameter(_) => self.0.clone(),
        };
        Ok(Secret::new(reference, text)?)
    }
}

/// Puts a file; returns its ETag without quotation marks, as events have it.
pub(super) async fn put(emulator: &LocalAccount, put: &PutFlag) -> Result<String, CliError> {
    let bytes = std::fs::read(&put.file).map_err(CliError::read("file", &put.file))?;
    let (bucket, key) = (put.object.bucket.as_str(), put.object.key.as_str());
    emulator.create_bucket(bucket).await?;
    let object = emulator.account.s3().put(bucket, key, bytes, StoredHeaders::default()).await;
    let object = object.map_err(|error| CliError::System(format!("cannot write `{}`: {error}", put.object)))?;
    Ok(object.etag)
}
