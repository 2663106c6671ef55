//! What the stand-in of AWS lacks before an event: places, builds and secrets.

use async_trait::async_trait;
use tidegate_core::config::{Config, SecretReference};
use tidegate_emulator::s3::StoredHeaders;
use tidegate_lambda::secrets::{Secret, SecretStore, SecretStoreError};

use crate::arguments::PutFlag;
use crate::emulator::LocalAccount;
use crate::error::CliError;

/// One secret for every reference, made up for this invocation.
pub(super) struct LocalSecrets(String);

impl Default for LocalSecrets {
    fn default() -> Self {
        Self(format!("{:032x}", fastrand::u128(..)))
    }
}

impl LocalSecrets {
    /// The secret, for whoever signs with it.
    pub(super) fn secret(&self) -> Option<Secret> {
        let reference = SecretReference::Parameter("/local".to_owned());
        Secret::new(&reference, self.0.clone()).ok()
    }
}

#[async_trait]
impl SecretStore for LocalSecrets {
    async fn secret(&self, reference: &SecretReference) -> Result<Secret, SecretStoreError> {
        let whole = match reference {
            SecretReference::SecretsManager { field: Some(field), .. } => {
                serde_json::json!({ field: self.0 }).to_string()
            }
            SecretReference::SecretsManager { field: None, .. } | SecretReference::Parameter(_) => self.0.clone(),
        };
        Ok(Secret::new(reference, whole)?)
    }
}

/// Makes what every site needs, and returns the configuration with the stand-in's account in its roles.
pub(super) async fn prepare(embedded: &LocalAccount, config: &Config) -> Result<Config, CliError> {
    let mut prepared = config.clone();
    for site in &mut prepared.sites {
        *site = embedded.prepare(site, None).await?;
    }
    Ok(prepared)
}

/// Puts a file, and answers its ETag without quotation marks, as events name it.
pub(super) async fn put(embedded: &LocalAccount, put: &PutFlag) -> Result<String, CliError> {
    let bytes = std::fs::read(&put.file)
        .map_err(|error| CliError::Usage(format!("`{}` cannot be read: {error}", put.file.display())))?;
    let (bucket, key) = (put.object.bucket.as_str(), put.object.key.as_str());
    embedded.bucket(bucket).await?;
    let made = embedded.account.s3().put(bucket, key, bytes, StoredHeaders::default()).await;
    let made = made.map_err(|error| CliError::System(format!("`{}` could not be put: {error}", put.object)))?;
    Ok(made.etag)
}
