//! IAM policies, credentials and the AWS resources of Tidegate.
//!
//! Policies, changes and stacks are plain values: they can be printed and tested without AWS. Only [`apply`], [`check`] and
//! [`deploy`] send requests, through private clients that are the only code in this crate to use an AWS SDK.
//!
//! | Module | Contents |
//! |---|---|
//! | [`document`] | policy documents: formats and a linter; the document type itself is in `tidegate-core` |
//! | [`policies`] | generated least-privilege policies for sites, CI jobs, tools and people |
//! | [`changes`] | changes to an account, as values: users, groups, roles, policies, buckets |
//! | [`stack`] | what an account needs for the Lambda function, as templates |
//! | [`deploy`] | installing it as a CloudFormation stack |
//! | [`edge_template`] | the CloudFront function of a site, as a template |
//! | [`apply`] | reading what an account has, and making changes |
//! | [`preflight`] | what a site's publisher needs and should not have |
//! | [`check`] | asking AWS about it before the first upload |
//! | [`credentials`] | issued credentials and their output formats |
//!
//! The policy of a CI job that uploads releases, as Terraform:
//!
//! ```
//! use tidegate_iam::document::Partition;
//! use tidegate_iam::policies::{GrantFormat, uploader};
//!
//! let staging = "s3://acme-artifacts/staging/".parse()?;
//! let grant = uploader(&Partition::default(), &staging);
//! let text = GrantFormat::Terraform.write(&[grant])?;
//! assert!(text.contains(r#"resources = ["arn:aws:s3:::acme-artifacts/staging/*"]"#));
//! println!("{text}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod apply;
pub mod changes;
pub mod check;
mod client;
pub mod credentials;
pub mod deploy;
pub mod document;
pub mod edge_template;
pub mod policies;
pub mod preflight;
pub mod stack;

pub use client::{BucketClient, IamClient, RoleFilter, RoleInfo, UserInfo};
