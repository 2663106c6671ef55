//! What starts a run: one request for one site, whoever asked.
//!
//! Owns its form. Never reads an event or a command line.

use serde::{Deserialize, Serialize};

use crate::location::Source;

/// A request to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The site's name in the configuration.
    pub site: String,
    /// What is published, for people: a commit, a file name.
    pub release: String,
    /// Where the artifact is.
    pub source: Source,
    /// The run's instant, in milliseconds since the Unix epoch.
    pub instant: u64,
    /// Who or what asked: `cli`, `watch`, …
    pub cause: String,
}
