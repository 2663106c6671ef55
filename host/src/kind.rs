//! What a plugin is: for which of the two worlds it is made, and whether it reads objects.
//!
//! Owns the values. How they are found out is `admission`'s to say.

use serde::{Deserialize, Serialize};

/// Which of the two worlds a component is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    /// Shapes what is published.
    Sync,
    /// Judges the plan.
    Policy,
}

impl PluginKind {
    /// The name of the interface that makes the kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Policy => "policy",
        }
    }
}

/// What names alone say of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentifiedPlugin {
    /// Its kind.
    pub kind: PluginKind,
    /// Whether it may read objects.
    pub reads_content: bool,
}
