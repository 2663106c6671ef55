//! Arguments of `tidegate invoke`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use tidegate_core::location::ObjectLocation;

#[derive(Debug, Args)]
pub(crate) struct InvokeArguments {
    /// Event as Lambda passes it to the function, in JSON; `-` for standard input
    pub(crate) event: PathBuf,
    /// Treat the event as the body of a GitHub webhook of this kind, such as `push`
    #[arg(long, value_name = "KIND")]
    pub(crate) github: Option<String>,
    /// Put a file into the local emulator first, such as `s3://builds/docs/c0ffee.zip=site.zip`
    ///
    /// Records of the event that name the object get its ETag. `github:NAME=FILE` takes the place of a GitHub artifact or asset.
    #[arg(long, value_name = "OBJECT=FILE")]
    pub(crate) put: Vec<PutFlag>,
    /// Time limit of one invocation; a longer run is continued by another one, as in Lambda
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub(crate) seconds: u64,
}

/// A file, and where to put it.
#[derive(Debug, Clone)]
pub(crate) struct PutFlag {
    pub(crate) target: PutTarget,
    pub(crate) file: PathBuf,
}

/// Where a file is put.
#[derive(Debug, Clone)]
pub(crate) enum PutTarget {
    /// An object.
    Object(ObjectLocation),
    /// A file that GitHub would store, by its name.
    Github(String),
}

impl FromStr for PutFlag {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = "use `s3://bucket/key=FILE` or `github:NAME=FILE`";
        let (target, file) = text.split_once('=').filter(|(_, file)| !file.is_empty()).ok_or(invalid)?;
        let target = match target.strip_prefix("github:") {
            Some(name) if !name.is_empty() => PutTarget::Github(name.to_owned()),
            Some(_) => return Err(invalid),
            None => PutTarget::Object(target.parse().map_err(|_| invalid)?),
        };
        Ok(Self { target, file: file.into() })
    }
}
