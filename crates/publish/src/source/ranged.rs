//! Bytes that are read by position, from a file or from an object in S3. Archives are read from them.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use rawzip::{FileReader, ReaderAt};
use tokio::runtime::Handle;

use super::storage::read_range;
use crate::s3::{S3, StagedObject};

/// Bytes by position. Read by several threads at once, which may block.
pub trait Ranged: Send + Sync {
    /// The size of the whole, in bytes.
    fn size(&self) -> u64;

    /// Reads `length` bytes at `offset`. A range beyond the end is [`io::ErrorKind::UnexpectedEof`].
    ///
    /// # Errors
    /// The storage's error, also if the content has changed since opening.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes>;

    /// How it is read efficiently.
    fn read_ahead(&self) -> ReadAhead;

    /// Checks that the content has not changed since opening, as far as that is possible without reading it. Storage
    /// whose reads are all conditional needs no further check.
    ///
    /// # Errors
    /// An error that says what has changed.
    fn check_unchanged(&self) -> io::Result<()> {
        Ok(())
    }
}

/// How bytes are read efficiently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadAhead {
    /// Size of the cached blocks that serve small reads, in bytes; 0 if small reads are cheap.
    pub block: usize,
    /// Size of one read of a large entry, in bytes.
    pub window: usize,
    /// Most bytes that are cheaper to read than to skip with another request.
    pub skip: u64,
    /// Reads that are worth having in flight at once.
    pub readers: usize,
}

/// A local file.
#[derive(Debug)]
pub struct RangedFile {
    reader: FileReader,
    file: File,
    size: u64,
    modified: Option<SystemTime>,
}

impl RangedFile {
    /// Opens a file.
    ///
    /// # Errors
    /// The file system's error.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        let reader = FileReader::from(file.try_clone()?);
        Ok(Self { reader, file, size: metadata.len(), modified: metadata.modified().ok() })
    }
}

impl Ranged for RangedFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let mut bytes = BytesMut::zeroed(length);
        self.reader.read_exact_at(&mut bytes, offset)?;
        Ok(bytes.freeze())
    }

    fn read_ahead(&self) -> ReadAhead {
        ReadAhead { block: 0, window: 64 * 1024, skip: 0, readers: 1 }
    }

    fn check_unchanged(&self) -> io::Result<()> {
        let metadata = self.file.metadata()?;
        if metadata.len() == self.size && metadata.modified().ok() == self.modified {
            Ok(())
        } else {
            Err(io::Error::other("it changed since it was opened; publish again"))
        }
    }
}

/// An object in S3. Every read is conditional on its ETag.
pub struct RangedObject {
    s3: S3,
    object: StagedObject,
    runtime: Handle,
}

impl RangedObject {
    /// Reads `object` through `runtime`. Its worker threads must not call [`Ranged::read_at`].
    #[must_use]
    pub fn new(s3: S3, object: StagedObject, runtime: Handle) -> Self {
        Self { s3, object, runtime }
    }
}

impl Ranged for RangedObject {
    fn size(&self) -> u64 {
        self.object.size
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = offset.checked_add(length as u64).filter(|end| *end <= self.object.size);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.runtime.block_on(read_range(&self.s3, &self.object, offset..end)).map_err(io::Error::other)
    }

    /// A request takes tens of milliseconds, and then transfers some tens of megabytes per second. So skipping 512 KiB
    /// costs as much as a request, and with blocks of 4 MiB less than half of the time is spent waiting. Windows are
    /// smaller, because each large entry in flight has one, and many of them wait concurrently.
    fn read_ahead(&self) -> ReadAhead {
        ReadAhead { block: 4 * 1024 * 1024, window: 512 * 1024, skip: 512 * 1024, readers: 8 }
    }
}
