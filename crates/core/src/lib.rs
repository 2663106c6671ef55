//! The core of Tidegate: values in, values out.
//!
//! Everything that Tidegate decides is decided here: which objects to write, in which order, and what is denied. The crate
//! knows no AWS, clock or environment. `tidegate-publish` reads sources and S3, and does what this crate has decided.
//!
//! ```
//! use tidegate_core::config::Config;
//! use tidegate_core::key::Key;
//!
//! let config = Config::parse(
//!     r#"
//!     [[site]]
//!     name   = "docs"
//!     staged = "public"
//!     target = "s3://docs.acme.com/"
//!     sync   = [{ plugin = "mime" }]
//!     "#,
//! )?;
//! assert_eq!(config.site("docs")?.target.to_string(), "s3://docs.acme.com/");
//!
//! // Keys are checked once, at the boundary.
//! assert!(Key::new("guide/index.html").is_ok());
//! assert!(Key::new("guide/../index.html").is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | Modules | What they hold |
//! |---|---|
//! | [`config`] | the configuration file |
//! | [`key`], [`location`], [`arn`], [`timestamp`], [`iam_name`] | names and addresses, each parsed once |
//! | [`staged_build`], [`request`], [`webhook_delivery`] | what starts a run |
//! | [`artifact`], [`content`], [`identity`], [`headers`], [`redirect`], [`declared`], [`listing_filter`] | a finished build |
//! | [`desired`], [`finding`], [`unicode_form`], [`run_facts`], [`plugin_usage`], [`plugin_failure`], [`malformed_answer`], [`plugin_signature`], [`observed`] | what sync plugins make of it |
//! | [`manifest`], [`stored_lines`], [`release`], [`lease`], [`restore`] | releases and their state |
//! | [`listing`], [`site_state`], [`diff`] | what a site holds, and how it differs |
//! | [`plan`], [`put_options`], [`plan_review`], [`approval`], [`policy_document`] | the plan, its review, and the permissions that it needs |
//! | [`invalidation`], [`report`], [`error_kind`] | what follows the writes |
//! | [`edge`] | the rules that a CloudFront function applies to requests |
//! | [`architecture`], [`lambda_package`] | the deployment package of the Lambda |
//! | [`sanitize`], [`text`] | text for people |

pub mod sanitize;
pub mod text;
pub mod timestamp;
pub mod config;
pub mod location;
pub mod arn;
pub mod key;
pub mod staged_build;
pub mod request;
pub mod webhook_delivery;
pub mod identity;
pub mod headers;
pub mod redirect;
pub mod edge;
pub mod declared;
pub mod artifact;
pub mod content;
pub mod desired;
pub mod execution_arn;
pub mod external_text;
pub mod finding;
pub mod listing_filter;
pub mod unicode_form;
pub mod run_facts;
pub mod plugin_usage;
pub mod plugin_signature;
pub mod observed;
pub mod architecture;
pub mod malformed_answer;
pub mod plugin_failure;
pub mod plan_review;
pub mod release;
pub mod stored_lines;
pub mod manifest;
pub mod lease;
pub mod listing;
mod compare;
mod renames;
pub mod site_state;
pub mod diff;
pub mod plan;
pub mod put_options;
pub mod policy_document;
pub mod invalidation;
pub mod approval;
pub mod error_kind;
mod outcome;
pub mod report;
pub mod restore;
pub mod iam_name;
pub mod kms_key;
pub mod lambda_package;
