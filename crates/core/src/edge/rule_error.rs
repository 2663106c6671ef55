//! Why a rule for requests is refused.

use super::header::EdgeHeaderError;
use super::spelling::MAX_PATH_CHARACTERS;
use crate::redirect::RedirectTargetError;

/// Why a rule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not a path.
    #[error("invalid path `{0}`; use a path that starts with one `/`, without query and fragment")]
    Path(String),
    /// No request has this path.
    #[error("no request has the path `{0}`, because browsers resolve `.`, `..` and empty segments; remove them")]
    Segment(String),
    /// More than [`MAX_PATH_CHARACTERS`].
    #[error("the path `{0}…` has {1} characters; use at most {MAX_PATH_CHARACTERS}")]
    TooLong(String, usize),
    /// More than one `*`.
    #[error("the path `{0}` has more than one `*`; use `:name` for single segments")]
    Splats(String),
    /// Not a status.
    #[error("the status {0} cannot be used at the edge; use 200, 301, 302, 303, 307, 308, 404 or 410")]
    Status(u16),
    /// No target.
    #[error("the rule for `{0}` has no target; add a path or an http(s) URL")]
    NoTarget(String),
    /// Not a target.
    #[error(transparent)]
    Target(#[from] RedirectTargetError),
    /// Content of another host.
    #[error(
        "content of other hosts cannot be served, as from `{0}`; redirect to it, or add it as an origin of the distribution"
    )]
    OtherHost(String),
    /// A placeholder in the host of a target: visitors would choose the host.
    #[error("the host of the target `{0}` must not have placeholders; write a rule for each host")]
    HostPlaceholder(String),
    /// A condition on the query that no request fulfils, or that cannot be written.
    #[error("invalid query parameter `{0}={1}`; write `name=value`, or `name=:placeholder` for any value")]
    Query(String, String),
    /// Two conditions on one parameter.
    #[error("the rule for `{0}` has two conditions on the query parameter `{1}`; remove one of them")]
    TwoConditions(String, String),
    /// A header that cannot be set.
    #[error(transparent)]
    Header(#[from] EdgeHeaderError),
    /// A rule for headers without headers.
    #[error("the rule for `{0}` neither adds nor removes a header; remove the rule")]
    NoHeader(String),
}
