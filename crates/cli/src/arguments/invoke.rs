//! Arguments of `tidegate invoke`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use tidegate_core::location::{ObjectLocation, Source};

#[derive(Debug, Args)]
pub(crate) struct InvokeArguments {
    /// Event as Lambda passes it to the function, in JSON; `-` for standard input
    pub(crate) event: PathBuf,
    /// Treat the event as the body of a GitHub webhook of this kind, such as `push`
    #[arg(long, value_name = "KIND")]
    pub(crate) github: Option<String>,
    /// Put a file into the local emulator first, such as `s3://builds/docs/c0ffee.zip=site.zip`
    ///
    /// Records of the event that name the object get its ETag.
    #[arg(long, value_name = "OBJECT=FILE")]
    pub(crate) put: Vec<PutFlag>,
    /// Time limit of one invocation; a longer run is continued by another one, as in Lambda
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub(crate) seconds: u64,
}

/// A file, and the object to put it to.
#[derive(Debug, Clone)]
pub(crate) struct PutFlag {
    pub(crate) object: ObjectLocation,
    pub(crate) file: PathBuf,
}

impl FromStr for PutFlag {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = "use `s3://bucket/key=FILE`";
        let (object, file) = text.split_once('=').ok_or(invalid)?;
        match object.parse() {
            Ok(Source::Object(object)) if !file.is_empty() => Ok(Self { object, file: file.into() }),
            _ => Err(invalid),
        }
    }
}
