//! Exit codes, and the errors that end a command.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tidegate_core::error_kind::ErrorKind;
use tidegate_core::plugin_failure::PluginFailure;
use tidegate_core::report::Outcome;
use tidegate_iam::apply::StepError;
use tidegate_iam::deploy::DeployError;
use tidegate_lambda::package::PackagingError;
use tidegate_publish::AwsError;
use tidegate_publish::publish::PublishError;
use tidegate_publish::source::SourceError;
use tidegate_publish::source::archive::ArchiveError;
use tidegate_publish::source::directory::DirectoryError;

/// The exit code of a command, from the best to the worst. The help and `docs/commands.md` document the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum ExitStatus {
    /// Success, up to date, or superseded by a newer release.
    Success = 0,
    /// Denied by policy, held for approval, or a saved plan is out of date. Nothing was changed.
    Denied = 1,
    /// A usage or configuration error.
    Usage = 2,
    /// Failed, partial, or live with an invalidation pending.
    Failure = 3,
    /// Ended by Ctrl-C or SIGTERM: 128 and the number of SIGINT, as in shells.
    Interrupted = 130,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

impl From<Outcome> for ExitStatus {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Live | Outcome::Unchanged | Outcome::Superseded => Self::Success,
            Outcome::Denied | Outcome::Held => Self::Denied,
            Outcome::LiveInvalidationPending | Outcome::LiveSwitchPending | Outcome::Partial | Outcome::Failed => {
                Self::Failure
            }
        }
    }
}

impl From<ErrorKind> for ExitStatus {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Configuration => Self::Usage,
            // A plugin that fails denies the run.
            ErrorKind::Plugin => Self::Denied,
            ErrorKind::Artifact | ErrorKind::Cloud | ErrorKind::Bug => Self::Failure,
        }
    }
}

/// An error that ends a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// An argument or a configuration that cannot work.
    #[error("{0}")]
    Usage(String),
    /// A failure of this machine, or a bug.
    #[error("{0}")]
    System(String),
    /// A file cannot be read. `remedy` is empty, or starts with `; `.
    #[error("cannot read the {what} `{}`: {error}{remedy}", path.display())]
    Read { what: &'static str, path: PathBuf, error: io::Error, remedy: &'static str },
    /// A file cannot be written.
    #[error("cannot write the {what} `{}`: {error}", path.display())]
    Write { what: &'static str, path: PathBuf, error: io::Error },
    /// A signal ended the run.
    #[error("{0}")]
    Interrupted(String),
    /// A server cannot start.
    #[error("cannot listen on `{address}`: {error}; choose another address with `{option}`")]
    Listen { address: SocketAddr, error: io::Error, option: &'static str },
    /// A user or a group does not exist.
    #[error("no {what} named `{}`; list them with `{list}`", name.escape_debug())]
    NotFound { what: &'static str, name: String, list: &'static str },
    /// A run ended before it had a plan.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A plugin failed.
    #[error(transparent)]
    Plugin(PluginFailure),
    /// A request to AWS failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An IAM change failed.
    #[error(transparent)]
    Step(Box<StepError>),
    /// The stack of the function could not be changed.
    #[error(transparent)]
    Deploy(Box<DeployError>),
    /// The package cannot be built.
    #[error(transparent)]
    Package(#[from] PackagingError),
}

impl From<StepError> for CliError {
    fn from(error: StepError) -> Self {
        Self::Step(Box::new(error))
    }
}

impl From<DeployError> for CliError {
    fn from(error: DeployError) -> Self {
        Self::Deploy(Box::new(error))
    }
}

impl CliError {
    /// An error of another crate that the user causes and can fix.
    pub(crate) fn usage(error: impl Display) -> Self {
        Self::Usage(error.to_string())
    }

    /// An error of another crate that is not the user's.
    pub(crate) fn system(error: impl Display) -> Self {
        Self::System(error.to_string())
    }

    /// Turns an error of reading `path` into [`CliError::Read`].
    pub(crate) fn read(what: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| Self::Read { what, path: path.to_owned(), error, remedy: "" }
    }

    /// Turns an error of writing `path` into [`CliError::Write`].
    pub(crate) fn write(what: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| Self::Write { what, path: path.to_owned(), error }
    }

    /// The failure of a plugin, if that is the error.
    pub(crate) fn plugin_failure(&self) -> Option<&PluginFailure> {
        match self {
            Self::Publish(error) => error.plugin_failure(),
            Self::Plugin(failure) => Some(failure),
            _ => None,
        }
    }

    pub(crate) fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Usage(_) | Self::Read { .. } | Self::NotFound { .. } => ExitStatus::Usage,
            Self::Deploy(error) => match **error {
                DeployError::Foreign(_) | DeployError::NoBucket(_) => ExitStatus::Usage,
                _ => ExitStatus::Failure,
            },
            Self::System(_) | Self::Write { .. } | Self::Listen { .. } | Self::Aws(_) | Self::Step(_) => {
                ExitStatus::Failure
            }
            Self::Interrupted(_) => ExitStatus::Interrupted,
            Self::Plugin(failure) => failure.kind().into(),
            Self::Package(error) => error.kind().into(),
            Self::Publish(PublishError::Drifted(_)) => ExitStatus::Denied,
            // The path was typed or configured wrongly.
            Self::Publish(PublishError::Source(
                SourceError::Directory(DirectoryError::Missing(_) | DirectoryError::NotDirectory(_))
                | SourceError::Archive(ArchiveError::Missing(_))
                | SourceError::NothingBelow { .. },
            )) => ExitStatus::Usage,
            Self::Publish(error) => error.kind().into(),
        }
    }
}
