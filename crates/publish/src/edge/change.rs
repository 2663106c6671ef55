//! One change to the edge of a site, as a value that can be printed before it is applied.

use std::fmt;

use serde::Serialize;
use tidegate_core::config::DistributionId;
use tidegate_core::edge::KeyBatch;
use tidegate_core::text::count;

use crate::cloudfront::DistributionEdit;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields are named after the parameters of the AWS API")]
pub enum EdgeChange {
    /// Create the key value store, and wait until it can be used.
    CreateStore { store: String },
    /// Write the keys of the site, which the function needs before visitors get it.
    PutKeys {
        store: String,
        puts: usize,
        deletes: usize,
        /// The version of the store that they are for; any, for a store that is new.
        #[serde(skip)]
        version: Option<String>,
        #[serde(skip)]
        batches: Vec<KeyBatch>,
    },
    /// Create the response headers policy.
    CreateHeadersPolicy { policy: String, headers: Vec<String> },
    /// Replace its headers.
    UpdateHeadersPolicy { policy: String, headers: Vec<String> },
    /// Create the function, in the stage `DEVELOPMENT`.
    CreateFunction { function: String },
    /// Replace its code and its store, in the stage `DEVELOPMENT`.
    UpdateFunction { function: String },
    /// Run the stage `DEVELOPMENT` with requests whose answers are known.
    TestFunction { function: String, requests: usize },
    /// Make `DEVELOPMENT` the stage that visitors get.
    PublishFunction { function: String },
    /// Change a distribution, and wait until all edge locations have the change.
    UpdateDistribution { distribution: DistributionId, edits: Vec<DistributionEdit> },
    /// Wait until all edge locations have an earlier change.
    AwaitDistribution { distribution: DistributionId },
    /// Clear the caches: visitors ask for other keys from now on.
    Invalidate { distribution: DistributionId },
    /// Delete the function.
    DeleteFunction { function: String },
    /// Delete the key value store with its keys.
    DeleteStore { store: String },
    /// Delete the response headers policy.
    DeleteHeadersPolicy { policy: String },
}

/// A phrase such as `run the function at viewer-request`.
impl fmt::Display for DistributionEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Associate { event, .. } => write!(f, "run the function at {}", event.as_str()),
            Self::Dissociate { event } => write!(f, "run no function at {}", event.as_str()),
            Self::SetErrorPage { error, page } => write!(f, "show `{page}` with 404 instead of {error}"),
            Self::RemoveErrorPage { error } => write!(f, "show no page instead of {error}"),
            Self::SetHeadersPolicy { .. } => f.write_str("add the headers of the policy"),
            Self::RemoveHeadersPolicy => f.write_str("add no headers"),
            Self::SetRootObject { object } => write!(f, "answer `/` with `{object}`"),
        }
    }
}

/// An imperative sentence without a full stop: `create the function tidegate-docs`.
impl fmt::Display for EdgeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |items: &[String]| items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ");
        match self {
            Self::CreateStore { store } => write!(f, "create the key value store `{store}`"),
            Self::PutKeys { store, puts, deletes: 0, .. } => {
                write!(f, "write {} to the key value store `{store}`", count(*puts, "key"))
            }
            Self::PutKeys { store, puts, deletes, .. } => {
                let puts = count(*puts, "key");
                write!(f, "write {puts} to the key value store `{store}`, and delete {deletes}")
            }
            Self::CreateHeadersPolicy { policy, headers } => {
                write!(f, "create the response headers policy `{policy}`: {}", list(headers))
            }
            Self::UpdateHeadersPolicy { policy, headers } => {
                write!(f, "replace the headers of the policy `{policy}`: {}", list(headers))
            }
            Self::CreateFunction { function } => write!(f, "create the function `{function}`"),
            Self::UpdateFunction { function } => write!(f, "replace the code of the function `{function}`"),
            Self::TestFunction { function, requests } => {
                write!(f, "test the function `{function}` with {requests} requests")
            }
            Self::PublishFunction { function } => write!(f, "publish the function `{function}`"),
            Self::UpdateDistribution { distribution, edits } => {
                let edits: Vec<String> = edits.iter().map(ToString::to_string).collect();
                write!(f, "change the distribution `{distribution}`: {}", edits.join("; "))
            }
            Self::AwaitDistribution { distribution } => {
                write!(f, "wait until the distribution `{distribution}` is deployed")
            }
            Self::Invalidate { distribution } => write!(f, "invalidate `/*` of the distribution `{distribution}`"),
            Self::DeleteFunction { function } => write!(f, "delete the function `{function}`"),
            Self::DeleteStore { store } => write!(f, "delete the key value store `{store}`"),
            Self::DeleteHeadersPolicy { policy } => write!(f, "delete the response headers policy `{policy}`"),
        }
    }
}
