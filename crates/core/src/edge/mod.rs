//! The edge of a site: the CloudFront function that answers its visitors, and the rules that the function reads.
//!
//! [`plan_edge`] makes a [`ReleaseEdge`] of the rules of a release, and [`edge_keys`] the content of the key value store of
//! all kept releases. [`function_code`] is the function.

mod evaluate;
mod function;
mod groups;
mod header;
mod headers;
mod matcher;
mod paths;
mod pattern;
mod place;
mod placement;
mod query;
mod release;
mod rule_error;
mod rules;
mod spelling;
mod store;
mod switch;
mod table;

pub use evaluate::{EdgeEvaluator, EdgeOutcome};
pub use function::{MAX_FUNCTION_BYTES, OnFailure, POINTER_FORMAT, function_code};
pub use header::{EdgeHeaderError, MAX_HEADER_VALUE_BYTES, RESERVED_HEADERS};
pub use headers::HeaderPlan;
pub use place::{
    PlaceError, check_reserved, is_shared_key, is_versioned, only_folder, place, shown_key, versioned_key,
    without_folder,
};
pub use placement::{PREVIEWS, RELEASES, is_shared};
pub use query::QueryCondition;
pub use release::{PathLine, PatternLine, ReleaseEdge};
pub use rule_error::RuleError;
pub use rules::{EdgeHeaderRule, EdgeRedirect, EdgeRules, RuleOrigin, RulePath, RuleStatus, RuleTarget, SlashMatch};
pub use spelling::{MAX_PATH_CHARACTERS, encode_path, path_of_key, spell};
pub use store::{EdgeKeys, EdgeSizeError, KeptEdge, KeyBatch, edge_keys, is_own, key_batches, pointer_key};
pub use switch::{EdgeSwitch, StoredEdge};
pub use table::{EdgePlan, plan_edge};
