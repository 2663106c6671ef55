//! Secrets: their values in memory, and where they are stored.

mod secret;
mod store;

pub use secret::{Secret, SecretError};
pub use store::{AwsSecrets, SecretStore, SecretStoreError};
