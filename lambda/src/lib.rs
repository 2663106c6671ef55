//! Tidegate in AWS Lambda: publishes builds that are uploaded to S3, announced by a signed webhook, or stored as GitHub
//! artifacts.
//!
//! The program `bootstrap` passes every event to [`handler::EventHandler::handle`], and `tidegate invoke` does the same
//! locally.
//!
//! | Module | What it does |
//! |---|---|
//! | [`trigger`] | reads an event and matches it with sites |
//! | [`webhook`] | verifies a webhook and decides what it publishes |
//! | [`github`] | the parts of GitHub's API that a run uses |
//! | [`secrets`] | secrets in memory and in AWS |
//! | [`handler`] | acts on an event: answers, resolves, publishes, continues, reports |
//! | [`run_log`] | the log lines and metrics of a run |
//! | [`context`] | the time limits of an invocation |
#![cfg_attr(feature = "package", doc = "| [`package`] | makes the deployment package |")]
//!
//! [`trigger`] and [`webhook`] only read values and return values. [`handler`] does all calls to AWS.
//!
//! # Example
//!
//! What an S3 event publishes:
//!
//! ```
//! use serde_json::json;
//! use tidegate_core::config::Config;
//! use tidegate_lambda::trigger::{InvocationEvent, ParsedRecord, match_sites, read};
//!
//! let config = Config::parse(
//!     r#"
//!     [[site]]
//!     name   = "docs"
//!     builds = "s3://acme-artifacts/builds/docs/"
//!     target = "s3://docs.acme.com/"
//!     "#,
//! )?;
//! let event = json!({ "Records": [{
//!     "eventSource": "aws:s3",
//!     "eventVersion": "2.1",
//!     "eventName": "ObjectCreated:Put",
//!     "eventTime": "2026-11-22T10:00:00Z",
//!     "s3": { "bucket": { "name": "acme-artifacts" }, "object": { "key": "builds/docs/c0ffee.zip", "size": 5096 } },
//! }] });
//!
//! let InvocationEvent::Records { records, .. } = read(&event)? else { panic!("not an S3 event") };
//! let Ok(ParsedRecord::Stored(object)) = &records[0].content else { panic!("not an upload") };
//! let matched = match_sites(&config, object);
//! assert_eq!(matched.triggers[0].site.as_str(), "docs");
//! assert_eq!(matched.triggers[0].release, "c0ffee");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod context;
pub mod github;
pub mod handler;
#[cfg(feature = "package")]
pub mod package;
pub mod run_log;
pub mod secrets;
pub mod trigger;
pub mod webhook;
