//! `tidegate invoke`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use tidegate_core::location::{ObjectLocation, Source};

#[derive(Debug, Args)]
pub(crate) struct InvokeArguments {
    /// The event as the function gets it, in JSON; `-` for standard input.
    pub(crate) event: PathBuf,
    /// The event is the body of a webhook of GitHub, of this kind, such as `push`.
    #[arg(long, value_name = "KIND")]
    pub(crate) github: Option<String>,
    /// Puts a file into the stand-in first, such as `s3://builds/docs/c0ffee.zip=site.zip`. Events of that object get its ETag.
    #[arg(long, value_name = "OBJECT=FILE")]
    pub(crate) put: Vec<PutFlag>,
    /// How long an invocation may take, in seconds; a run that takes longer is handed on, as in Lambda.
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub(crate) seconds: u64,
}

/// A file and the object that it becomes.
#[derive(Debug, Clone)]
pub(crate) struct PutFlag {
    pub(crate) object: ObjectLocation,
    pub(crate) file: PathBuf,
}

impl FromStr for PutFlag {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{}` is not of the form `s3://bucket/key=FILE`", text.escape_debug());
        let (object, file) = text.split_once('=').ok_or_else(refused)?;
        match object.parse() {
            Ok(Source::Object(object)) if !file.is_empty() => Ok(Self { object, file: file.into() }),
            _ => Err(refused()),
        }
    }
}
