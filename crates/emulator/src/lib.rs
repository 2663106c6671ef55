//! A local AWS emulator in one process: S3, STS, IAM and CloudFront, with permissions enforced. It serves `--local`,
//! `dev` and the tests, offline.
//!
//! [`LocalAws`] is an account. Point an AWS SDK at it with [`LocalAws::http_client`] and
//! [`LocalAws::root_credentials`], or serve it over a socket with [`LocalAws::serve`].

mod account;
pub mod cloudfront;
mod database;
mod documents;
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
