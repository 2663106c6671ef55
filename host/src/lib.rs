//! Tidegate's deciding half: values in, values out.
//!
//! Runs plugins, computes plans, policies and paths. It knows no AWS, no environment and no clock; the one exception is
//! the deadline of a plugin's run, which `plugin` measures. Modules are listed in the order in which data meets them.

mod spoken;
pub mod timestamp;
pub mod config;
pub mod location;
mod arn;
pub mod key;
pub mod build;
pub mod request;
pub mod trigger;
pub mod webhook;
pub mod github;
pub mod identity;
pub mod headers;
pub mod redirect;
pub mod artifact;
pub mod content;
pub mod desired;
pub mod finding;
pub mod plugin;
pub mod release;
pub mod manifest;
pub mod lease;
pub mod listing;
pub mod merge;
pub mod diff;
pub mod plan;
pub mod writing;
pub mod document;
pub mod grant;
pub mod provision;
pub mod account;
pub mod name;
pub mod issued;
pub mod audit;
pub mod invalidation;
pub mod verdict;
pub mod fault;
mod outcome;
pub mod report;
pub mod journal;
pub mod succession;
pub mod restore;
pub mod package;
