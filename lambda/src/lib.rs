//! What a Lambda does: events, webhooks, GitHub, continuation, run log.

pub mod github;
pub mod run_log;
#[cfg(feature = "package")]
pub mod package;
pub mod trigger;
pub mod webhook;

pub use github::GithubError;
