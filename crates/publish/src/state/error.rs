//! Errors of a site's state.

use tidegate_core::execution_arn::ExecutionArn;
use tidegate_core::external_text::ExternalText;
use tidegate_core::location::Location;
use tidegate_core::release::ReleaseId;
use tidegate_core::site_state::KeyIndexError;
use tidegate_core::stored_lines::LineError;

use super::fence::LeaseLost;
use crate::aws_error::AwsError;
use crate::s3::MAX_DOCUMENT;

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// S3 refused or failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A document is damaged, or has another format.
    #[error("cannot read `{url}`: {why}")]
    Document {
        /// The document's URL.
        url: String,
        /// The cause.
        why: String,
    },
    /// A document with a line for each object cannot be read.
    #[error(
        "cannot read the {document} of the release `{id}`: {error}; restore an earlier version of this object{}",
        alternative(document)
    )]
    Unreadable {
        /// Which of them.
        document: &'static str,
        /// The release.
        id: ReleaseId,
        /// The cause.
        error: LineError,
    },
    /// A document with a line for each object cannot be written.
    #[error("cannot store the {document} of the release `{id}`: {error}")]
    Unstorable {
        /// Which of them.
        document: &'static str,
        /// The release.
        id: ReleaseId,
        /// The cause.
        error: LineError,
    },
    /// A document that could not be read again.
    #[error("`{url}` would have {bytes} bytes, and at most {MAX_DOCUMENT} can be read")]
    TooLarge {
        /// The document's URL.
        url: String,
        /// Its size.
        bytes: usize,
    },
    /// The manifest of a release is missing.
    #[error(
        "the manifest of the release `{0}` is missing in the state; restore it, or delete `current.json` there to start over"
    )]
    ManifestMissing(ReleaseId),
    /// Another run publishes the site.
    #[error("another run holds the lease in `{0}` for the release `{1}`; try again later")]
    Locked(Location, ExternalText),
    /// An execution publishes the site.
    #[error(
        "the execution `{execution}` publishes the release `{release}`; wait until it ends, or stop it in Step Functions"
    )]
    Executing {
        /// The execution.
        execution: ExecutionArn,
        /// The release that it publishes.
        release: ExternalText,
    },
    /// An execution holds the lease, and whether it runs is unknown.
    #[error(
        "the lease in `{0}` belongs to an execution, and whether it runs is unknown: {1}; allow `states:DescribeExecution` for it"
    )]
    UnknownExecution(Location, Box<AwsError>),
    /// The lease was lost during the run.
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
    /// Another run wrote the state in the meantime.
    #[error("another run wrote the state `{0}` in the meantime; run the same command again")]
    Conflict(Location),
    /// A bug.
    #[error("the state cannot be written as JSON, which is a bug in Tidegate: {0}")]
    Json(#[from] serde_json::Error),
    /// A bug.
    #[error(transparent)]
    Index(#[from] KeyIndexError),
    /// Without random numbers, two holders of a lease could have the same name.
    #[error("cannot get random numbers from the system: {0}")]
    Random(getrandom::Error),
}

/// What else helps if a document is damaged.
fn alternative(document: &str) -> &'static str {
    match document {
        "plan" => ", or delete it: what that run wrote then counts as changed outside Tidegate",
        "shard" => ", or delete the index of its shards: what that run wrote then counts as changed outside Tidegate",
        "result" => ", or delete it: the next run then asks S3 for what it says",
        _ => ", or delete `current.json` in the state to start over",
    }
}
