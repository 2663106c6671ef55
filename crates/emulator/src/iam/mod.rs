//! Identities: users, roles, groups, access keys and sessions, and their permissions.
//!
//! Deviations from AWS:
//! - The account's root can assume roles that trust it, since here it stands for a developer's own administrator
//!   credentials. AWS does not allow root users to assume roles.
//! - A caller always needs its own permission to assume a role, even if a trust policy names it directly.
//! - A trust policy names users and roles by ARN only. AWS also stores their IDs, so that it does not trust a new entity
//!   with the name of a deleted one.
//! - Only buckets have resource policies, and there are no organizations.
//! - Trust policies for services and identity providers are stored, but no caller can use them.
//! - Names are unique regardless of case, but are found only in their original case.
//! - Changes take effect at once. AWS needs seconds to propagate them.
//! - The API supports the actions that `api` lists. Quotas are AWS's defaults, except that the number of users, groups,
//!   roles and policies is not limited.

mod api;
pub(crate) mod arn;
mod assume;
mod aws_managed;
mod caller;
pub(crate) mod clock;
mod condition;
mod context;
pub(crate) mod document;
mod error;
mod evaluate;
mod group;
mod json;
mod kind;
mod managed;
mod name;
mod pattern;
mod permission;
mod policy;
mod principal;
mod provider;
mod quota;
mod record;
mod role;
mod scope;
mod seed;
mod service;
mod session;
pub mod signature;
mod state;
mod table;
mod user;
mod web_identity;

pub use arn::ACCOUNT_ID;
pub use assume::{AssumeError, AssumeRoleRequest, AssumedRole};
pub use caller::{AccessDenied, AccessRequest, Caller, CallerIdentity};
pub use clock::IamClock;
pub use error::{IamError, Obstacle};
pub use name::EntityPath;
pub use scope::{ScopeError, ScopeRequest, ScopedCredentials};
pub use seed::AccessKey;
pub use service::{IamService, SecretLookup, TokenError};
pub use session::TemporaryCredentials;
pub use web_identity::{TokenRefusal, VerifiedToken};
