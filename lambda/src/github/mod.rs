//! GitHub's API, as values: which requests are sent, what answers mean, which file is meant, what a status says.
//!
//! Owns paths, bodies and the reading of answers. Never sends anything and never holds a token. Source: GitHub documentation,
//! "REST API endpoints for GitHub Actions artifacts", "… for release assets", "… for commit statuses" and "… for deployment
//! statuses".

mod answer;
mod client;
mod download;
mod error;
mod file;
mod status;

pub use answer::{AnswerHead, AnswerMeaning, refusal};
pub(crate) use client::Github;
pub use error::GithubError;
pub use file::{FileError, GithubFile, MAX_FILE_BYTES};
pub use status::{MAX_DESCRIPTION, RunState, StatusPost, StatusSpec, StatusSubject, summary};

/// The version of the API that is spoken. Source: GitHub documentation, "API Versions".
pub const API_VERSION: &str = "2022-11-28";

/// How JSON is asked for.
pub const JSON: &str = "application/vnd.github+json";

/// How the bytes of a release's asset are asked for.
pub const BYTES: &str = "application/octet-stream";
