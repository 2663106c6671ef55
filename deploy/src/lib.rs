//! Tidegate's acting half: reads sources, asks and changes AWS. One module a service, each the only one to name its SDK.
//!
//! Decides nothing that `tidegate-host` can decide. Modules are listed in the order in which data meets them.

mod cloud;
mod connection;
mod sts;
mod iam;
mod s3;
mod github;
pub mod source;
mod chain;
#[cfg(feature = "package")]
mod components;
mod state;
mod survey;
mod execute;
mod cloudfront;
mod invalidate;
pub mod progress;
pub mod publish;
pub mod trigger;
#[cfg(feature = "package")]
pub mod package;
pub mod check;
pub mod provision;
#[cfg(feature = "install")]
pub mod install;

pub use chain::{Chain, ChainError, Workshop};
pub use cloud::CloudError;
#[cfg(feature = "package")]
pub use components::{ComponentError, Components, Library};
pub use connection::Connection;
pub use github::GithubError;
pub use iam::{Asked, Decided, Iam, RoleTold, Roles, UserTold};
pub use s3::{CopySource, ListError, S3};
pub use state::StateError;
pub use sts::{Caller, Sts};
pub use survey::SurveyError;
