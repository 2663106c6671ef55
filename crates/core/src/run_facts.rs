//! What holds for a whole run and what plugins are told of it.
//!
//! Owns the value. Holds no credential and does not say whether the run is a dry one.

use std::collections::BTreeMap;

/// Facts of one run: the same for every plugin in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFacts {
    /// The site's name in the configuration.
    pub site: String,
    /// Identifies what is published, such as a commit or a file name.
    pub release: String,
    /// The run's instant in milliseconds since 1970-01-01T00:00:00Z.
    pub instant: u64,
    /// `trigger`, `git.repository`, `git.commit` and `git.ref`, where they are known.
    pub attributes: BTreeMap<String, String>,
}
