//! What the local emulator needs before an event: objects and secrets.

use async_trait::async_trait;
use tidegate_core::config::SecretReference;
use tidegate_core::location::ObjectLocation;
use tidegate_emulator::s3::StoredHeaders;
use tidegate_lambda::secrets::{Secret, SecretStore, SecretStoreError};

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

/// Puts a file into the emulator.
pub(super) async fn put(
    emulator: &LocalAccount,
    object: &ObjectLocation,
    bytes: Vec<u8>,
) -> Result<EmulatedObject, CliError> {
    let (bucket, key) = (object.bucket.as_str(), object.key.as_str());
    emulator.create_bucket(bucket).await?;
    let written = emulator.account.s3().put(bucket, key, bytes, StoredHeaders::default()).await;
    let written = written.map_err(|error| CliError::System(format!("cannot write `{object}`: {error}")))?;
    Ok(EmulatedObject { key: key.to_owned(), etag: written.etag, version: written.version })
}

/// An object of the emulator, as events describe it.
pub(super) struct EmulatedObject {
    pub(super) key: String,
    /// Its ETag, without quotation marks.
    pub(super) etag: String,
    /// Its version, in a bucket with versioning.
    pub(super) version: Option<String>,
}
