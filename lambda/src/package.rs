//! The deployment package that the function runs from, as far as it concerns compiled plugins.
//!
//! Owns where their code is looked for. What makes it trustworthy is `tidegate_host::plugin`'s to say.

use std::path::Path;

use tidegate_host::package::COMPILED;
use tidegate_host::plugin::{Cache, Engine, PackageError};

/// Where a bootstrap that can compile keeps what it compiled: the one place that a function can write to.
const KEPT: &str = "/tmp/tidegate";

/// The compiled plugins in the package. A bootstrap that can compile, which no release has, does without them.
pub(crate) fn compiled(root: &Path) -> Result<Cache, PackageError> {
    let directory = root.join(COMPILED);
    if Engine::COMPILES && !directory.exists() {
        return Ok(Cache::new(KEPT.as_ref()));
    }
    Cache::packaged(&directory)
}
