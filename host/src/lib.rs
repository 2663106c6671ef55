//! Tidegate's deciding half: values in, values out.
//!
//! Runs plugins, computes plans, policies and paths. It knows no AWS, no environment and no clock; the one exception is
//! the deadline of a plugin's run, which `plugin` measures. Modules are listed in the order in which data meets them.

pub mod artifact;
pub mod config;
pub mod content;
pub mod desired;
pub mod diff;
pub mod document;
pub mod finding;
pub mod headers;
pub mod identity;
pub mod invalidation;
pub mod key;
pub mod listing;
pub mod location;
pub mod plan;
pub mod plugin;
pub mod redirect;
pub mod report;
pub mod request;
pub mod verdict;
pub mod writing;
