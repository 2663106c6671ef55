//! The keys of a site that Tidegate never deletes.

use serde::Deserialize;
use tidegate_glob::{GlobError, GlobList, IgnoreGlob};

use super::value::ValueError;
use crate::key::StoredKey;
use crate::sanitize::sanitize_name;

/// Globs of keys that are never deleted, in the language of gitignore: the last one that matches a key or a folder that
/// contains it decides, and `!` makes an exception. The `exclude` plugin matches its globs with the same engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct ProtectedKeys(GlobList);

impl ProtectedKeys {
    /// Compiles the globs.
    ///
    /// # Errors
    /// [`ValueError::Glob`].
    pub fn new(globs: &[String]) -> Result<Self, ValueError> {
        let invalid = |GlobError { glob, kind }| ValueError::Glob(sanitize_name(&glob), kind.to_string());
        globs.iter().map(|glob| IgnoreGlob::parse(glob).map_err(invalid)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a key of the site is protected.
    #[must_use]
    pub fn covers(&self, key: &StoredKey) -> bool {
        // Other tools write keys with a leading `/`, which no pattern means.
        self.0.matches(key.as_str().trim_start_matches('/'))
    }
}

impl TryFrom<Vec<String>> for ProtectedKeys {
    type Error = ValueError;
    fn try_from(globs: Vec<String>) -> Result<Self, ValueError> {
        Self::new(&globs)
    }
}
