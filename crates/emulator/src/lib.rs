//! A local AWS emulator in one process: S3, STS, IAM and CloudFront, with permissions enforced. It serves `--local`,
//! `dev` and the tests, offline.
//!
//! [`LocalAws`] is an account. Point an AWS SDK at it with [`LocalAws::http_client`] and
//! [`LocalAws::root_credentials`], or serve it over a socket with [`LocalAws::serve`].
//!
//! ```
//! use aws_sdk_s3::config::{BehaviorVersion, Region};
//! use tidegate_emulator::LocalAws;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let account = LocalAws::in_memory()?;
//! let config = aws_sdk_s3::Config::builder()
//!     .behavior_version(BehaviorVersion::latest())
//!     .region(Region::new("us-east-1"))
//!     .force_path_style(true)
//!     .http_client(account.http_client())
//!     .credentials_provider(account.root_credentials())
//!     .build();
//! let s3 = aws_sdk_s3::Client::from_conf(config);
//! s3.create_bucket().bucket("site").send().await?;
//! s3.put_object().bucket("site").key("index.html").body(b"<h1>Hello</h1>".to_vec().into()).send().await?;
//! assert_eq!(s3.list_objects_v2().bucket("site").send().await?.key_count(), Some(1));
//! # Ok(())
//! # }
//! ```
//!
//! | Module | What it holds |
//! |---|---|
//! | [`s3`], [`sts`], [`iam`], [`cloudfront`] | the services |
//! | [`function`] | an engine that runs CloudFront functions |
//! | [`preview`] | an edge that serves a bucket as CloudFront would |
//! | [`http`] | how requests address services and buckets |

mod account;
pub mod cloudfront;
mod database;
mod documents;
pub mod function;
pub mod http;
pub mod iam;
pub mod preview;
mod query;
mod random;
mod router;
pub mod s3;
pub mod sts;
mod xml;

pub use account::{LocalAws, OpenError};
pub use database::DatabaseError;
