//! Tidegate's deciding half: values in, values out.
//!
//! Runs plugins, computes plans, policies and paths. It knows no AWS, no environment and no clock. Modules are listed in
//! the order in which data meets them.

pub mod spoken;
pub mod timestamp;
pub mod config;
pub mod location;
pub mod arn;
pub mod key;
pub mod build;
pub mod request;
pub mod delivery;
pub mod identity;
pub mod headers;
pub mod redirect;
pub mod artifact;
pub mod content;
pub mod desired;
pub mod finding;
pub mod facts;
pub mod usage;
pub mod target;
pub mod failure;
pub mod review;
pub mod release;
pub mod manifest;
pub mod lease;
pub mod listing;
pub mod merge;
pub mod diff;
pub mod plan;
pub mod writing;
pub mod policy_document;
pub mod invalidation;
pub mod verdict;
pub mod fault;
mod outcome;
pub mod report;
pub mod succession;
pub mod restore;
pub mod name;
pub mod package;
