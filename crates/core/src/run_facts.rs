//! Facts about a run that every plugin receives. They hold no credentials, and do not reveal a dry run.

use std::collections::BTreeMap;

/// Facts of one run, equal for all its plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFacts {
    /// The name of the site in the configuration.
    pub site: String,
    /// Identifies what is published, such as a commit or a file name.
    pub release: String,
    /// The time of the run, in milliseconds since 1970-01-01T00:00:00Z.
    pub instant: u64,
    /// `trigger`, `git.repository`, `git.commit` and `git.ref`, if known, and [`EDGE_REDIRECTS`].
    pub attributes: BTreeMap<String, String>,
}

/// The attribute of a site with an edge: the dialect of `_redirects` and `_headers`. Source: `wit/plugin.wit`.
pub const EDGE_REDIRECTS: &str = "edge.redirects";

impl RunFacts {
    /// Whether plugins may add rules for requests.
    #[must_use]
    pub fn has_edge(&self) -> bool {
        self.attributes.contains_key(EDGE_REDIRECTS)
    }
}
