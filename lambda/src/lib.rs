//! What a Lambda does: events, webhooks, GitHub, continuation, run log.

pub mod context;
pub mod github;
pub mod handler;
pub mod run_log;
pub mod secrets;
#[cfg(feature = "package")]
pub mod package;
pub mod trigger;
pub mod webhook;

pub use github::GithubError;
