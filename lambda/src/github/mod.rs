//! GitHub's API, as values: which requests are sent, what answers mean, which file is meant, what a status says.
//!
//! Owns paths, bodies and the reading of answers. Never sends anything and never holds a token. Source: GitHub documentation,
//! "REST API endpoints for GitHub Actions artifacts", "… for release assets", "… for commit statuses" and "… for deployment
//! statuses".

mod client;
mod commit;
mod download;
mod error;
mod file;
mod response;
mod status;

pub(crate) use client::Github;
pub use commit::{CommitId, CommitIdError};
pub use error::GithubError;
pub use file::{FileError, FileOrigin, GithubFile, GithubFileRef, MAX_FILE_BYTES};
pub use response::{AnswerHead, AnswerMeaning, refusal};
pub use status::{MAX_DESCRIPTION, RunState, StatusPost, StatusSpec, StatusSubject, summary};
