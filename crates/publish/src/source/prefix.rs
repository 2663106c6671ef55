//! A staged prefix as a source. S3 copies its objects to the site; their bytes are read only for plugins and
//! comparisons.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use tidegate_core::artifact::{Artifact, ArtifactItem, ArtifactNames, Fingerprint};
use tidegate_core::content::ReadError;
use tidegate_core::identity::{ContentIdentity, ETag};
use tidegate_core::key::{Key, StoredKey};
use tidegate_core::listing::ListedObject;
use tidegate_core::listing_filter::ListingExclusions;
use tidegate_core::location::{Location, Prefix};
use tidegate_core::staged_build::READY_MARKER;
use tidegate_core::timestamp::Timestamp;
use tokio::sync::mpsc::Sender;

use super::body::{CHUNK, SourceBody};
use super::digest::ListingFingerprint;
use super::error::SourceError;
use super::names::Refusals;
use super::options::SourceOptions;
use super::prefix_object::PrefixObject;
use super::staged_headers;
use super::storage::{StorageError, read_part};
use super::{ListedSource, listed};
use crate::aws_error::AwsError;
use crate::s3::{S3, StagedObject};
use crate::state::StagedHeadersRecord;

/// A prefix in the state in which it was listed.
pub struct StagedPrefix {
    s3: S3,
    /// The prefix, with the stripped folder.
    location: Location,
    /// Sorted by key.
    objects: Vec<PrefixObject>,
    /// Whether objects declare what the state does not remember.
    news: bool,
}

impl StagedPrefix {
    /// Lists a prefix, and reads what its objects declare.
    ///
    /// # Errors
    /// [`SourceError`]; a page that fails is an error, never a short listing.
    pub(super) async fn open(
        location: &Location,
        s3: &S3,
        options: &SourceOptions,
    ) -> Result<ListedSource<Self>, SourceError> {
        let mut exclusions = ListingExclusions::new(options.filter.clone());
        let mut refused = Refusals::default();
        let mut objects = Vec::new();
        let splits = options.splits.iter().map(|split| StoredKey::new(&options.strip_prefix.join(split.as_str())));
        let mut pages = s3.pages_in_ranges(location, splits.collect());
        let failed = |error| StorageError::new(location.to_string(), error);
        while let Some(page) = pages.next().await.map_err(failed)? {
            for (object, modified) in page.objects.into_iter().zip(page.modified) {
                let name = object.key.as_str();
                if name == READY_MARKER || exclusions.excludes(name) {
                    continue;
                }
                match publishable(&object) {
                    None => {}
                    Some(Ok(key)) => {
                        let (size, etag) = (object.size, object.etag);
                        objects.push(PrefixObject { key, size, etag, modified, declared: None });
                    }
                    Some(Err(reason)) => refused.push(reason),
                }
            }
        }
        refused.finish()?;
        let (mut objects, findings) = listed::strip(&options.strip_prefix, objects, |object| &mut object.key)?;
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        // Keys fit below the folder, or `strip` would have failed.
        let folder = Prefix::new(&location.prefix.join(options.strip_prefix.as_str()))
            .unwrap_or_else(|_| location.prefix.clone());
        let location = &Location { bucket: location.bucket.clone(), prefix: folder };
        let news = staged_headers::read(s3, location, &mut objects, options).await?;
        let mut listed = ListingFingerprint::default();
        for object in &objects {
            listed.add(object.key.as_str(), object.size, object.etag.text().as_bytes());
        }
        let listed = listed.finish();
        let items = objects.iter().map(|object| ArtifactItem {
            key: object.key.clone(),
            size: object.size,
            identity: identity(&object.etag).into(),
            declared: object.declared.as_deref().cloned().unwrap_or_default(),
        });
        let fingerprint = Fingerprint(staged_headers::fingerprint(listed, &objects).into());
        let artifact = Artifact::new(items.collect(), fingerprint, ArtifactNames::Bucket)?;
        let reader = Self { s3: s3.clone(), location: location.clone(), objects, news };
        Ok(ListedSource { artifact, reader, exclusions, findings })
    }

    /// A part of a prefix in the state in which it was listed before: the keys of its objects, their sizes and ETags.
    pub(crate) fn listed_before(
        s3: S3,
        location: Location,
        objects: impl IntoIterator<Item = (Key, u64, ETag)>,
    ) -> Self {
        let modified = Timestamp::from_milliseconds(0);
        let objects =
            objects.into_iter().map(|(key, size, etag)| PrefixObject { key, size, etag, modified, declared: None });
        let mut objects: Vec<PrefixObject> = objects.collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Self { s3, location, objects, news: false }
    }

    /// The prefix, with the stripped folder.
    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// What its objects declare, sorted by key.
    pub(crate) fn records(self: &Arc<Self>) -> impl Iterator<Item = StagedHeadersRecord> + Send + Unpin + use<> {
        let prefix = Arc::clone(self);
        (0..self.objects.len()).filter_map(move |index| {
            let PrefixObject { key, etag, modified, declared, .. } = prefix.objects.get(index)?;
            Some(StagedHeadersRecord::new(&prefix.location, key, etag.clone(), *modified, declared.as_deref()?.clone()))
        })
    }

    /// Whether objects declare what the state does not remember.
    pub(crate) fn has_news(&self) -> bool {
        self.news
    }

    /// Where an object is, and the state in which it was listed.
    pub(super) fn staged(&self, key: &Key) -> Result<StagedObject, SourceError> {
        let index = self.objects.binary_search_by(|object| object.key.cmp(key)).ok();
        let object = index.and_then(|index| self.objects.get(index));
        object.map(|object| object.staged(&self.location)).ok_or_else(|| SourceError::Absent(key.clone()))
    }

    /// See [`super::SourceReader::stream`].
    pub(super) async fn stream(&self, key: &Key) -> Result<SourceBody, SourceError> {
        read(&self.s3, self.staged(key)?).await
    }

    /// Part of an object, for plugins.
    pub(super) async fn part(
        &self,
        key: &Key,
        offset: u64,
        length: u32,
        deadline: Instant,
    ) -> Result<Vec<u8>, ReadError> {
        let object = self.staged(key).map_err(|_| ReadError::NotFound(key.clone()))?;
        read_part(&self.s3, key, std::future::ready(Ok(object)), offset, length, deadline).await
    }
}

impl fmt::Debug for StagedPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StagedPrefix({}, {} objects)", self.location, self.objects.len())
    }
}

/// The key of a listed object, or why its name cannot be one; nothing for markers of folders, which are not
/// published.
fn publishable(object: &ListedObject) -> Option<Result<Key, String>> {
    let name = &object.key;
    if name.is_marker() {
        let refusal = || format!("the key `{name}` ends with `/`, but the object has {} bytes; rename it", object.size);
        return (object.size > 0).then(|| Err(refusal()));
    }
    Some(Key::from_stored(name).map_err(|error| error.to_string()))
}

/// What a listed ETag says about the content.
///
/// A listing does not say how an object is encrypted. With SSE-KMS or SSE-C, an ETag looks like an MD5, but is not one.
/// It is still treated as an MD5: a comparison only trusts that it *equals* the MD5 of a site's object, and two
/// different bodies do not have equal ETags of 128 bits by chance. A false difference costs one unnecessary copy.
fn identity(etag: &ETag) -> ContentIdentity {
    match etag.as_md5() {
        Some(md5) => ContentIdentity { md5: Some(md5), ..ContentIdentity::default() },
        None if etag.is_empty() => ContentIdentity::default(),
        None => ContentIdentity { opaque: Some(etag.text().into_owned()), ..ContentIdentity::default() },
    }
}

/// Starts to read an object.
pub(super) async fn read(s3: &S3, object: StagedObject) -> Result<SourceBody, SourceError> {
    let bytes = s3.read_staged(&object, None).await.map_err(|error| StorageError::new(object.url(), error))?;
    let (sender, body) = SourceBody::channel(object.size);
    // Detached: it ends with the object, or when the body is dropped.
    drop(tokio::spawn(forward(object, Box::pin(bytes), sender)));
    Ok(body)
}

/// Sends the bytes of an object to its body. The last chunk is sent only if the object has the listed size.
async fn forward(
    object: StagedObject,
    mut bytes: Pin<Box<dyn Stream<Item = Result<Bytes, AwsError>> + Send>>,
    sender: Sender<Result<Bytes, SourceError>>,
) {
    let mut left = object.size;
    let mut last = Bytes::new();
    let failed = |why: &str| Err(StorageError::Failed { what: object.url(), why: why.to_owned() }.into());
    loop {
        let next = tokio::select! {
            next = bytes.next() => next,
            // The body was dropped, so the request is dropped too.
            () = sender.closed() => return,
        };
        let mut chunk = match next {
            Some(Ok(chunk)) => chunk,
            Some(Err(error)) => return drop(sender.send(Err(StorageError::new(object.url(), error).into())).await),
            None => break,
        };
        let Some(rest) = left.checked_sub(chunk.len() as u64) else {
            return drop(sender.send(failed("it is longer than it was listed")).await);
        };
        left = rest;
        while !chunk.is_empty() {
            let piece = chunk.split_to(chunk.len().min(CHUNK));
            let before = std::mem::replace(&mut last, piece);
            if !before.is_empty() && sender.send(Ok(before)).await.is_err() {
                return;
            }
        }
    }
    let last = if left > 0 { failed("it is shorter than it was listed") } else { Ok(last) };
    if !matches!(&last, Ok(bytes) if bytes.is_empty()) {
        drop(sender.send(last).await);
    }
}
