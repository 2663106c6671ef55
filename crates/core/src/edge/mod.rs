//! The edge of a site: the rules that its CloudFront function applies to requests.

mod rules;

pub use rules::{
    EdgeHeaderRule, EdgeRedirect, EdgeRules, MAX_PATH_CHARACTERS, RuleError, RuleOrigin, RulePath, RuleStatus,
    RuleTarget, SlashMatch,
};
