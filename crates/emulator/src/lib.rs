//! A stand-in of AWS in one process: S3, STS, IAM, CloudFront, and what is read of Secrets Manager and the Parameter Store,
//! offline and with permissions enforced, for `--local`, `dev` and the tests. Never a dependency of what runs in the cloud: nothing in it is known to host, deploy or lambda.
//!
//! [`LocalAws`] is the way in.

pub mod account;
pub mod cloudfront;
mod database;
pub mod documents;
pub mod preview;
pub mod http;
pub mod iam;
mod query;
pub mod s3;
pub mod sts;
mod xml;

pub use account::{LocalAws, OpenError};
pub use database::DatabaseError;
