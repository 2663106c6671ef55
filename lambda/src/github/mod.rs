//! The parts of GitHub's API that a run uses: files of workflow runs and releases, and statuses of commits and
//! deployments.
//!
//! [`GithubFileRef`] and [`StatusSpec`] are values: they make request paths and bodies, and read response bodies. Only
//! `client` sends requests, and only with the token of one rule.
//!
//! Source: GitHub documentation, "REST API endpoints for GitHub Actions artifacts", "… for release assets", "… for
//! commit statuses" and "… for deployment statuses".

mod client;
mod commit;
mod download;
mod error;
mod file;
mod offline;
mod response;
mod status;

pub(crate) use client::Github;
pub use commit::{CommitId, CommitIdError};
pub use error::GithubError;
pub use file::{FileError, FileOrigin, GithubFile, GithubFileRef, MAX_FILE_BYTES};
pub use offline::OfflineGithub;
pub use status::{MAX_DESCRIPTION, RunState, StatusPost, StatusSpec, StatusSubject, summary};
