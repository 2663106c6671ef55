//! Tidegate's acting half: reads sources, asks and changes AWS. One module a service, each the only one to name its SDK.
//!
//! Decides nothing that `tidegate-core` can decide. Modules are listed in the order in which data meets them.

pub mod aws_error;
mod connection;
mod sts;
pub mod s3;
pub mod source;
pub mod plugins;
#[cfg(feature = "compile")]
pub mod components;
pub mod state;
mod inspect;
mod execute;
pub mod cloudfront;
mod invalidate;
pub mod progress;
pub mod publish;

pub use aws_error::AwsError;
#[cfg(feature = "compile")]
pub use components::{ComponentError, ComponentLoader, Library};
pub use connection::Connection;
pub use inspect::InspectError;
pub use plugins::{PluginLoader, SitePlugins, SitePluginsError};
pub use s3::{CopySource, ListError, S3};
pub use state::StateError;
pub use sts::{Sts, StsCaller};
