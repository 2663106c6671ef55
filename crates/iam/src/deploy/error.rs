//! Why a stack could not be installed, updated or deleted.

use tidegate_core::location::Bucket;
use tidegate_publish::AwsError;

use super::stack_state::StackPhase;

/// Why a stack could not be installed, updated or deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeployError {
    /// A request failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A request failed while CloudFormation carries out an operation.
    #[error("{cause}; the operation continues in CloudFormation, run the same command again to follow it")]
    Unfollowed {
        /// The request.
        cause: AwsError,
    },
    /// The stack has another template.
    #[error(
        "the stack `{0}` has no template of `tidegate template`: choose another name with `--stack-name`, or another `name` in `[function]`"
    )]
    Foreign(String),
    /// The stack cannot be updated.
    #[error("the stack `{name}` is in {status}: {remedy}")]
    Broken {
        /// The stack.
        name: String,
        /// Its status.
        status: String,
        /// What to do.
        remedy: &'static str,
    },
    /// CloudFormation refused the change set.
    #[error("CloudFormation cannot change the stack `{name}`: {reason}; nothing was changed")]
    ChangeSet {
        /// The stack.
        name: String,
        /// The reason.
        reason: String,
    },
    /// The change set was replaced or executed by another command.
    #[error(
        "the change set of the stack `{0}` was replaced by another `tidegate install`; nothing was changed, run the command again"
    )]
    Replaced(String),
    /// An operation failed, and was rolled back unless the status says otherwise.
    #[error("the stack `{name}` is in {status}: {reason}{}", remedy(status))]
    Failed {
        /// The stack.
        name: String,
        /// Its status.
        status: String,
        /// The first failure.
        reason: String,
    },
    /// A bucket of the configuration does not exist.
    #[error(
        "the bucket `{0}` does not exist in this region: check its name, and install the function in the region of its buckets"
    )]
    NoBucket(Bucket),
    /// The stack is protected.
    #[error(
        "the stack `{0}` has termination protection; switch it off with `aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name {0}`"
    )]
    Protected(String),
}

/// What the status after a failure means for the user.
fn remedy(status: &str) -> String {
    let remedy = match (status, StackPhase::of(status)) {
        ("DELETE_COMPLETE", _) => {
            "CloudFormation deleted what it had created, so install again once the cause is removed"
        }
        ("UPDATE_ROLLBACK_COMPLETE", _) => {
            "CloudFormation restored the stack, so install again once the cause is removed"
        }
        (_, StackPhase::Broken(remedy)) => remedy,
        _ => return String::new(),
    };
    format!("; {remedy}")
}
