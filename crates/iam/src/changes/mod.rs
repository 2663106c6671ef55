//! Changes to an AWS account, as values that can be printed before they are applied.
//!
//! [`Change`] is one change. The functions of this module return the changes that lead from what an account has
//! (`Found…`) to what is asked for (`…Spec`). [`crate::apply`] reads the former and applies the changes.

mod attachment;
mod bucket;
mod change;
mod ci_job;
mod credentials;
mod function;
mod group;
mod policy;
mod role;
mod trust;
mod user;

pub use attachment::{PolicyConflict, PolicyTargets, attach_policy, check_same_purpose, remove_policy};
pub(crate) use bucket::NOTIFICATION_ID_PREFIX;
pub use bucket::{BucketChange, NotificationEntry};
pub use change::Change;
pub use ci_job::{CiJobSpec, FoundCiJob, ensure_ci_job};
pub use credentials::{
    BucketSpec, CredentialsChange, CredentialsKind, CredentialsSpec, CredentialsSpecError, FoundBucket, FoundIdentity,
    PermissionsBoundary, SHARED_ROLE, SessionSeconds, SessionSecondsError, create_credentials,
};
pub use function::{FunctionChange, FunctionSettings, InvokePermission, LogGroupChange, QueueChange, RetrySettings};
pub use group::{FoundGroup, GroupChange, add_to_group, delete_group, ensure_group, remove_from_group};
pub use policy::{FoundPolicy, PolicyChange, PolicySpec, ensure_policy};
pub use role::RoleChange;
pub use trust::{ProviderChange, ensure_provider};
pub use user::{FoundUser, UserChange, delete_user};

/// The tag on every resource that `tidegate install` creates. Its value is the function's name.
pub const TAG: &str = "tidegate";
