//! The objects of the generated site.

use tidegate_core::artifact::ArtifactItem;
use tidegate_core::declared::DeclaredHeaders;
use tidegate_core::headers::{ObjectHeader, ObjectHeaders};
use tidegate_core::identity::{ContentIdentity, ETag};
use tidegate_core::key::{Key, StoredKey};
use tidegate_core::listing::{ListedObject, PreservedAttributes};
use tidegate_core::manifest::{ManifestRecord, RecordState};
use tidegate_core::plan::shards::{ResultLine, ShardLine};
use tidegate_core::plan::{Action, ChangeReason, Operation, PlanLine, PlannedBody};

use super::Failure;

/// The kinds of file of a site, most of them pages: suffix, content type and `Cache-Control`.
const KINDS: [(&str, &str, &str); 10] = [
    (".html", "text/html; charset=utf-8", "public, max-age=0, must-revalidate"),
    (".html", "text/html; charset=utf-8", "public, max-age=0, must-revalidate"),
    (".html", "text/html; charset=utf-8", "public, max-age=0, must-revalidate"),
    (".html", "text/html; charset=utf-8", "public, max-age=0, must-revalidate"),
    (".html", "text/html; charset=utf-8", "public, max-age=0, must-revalidate"),
    (".html", "text/html; charset=utf-8", "public, max-age=0, must-revalidate"),
    ("-4f1a2b3c.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
    ("-4f1a2b3c.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"),
    (".svg", "image/svg+xml; charset=utf-8", "public, max-age=3600"),
    (".png", "image/png", "public, max-age=3600"),
];

/// One generated object.
#[derive(Clone, Copy)]
pub(super) struct BenchObject(pub(super) u64);

impl BenchObject {
    fn kind(self) -> (&'static str, &'static str, &'static str) {
        let index = usize::try_from(self.0).unwrap_or_default() % KINDS.len();
        KINDS.get(index).copied().unwrap_or_default()
    }

    /// About 50 bytes. The keys are sorted.
    fn key(self) -> String {
        let (library, module) = (self.0 / 20_000, self.0 / 200 % 100);
        format!("library-{library:03}/module-{module:03}/struct.Name{:07}{}", self.0, self.kind().0)
    }

    fn size(self) -> u64 {
        500 + self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 60_000
    }

    /// Bytes that differ between objects and states. Planning only compares digests, so they need not be real.
    fn digest<const N: usize>(self, state: u64) -> [u8; N] {
        let mut bytes = [0; N];
        let mut word = self.0.wrapping_add(state << 40);
        for chunk in bytes.chunks_mut(8) {
            word = (word ^ (word >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(0x9e37_79b9_7f4a_7c15);
            for (byte, value) in chunk.iter_mut().zip(word.to_le_bytes()) {
                *byte = value;
            }
        }
        bytes
    }

    fn etag(self) -> ETag {
        let md5: [u8; 16] = self.digest(0);
        ETag::new(&md5.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    pub(super) fn headers(self) -> Result<ObjectHeaders, Failure> {
        let (_, content_type, cache_control) = self.kind();
        let mut headers = ObjectHeaders::default();
        headers.set(ObjectHeader::ContentType, content_type)?;
        headers.set(ObjectHeader::CacheControl, cache_control)?;
        Ok(headers)
    }

    /// The object in a source that has hashed every byte.
    pub(super) fn item(self, state: u64) -> Result<ArtifactItem, Failure> {
        let identity = ContentIdentity { sha256: Some(self.digest(state)), ..ContentIdentity::default() };
        Ok(ArtifactItem {
            key: Key::new(&self.key())?,
            size: self.size(),
            identity: identity.into(),
            declared: DeclaredHeaders::default(),
        })
    }

    pub(super) fn listed(self) -> ListedObject {
        ListedObject { key: StoredKey::new(&self.key()), size: self.size(), etag: self.etag() }
    }

    /// What a worker has written, and what S3 answered.
    pub(super) fn written(self) -> Result<(ShardLine, ResultLine), Failure> {
        let identity = ContentIdentity { sha256: Some(self.digest(0)), ..ContentIdentity::default() };
        let body = PlannedBody::Source(Key::new(&self.key())?);
        let (size, headers) = (self.size(), self.headers()?);
        let action = Action::Put { body, size, identity: identity.into(), headers, replaces: None };
        let operation = Operation { key: StoredKey::new(&self.key()), reason: ChangeReason::New, action };
        let line = ShardLine { work: PlanLine::Operation(operation), source: None, staged: None };
        let attributes = self.record()?.attributes;
        Ok((line, ResultLine { key: StoredKey::new(&self.key()), etag: self.etag(), attributes }))
    }

    pub(super) fn is_page(self) -> bool {
        self.kind().0 == ".html"
    }

    pub(super) fn record(self) -> Result<ManifestRecord, Failure> {
        let identity =
            ContentIdentity { sha256: Some(self.digest(0)), md5: Some(self.digest(0)), ..ContentIdentity::default() };
        Ok(ManifestRecord {
            key: StoredKey::new(&self.key()),
            state: RecordState::Live,
            size: self.size(),
            etag: self.etag(),
            identity,
            headers: self.headers()?,
            redirect: None,
            attributes: PreservedAttributes { encryption: Some("AES256".to_owned()), ..PreservedAttributes::default() },
        })
    }
}
