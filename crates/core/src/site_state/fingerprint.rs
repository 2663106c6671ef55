//! Short digests of objects, to recognize what an earlier run wrote without keeping it.

use std::num::NonZeroU128;

use sha2::{Digest, Sha256};

use crate::artifact::Fingerprint;
use crate::desired::{DesiredBody, DesiredEntry};
use crate::headers::ObjectHeaders;
use crate::identity::{ContentIdentity, ETag};
use crate::key::Key;
use crate::plan::{Action, Operation, PlannedBody};
use crate::redirect::RedirectTarget;

/// Digests of what an object is: size, headers, and body. A body is known by its content or by where it comes from: the
/// objects of an archive are not digested before they are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ObjectFingerprints {
    content: Option<NonZeroU128>,
    source: Option<NonZeroU128>,
}

impl ObjectFingerprints {
    /// What an operation writes; nothing for a delete. `source` is the key of the body in the artifact, unless the
    /// operation says it.
    pub(super) fn of_operation(operation: &Operation, source: Option<&Key>, artifact: &Fingerprint) -> Option<Self> {
        match &operation.action {
            Action::Put { body: PlannedBody::Redirect(target), headers, .. } => {
                Some(Self::of_redirect(target, headers))
            }
            Action::Put { body, size, identity, headers, .. } => {
                let source = match body {
                    PlannedBody::Source(source) => Some(source),
                    PlannedBody::Site { .. } | PlannedBody::Redirect(_) => source,
                };
                Some(Self::of_object(*size, &identity.get(), headers, source.map(|source| (artifact, source))))
            }
            Action::Headers { headers, size, identity, .. } => {
                Some(Self::of_object(*size, &identity.get(), headers, source.map(|source| (artifact, source))))
            }
            Action::Delete { .. } => None,
        }
    }

    /// What an entry wants.
    pub(super) fn of_entry(entry: &DesiredEntry, artifact: &Fingerprint) -> Self {
        match &entry.body {
            DesiredBody::Object { source, size, identity } => {
                Self::of_object(*size, &identity.get(), &entry.headers, Some((artifact, source)))
            }
            DesiredBody::Redirect(target) => Self::of_redirect(target, &entry.headers),
        }
    }

    /// Those of the object as S3 stores it.
    pub(super) fn stored_as(self, etag: &ETag) -> Self {
        let stored = |digest: NonZeroU128| {
            short(Sha256::new_with_prefix(etag.text().as_bytes()).chain_update(digest.get().to_be_bytes()))
        };
        Self { content: self.content.map(stored), source: self.source.map(stored) }
    }

    pub(super) fn is_known(&self) -> bool {
        *self != Self::default()
    }

    /// Whether both are of equal objects. If they come from different sources and a content is unknown, they are not.
    pub(super) fn matches(&self, other: &Self) -> bool {
        let equal = |a: Option<NonZeroU128>, b: Option<NonZeroU128>| a.is_some() && a == b;
        equal(self.source, other.source) || equal(self.content, other.content)
    }

    fn of_redirect(target: &RedirectTarget, headers: &ObjectHeaders) -> Self {
        Self { content: Some(digest(0, headers, "redirect", [target.as_str().as_bytes()])), source: None }
    }

    /// The content is named by what a listing of the source says, and so by what is known before digests are computed.
    fn of_object(
        size: u64,
        identity: &ContentIdentity,
        headers: &ObjectHeaders,
        source: Option<(&Fingerprint, &Key)>,
    ) -> Self {
        let content = match identity {
            ContentIdentity { opaque: Some(etag), .. } => Some(digest(size, headers, "etag", [etag.as_bytes()])),
            ContentIdentity { md5: Some(md5), .. } => Some(digest(size, headers, "md5", [md5])),
            ContentIdentity { sha256: Some(sha256), .. } => Some(digest(size, headers, "sha256", [sha256])),
            ContentIdentity { .. } => None,
        };
        let source = source
            .map(|(artifact, key)| digest(size, headers, "source", [artifact.0.as_bytes(), key.as_str().as_bytes()]));
        Self { content, source }
    }
}

fn digest<'a, B: AsRef<[u8]> + ?Sized + 'a>(
    size: u64,
    headers: &ObjectHeaders,
    kind: &str,
    body: impl IntoIterator<Item = &'a B>,
) -> NonZeroU128 {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    add(&size.to_be_bytes());
    add(kind.as_bytes());
    body.into_iter().for_each(|part| add(part.as_ref()));
    for (name, value) in headers.iter() {
        add(name.as_str().as_bytes());
        add(value.as_bytes());
    }
    for (name, value) in headers.metadata() {
        add(b"x-amz-meta-");
        add(name.as_bytes());
        add(value.as_bytes());
    }
    short(hash)
}

/// 128 bits: two objects of one site do not have equal ones by chance.
fn short(hash: Sha256) -> NonZeroU128 {
    let number = hash.finalize().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte));
    // Zero is as likely as any other digest; without it, an absent one takes no memory.
    NonZeroU128::new(number).unwrap_or(NonZeroU128::MIN)
}
