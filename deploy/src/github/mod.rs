//! GitHub's API: the only place that speaks HTTP with anybody but AWS.
//!
//! Owns requests, redirects, repetitions and the token on its way. What is asked and what answers mean is
//! `tidegate_host::github`'s to say. No error and no log holds a token or a signed address.

mod client;
mod error;
mod file;

pub(crate) use client::Github;
pub use error::GithubError;
