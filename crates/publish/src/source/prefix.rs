//! A staged prefix as a source: objects that are copied on the server's side where they can be.
//!
//! Owns the listing of the staged objects. Never names an SDK and never reads an object that nobody asked for.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::{StreamExt, stream};
use tidegate_core::artifact::{Artifact, ArtifactItem, ArtifactNames, Fingerprint};
use tidegate_core::content::ReadError;
use tidegate_core::identity::{ContentIdentity, ETag};
use tidegate_core::key::{Key, StoredKey};
use tidegate_core::location::Location;
use tidegate_core::staged_build::READY_MARKER;
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;

use super::body::{CHUNK, SourceBody};
use super::digest::fingerprint;
use super::names::Refusals;
use super::storage::{Listed, ObjectBytes, Objects, StagedObject, StorageError, read_part};
use super::{OpenedSource, SourceError, SourceReader};

/// Heads that are read side by side.
pub(super) const SIDE_BY_SIDE: usize = 32;

/// A prefix in the state in which it was listed.
pub struct StagedPrefix {
    objects: Arc<dyn Objects>,
    location: Location,
    /// Sorted by key.
    staged: Vec<(Key, u64, ETag)>,
}

impl StagedPrefix {
    /// Lists a prefix to its end.
    ///
    /// # Errors
    /// [`SourceError`]; a page that fails is an error, never a short listing.
    pub async fn open(location: &Location, objects: Arc<dyn Objects>) -> Result<OpenedSource, SourceError> {
        let mut refused = Refusals::default();
        let mut staged = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = objects.list_page(location, token.as_deref()).await?;
            for object in page.objects {
                match take(location, &object)? {
                    None => {}
                    Some(Ok(key)) => staged.push((key, object.size, object.etag)),
                    Some(Err(reason)) => refused.push(reason),
                }
            }
            match page.next {
                None => break,
                // A server that answers the same page for ever would never let go of us.
                Some(next) if token.as_ref() == Some(&next) => {
                    let why = "two pages of its listing have the same token".to_owned();
                    return Err(StorageError::Failed { what: location.to_string(), why }.into());
                }
                Some(next) => token = Some(next),
            }
        }
        refused.finish()?;
        staged.sort_by(|a, b| a.0.cmp(&b.0));
        let print = fingerprint(staged.iter().map(|(key, size, etag)| (key.as_str(), *size, etag.as_str().as_bytes())));
        let items = staged.iter().map(|(key, size, etag)| ArtifactItem {
            key: key.clone(),
            size: *size,
            identity: identity(etag),
        });
        let artifact = Artifact::new(items.collect(), Fingerprint(print.into()), ArtifactNames::Bucket)?;
        Ok(OpenedSource {
            artifact,
            reader: SourceReader::Prefix(Arc::new(Self { objects, location: location.clone(), staged })),
        })
    }

    /// Where one object lies and which state of it was listed.
    pub(super) fn staged(&self, key: &Key) -> Result<StagedObject, SourceError> {
        let found = self.staged.binary_search_by(|(name, ..)| name.cmp(key)).ok().and_then(|at| self.staged.get(at));
        let (_, size, etag) = found.ok_or_else(|| SourceError::Absent(key.clone()))?;
        let whole = StoredKey::new(&self.location.prefix.join(key.as_str()));
        Ok(StagedObject { bucket: self.location.bucket.clone(), key: whole, size: *size, etag: etag.clone() })
    }

    /// See [`SourceReader::stream`].
    pub(super) async fn stream(&self, key: &Key) -> Result<SourceBody, SourceError> {
        read(&self.objects, self.staged(key)?).await
    }

    /// See [`tidegate_core::content::Content::heads`].
    pub(super) fn heads(
        &self,
        runtime: &Handle,
        keys: &[Key],
        length: u32,
        deadline: Instant,
    ) -> Vec<Result<Vec<u8>, ReadError>> {
        runtime.block_on(
            stream::iter(keys).map(|key| self.part(key, 0, length, deadline)).buffered(SIDE_BY_SIDE).collect(),
        )
    }

    /// See [`tidegate_core::content::Content::range`].
    pub(super) fn range(
        &self,
        runtime: &Handle,
        key: &Key,
        offset: u64,
        length: u32,
        deadline: Instant,
    ) -> Result<Vec<u8>, ReadError> {
        runtime.block_on(self.part(key, offset, length, deadline))
    }

    async fn part(&self, key: &Key, offset: u64, length: u32, deadline: Instant) -> Result<Vec<u8>, ReadError> {
        let object = self.staged(key).map_err(|_| ReadError::NotFound(key.clone()))?;
        let object = std::future::ready(Ok(object));
        read_part(self.objects.as_ref(), key, object, (offset, length), deadline).await
    }
}

impl fmt::Debug for StagedPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StagedPrefix({}, {} objects)", self.location, self.staged.len())
    }
}

/// What one listed object is: nothing to publish, a key, or a name that cannot be one.
fn take(location: &Location, object: &Listed) -> Result<Option<Result<Key, String>>, SourceError> {
    let whole = object.key.as_str();
    // The prefix' own directory marker.
    if whole == location.prefix.as_str() {
        return Ok(None);
    }
    let Some(name) = location.prefix.relative(whole) else {
        let why = format!("its listing holds `{}`, which is not below it", object.key);
        return Err(StorageError::Failed { what: location.to_string(), why }.into());
    };
    if name.as_str() == READY_MARKER {
        return Ok(None);
    }
    if name.is_marker() {
        let refusal = || format!("`{name}` ends with `/` and holds {} bytes, rename it", object.size);
        return Ok((object.size > 0).then(|| Err(refusal())));
    }
    Ok(Some(Key::new(name.as_str()).map_err(|error| error.to_string())))
}

/// What a listing's ETag says of the content.
///
/// A listing does not tell how an object is encrypted, and with SSE-KMS or SSE-C an ETag has the form of an MD5 without
/// being one. It is kept as one nevertheless, because only its *equality* with the MD5 of a site's object is ever
/// trusted: that two different bodies meet in 128 bits by chance is out of the question, whatever made the tags. A false
/// difference costs a copy that was not needed, and nothing else.
fn identity(etag: &ETag) -> ContentIdentity {
    match etag.as_md5() {
        Some(md5) => ContentIdentity { md5: Some(md5), ..ContentIdentity::default() },
        None if etag.as_str().is_empty() => ContentIdentity::default(),
        None => ContentIdentity { opaque: Some(etag.as_str().to_owned()), ..ContentIdentity::default() },
    }
}

/// Starts to read an object.
pub(super) async fn read(objects: &Arc<dyn Objects>, object: StagedObject) -> Result<SourceBody, SourceError> {
    let bytes = objects.get(&object, None).await?;
    let (sender, body) = SourceBody::channel(object.size);
    // Detached on purpose: it ends by itself once the object or its reader's interest does.
    drop(tokio::spawn(pump(object, bytes, sender)));
    Ok(body)
}

/// Hands bytes on, the last ones only when the whole has the length that was listed.
async fn pump(object: StagedObject, mut bytes: ObjectBytes, sender: Sender<Result<Bytes, SourceError>>) {
    let mut left = object.size;
    let mut held = Bytes::new();
    let failed = |why: &str| Err(StorageError::Failed { what: object.place(), why: why.to_owned() }.into());
    loop {
        // The reader went away: so does the request.
        let next = tokio::select! {
            next = bytes.next() => next,
            () = sender.closed() => return,
        };
        let mut chunk = match next {
            Some(Ok(chunk)) => chunk,
            Some(Err(error)) => return drop(sender.send(Err(error.into())).await),
            None => break,
        };
        let Some(rest) = left.checked_sub(chunk.len() as u64) else {
            return drop(sender.send(failed("it is longer than it was listed")).await);
        };
        left = rest;
        while !chunk.is_empty() {
            let piece = chunk.split_to(chunk.len().min(CHUNK));
            let before = std::mem::replace(&mut held, piece);
            if !before.is_empty() && sender.send(Ok(before)).await.is_err() {
                return;
            }
        }
    }
    let last = if left > 0 { failed("it is shorter than it was listed") } else { Ok(held) };
    if !matches!(&last, Ok(bytes) if bytes.is_empty()) {
        drop(sender.send(last).await);
    }
}
