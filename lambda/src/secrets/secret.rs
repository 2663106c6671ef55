//! A secret in memory. It is never printed and never compared byte by byte, and its bytes are overwritten on drop.

use std::fmt;

use serde_json::Value;
use tidegate_core::config::SecretReference;
use zeroize::Zeroizing;

/// A secret. `Debug` prints none of it, and its bytes are overwritten when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why a stored value cannot be used as a secret. No message repeats any part of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The value is empty, so anyone could sign with it.
    #[error("the secret `{0}` is empty; store a long random text in it")]
    Empty(SecretReference),
    /// The reference names a field, and the value is not a JSON object.
    #[error("the secret `{0}` is not a JSON object; store one, or remove `#FIELD` from the reference")]
    NotAnObject(SecretReference),
    /// The field is missing or not a string.
    #[error("the secret `{0}` has no such field, or the field is not a string")]
    NoField(SecretReference),
}

impl Secret {
    /// Takes the stored value for a reference: the whole text, or one field of it. Trailing line breaks are dropped: a
    /// secret that was stored from a file usually has one, and it is never typed into GitHub.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn new(reference: &SecretReference, stored: String) -> Result<Self, SecretError> {
        let stored = Zeroizing::new(stored);
        let text = match reference {
            SecretReference::SecretsManager { field: Some(field), .. } => field_of(reference, &stored, field)?,
            SecretReference::SecretsManager { field: None, .. } | SecretReference::Parameter(_) => stored,
        };
        let bytes = text.trim_end_matches(['\r', '\n']).as_bytes();
        if bytes.is_empty() {
            return Err(SecretError::Empty(reference.clone()));
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    /// The bytes, to sign or to authenticate with.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// One field of a JSON object. Other fields may be secrets too, so every parsed string is overwritten on drop.
fn field_of(reference: &SecretReference, stored: &str, field: &str) -> Result<Zeroizing<String>, SecretError> {
    let mut found = None;
    match serde_json::from_str::<Value>(stored) {
        Ok(Value::Object(fields)) => {
            for (name, value) in fields {
                if let Value::String(text) = value {
                    let text = Zeroizing::new(text);
                    if name == field {
                        found = Some(text);
                    }
                }
            }
        }
        _ => return Err(SecretError::NotAnObject(reference.clone())),
    }
    found.ok_or_else(|| SecretError::NoField(reference.clone()))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(reference: &str, stored: &str) -> Result<Vec<u8>, SecretError> {
        let reference = SecretReference::try_from(reference.to_owned()).unwrap();
        Secret::new(&reference, stored.to_owned()).map(|secret| secret.expose().to_vec())
    }

    #[test]
    fn reads_a_whole_value_or_one_field() {
        assert_eq!(read("ssm:/a", "hunter2\n").unwrap(), b"hunter2");
        assert_eq!(read("secretsmanager:a", "{\"x\":1}").unwrap(), b"{\"x\":1}");
        assert_eq!(read("secretsmanager:a#x", "{\"x\":\"hunter2\",\"y\":1}").unwrap(), b"hunter2");
        for (reference, stored) in [
            ("ssm:/a", ""),
            ("ssm:/a", "\r\n"),
            ("secretsmanager:a#x", "hunter2"),
            ("secretsmanager:a#x", "{\"x\":7}"),
            ("secretsmanager:a#x", "{\"y\":\"hunter2\"}"),
            ("secretsmanager:a#x", "{\"x\":\"\"}"),
        ] {
            let error = read(reference, stored).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let reference = SecretReference::try_from("ssm:/a".to_owned()).unwrap();
        let secret = Secret::new(&reference, "hunter2".to_owned()).unwrap();
        let printed = format!("{secret:?} {:#?}", std::collections::BTreeMap::from([(reference, secret.clone())]));
        assert!(!printed.contains("hunter2") && !printed.contains("104"), "{printed}");
    }
}
