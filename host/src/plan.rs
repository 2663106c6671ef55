//! The plan: every operation that would make a site what it should be, each with its reason. A value: complete before
//! anything runs, sorted, and the same bytes for the same inputs.
//!
//! Owns its form and its digest. Never computes differences (`diff` does) and never acts.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::artifact::Fingerprint;
use crate::desired::{Desired, Entry};
use crate::headers::Headers;
use crate::identity::{ETag, Identity};
use crate::key::{Key, StoredKey};
use crate::listing::Keeping;
use crate::location::{Location, Source};
use crate::redirect::Target;
use crate::release::ReleaseId;

/// The form of a saved plan; another number is another form.
pub const FORMAT: u32 = 1;

/// What a publish would do to one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`FORMAT`].
    pub format: u32,
    /// The site's name.
    pub site: String,
    /// What is published.
    pub release: String,
    /// The run's instant, milliseconds since the Unix epoch: part of the inputs, since plugins see it.
    pub instant: u64,
    /// Where the artifact is read from.
    pub source: Source,
    /// Where the site is.
    pub target: Location,
    /// How objects are written.
    pub writing: Writing,
    /// Digests of everything that the plan was made from.
    pub inputs: Inputs,
    /// Counts.
    pub totals: Totals,
    /// Operations in the order of their keys' bytes, one a key.
    pub operations: Vec<Operation>,
    /// Bodies that are set aside before they are replaced or removed, so that a kept release can come back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preserve: Vec<Preserve>,
}

/// A body that is copied into the state before it is replaced or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preserve {
    /// The key, relative to the site.
    pub key: StoredKey,
    /// The ETag that the object has now.
    pub etag: ETag,
    /// Bytes.
    pub size: u64,
    /// The last release that named it.
    pub last: ReleaseId,
}

/// How objects are written, for the whole site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Writing {
    /// Canned ACL, such as `public-read`. Buckets made since April 2023 refuse every ACL by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl: Option<String>,
    /// Server-side encryption: `AES256` or `aws:kms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// ARN of the KMS key for `aws:kms`; the bucket's default where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Storage class, such as `STANDARD_IA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

/// Digests of everything that a plan was made from. A saved plan is applied only while all of them still hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// The source's state.
    pub artifact: Fingerprint,
    /// SHA-256 of the site's listing.
    pub listing: String,
    /// SHA-256 over the keys that stay, with their headers.
    pub kept: String,
    /// The release that was live, where the site has releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<ReleaseId>,
    /// The oldest release that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<ReleaseId>,
    /// The plugins that shaped and will judge, in order.
    pub plugins: Vec<PluginInput>,
}

/// One plugin that took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginInput {
    /// Its name in the configuration.
    pub name: String,
    /// SHA-256 of its component.
    pub sha256: String,
    /// Its canonical settings.
    pub settings: String,
}

/// One operation on one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The key, relative to the site.
    pub key: StoredKey,
    /// Why.
    pub reason: Reason,
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
        #[serde(default, skip_serializing_if = "Identity::is_empty")]
        identity: Identity,
        /// Its headers.
        #[serde(default)]
        headers: Headers,
        /// The object that it replaces.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<Replaced>,
    },
    /// Only headers or metadata change: the object is copied onto itself.
    Headers {
        /// All its headers, afterwards.
        #[serde(default)]
        headers: Headers,
        /// Bytes.
        size: u64,
        /// The ETag that the object has now.
        etag: ETag,
        /// What is known of the content.
        #[serde(default, skip_serializing_if = "Identity::is_empty")]
        identity: Identity,
        /// What the copy must repeat.
        #[serde(default)]
        keeping: Keeping,
        /// What differs, for people.
        differences: Vec<Difference>,
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
    Redirect(Target),
}

/// The object that a put replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaced {
    /// Bytes.
    pub size: u64,
    /// ETag.
    pub etag: ETag,
}

/// One header that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
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
pub enum Reason {
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

/// Counts by stable names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Totals {
    /// Objects that are new on the site.
    pub create: u64,
    /// Objects whose body is replaced.
    pub update: u64,
    /// Objects whose headers are replaced.
    pub headers: u64,
    /// Objects that are removed.
    pub delete: u64,
    /// Objects that stay.
    pub keep: u64,
    /// Objects of the site that the artifact lacks and that stay all the same: protected, or deleting is off.
    pub left_alone: u64,
    /// Objects of the site that the artifact lacks and that stay for earlier releases.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retained: u64,
    /// Objects that somebody else changed or removed since the last release.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub drifted: u64,
    /// Objects of the source, before any plugin.
    pub source_objects: u64,
    /// Objects of the source that plugins left out.
    pub excluded: u64,
    /// Objects of the site afterwards, without those left alone.
    pub published_objects: u64,
    /// Bytes of those.
    pub published_bytes: u64,
    /// Objects of the site now.
    pub site_objects: u64,
    /// Bytes that are sent from the source.
    pub bytes_to_write: u64,
    /// Bytes that are copied within S3.
    pub bytes_to_copy: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Totals {
    /// Name and count, in a fixed order, for plugins.
    #[must_use]
    pub fn named(&self) -> Vec<(String, u64)> {
        let all = [
            ("create", self.create),
            ("update", self.update),
            ("headers", self.headers),
            ("delete", self.delete),
            ("keep", self.keep),
            ("left-alone", self.left_alone),
            ("retained", self.retained),
            ("drifted", self.drifted),
            ("source-objects", self.source_objects),
            ("excluded", self.excluded),
            ("published-objects", self.published_objects),
            ("published-bytes", self.published_bytes),
            ("site-objects", self.site_objects),
            ("bytes-to-write", self.bytes_to_write),
            ("bytes-to-copy", self.bytes_to_copy),
        ];
        all.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    }
}

/// When an operation runs: what pages refer to is there before the page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
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
    pub fn phase(&self) -> Phase {
        match &self.action {
            Action::Delete { .. } => Phase::Deletes,
            Action::Put { body: PlannedBody::Redirect(_), .. } => Phase::Pages,
            Action::Put { headers, .. } | Action::Headers { headers, .. } => {
                if is_page(self.key.as_str(), headers) {
                    Phase::Pages
                } else {
                    Phase::Assets
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
pub(crate) fn is_page(key: &str, headers: &Headers) -> bool {
    use crate::headers::HeaderName::{CacheControl, ContentType};
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

/// Bytes that go into a digest and nowhere else.
struct Hashing(Sha256);

impl std::io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Plan {
    /// The plan's bytes: JSON with a fixed order of members, two spaces of indentation and a final line feed.
    ///
    /// # Errors
    /// Only if the value cannot be written as JSON, which is a defect of Tidegate.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// SHA-256 of [`Plan::to_bytes`]: the plan's name.
    ///
    /// # Errors
    /// As [`Plan::to_bytes`].
    pub fn digest(&self) -> Result<String, serde_json::Error> {
        // Hashed as they are made: the bytes of a large plan are many times the plan.
        let mut hash = std::io::BufWriter::with_capacity(64 * 1024, Hashing(Sha256::new()));
        serde_json::to_writer_pretty(&mut hash, self)?;
        let mut hash = hash.into_inner().map_err(|error| serde_json::Error::io(error.into_error()))?;
        hash.0.update(b"\n");
        Ok(hex::encode(hash.0.finalize()))
    }

    /// The entries of `desired` that stay as they are: those that no operation names.
    pub fn kept<'a>(&'a self, desired: &'a Desired) -> impl Iterator<Item = &'a Entry> {
        let mut operations = self.operations.iter().peekable();
        desired.entries().iter().filter(move |entry| {
            while operations.next_if(|operation| operation.key.as_str() < entry.key.as_str()).is_some() {}
            operations.peek().is_none_or(|operation| operation.key.as_str() != entry.key.as_str())
        })
    }

    /// SHA-256 over the keys that stay, with what visitors get under them.
    #[must_use]
    pub fn kept_digest(&self, desired: &Desired) -> String {
        let mut hash = Sha256::new();
        for entry in self.kept(desired) {
            hash.update(entry.key.as_str().as_bytes());
            hash.update([0]);
            hash.update(entry.body.size().to_be_bytes());
            for (name, value) in entry.headers.iter() {
                hash.update(name.as_str().as_bytes());
                hash.update([0]);
                hash.update(value.as_bytes());
                hash.update([0]);
            }
            for (name, value) in entry.headers.metadata() {
                hash.update(name.as_bytes());
                hash.update([0]);
                hash.update(value.as_bytes());
                hash.update([0]);
            }
            if let Some(target) = entry.body.redirect() {
                hash.update(target.as_str().as_bytes());
            }
            hash.update([0]);
        }
        hex::encode(hash.finalize())
    }

    /// Whether nothing has to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Says what changed between this saved plan and one that was made now from the same configuration; nothing where
    /// the two are equal. At most `most` lines.
    #[must_use]
    pub fn drift(&self, now: &Self, most: usize) -> Vec<String> {
        let mut lines = Vec::new();
        if self.inputs.artifact != now.inputs.artifact {
            lines.push(format!("the source `{}` has changed", self.source));
        }
        if self.inputs.listing != now.inputs.listing {
            lines.push(format!("the site's bucket at `{}` has changed", self.target));
        }
        if self.inputs.live != now.inputs.live {
            lines.push(match now.inputs.live {
                Some(live) => format!("the release `{live}` is live now"),
                None => "the site's releases are gone".to_owned(),
            });
        } else if self.inputs.horizon != now.inputs.horizon {
            lines.push("time went by, and fewer earlier releases are kept".to_owned());
        }
        for plugin in &self.inputs.plugins {
            match now.inputs.plugins.iter().find(|other| other.name == plugin.name) {
                None => lines.push(format!("the plugin `{}` is not configured any more", plugin.name)),
                Some(other) if other.sha256 != plugin.sha256 => {
                    lines.push(format!("the plugin `{}` is another component", plugin.name));
                }
                Some(other) if other.settings != plugin.settings => {
                    lines.push(format!("the settings of the plugin `{}` have changed", plugin.name));
                }
                Some(_) => {}
            }
        }
        if self.inputs.plugins.len() < now.inputs.plugins.len() {
            lines.push("a plugin was added".to_owned());
        }
        if self.target != now.target || self.writing != now.writing {
            lines.push(format!("the configuration of the site `{}` has changed", self.site));
        }
        let index = |plan: &Self| -> BTreeMap<StoredKey, Operation> {
            plan.operations.iter().map(|operation| (operation.key.clone(), operation.clone())).collect()
        };
        let (then, since) = (index(self), index(now));
        for (key, operation) in &then {
            if since.get(key) != Some(operation) {
                lines.push(format!("`{key}` was planned as: {}, {}", operation.verb(), operation.reason));
            }
        }
        for (key, operation) in &since {
            if !then.contains_key(key) {
                lines.push(format!("`{key}` was not in the plan: {}, {}", operation.verb(), operation.reason));
            }
        }
        if lines.is_empty() && self != now {
            lines.push("keys that the plan leaves as they are have changed".to_owned());
        }
        let rest = lines.len().saturating_sub(most);
        lines.truncate(most);
        if rest > 0 {
            lines.push(format!("and {rest} more"));
        }
        lines
    }
}

impl Operation {
    /// One word for people.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match (&self.action, self.reason) {
            (Action::Put { .. }, Reason::New) => "create",
            (Action::Put { .. }, _) => "update",
            (Action::Headers { .. }, _) => "headers",
            (Action::Delete { .. }, _) => "delete",
        }
    }
}

impl Reason {
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

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
