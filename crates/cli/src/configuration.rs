//! Reading `tidegate.toml`.
//!
//! Owns where it is and what paths in it are relative to. Its form is `tidegate_core::config`'s.

use std::path::{Path, PathBuf};

use tidegate_core::config::{Config, Site};
use tidegate_core::location::Source;

use crate::error::CliError;

/// A configuration and the directory that its paths are relative to.
pub(crate) struct Configuration {
    pub(crate) config: Config,
    /// What it was parsed from.
    pub(crate) text: String,
    pub(crate) directory: PathBuf,
}

impl Configuration {
    pub(crate) fn load(path: &Path) -> Result<Self, CliError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            CliError::Usage(format!(
                "the configuration `{}` cannot be read: {error}; name it with `--config`",
                path.display()
            ))
        })?;
        let config = Config::parse(&text).map_err(|error| CliError::Usage(format!("`{}`: {error}", path.display())))?;
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self { config, text, directory })
    }

    pub(crate) fn site(&self, name: &str) -> Result<&Site, CliError> {
        self.config.site(name).map_err(|error| CliError::Usage(error.to_string()))
    }

    /// What is published: what was typed, or the site's `staged`, whose paths are relative to the configuration.
    pub(crate) fn source(&self, site: &Site, typed: Option<&Source>) -> Result<Source, CliError> {
        let staged = match (typed, &site.staged) {
            (Some(typed), _) => return Ok(typed.clone()),
            (None, Some(staged)) => staged,
            (None, None) => {
                let message = format!("the site `{}` has no `staged`, say what to publish with `--from`", site.name);
                return Err(CliError::Usage(message));
            }
        };
        Ok(match staged {
            Source::Directory(path) => Source::Directory(self.directory.join(path)),
            Source::Archive(path) => Source::Archive(self.directory.join(path)),
            Source::Prefix(_) | Source::Object(_) | Source::Release(_) => staged.clone(),
        })
    }
}
