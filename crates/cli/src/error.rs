//! How a command ends: its exit code, and the sentence for a person when something is wrong.
//!
//! Owns the exit codes. They are documented in the help and in `docs/commands.md`.

use std::process::ExitCode;

use tidegate_core::error_kind::ErrorKind;
use tidegate_core::report::Outcome;
use tidegate_iam::apply::ProvisionError;
use tidegate_iam::install::StepError;
use tidegate_lambda::package::PackagingError;
use tidegate_publish::AwsError;
use tidegate_publish::publish::PublishError;

/// How a command ended, from the best to the worst; the place in this list is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ExitStatus {
    /// 0: done, or nothing to do.
    Done,
    /// 1: denied, or on hold.
    Denied,
    /// 2: wrong usage or configuration.
    Usage,
    /// 3: failed, partial, or the CDN was not told.
    Failed,
}

impl ExitStatus {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(self as u8)
    }

    /// What an outcome means for whoever called.
    pub(crate) fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Live | Outcome::Unchanged | Outcome::Superseded => Self::Done,
            Outcome::Denied | Outcome::Held => Self::Denied,
            Outcome::LiveNotInvalidated | Outcome::Partial | Outcome::Failed => Self::Failed,
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// What was typed or configured is wrong.
    #[error("{0}")]
    Usage(String),
    /// The machine fails: a file, a socket, a thread.
    #[error("{0}")]
    System(String),
    /// A run ended before it had a plan.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// AWS refused something.
    #[error(transparent)]
    Cloud(#[from] AwsError),
    /// A step in an account failed.
    #[error(transparent)]
    Provision(Box<ProvisionError>),
    /// A step of an installation failed.
    #[error(transparent)]
    Install(Box<StepError>),
    /// There is no package.
    #[error(transparent)]
    Package(#[from] PackagingError),
}

impl From<ProvisionError> for CliError {
    fn from(error: ProvisionError) -> Self {
        Self::Provision(Box::new(error))
    }
}

impl From<StepError> for CliError {
    fn from(error: StepError) -> Self {
        Self::Install(Box::new(error))
    }
}

impl From<ErrorKind> for ExitStatus {
    fn from(fault: ErrorKind) -> Self {
        match fault {
            ErrorKind::Configuration => Self::Usage,
            // A plugin that fails denies the run.
            ErrorKind::Plugin => Self::Denied,
            ErrorKind::Artifact | ErrorKind::Cloud | ErrorKind::Bug => Self::Failed,
        }
    }
}

impl CliError {
    pub(crate) fn ending(&self) -> ExitStatus {
        match self {
            Self::Usage(_) => ExitStatus::Usage,
            Self::System(_) | Self::Cloud(_) | Self::Provision(_) | Self::Install(_) => ExitStatus::Failed,
            Self::Package(error) => error.kind().into(),
            Self::Publish(PublishError::Drifted(_)) => ExitStatus::Denied,
            Self::Publish(error) => error.kind().into(),
        }
    }

    /// Tells it: a sentence on standard error, or an object on standard output.
    pub(crate) fn print(&self, json: bool) {
        if json {
            let fault = match self.ending() {
                ExitStatus::Usage => "configuration",
                ExitStatus::Denied => "denied",
                ExitStatus::Done | ExitStatus::Failed => "failed",
            };
            println!("{}", serde_json::json!({ "error": self.to_string(), "fault": fault }));
        } else {
            let red = anstyle::AnsiColor::Red.on_default().bold();
            anstream::eprintln!("{red}error{red:#}: {self}");
        }
    }
}
