//! One operation of a plan: what is done to one key, why, and when.
//!
//! Owns the forms. Which operations are needed is `diff`'s to say.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::headers::ObjectHeaders;
use crate::identity::{ContentIdentity, ETag};
use crate::key::{Key, StoredKey};
use crate::listing::PreservedAttributes;
use crate::redirect::RedirectTarget;

/// One operation on one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The key, relative to the site.
    pub key: StoredKey,
    /// Why.
    pub reason: ChangeReason,
    /// What is done.
    pub action: Action,
}

/// What is done to a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// A body is written.
    Put {
        /// Where the body comes from.
        body: PlannedBody,
        /// Bytes.
        size: u64,
        /// What is known of the content.
        #[serde(default, skip_serializing_if = "ContentIdentity::is_empty")]
        identity: ContentIdentity,
        /// Its headers.
        #[serde(default)]
        headers: ObjectHeaders,
        /// The object that it replaces.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<ReplacedObject>,
    },
    /// Only headers or metadata change: the object is copied onto itself.
    Headers {
        /// All its headers, afterwards.
        #[serde(default)]
        headers: ObjectHeaders,
        /// Bytes.
        size: u64,
        /// The ETag that the object has now.
        etag: ETag,
        /// What is known of the content.
        #[serde(default, skip_serializing_if = "ContentIdentity::is_empty")]
        identity: ContentIdentity,
        /// What the copy must repeat.
        #[serde(default)]
        attributes: PreservedAttributes,
        /// What differs, for people.
        differences: Vec<HeaderDifference>,
    },
    /// The object is removed.
    Delete {
        /// Bytes.
        size: u64,
        /// The ETag that it has now; an object that was replaced meanwhile is left alone.
        etag: ETag,
    },
}

/// Where a body comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlannedBody {
    /// An object of the artifact, by its key there.
    Source(Key),
    /// An object that the site has under another name, with the same content.
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
    /// What the site has.
    pub has: Option<String>,
    /// What it should have.
    pub wants: Option<String>,
}

/// Why an operation is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeReason {
    /// The site does not have the key.
    New,
    /// The site has other bytes.
    ContentDiffers,
    /// Nothing tells whether the site has the same bytes.
    ContentUnknown,
    /// The bytes are the same, headers or metadata are not.
    HeadersDiffer,
    /// The key redirects elsewhere, or starts or stops to redirect.
    RedirectDiffers,
    /// The site should not have the key any more.
    Stale,
    /// It was kept for an earlier release that is not kept any more.
    Expired,
}

/// When an operation runs: what pages refer to is there before the page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WritePhase {
    /// Everything that pages refer to.
    Assets,
    /// HTML, redirects and other entry points that visitors fetch first and that are not cached for long.
    Pages,
    /// Removals; only after every write succeeded.
    Deletes,
}

impl Operation {
    /// When it runs.
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

    /// Bytes of the object afterwards; for a removal, before it.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.action {
            Action::Put { size, .. } | Action::Headers { size, .. } | Action::Delete { size, .. } => *size,
        }
    }
}

/// A page is what a visitor's browser asks for first: HTML, or anything that nobody may use without asking again.
/// `max-age=0` alone makes no page: it is what style sheets and scripts without a fingerprint get.
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
