//! One operation of a plan: the action for one key, its reason and its phase. [`crate::diff`] computes them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::headers::ObjectHeaders;
use crate::identity::{ETag, PackedIdentity};
use crate::key::{Key, StoredKey};
use crate::listing::PreservedAttributes;
use crate::redirect::RedirectTarget;

/// One operation on one key. A first publish has one for each object, so the parts that a put of a new object lacks are boxed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The key, relative to the site.
    pub key: StoredKey,
    /// The reason.
    pub reason: ChangeReason,
    /// The action.
    pub action: Action,
}

/// An action on a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// A body is written.
    Put {
        /// Where the body comes from.
        body: PlannedBody,
        /// Bytes.
        size: u64,
        /// Known digests of the content.
        #[serde(default, skip_serializing_if = "PackedIdentity::is_empty")]
        identity: PackedIdentity,
        /// Its headers.
        #[serde(default)]
        headers: ObjectHeaders,
        /// The object that it replaces.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<Box<ReplacedObject>>,
    },
    /// Only headers or metadata change: the object is copied onto itself.
    Headers {
        /// All headers after the change.
        #[serde(default)]
        headers: ObjectHeaders,
        /// Bytes.
        size: u64,
        /// The current ETag.
        etag: ETag,
        /// Known digests of the content.
        #[serde(default, skip_serializing_if = "PackedIdentity::is_empty")]
        identity: PackedIdentity,
        /// Attributes that the copy must repeat.
        #[serde(default)]
        attributes: Box<PreservedAttributes>,
        /// The differences, for people.
        differences: Box<[HeaderDifference]>,
    },
    /// The object is deleted.
    Delete {
        /// Bytes.
        size: u64,
        /// The current ETag. If another tool replaces the object in the meantime, it is not deleted.
        etag: ETag,
    },
}

/// Where a body comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlannedBody {
    /// An object of the artifact, by its key there.
    Source(Key),
    /// An object of the site under another key, with the same content.
    Site {
        /// Its key, relative to the site.
        key: StoredKey,
        /// Its ETag.
        etag: ETag,
    },
    /// An empty object that redirects.
    Redirect(RedirectTarget),
}

/// The object that a put replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplacedObject {
    /// Bytes.
    pub size: u64,
    /// ETag.
    pub etag: ETag,
}

/// One header that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderDifference {
    /// Its name in lower case.
    pub name: String,
    /// The current value.
    pub has: Option<String>,
    /// The desired value.
    pub wants: Option<String>,
}

/// The reason of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeReason {
    /// The site does not have the key.
    New,
    /// The site has other bytes.
    ContentDiffers,
    /// Whether the bytes differ is unknown.
    ContentUnknown,
    /// The bytes are the same, but headers or metadata differ.
    HeadersDiffer,
    /// The redirect target differs, or only one of the two is a redirect.
    RedirectDiffers,
    /// The key is not in the artifact any more.
    Stale,
    /// It was kept for an earlier release that is no longer kept.
    Expired,
}

/// The phase of an operation: assets exist before the pages that refer to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WritePhase {
    /// Everything that pages refer to.
    Assets,
    /// HTML, redirects and other entry points that visitors fetch first and that are not cached for long.
    Pages,
    /// Deletions, only after every write succeeded.
    Deletes,
}

impl Operation {
    /// The phase in which it runs.
    #[must_use]
    pub fn phase(&self) -> WritePhase {
        match &self.action {
            Action::Delete { .. } => WritePhase::Deletes,
            Action::Put { body: PlannedBody::Redirect(_), .. } => WritePhase::Pages,
            Action::Put { headers, .. } | Action::Headers { headers, .. } => {
                if is_page(self.key.as_str(), headers) {
                    WritePhase::Pages
                } else {
                    WritePhase::Assets
                }
            }
        }
    }

    /// Size of the object after the operation, in bytes; for a deletion, before it.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.action {
            Action::Put { size, .. } | Action::Headers { size, .. } | Action::Delete { size, .. } => *size,
        }
    }
}

/// Whether an object is a page, which browsers request first: HTML, or anything that caches must revalidate.
/// `max-age=0` alone does not make a page: style sheets and scripts without a fingerprint have it.
pub(crate) fn is_page(key: &str, headers: &ObjectHeaders) -> bool {
    use crate::headers::ObjectHeader::{CacheControl, ContentType};
    let html = headers.get(ContentType).is_some_and(|value| {
        let kind = value.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml")
    });
    let lower = key.to_ascii_lowercase();
    html || lower.ends_with(".html")
        || lower.ends_with(".htm")
        || headers.get(CacheControl).is_some_and(|value| {
            value
                .split(',')
                .map(str::trim)
                .any(|directive| ["no-cache", "no-store"].iter().any(|known| directive.eq_ignore_ascii_case(known)))
        })
}

impl Operation {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> OperationKind {
        match (&self.action, self.reason) {
            (Action::Put { .. }, ChangeReason::New) => OperationKind::Create,
            (Action::Put { .. }, _) => OperationKind::Update,
            (Action::Headers { .. }, _) => OperationKind::Headers,
            (Action::Delete { .. }, _) => OperationKind::Delete,
        }
    }
}

/// The kind of an operation, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// A new object is written.
    Create,
    /// An object's body is replaced.
    Update,
    /// An object's headers are replaced.
    Headers,
    /// An object is deleted.
    Delete,
}

impl OperationKind {
    /// One word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Headers => "headers",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ChangeReason {
    /// A few words for people and for policies.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::ContentDiffers => "content differs",
            Self::ContentUnknown => "content unknown",
            Self::HeadersDiffer => "headers differ",
            Self::RedirectDiffers => "redirect differs",
            Self::Stale => "stale",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for ChangeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
