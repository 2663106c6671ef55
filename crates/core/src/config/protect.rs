//! Globs of keys that are never deleted.
//!
//! Owns their meaning, which is that of a `.gitignore`.

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::Deserialize;

use super::ValueError;
use crate::key::StoredKey;

/// Globs of keys that are never deleted, as in a `.gitignore`: the last one that matches decides, `!` takes back.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct ProtectedKeys {
    globs: Vec<String>,
    matcher: Gitignore,
}

impl ProtectedKeys {
    /// Compiles globs.
    ///
    /// # Errors
    /// [`ValueError::Glob`].
    pub fn new(globs: Vec<String>) -> Result<Self, ValueError> {
        let mut builder = GitignoreBuilder::new("");
        let told = |glob: &str, error: &ignore::Error| {
            ValueError::Glob(glob.escape_default().to_string(), error.to_string().escape_default().to_string())
        };
        for glob in &globs {
            builder.add_line(None, glob).map_err(|error| told(glob, &error))?;
        }
        let matcher = builder.build().map_err(|error| told(&globs.join(", "), &error))?;
        Ok(Self { globs, matcher })
    }

    /// Whether a key of the site is protected.
    #[must_use]
    pub fn covers(&self, key: &StoredKey) -> bool {
        // A key may begin with `/`, which the matcher would take for a path outside of its root.
        let path = key.as_str().trim_start_matches('/');
        !path.is_empty() && self.matcher.matched_path_or_any_parents(path, false).is_ignore()
    }
}

impl Default for ProtectedKeys {
    fn default() -> Self {
        Self { globs: Vec::new(), matcher: Gitignore::empty() }
    }
}

impl PartialEq for ProtectedKeys {
    fn eq(&self, other: &Self) -> bool {
        self.globs == other.globs
    }
}

impl Eq for ProtectedKeys {}

impl TryFrom<Vec<String>> for ProtectedKeys {
    type Error = ValueError;
    fn try_from(globs: Vec<String>) -> Result<Self, ValueError> {
        Self::new(globs)
    }
}
