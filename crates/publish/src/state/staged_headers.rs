//! What the objects of the site's staged prefix declared when they were last published. It saves requests: a run without it
//! asks S3 again.

use futures::stream::{self, TryStreamExt};
use serde::{Deserialize, Serialize};
use tidegate_core::declared::DeclaredHeaders;
use tidegate_core::identity::ETag;
use tidegate_core::key::{Key, StoredKey};
use tidegate_core::location::Location;
use tidegate_core::release::ReleaseId;
use tidegate_core::stored_lines::{LineEncoder, LineError, LinePosition, StoredLine};
use tidegate_core::timestamp::Timestamp;

use super::error::StateError;
use super::store::StateStore;
use crate::aws_error::AwsError;

/// The document.
const STAGED_HEADERS: &str = "staged-headers.gz";

/// What one version of an object declared.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StagedHeadersRecord {
    /// The URL of the object.
    #[serde(rename = "k")]
    url: StoredKey,
    #[serde(rename = "e")]
    pub(crate) etag: ETag,
    /// When it was written. Other headers for the same bytes do not change the ETag.
    #[serde(rename = "m")]
    pub(crate) modified: Timestamp,
    #[serde(rename = "d")]
    pub(crate) declared: DeclaredHeaders,
}

impl StagedHeadersRecord {
    /// What the object `key` of a prefix declares.
    pub(crate) fn new(
        source: &Location,
        key: &Key,
        etag: ETag,
        modified: Timestamp,
        declared: DeclaredHeaders,
    ) -> Self {
        Self { url: StoredKey::new(&format!("{source}{key}")), etag, modified, declared }
    }
}

impl StoredLine for StagedHeadersRecord {
    const DOCUMENT: &'static str = "staged headers";

    fn position(&self) -> LinePosition {
        (self.url.clone(), None)
    }
}

impl StateStore {
    /// The URL of the document, for messages.
    pub(crate) fn staged_headers_url(&self) -> String {
        format!("s3://{}/{}", self.location.bucket, self.key(STAGED_HEADERS))
    }

    /// Passes what is remembered of a prefix to `receive`, with keys relative to it, in the order of a listing. A damaged
    /// document is read up to the damage.
    pub(crate) async fn staged_headers(
        &self,
        source: &Location,
        receive: impl FnMut(&str, StagedHeadersRecord) + Send,
    ) -> Result<(), AwsError> {
        match self.pass_staged_headers(&source.to_string(), receive).await {
            Ok(()) => Ok(()),
            Err(StateError::Aws(error)) => Err(error),
            Err(error) => {
                tracing::debug!(%error, "stopped reading the headers of staged objects");
                Ok(())
            }
        }
    }

    async fn pass_staged_headers(
        &self,
        source: &str,
        mut receive: impl FnMut(&str, StagedHeadersRecord) + Send,
    ) -> Result<(), StateError> {
        let url = self.staged_headers_url();
        let invalid = move |error: LineError| StateError::Document { url: url.clone(), why: error.to_string() };
        let Some(mut lines) = self.read_document::<StagedHeadersRecord>(STAGED_HEADERS, invalid).await? else {
            return Ok(());
        };
        while let Some(records) = lines.try_next().await? {
            for record in records {
                let url = record.url.clone();
                if let Some(key) = url.as_str().strip_prefix(source) {
                    receive(key, record);
                }
            }
        }
        Ok(())
    }

    /// Stores what the objects of a prefix declare, for runs after the release `id`. `records` are in the order of a listing.
    pub(crate) async fn put_staged_headers(
        &self,
        id: ReleaseId,
        records: impl Iterator<Item = StagedHeadersRecord> + Send + Unpin,
    ) -> Result<(), StateError> {
        let document = StagedHeadersRecord::DOCUMENT;
        let encoder = LineEncoder::new(&()).map_err(|error| StateError::Unstorable { document, id, error })?;
        self.put_document(id, STAGED_HEADERS, encoder, stream::iter(records.map(|record| Ok(vec![record])))).await
    }
}
