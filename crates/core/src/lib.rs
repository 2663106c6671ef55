//! Tidegate's deciding half: values in, values out.
//!
//! Runs plugins, computes plans, policies and paths. It knows no AWS, no environment and no clock. Modules are listed in
//! the order in which data meets them.

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
pub mod artifact;
pub mod content;
pub mod desired;
pub mod finding;
pub mod run_facts;
pub mod plugin_usage;
pub mod architecture;
pub mod plugin_failure;
pub mod plan_review;
pub mod release;
pub mod manifest;
pub mod lease;
pub mod listing;
mod compare;
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
pub mod lambda_package;
