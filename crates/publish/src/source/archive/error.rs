//! Errors of archives.

use std::path::PathBuf;
use std::{fmt, io};

use rawzip::ErrorKind;
use tidegate_core::sanitize::sanitize_name;

/// Why an archive cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The path does not exist.
    #[error("`{0}` does not exist; name a directory or a `.zip` file")]
    Missing(PathBuf),
    /// The storage failed, or the content has changed since opening.
    #[error("cannot read the archive `{archive}`: {error}")]
    Read {
        /// The archive.
        archive: String,
        /// The cause.
        error: io::Error,
    },
    /// The file is empty.
    #[error("the archive `{0}` has 0 bytes; build it again")]
    ZeroBytes(String),
    /// There is no end record.
    #[error("the archive `{0}` is not a zip file, or its end is missing; build or upload it again")]
    NotZip(String),
    /// The archive has no entries.
    #[error("the archive `{0}` has no entries; publish an archive with files")]
    Empty(String),
    /// Structures that contradict each other.
    #[error("the archive `{archive}` is damaged: {why}; build it again")]
    Damaged {
        /// The archive.
        archive: String,
        /// The contradiction.
        why: String,
    },
    /// Structures that other readers would interpret differently.
    #[error("the archive `{archive}` can be read in two ways: {why}; build it again with a plain zip tool")]
    Ambiguous {
        /// The archive.
        archive: String,
        /// The ambiguity.
        why: String,
    },
    /// An entry that cannot be published.
    #[error("the entry `{entry}` in the archive `{archive}` {why}")]
    Entry {
        /// The archive.
        archive: String,
        /// The entry's name.
        entry: String,
        /// The cause and the remedy.
        why: String,
    },
    /// The archive exceeds a limit.
    #[error(
        "the archive `{archive}` {why}; publish less, or raise `{limit}` of the site's `archive-limits` \
         (`--archive-limit {limit}=NUMBER`)"
    )]
    Limit {
        /// The archive.
        archive: String,
        /// The exceeded limit.
        why: String,
        /// Its name in the configuration.
        limit: &'static str,
    },
}

/// Makes the errors of one archive, by its name.
#[derive(Clone, Copy)]
pub(super) struct ErrorBuilder<'a>(pub(super) &'a str);

impl ErrorBuilder<'_> {
    pub(super) fn damaged(self, why: impl fmt::Display) -> ArchiveError {
        ArchiveError::Damaged { archive: self.0.to_owned(), why: why.to_string() }
    }

    pub(super) fn ambiguous(self, why: impl fmt::Display) -> ArchiveError {
        ArchiveError::Ambiguous { archive: self.0.to_owned(), why: why.to_string() }
    }

    pub(super) fn entry(self, entry: &str, why: impl fmt::Display) -> ArchiveError {
        ArchiveError::Entry { archive: self.0.to_owned(), entry: sanitize_name(entry), why: why.to_string() }
    }

    /// `limit` is its name in the configuration.
    pub(super) fn limit(self, why: impl fmt::Display, limit: &'static str) -> ArchiveError {
        ArchiveError::Limit { archive: self.0.to_owned(), why: why.to_string(), limit }
    }

    pub(super) fn read(self, error: io::Error) -> ArchiveError {
        ArchiveError::Read { archive: self.0.to_owned(), error }
    }

    /// The error of reading a record.
    pub(super) fn record(self, error: io::Error) -> ArchiveError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("a record lies beyond its end"),
            _ => self.read(error),
        }
    }

    pub(super) fn parse(self, error: rawzip::Error) -> ArchiveError {
        match error.into_kind() {
            ErrorKind::IO(error) => self.record(error),
            ErrorKind::MissingEndOfCentralDirectory => ArchiveError::NotZip(self.0.to_owned()),
            ErrorKind::Eof => self.damaged("a record is cut off"),
            ErrorKind::InvalidSignature { .. } => self.damaged("a record is not where another one says"),
            other => self.damaged(other.to_string().to_lowercase()),
        }
    }
}
