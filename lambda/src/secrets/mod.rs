//! Secrets that sign webhooks and tokens for GitHub: their values in memory, and the AWS services that store them.

mod secret;
mod store;

pub use secret::{Secret, SecretError};
pub use store::{AwsSecrets, SecretStore, SecretStoreError};
