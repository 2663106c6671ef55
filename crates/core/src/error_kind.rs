//! Whose fault it is that a run failed, which says who can mend it and whether trying again may help.
//!
//! Owns the kinds and their names. Errors say themselves which one they are.

use serde::{Serialize, Serializer};

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The configuration, or what was asked.
    Configuration,
    /// A plugin.
    Plugin,
    /// What was to be published: the same bytes are as wrong the next time.
    Artifact,
    /// AWS, or whatever else is on the way.
    Cloud,
    /// Tidegate.
    Bug,
}

impl ErrorKind {
    /// A stable name, for alarms and for whoever decides on trying again: `Tidegate.Cloud` and so on.
    #[must_use]
    pub fn error_type(self) -> &'static str {
        match self {
            Self::Configuration => "Tidegate.Configuration",
            Self::Plugin => "Tidegate.Plugin",
            Self::Artifact => "Tidegate.Artifact",
            Self::Cloud => "Tidegate.Cloud",
            Self::Bug => "Tidegate.Defect",
        }
    }
}

impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.error_type())
    }
}
