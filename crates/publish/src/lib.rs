//! Publishes sites: reads sources and S3, and writes what `tidegate-core` has decided.

pub mod aws_error;
mod connection;
mod sts;
pub mod s3;
pub mod source;
pub mod plugins;
#[cfg(feature = "compile")]
pub mod components;
pub mod state;
pub mod cloudfront;
pub mod progress;
pub mod publish;

pub use aws_error::AwsError;
#[cfg(feature = "compile")]
pub use components::{ComponentError, ComponentLoader, PluginFiles};
pub use connection::Connection;
pub use plugins::{PluginLoader, SitePlugins, SitePluginsError};
pub use s3::{CopySource, ListError, S3};
pub use state::StateError;
pub use sts::{Sts, StsCaller};
