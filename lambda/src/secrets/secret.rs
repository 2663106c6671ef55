//! Secrets, while they are in memory.
//!
//! Owns that no secret is printed, compared byte by byte, or left behind. Never fetches one.

use std::fmt;

use serde_json::Value;
use tidegate_core::config::SecretReference;
use zeroize::Zeroizing;

/// A secret. Printing it prints nothing of it, and its bytes are overwritten when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why what a store holds is no secret. None of these repeats any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// No bytes: whoever signs with nothing signs as anybody can.
    #[error("the secret `{0}` is empty, store a long random text in it")]
    Empty(SecretReference),
    /// A field was asked for, and there are none.
    #[error("the secret `{0}` is no JSON object, leave out `#FIELD` or store one")]
    NoObject(SecretReference),
    /// That field is not there.
    #[error("the secret `{0}` has no such field, or no text in it")]
    NoField(SecretReference),
}

impl Secret {
    /// Takes what a store answered for a reference: the whole text, or one field of it. Line ends at the end are dropped; a file
    /// that a secret was made from mostly has one, and nobody types them into GitHub.
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

    /// The bytes, for whoever signs or authenticates with them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// One field of a JSON object. The other fields may be secrets too: what was parsed is overwritten as well.
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
        _ => return Err(SecretError::NoObject(reference.clone())),
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
    fn a_secret_is_a_text_or_one_field_of_it() {
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
            let told = read(reference, stored).unwrap_err().to_string();
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        let reference = SecretReference::try_from("ssm:/a".to_owned()).unwrap();
        let secret = Secret::new(&reference, "hunter2".to_owned()).unwrap();
        let printed = format!("{secret:?} {:#?}", std::collections::BTreeMap::from([(reference, secret.clone())]));
        assert!(!printed.contains("hunter2") && !printed.contains("104"), "{printed}");
    }
}
