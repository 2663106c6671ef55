//! Kinds of errors: who can fix them, and whether a retry can help.

use serde::{Serialize, Serializer};

/// The kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The configuration or the request.
    Configuration,
    /// A plugin.
    Plugin,
    /// The artifact. A retry fails again.
    Artifact,
    /// AWS or the network. A retry can help.
    Cloud,
    /// A bug in Tidegate.
    Bug,
}

impl ErrorKind {
    /// A stable name for alarms and retries, such as `Tidegate.Cloud`.
    #[must_use]
    pub fn error_type(self) -> &'static str {
        match self {
            Self::Configuration => "Tidegate.Configuration",
            Self::Plugin => "Tidegate.Plugin",
            Self::Artifact => "Tidegate.Artifact",
            Self::Cloud => "Tidegate.Cloud",
            Self::Bug => "Tidegate.Bug",
        }
    }
}

impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.error_type())
    }
}
