//! Saying what is wrong with one archive.

use std::fmt;

use rawzip::ErrorKind;

use super::ArchiveError;

/// Says what is wrong with one archive.
#[derive(Clone, Copy)]
pub(super) struct ErrorBuilder<'a>(pub(super) &'a str);

impl ErrorBuilder<'_> {
    pub(super) fn damaged(self, why: impl fmt::Display) -> ArchiveError {
        ArchiveError::Damaged { archive: self.0.to_owned(), why: format!("{why}") }
    }

    pub(super) fn ambiguous(self, why: impl fmt::Display) -> ArchiveError {
        ArchiveError::Ambiguous { archive: self.0.to_owned(), why: format!("{why}") }
    }

    pub(super) fn entry(self, entry: &str, why: impl fmt::Display) -> ArchiveError {
        ArchiveError::Entry {
            archive: self.0.to_owned(),
            entry: entry.escape_default().to_string(),
            why: format!("{why}"),
        }
    }

    pub(super) fn limit(self, why: impl fmt::Display) -> ArchiveError {
        ArchiveError::Limit { archive: self.0.to_owned(), why: format!("{why}") }
    }

    pub(super) fn io(self, error: std::io::Error) -> ArchiveError {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.damaged("a record lies beyond its end"),
            _ => ArchiveError::Read { archive: self.0.to_owned(), error },
        }
    }

    pub(super) fn parse(self, error: rawzip::Error) -> ArchiveError {
        match error.into_kind() {
            ErrorKind::IO(error) => self.io(error),
            ErrorKind::MissingEndOfCentralDirectory => ArchiveError::NotZip(self.0.to_owned()),
            ErrorKind::Eof => self.damaged("a record is cut off"),
            ErrorKind::InvalidSignature { .. } => self.damaged("a record is not where another one says"),
            other => self.damaged(other.to_string().to_lowercase()),
        }
    }
}
