//! Settings of `mime`.

use serde::{Deserialize, Serialize};
use tidegate_plugin::glob::Glob;
use tidegate_plugin::{Issues, Pointer, Settings};

use crate::extension::ENCODED;

/// Settings of `mime`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MimeSettings {
    /// Types by glob; the last match decides.
    pub(crate) types: Vec<TypeRule>,
    /// Added to types that are text; `null` for none. `utf-8` only if the first bytes are UTF-8.
    pub(crate) charset: Option<String>,
    /// The type of objects without another one.
    default: String,
    /// Whether the first bytes are read: for the charset of text, and if the name implies no type.
    pub(crate) sniff: bool,
    /// Extensions, such as `js`, whose copies `x.js.gz` and `x.js.br` are encodings of `x.js`. Brotli copies of text always
    /// are, unless the list is empty.
    pub(crate) encodings: Vec<String>,
    /// Whether to replace a type that an earlier plugin set.
    pub(crate) overwrite: bool,
}

/// The type of the keys that match a glob.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TypeRule {
    glob: Glob,
    /// Used unchanged, without an added charset.
    #[serde(rename = "type")]
    content_type: String,
    #[serde(default)]
    encoding: Option<String>,
}

impl TypeRule {
    pub(crate) fn matches(&self, key: &str) -> bool {
        self.glob.matches(key)
    }

    pub(crate) fn glob(&self) -> &Glob {
        &self.glob
    }

    pub(crate) fn content_type(&self) -> &str {
        &self.content_type
    }

    pub(crate) fn encoding(&self) -> Option<&str> {
        self.encoding.as_deref()
    }
}

impl Default for MimeSettings {
    fn default() -> Self {
        Self {
            types: Vec::new(),
            charset: Some("utf-8".to_owned()),
            default: "application/octet-stream".to_owned(),
            sniff: true,
            encodings: ENCODED.map(str::to_owned).to_vec(),
            overwrite: false,
        }
    }
}

impl MimeSettings {
    pub(crate) fn default_type(&self) -> &str {
        &self.default
    }
}

impl Settings for MimeSettings {
    fn check(&mut self, issues: &mut Issues) {
        const INVALID_TYPE: &str = "invalid content type; use one such as `text/html; charset=utf-8`";
        for (position, rule) in self.types.iter().enumerate() {
            let at = Pointer::root().member("types").index(position);
            if !is_content_type(&rule.content_type) {
                issues.add(&at.clone().member("type"), INVALID_TYPE);
            }
            if rule.encoding.as_deref().is_some_and(|encoding| !is_token(encoding)) {
                issues.add(
                    &at.member("encoding"),
                    "invalid content encoding; use one such as `gzip` or `br`, or remove it",
                );
            }
        }
        for (position, extension) in self.encodings.iter().enumerate() {
            if !is_token(extension) || extension.starts_with('.') || *extension != extension.to_ascii_lowercase() {
                let at = Pointer::root().member("encodings").index(position);
                issues.add(&at, "invalid extension; use one such as `js`, in lower case and without the first dot");
            }
        }
        if !is_content_type(&self.default) {
            issues.add(&Pointer::root().member("default"), INVALID_TYPE);
        }
        if self.charset.as_deref().is_some_and(|charset| !is_token(charset)) {
            issues.add(
                &Pointer::root().member("charset"),
                "invalid charset; use one such as `utf-8`, or `null` for none",
            );
        }
    }
}

/// `type/subtype` with parameters after a `;`, in printable ASCII (RFC 9110, section 8.3).
fn is_content_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim_end_matches(' ');
    let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    printable && essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

/// A token of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
