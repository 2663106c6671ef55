//! References to secrets. A configuration never contains a secret itself.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::arn::Arn;
use crate::sanitize::sanitize_name;

/// Most secrets of one webhook: the old and the new one during a rotation, and some to spare.
pub const MAX_SECRETS: usize = 5;

/// A reference to a secret in AWS: `secretsmanager:NAME`, `secretsmanager:NAME#FIELD` for a field of a JSON object, or
/// `ssm:/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SecretReference {
    /// A secret in Secrets Manager.
    SecretsManager {
        /// Its name or ARN.
        id: String,
        /// The field of its JSON object; `None` for the whole text.
        field: Option<String>,
    },
    /// A parameter in Systems Manager Parameter Store, read decrypted.
    Parameter(String),
}

/// 1 to [`MAX_SECRETS`] references.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<SecretReference>", into = "Vec<SecretReference>")]
pub struct SecretReferences(Vec<SecretReference>);

/// Why a text is not a reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretReferenceError {
    /// An unknown store. The message does not repeat the text, which could be the secret itself.
    #[error("invalid secret reference; use `secretsmanager:NAME` or `ssm:/NAME`, never the secret itself")]
    Store,
    /// Not a name in Secrets Manager. Source: AWS Secrets Manager API reference, `CreateSecret`.
    #[error(
        "invalid name in Secrets Manager: `{0}`; use letters, digits and `/_+=.@-`, such as `repo/github.com/acme/docs`"
    )]
    Name(String),
    /// An empty field name.
    #[error("empty field name of the secret `{0}`; use `secretsmanager:NAME#FIELD`")]
    Field(String),
    /// Not the name of a parameter. Source: AWS Systems Manager API reference, `PutParameter`.
    #[error("invalid parameter name `{0}`; use letters, digits and `_.-/`, starting with `/`")]
    Parameter(String),
    /// None, or too many.
    #[error("a webhook must have 1 to {MAX_SECRETS} secrets, not {0}")]
    Count(usize),
}

impl SecretReference {
    /// Whether the text is the ARN of a secret.
    fn is_arn(text: &str) -> bool {
        Arn::parse(text).is_some_and(|arn| {
            arn.service == "secretsmanager"
                && !arn.region.is_empty()
                && arn.resource.strip_prefix("secret:").is_some_and(is_name)
        })
    }
}

/// Whether Secrets Manager accepts the name.
fn is_name(name: &str) -> bool {
    (1..=512).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c))
}

impl TryFrom<String> for SecretReference {
    type Error = SecretReferenceError;
    fn try_from(text: String) -> Result<Self, SecretReferenceError> {
        if let Some(name) = text.strip_prefix("ssm:") {
            let valid = (2..=1011).contains(&name.len())
                && name.starts_with('/')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-/".contains(c));
            return if valid {
                Ok(Self::Parameter(name.to_owned()))
            } else {
                Err(SecretReferenceError::Parameter(sanitize_name(name)))
            };
        }
        let rest = text.strip_prefix("secretsmanager:").ok_or(SecretReferenceError::Store)?;
        let (id, field) = rest.split_once('#').map_or((rest, None), |(id, field)| (id, Some(field)));
        if !is_name(id) && !Self::is_arn(id) {
            return Err(SecretReferenceError::Name(sanitize_name(id)));
        }
        if field.is_some_and(str::is_empty) {
            return Err(SecretReferenceError::Field(sanitize_name(id)));
        }
        Ok(Self::SecretsManager { id: id.to_owned(), field: field.map(str::to_owned) })
    }
}

impl SecretReferences {
    /// The references, in the order of the configuration.
    #[must_use]
    pub fn as_slice(&self) -> &[SecretReference] {
        &self.0
    }
}

impl TryFrom<Vec<SecretReference>> for SecretReferences {
    type Error = SecretReferenceError;
    fn try_from(list: Vec<SecretReference>) -> Result<Self, SecretReferenceError> {
        if (1..=MAX_SECRETS).contains(&list.len()) {
            Ok(Self(list))
        } else {
            Err(SecretReferenceError::Count(list.len()))
        }
    }
}

impl From<SecretReferences> for Vec<SecretReference> {
    fn from(secrets: SecretReferences) -> Self {
        secrets.0
    }
}

impl From<SecretReference> for String {
    fn from(reference: SecretReference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecretsManager { id, field: Some(field) } => {
                write!(f, "secretsmanager:{id}#{}", sanitize_name(field))
            }
            Self::SecretsManager { id, field: None } => write!(f, "secretsmanager:{id}"),
            Self::Parameter(name) => write!(f, "ssm:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_names_that_aws_accepts() {
        let arn = "secretsmanager:arn:aws:secretsmanager:eu-central-1:123456789012:secret:repo/docs-AbCdEf#webhook";
        for good in
            ["secretsmanager:repo/github.com/acme/docs", "secretsmanager:tidegate#webhook", "ssm:/tidegate/docs", arn]
        {
            assert_eq!(SecretReference::try_from(good.to_owned()).unwrap().to_string(), good);
        }
        for bad in [
            "hunter2",
            "secretsmanager:",
            "secretsmanager:repo:github.com/acme/docs",
            "secretsmanager:name#",
            "secretsmanager:arn:aws:s3:::bucket",
            "secretsmanager:arn:aws*:secretsmanager:eu-central-1:123456789012:secret:repo/docs-AbCdEf",
            "secretsmanager:arn:aws:secretsmanager:*:123456789012:secret:repo/docs-AbCdEf",
            "secretsmanager:arn:aws:secretsmanager:eu-central-1:123456789012:secret:*",
            "ssm:tidegate",
            "ssm:/",
            "ssm:/a b",
        ] {
            assert!(SecretReference::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn errors_do_not_repeat_a_secret() {
        let error = SecretReference::try_from("hunter2".to_owned()).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
