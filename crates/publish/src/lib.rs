//! Publishes sites to S3 and CloudFront: reads sources and the site, and does what `tidegate-core` has decided.
//!
//! [`publish::Publisher`] is the entry point. It needs a [`Connection`] to AWS and a [`PluginLoader`].
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use tidegate_host::{CodePackage, Engine};
//! use tidegate_publish::progress::NoProgress;
//! use tidegate_publish::publish::Publisher;
//! use tidegate_publish::{Connection, PluginLoader};
//!
//! # async fn publisher() -> Result<Publisher, Box<dyn std::error::Error>> {
//! let connection = Connection::new(Connection::defaults().load().await, false);
//! let plugins = PluginLoader::Packaged(Engine::new()?, CodePackage::open(Path::new("compiled"))?);
//! let publisher = Publisher::new(connection, plugins, Arc::new(NoProgress));
//! # Ok(publisher)
//! # }
//! ```
//!
//! | Module | What it holds |
//! |---|---|
//! | [`publish`] | the flow: lock, open, transform, inspect, plan, approve, execute, invalidate, finalize |
//! | [`source`] | sources: a directory, a zip, a prefix in S3, a zip in S3 |
//! | [`s3`], [`cloudfront`], [`key_values`], [`executions`], `sts` | AWS, one SDK for each module |
//! | [`state`] | pointer, manifests, archived bodies and lease of a site |
//! | [`plugins`] | loading the plugins of a site |
//! | [`progress`] | progress events of a run |
//! | [`edge`] | installing the CloudFront function of a site |
//! | [`aws_error`] | errors of AWS: which call failed, on what, and why |
//!
//! The feature `compile` adds loading plugins from components. Without it, only code from a deployment package runs.

pub mod aws_error;
mod connection;
mod sts;
pub mod executions;
pub mod s3;
pub mod source;
pub mod plugins;
#[cfg(feature = "compile")]
pub mod components;
pub mod state;
pub mod cloudfront;
pub mod key_values;
pub mod progress;
pub mod publish;
pub mod edge;

pub use aws_error::AwsError;
#[cfg(feature = "compile")]
pub use components::{ComponentError, ComponentLoader, PluginFiles};
pub use connection::Connection;
pub use plugins::{PluginLoader, SitePlugins, SitePluginsError};
pub use s3::{CopySource, ListError, S3};
pub use state::StateError;
pub use sts::{SessionRequest, Sts, StsCaller};
pub use tokio_util::sync::CancellationToken;
