//! Changes to an AWS account, as values that can be printed before they are applied.
//!
//! [`Change`] is one change. The functions of this module return the changes that lead from what an account has
//! (`Found…`) to what is asked for (`…Spec`). [`crate::apply`] reads the former and applies the changes.

mod attachment;
mod bucket;
mod change;
mod ci_job;
mod credentials;
mod group;
mod policy;
mod role;
mod trust;
mod user;

pub use attachment::{PolicyConflict, PolicyTargets, attach_policy, check_same_purpose, remove_policy};
pub use bucket::BucketChange;
pub use change::Change;
pub use ci_job::{CiJobSpec, FoundCiJob, ensure_ci_job};
pub use credentials::{
    BucketSpec, CredentialsChange, CredentialsKind, CredentialsSpec, CredentialsSpecError, FoundBucket, FoundIdentity,
    PermissionsBoundary, SHARED_ROLE, SessionSeconds, SessionSecondsError, create_credentials,
};
pub use group::{FoundGroup, GroupChange, add_to_group, delete_group, ensure_group, remove_from_group};
pub use policy::{FoundPolicy, PolicyChange, PolicySpec, ensure_policy};
pub use role::{FoundRole, RoleChange};
pub use trust::{ProviderChange, ensure_provider};
pub use user::{FoundUser, UserChange, delete_user};

/// The tag on the resources of a stack, whose value is the function's name, and on the shared role of credentials.
pub const TAG: &str = "tidegate";
