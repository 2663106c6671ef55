//! Detached signatures of components, in the format of minisign: who signed which plugin, as which version.
//!
//! The signed comment must name both: `name:no-drafts version:1.2.0`. Without the name, a signed plugin could be swapped for
//! another one of the same signer; without the version, for an older one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::{Error, Signature};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::config::{KeyId, PluginUse};
use crate::sanitize::{sanitize, sanitize_name};

/// Longest file with a signature, in bytes. Comments of minisign have at most 8 KiB.
pub const MAX_SIGNATURE_BYTES: u64 = 16 << 10;

/// Bytes of a comment that an error shows.
const SHOWN_BYTES: usize = 200;

/// Lines of a signature: two comments, each with what it is about.
const LINES: usize = 4;

/// How a signature starts that is not made over a hash.
const LEGACY: &[u8] = b"Ed";

/// A component whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SignedPlugin {
    /// The number of the key.
    pub key: KeyId,
    /// The name that it is signed under.
    pub name: String,
    /// The version that it is signed as.
    pub version: String,
}

/// Why a signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginSignatureError {
    /// Not four lines as minisign writes them.
    #[error("it is not a signature of minisign; sign the component again")]
    Form,
    /// Over the file instead of its hash.
    #[error(
        "it has minisign's legacy format, which is not over a hash; sign with minisign 0.10 or later, without `-l`"
    )]
    Legacy,
    /// By a key that is not trusted.
    #[error("it is made with the key {0}, which is not in `trusted-keys`; check its origin before you add the key")]
    UnknownKey(KeyId),
    /// Not over this component, or its comment was changed.
    #[error(
        "it is not the signature of this component with this comment by the key {0}; check the origin of both files"
    )]
    Invalid(KeyId),
    /// A comment without a name or a version.
    #[error("its trusted comment `{0}` is not in the form `name:NAME version:VERSION`; sign again with `-t`")]
    Comment(String),
    /// A version that is not one.
    #[error("its version `{0}` is not a semantic version, such as `1.2.0`; sign again")]
    Version(String),
    /// The signature of another plugin.
    #[error("it is for the plugin `{found}`, not for `{expected}`; check the file, or set `signed-name`")]
    Name {
        /// The name in the comment.
        found: String,
        /// The name that it must have.
        expected: String,
    },
    /// Another version.
    #[error("it is for the version {found}, and `version` requires `{required}`")]
    Requirement {
        /// The version in the comment.
        found: String,
        /// The configured requirement.
        required: String,
    },
}

/// Verifies the signature of a component for its place in the configuration.
///
/// # Errors
/// [`PluginSignatureError`].
pub fn verify(used: &PluginUse, component: &[u8], signature: &[u8]) -> Result<SignedPlugin, PluginSignatureError> {
    let text = std::str::from_utf8(signature).map_err(|_| PluginSignatureError::Form)?;
    if signature.len() as u64 > MAX_SIGNATURE_BYTES || text.lines().count() != LINES {
        return Err(PluginSignatureError::Form);
    }
    let signature = Signature::decode(text).map_err(|_| PluginSignatureError::Form)?;
    let decoded = text.lines().nth(1).and_then(|line| STANDARD.decode(line).ok()).ok_or(PluginSignatureError::Form)?;
    let id = KeyId::of(&decoded).ok_or(PluginSignatureError::Form)?;
    if decoded.starts_with(LEGACY) {
        return Err(PluginSignatureError::Legacy);
    }
    // The number of a key is not unique: every key that has it is tried.
    let mut keys = used.trusted_keys.iter().filter(|key| key.id() == id).peekable();
    keys.peek().ok_or(PluginSignatureError::UnknownKey(id))?;
    let valid = |result: Result<(), Error>| result.is_ok();
    if !keys.any(|key| valid(key.public_key().verify(component, &signature, false))) {
        return Err(PluginSignatureError::Invalid(id));
    }
    let (name, version) = names(signature.trusted_comment())?;
    let expected = used.expected_name();
    if name.replace('_', "-") != expected {
        return Err(PluginSignatureError::Name { found: sanitize_name(name), expected });
    }
    let parsed = Version::parse(version).map_err(|_| PluginSignatureError::Version(sanitize_name(version)))?;
    if let Some(required) = used.version.as_ref().filter(|required| !required.allows(&parsed)) {
        return Err(PluginSignatureError::Requirement { found: parsed.to_string(), required: required.to_string() });
    }
    Ok(SignedPlugin { key: id, name: sanitize_name(name), version: parsed.to_string() })
}

/// Name and version in a trusted comment. Other words, such as those of minisign's default comment, have no meaning here.
fn names(comment: &str) -> Result<(&str, &str), PluginSignatureError> {
    let value = |field: &str| {
        let mut values = comment.split_ascii_whitespace().filter_map(|word| word.strip_prefix(field));
        // Two values would leave it to the reader which one counts.
        values.next().filter(|value| !value.is_empty() && values.next().is_none())
    };
    match (value("name:"), value("version:")) {
        (Some(name), Some(version)) => Ok((name, version)),
        _ => Err(PluginSignatureError::Comment(sanitize(comment, SHOWN_BYTES))),
    }
}

impl std::fmt::Display for SignedPlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "signed as {} {} by {}", self.name, self.version, self.key)
    }
}
