//! A local directory as a source. Every file is digested when the directory is opened, and again while it is sent.

pub(in crate::source) mod error;
mod walk;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use tidegate_core::artifact::{Artifact, ArtifactItem, ArtifactNames, Fingerprint};
use tidegate_core::content::ReadError;
use tidegate_core::declared::DeclaredHeaders;
use tidegate_core::identity::ContentIdentity;
use tidegate_core::key::Key;
use tidegate_core::listing_filter::ListingExclusions;

pub use error::DirectoryError;

use super::blocking::blocking;
use super::body::{CHUNK, Chunks, SourceBody};
use super::digest::{Algorithms, BodyDigester, ListingFingerprint};
use super::error::SourceError;
use super::options::{Progress, SourceOptions};
use super::{ListedSource, listed};

/// Most threads that digest. A disk seldom keeps more of them busy.
const MAX_THREADS: usize = 8;

/// Size of each thread's buffer, in bytes (256 KiB). Large files then take few reads, and small ones two.
const BUFFER: usize = 256 * 1024;

/// A directory in the state in which it was opened.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    /// Sorted by key.
    items: Vec<ArtifactItem>,
}

impl Directory {
    /// Lists a directory and digests its files.
    ///
    /// # Errors
    /// [`SourceError`] names the path that cannot be published.
    pub(super) async fn open(path: &Path, options: &SourceOptions) -> Result<ListedSource<Self>, SourceError> {
        let (path, options) = (path.to_owned(), options.clone());
        blocking(move || {
            let mut exclusions = ListingExclusions::new(options.filter.clone());
            let (root, keys) = walk::walk(&path, options.follow_external_links, &mut exclusions)?;
            let (keys, findings) = listed::strip(&options.strip_prefix, keys, |key| key)?;
            let root = root.join(options.strip_prefix.as_str());
            let mut items = digest_all(&root, &keys, options.algorithms, options.progress.as_ref())?;
            items.sort_by(|a, b| a.key.cmp(&b.key));
            let mut fingerprint = ListingFingerprint::default();
            for item in &items {
                let digest = item.identity.sha256();
                fingerprint.add(item.key.as_str(), item.size, digest.as_ref().map_or(&[][..], |digest| digest));
            }
            let fingerprint = fingerprint.finish();
            let artifact = Artifact::new(items.clone(), Fingerprint(fingerprint.into()), ArtifactNames::Files)?;
            Ok(ListedSource { artifact, reader: Self { root, items }, exclusions, findings })
        })
        .await
    }

    fn item(&self, key: &Key) -> Result<&ArtifactItem, SourceError> {
        let index = self.items.binary_search_by(|item| item.key.cmp(key)).ok();
        index.and_then(|index| self.items.get(index)).ok_or_else(|| SourceError::Absent(key.clone()))
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// See [`super::SourceReader::stream`].
    pub(super) async fn stream(&self, key: &Key) -> Result<SourceBody, SourceError> {
        let (item, path) = (self.item(key)?.clone(), self.path(key));
        let size = item.size;
        if size <= CHUNK as u64 {
            return self.whole(key).await.map(SourceBody::ready);
        }
        let chunks = blocking(move || FileChunks::open(path, item, Algorithms::default())).await?;
        Ok(SourceBody::from_blocking(size, chunks))
    }

    /// See [`super::SourceReader::whole`].
    pub(super) async fn whole(&self, key: &Key) -> Result<Bytes, SourceError> {
        let (item, path) = (self.item(key)?.clone(), self.path(key));
        blocking(move || {
            let size = item.size;
            let mut chunks = FileChunks::open(path, item, Algorithms::default())?;
            Ok(chunks.take(size)?.unwrap_or_default())
        })
        .await
    }

    /// See [`super::SourceReader::digest`].
    pub(super) async fn digest(&self, key: &Key, algorithms: Algorithms) -> Result<ContentIdentity, SourceError> {
        let item = self.item(key)?;
        let known = item.identity.get();
        if algorithms.are_known_in(&known) {
            return Ok(known);
        }
        let (item, path) = (item.clone(), self.path(key));
        blocking(move || {
            let mut chunks = FileChunks::open(path, item, algorithms)?;
            while chunks.next()?.is_some() {}
            Ok(chunks.identity)
        })
        .await
    }

    /// One range, for plugins; shorter at the end of the file. Whether the rest of the file has changed is not checked
    /// here, but when the file is sent.
    pub(super) fn range(&self, key: &Key, offset: u64, length: u32, deadline: Instant) -> Result<Vec<u8>, ReadError> {
        let unavailable =
            |why: &dyn std::fmt::Display| ReadError::Unavailable { key: key.clone(), why: why.to_string() };
        let item = self.item(key).map_err(|_| ReadError::NotFound(key.clone()))?;
        if Instant::now() >= deadline {
            return Err(unavailable(&"its deadline passed"));
        }
        let end = item.size.min(offset.saturating_add(u64::from(length)));
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(self.path(key))?;
            if offset > 0 {
                io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
            }
            let mut bytes = Vec::with_capacity(usize::try_from(end.saturating_sub(offset)).unwrap_or(0));
            file.take(end.saturating_sub(offset)).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error| unavailable(&error))?;
        if bytes.len() as u64 == end.saturating_sub(offset) {
            Ok(bytes)
        } else {
            Err(unavailable(&DirectoryError::Changed(self.path(key))))
        }
    }
}

/// Digests all files concurrently. The result is in no order.
fn digest_all(
    root: &Path,
    keys: &[Key],
    algorithms: Algorithms,
    progress: Option<&Progress>,
) -> Result<Vec<ArtifactItem>, SourceError> {
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from).clamp(1, MAX_THREADS).min(keys.len().max(1));
    let work = || -> Result<Vec<ArtifactItem>, SourceError> {
        let mut items = Vec::with_capacity(keys.len() / threads + 1);
        let mut buffer = vec![0; BUFFER];
        while let Some(key) = keys.get(next.fetch_add(1, Ordering::Relaxed)) {
            let path = root.join(key.as_str());
            let (size, identity) = digest_file(&path, &mut buffer, algorithms).map_err(|error| {
                // Stops the other threads.
                next.store(keys.len(), Ordering::Relaxed);
                DirectoryError::Read { path: path.clone(), error }
            })?;
            if let Some(progress) = progress {
                progress(1, size);
            }
            items.push(ArtifactItem {
                key: key.clone(),
                size,
                identity: identity.into(),
                declared: DeclaredHeaders::default(),
            });
        }
        Ok(items)
    };
    thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut items = work();
        for helper in helpers {
            let digested = helper.join().unwrap_or(Err(SourceError::Interrupted));
            items = items.and_then(|mut all| {
                all.append(&mut digested?);
                Ok(all)
            });
        }
        items
    })
}

fn digest_file(path: &Path, buffer: &mut [u8], algorithms: Algorithms) -> io::Result<(u64, ContentIdentity)> {
    let mut file = File::open(path)?;
    let mut digester = BodyDigester::new(algorithms);
    let mut size = 0;
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok((size, digester.finish())),
            Ok(read) => {
                size += read as u64;
                digester.update(buffer.get(..read).unwrap_or_default());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads a file again. Its digest must equal the one from opening before the last bytes are returned.
struct FileChunks {
    file: File,
    path: PathBuf,
    item: ArtifactItem,
    left: u64,
    digester: Option<BodyDigester>,
    identity: ContentIdentity,
}

impl FileChunks {
    fn open(path: PathBuf, item: ArtifactItem, algorithms: Algorithms) -> Result<Self, SourceError> {
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => DirectoryError::Changed(path.clone()),
            _ => DirectoryError::Read { path: path.clone(), error },
        })?;
        Ok(Self {
            file,
            path,
            left: item.size,
            item,
            digester: Some(BodyDigester::new(algorithms)),
            identity: ContentIdentity::default(),
        })
    }

    /// The next bytes, at most `limit`.
    fn take(&mut self, limit: u64) -> Result<Option<Bytes>, SourceError> {
        let Some(digester) = &mut self.digester else { return Ok(None) };
        let failed = |error| DirectoryError::Read { path: self.path.clone(), error };
        let length = self.left.min(limit);
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        (&mut self.file).take(length).read_to_end(&mut bytes).map_err(failed)?;
        digester.update(&bytes);
        self.left -= bytes.len() as u64;
        let mut same = bytes.len() as u64 == length;
        if same && self.left == 0 {
            same = self.file.read(&mut [0]).map_err(failed)? == 0;
            self.identity = self.digester.take().map(BodyDigester::finish).unwrap_or_default();
            same &= self.identity.sha256 == self.item.identity.sha256();
        }
        if !same {
            self.digester = None;
            return Err(DirectoryError::Changed(self.path.clone()).into());
        }
        Ok(if bytes.is_empty() { None } else { Some(bytes.into()) })
    }
}

impl Chunks for FileChunks {
    fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        self.take(CHUNK as u64)
    }
}
