//! Reading `tidegate.toml`. Its format is `tidegate_core::config`.

use std::path::{Path, PathBuf};

use tidegate_core::config::{Config, Site};
use tidegate_core::location::Source;

use crate::error::CliError;

/// A configuration file.
pub(crate) struct Configuration {
    pub(crate) config: Config,
    /// The text of the file.
    pub(crate) text: String,
    /// The directory that paths in the file are relative to.
    pub(crate) directory: PathBuf,
}

impl Configuration {
    pub(crate) fn load(path: &Path) -> Result<Self, CliError> {
        let text = std::fs::read_to_string(path).map_err(|error| CliError::Read {
            what: "configuration",
            path: path.to_owned(),
            error,
            remedy: "; name another file with `--config`",
        })?;
        let config = Config::parse(&text).map_err(|error| {
            let error = error.to_string();
            // In TOML, a key below a table belongs to it.
            let hint = match error.contains("unknown field `state`") {
                true => "; `state` is a setting of all sites, so write it above the first `[[site]]`",
                false => "",
            };
            CliError::Usage(format!("`{}`: {}{hint}", path.display(), error.trim_end()))
        })?;
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self { config, text, directory })
    }

    pub(crate) fn site(&self, name: &str) -> Result<&Site, CliError> {
        self.config.site(name).map_err(CliError::usage)
    }

    /// The source to publish: that of the command line, or the site's `staged`.
    pub(crate) fn source(&self, site: &Site, from: Option<&Source>) -> Result<Source, CliError> {
        if let Some(source) = from {
            return Ok(source.clone());
        }
        match &site.staged {
            Some(Source::Directory(path)) => Ok(Source::Directory(self.directory.join(path))),
            Some(Source::Archive(path)) => Ok(Source::Archive(self.directory.join(path))),
            Some(staged @ (Source::Prefix(_) | Source::Object(_) | Source::Release(_))) => Ok(staged.clone()),
            None => Err(CliError::Usage(format!(
                "no source for the site `{}`; set `staged` in the configuration or use `--from`",
                site.name
            ))),
        }
    }
}
