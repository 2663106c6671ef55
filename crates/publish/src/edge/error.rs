//! Why an edge cannot be installed or removed.

use std::time::Duration;

use tidegate_core::config::{DistributionId, SiteName};
use tidegate_core::error_kind::ErrorKind;

use super::probe::EdgeAnswer;
use crate::aws_error::AwsError;

/// Why an edge cannot be installed or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EdgeError {
    /// Its origin is the website endpoint.
    #[error(
        "the distribution `{0}` reads the website endpoint `{1}`, which answers before the function can: use the REST endpoint of the bucket with an origin access control"
    )]
    Website(DistributionId, String),
    /// Its origin is read without credentials.
    #[error(
        "the distribution `{0}` reads `{1}` without an origin access control, so anyone could read what the function hides: create one, and allow the distribution in the bucket policy"
    )]
    Public(DistributionId, String),
    /// Its origin is not the bucket.
    #[error(
        "the default behavior of the distribution `{0}` reads `{1}`, not the bucket of the site: correct `cdn` or `target`"
    )]
    OtherOrigin(DistributionId, String),
    /// Its origin has another path.
    #[error(
        "the origin of the distribution `{id}` has the path `{found}`, the configuration says `{configured}`: correct `origin-path`"
    )]
    OriginPath {
        /// The distribution.
        id: DistributionId,
        /// Its origin's path.
        found: String,
        /// The configured one.
        configured: String,
    },
    /// A function of others.
    #[error(
        "the distribution `{id}` runs the function `{function}` at {event}, and CloudFront takes one: remove the association, or let that function call the code of `tidegate edge show --code` at its end"
    )]
    OtherFunction {
        /// The distribution.
        id: DistributionId,
        /// The event.
        event: &'static str,
        /// ARN of the function.
        function: String,
    },
    /// A Lambda function at a viewer event.
    #[error(
        "the distribution `{0}` runs the Lambda@Edge function `{1}` at a viewer event, where CloudFront then takes no CloudFront function: move it to an origin event, or remove it"
    )]
    ViewerLambda(DistributionId, String),
    /// A resource of others has the name.
    #[error(
        "the {kind} `{name}` exists and was not created for the site: choose another `function` in `[site.edge]`, or delete it"
    )]
    Unmanaged {
        /// `function`, `key value store`, `response headers policy`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The store belongs to another account than the distribution.
    #[error(
        "the store `{store}` belongs to another account than the distribution `{id}`, and a function reads stores of its own account only"
    )]
    Account {
        /// The distribution.
        id: DistributionId,
        /// The store.
        store: String,
    },
    /// There is nothing to repair.
    #[error("the edge of `{0}` is not installed; use `tidegate edge install {0}`")]
    NotInstalled(SiteName),
    /// Without the function, visitors would not find the pages.
    #[error(
        "visitors get pages of a release that only the function finds: set `releases = \"in-place\"` in `[site.edge]` of `{0}` and publish, then remove the edge"
    )]
    PagesOfRelease(SiteName),
    /// The function answers a probe wrongly.
    #[error(
        "the function `{function}` answers `{path}` with {found} instead of {expected}; it was not published, and visitors get the one before"
    )]
    WrongAnswer {
        /// The function.
        function: String,
        /// The path.
        path: String,
        /// Its answer.
        found: EdgeAnswer,
        /// The right one.
        expected: EdgeAnswer,
    },
    /// The function fails for a probe.
    #[error(
        "the function `{function}` fails for `{path}`: {why}; it was not published, and visitors get the one before"
    )]
    Fails {
        /// The function.
        function: String,
        /// The path.
        path: String,
        /// Why.
        why: String,
    },
    /// The function is too slow.
    #[error(
        "the function `{function}` uses {percent} % of the computing time that CloudFront allows for `{path}`, and {most} % is the limit of Tidegate; it was not published, and visitors get the one before"
    )]
    TooSlow {
        /// The function.
        function: String,
        /// The path.
        path: String,
        /// What it uses.
        percent: u32,
        /// The limit.
        most: u32,
    },
    /// Something did not become ready.
    #[error("{what} is not ready after {} seconds; run the same command again to continue", .after.as_secs())]
    NotReady {
        /// What.
        what: String,
        /// How long it took.
        after: Duration,
    },
    /// Something else wrote the store.
    #[error("another program wrote the key value store `{0}` at the same time; run the same command again")]
    Written(String),
    /// Something that the change is about does not exist any more.
    #[error("the {kind} `{name}` is gone; run the same command again")]
    Gone {
        /// `function`, `key value store`, `response headers policy`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// AWS.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl EdgeError {
    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::WrongAnswer { .. } | Self::Fails { .. } | Self::TooSlow { .. } => ErrorKind::Bug,
            Self::NotReady { .. } | Self::Written(_) | Self::Gone { .. } | Self::Aws(_) => ErrorKind::Cloud,
            _ => ErrorKind::Configuration,
        }
    }
}
