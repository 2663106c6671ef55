//! The two kinds of plugins.

use serde::{Deserialize, Serialize};

/// The world that a component implements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    /// Transforms what is published.
    Sync,
    /// Reviews the plan.
    Policy,
}

impl PluginKind {
    /// The name of the interface that a plugin of this kind exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Policy => "policy",
        }
    }
}

/// What the imports and exports of a component say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentifiedPlugin {
    /// Its kind.
    pub kind: PluginKind,
    /// Whether it imports `content`, so that it may read objects.
    pub reads_content: bool,
}
