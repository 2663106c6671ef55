//! Tidegate's acting half: reads sources, asks and changes AWS. One module a service, each the only one to name its SDK.
//!
//! Decides nothing that `tidegate-core` can decide. Modules are listed in the order in which data meets them.

pub mod cloud;
mod connection;
mod sts;
pub mod s3;
pub mod source;
pub mod chain;
#[cfg(feature = "compile")]
pub mod components;
pub mod state;
mod survey;
mod execute;
pub mod cloudfront;
mod invalidate;
pub mod progress;
pub mod publish;

pub use chain::{Chain, ChainError, Workshop};
pub use cloud::CloudError;
#[cfg(feature = "compile")]
pub use components::{ComponentError, Components, Library};
pub use connection::Connection;
pub use s3::{CopySource, ListError, S3};
pub use state::StateError;
pub use sts::{Caller, Sts};
pub use survey::SurveyError;
