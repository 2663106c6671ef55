//! STS: the only place that names its SDK. Credentials for one purpose.
//!
//! Owns the request. Never decides what credentials may do: policy documents come from `tidegate-host`.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_sts::Client;
use sha2::{Digest, Sha256};
use tidegate_host::config::RoleArn;

use crate::cloud::CloudError;
use crate::connection::Connection;

/// Longest name of a session, in characters. Source: IAM user guide, "IAM and AWS STS quotas".
const MAX_SESSION_NAME: usize = 64;

/// How long a session lasts. A chained session lasts an hour at most: the Lambda's own role is one link of the chain.
/// Source: IAM user guide, "Roles terms and concepts", role chaining.
const DURATION: Duration = Duration::from_secs(3600);

/// A client of STS.
#[derive(Debug, Clone)]
pub(crate) struct Sts {
    client: Client,
}

impl Sts {
    /// Makes a client.
    #[must_use]
    pub(crate) fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()) }
    }

    /// Credentials of `role`, narrowed to what `policy` allows.
    ///
    /// # Errors
    /// [`CloudError`].
    pub(crate) async fn assume(&self, role: &RoleArn, session: &str, policy: &str) -> Result<Credentials, CloudError> {
        let answer = self
            .client
            .assume_role()
            .role_arn(role.as_str())
            .role_session_name(session_name(session))
            .policy(policy)
            .duration_seconds(i32::try_from(DURATION.as_secs()).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| CloudError::new("AssumeRole", role.as_str(), &error))?;
        let made = answer
            .credentials
            .ok_or_else(|| CloudError::malformed("AssumeRole", role.as_str(), "the answer has no credentials"))?;
        let expires = SystemTime::try_from(made.expiration).ok();
        Ok(Credentials::new(
            made.access_key_id,
            made.secret_access_key,
            Some(made.session_token),
            expires,
            "tidegate session",
        ))
    }
}

/// A name that STS takes: characters that it does not know become `-`, and a name that is too long ends in a digest of
/// the whole, so that two of them stay apart.
fn session_name(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "+=,.@_-".contains(c) { c } else { '-' }).collect();
    if plain.len() <= MAX_SESSION_NAME && plain == text {
        return plain;
    }
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    let (head, tail): (String, String) =
        (plain.chars().take(MAX_SESSION_NAME - 9).collect(), digest.chars().take(8).collect());
    format!("{head}-{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_stay_apart() {
        assert_eq!(session_name("tidegate-docs"), "tidegate-docs");
        let (a, b) = (session_name(&format!("{}a", "x".repeat(80))), session_name(&format!("{}b", "x".repeat(80))));
        assert!(a.len() == MAX_SESSION_NAME && b.len() == MAX_SESSION_NAME && a != b);
        assert_ne!(session_name("a b"), session_name("a/b"));
        assert!(session_name("é ü").is_ascii());
    }
}
