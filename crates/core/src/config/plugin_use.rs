//! `[[site.sync]]` and `[[site.policy]]`: one configured plugin, and `[plugins]`: what holds for all of them.

use std::sync::Arc;

use semver::VersionReq;
use serde::{Deserialize, Serialize};

use super::plugin_grant::{GrantError, PluginGrant};
use super::trusted_key::TrustedKey;
use super::value::{PluginReference, Sha256Hex, ValueError};
use crate::location::{Bucket, ObjectLocation};
use crate::sanitize::sanitize_name;

/// The end of a signature's name: that of the component, and this.
const SIGNATURE: &str = ".minisig";

/// The end of a component's name.
const COMPONENT: &str = ".wasm";
/// The end of the names of scripts.
const SCRIPT: &str = ".js";

/// `[plugins]`: settings of all plugins that are not bundled.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PluginSettings {
    /// Keys whose signatures are trusted.
    #[serde(default)]
    pub trusted_keys: Arc<[TrustedKey]>,
    /// Whether a plugin without a valid signature is refused, even if the configuration has its digest.
    #[serde(default)]
    pub require_signatures: bool,
    /// The grant of plugins that have none.
    #[serde(default)]
    pub grant: Option<PluginGrant>,
}

/// Whether a plugin has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginMode {
    /// It transforms or judges.
    #[default]
    Enforce,
    /// It runs, and what it would do is only reported.
    Observe,
}

/// A version requirement as in Cargo: `1.2` allows 1.2.0 and later, below 2.0.0.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct VersionRequirement(VersionReq);

/// Where the signature of a component is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SignatureReference {
    /// A file; its path relative to the configuration.
    File(String),
    /// An object in S3: its bucket and its key, which S3 refuses if it is too long.
    Object(Bucket, String),
}

/// A configured plugin.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PluginUse {
    /// A bundled plugin, the path of a component relative to the configuration, or `s3://bucket/key.wasm`.
    pub plugin: PluginReference,
    /// SHA-256 of the component; required unless the plugin is bundled or signed.
    #[serde(default)]
    pub sha256: Option<Sha256Hex>,
    /// Its settings, as the plugin documents them.
    #[serde(default)]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Where its signature is; by default beside the component.
    #[serde(default)]
    pub signature: Option<SignatureReference>,
    /// The name that it must be signed under; by default that of its file.
    #[serde(default)]
    pub signed_name: Option<String>,
    /// The versions that it may be signed as.
    #[serde(default)]
    pub version: Option<VersionRequirement>,
    /// What it may do; everything without it.
    #[serde(default)]
    pub grant: Option<PluginGrant>,
    /// Whether it has an effect.
    #[serde(default)]
    pub mode: PluginMode,
    /// The keys of the configuration, whose signatures are trusted.
    #[serde(skip)]
    pub trusted_keys: Arc<[TrustedKey]>,
    /// Whether the configuration requires signatures.
    #[serde(skip)]
    pub require_signature: bool,
}

/// A plugin whose fields contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PluginUseError {
    /// A component that nothing identifies.
    #[error(
        "missing `sha256`: only bundled plugins need none, and those that are signed with one of the `trusted-keys` of `[plugins]`"
    )]
    Digest,
    /// A bundled plugin needs no signature.
    #[error("remove `signature`, `signed-name` and `version`: a bundled plugin is part of the program")]
    Bundled,
    /// A signature that no key can verify.
    #[error("its signature needs a key; add the signer's public key to `trusted-keys` of `[plugins]`")]
    NoKey,
    /// A grant that does not make sense.
    #[error(transparent)]
    Grant(#[from] GrantError),
}

impl PluginUse {
    /// A plugin with settings and nothing else.
    #[must_use]
    pub fn new(plugin: PluginReference, settings: serde_json::Map<String, serde_json::Value>) -> Self {
        Self {
            plugin,
            sha256: None,
            settings,
            signature: None,
            signed_name: None,
            version: None,
            grant: None,
            mode: PluginMode::default(),
            trusted_keys: Arc::default(),
            require_signature: false,
        }
    }

    /// Whether it is part of the program.
    #[must_use]
    pub fn is_bundled(&self) -> bool {
        matches!(self.plugin, PluginReference::Bundled(_))
    }

    /// Whether it or its signature is in S3.
    #[must_use]
    pub fn is_in_s3(&self) -> bool {
        matches!(self.plugin, PluginReference::Object(_))
            || matches!(self.signature, Some(SignatureReference::Object(..)))
    }

    /// Whether it transforms and judges exactly as its settings say, without a limit of the configuration.
    #[must_use]
    pub fn is_unrestricted(&self) -> bool {
        self.grant.is_none() && self.mode == PluginMode::Enforce
    }

    /// Where its signature is: beside the component, if the configuration does not say where.
    #[must_use]
    pub fn signature(&self) -> SignatureReference {
        match (&self.signature, &self.plugin) {
            (Some(signature), _) => signature.clone(),
            (None, PluginReference::Object(object)) => {
                SignatureReference::Object(object.bucket.clone(), format!("{}{SIGNATURE}", object.key))
            }
            (None, PluginReference::File(name) | PluginReference::Script(name) | PluginReference::Bundled(name)) => {
                SignatureReference::File(format!("{name}{SIGNATURE}"))
            }
        }
    }

    /// Whether it is refused without a valid signature.
    #[must_use]
    pub fn needs_signature(&self) -> bool {
        let asks = self.signature.is_some() || self.signed_name.is_some() || self.version.is_some();
        // A script is text of the user, like the configuration.
        let is_unpinned = self.sha256.is_none() && !matches!(self.plugin, PluginReference::Script(_));
        !self.is_bundled() && (self.require_signature || is_unpinned || asks)
    }

    /// Whether a signature beside it is verified even if nothing requires one.
    #[must_use]
    pub fn may_be_signed(&self) -> bool {
        !self.is_bundled() && !self.trusted_keys.is_empty()
    }

    /// The name that it must be signed under, with `-` for `_`: the file of a component has underscores where the
    /// package has hyphens.
    #[must_use]
    pub fn expected_name(&self) -> String {
        let plugin = self.plugin.to_string();
        let file = plugin.rsplit('/').next().unwrap_or_default();
        let name = self.signed_name.as_deref().unwrap_or_else(|| {
            let stem = file.strip_suffix(COMPONENT).or_else(|| file.strip_suffix(SCRIPT));
            stem.unwrap_or(file)
        });
        name.replace('_', "-")
    }

    pub(super) fn check(&self) -> Result<(), PluginUseError> {
        if self.is_bundled() {
            let asks = self.signature.is_some() || self.signed_name.is_some() || self.version.is_some();
            return if asks { Err(PluginUseError::Bundled) } else { Ok(()) };
        }
        if self.needs_signature() && self.trusted_keys.is_empty() {
            return Err(if self.sha256.is_none() { PluginUseError::Digest } else { PluginUseError::NoKey });
        }
        Ok(())
    }
}

impl PluginSettings {
    /// Gives the plugins of a site what holds for all of them.
    pub(super) fn apply(&self, sync: &mut [PluginUse], policy: &mut [PluginUse]) {
        for used in sync.iter_mut().chain(policy.iter_mut()).filter(|used| !used.is_bundled()) {
            used.trusted_keys = Arc::clone(&self.trusted_keys);
            used.require_signature = self.require_signatures;
        }
        let without_grant = |used: &&mut PluginUse| !used.is_bundled() && used.grant.is_none();
        for used in sync.iter_mut().filter(without_grant) {
            used.grant.clone_from(&self.grant);
        }
        for used in policy.iter_mut().filter(without_grant) {
            used.grant = self.grant.as_ref().map(PluginGrant::for_policy);
        }
    }
}

impl PluginMode {
    /// Whether it is the default.
    #[must_use]
    pub fn is_enforced(&self) -> bool {
        *self == Self::Enforce
    }
}

impl VersionRequirement {
    /// Whether it allows a version.
    #[must_use]
    pub fn allows(&self, version: &semver::Version) -> bool {
        self.0.matches(version)
    }
}

impl TryFrom<String> for VersionRequirement {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        VersionReq::parse(&text)
            .map(Self)
            .map_err(|error| ValueError::Version(sanitize_name(&text), sanitize_name(&error.to_string())))
    }
}

impl TryFrom<String> for SignatureReference {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        if text.starts_with("s3://") {
            let object: ObjectLocation = text.parse()?;
            object.check_for_policies()?;
            return Ok(Self::Object(object.bucket, object.key.to_string()));
        }
        if text.is_empty() { Err(ValueError::Signature(text)) } else { Ok(Self::File(text)) }
    }
}

impl std::fmt::Display for VersionRequirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for SignatureReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.write_str(path),
            Self::Object(bucket, key) => write!(f, "s3://{bucket}/{key}"),
        }
    }
}
