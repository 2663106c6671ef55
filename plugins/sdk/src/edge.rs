//! Rules for requests, on a site with an edge: a CloudFront function.
//!
//! ```
//! use tidegate_plugin::edge::{self, EdgeDialect, RedirectRule};
//! use tidegate_plugin::{Failure, Pointer, Run};
//!
//! fn begin(run: &Run) -> Result<(), Failure> {
//!     if EdgeDialect::of(run)?.is_some() {
//!         let rule = RedirectRule::new("/old/*", 301, Some("/new/:splat"), &Pointer::root(), "moved");
//!         edge::add_redirects(&[rule])?;
//!     }
//!     Ok(())
//! }
//! ```

pub use crate::bindings::imports::tidegate::plugin::edge::{HeaderRule, InvalidRule, RedirectRule, RuleError};

#[cfg(not(target_family = "wasm"))]
use crate::added_rules as source;
#[cfg(target_family = "wasm")]
use crate::bindings::imports::tidegate::plugin::edge as source;
use crate::{Attribute, Failure, Pointer, Run};

/// Limit of rules in one call. Source: `wit/plugin.wit`.
const MAX_RULES: usize = 1_000;

/// The attribute of a run with the dialect. Source: `wit/plugin.wit`.
pub(crate) const ATTRIBUTE: &str = "edge.redirects";

/// How attributes of a redirect start that are conditions on the query. Source: `wit/plugin.wit`.
const QUERY_ATTRIBUTE: &str = "query.";

/// The host whose dialect `_redirects` and `_headers` have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeDialect {
    /// Netlify.
    Netlify,
    /// Cloudflare Pages.
    Cloudflare,
}

impl EdgeDialect {
    /// The dialect of the site; `None` if it has no edge.
    ///
    /// # Errors
    ///
    /// The host knows a dialect that this crate does not.
    pub fn of(run: &Run) -> Result<Option<Self>, Failure> {
        let value = run.attributes.iter().find(|attribute| attribute.name == ATTRIBUTE);
        match value.map(|attribute| attribute.value.as_str()) {
            None => Ok(None),
            Some("netlify") => Ok(Some(Self::Netlify)),
            Some("cloudflare") => Ok(Some(Self::Cloudflare)),
            Some(other) => {
                let message = format!(
                    "unknown dialect `{other}` of `redirects`; use `netlify` or `cloudflare`, or a newer plugin"
                );
                Err(Failure::new("unknown-dialect", message))
            }
        }
    }
}

impl RedirectRule {
    /// A rule that applies to exactly its path, unless the site has it.
    pub fn new(
        path: impl Into<String>,
        status: u16,
        target: Option<&str>,
        rule: &Pointer,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            target: target.map(str::to_owned),
            status,
            either_slash: false,
            force: false,
            rule: rule.to_string(),
            reason: reason.into(),
            attributes: Vec::new(),
        }
    }
}

impl RedirectRule {
    /// With a condition: the query of the request has this parameter with this value, or with any one if the value is
    /// `:name`, for which `:name` of the target stands.
    #[must_use]
    pub fn with_query(mut self, name: &str, value: &str) -> Self {
        self.attributes.push(Attribute::new(format!("{QUERY_ATTRIBUTE}{name}"), value));
        self
    }
}

impl HeaderRule {
    /// A rule that adds headers to responses for exactly its path.
    pub fn new(path: impl Into<String>, headers: Vec<Attribute>, rule: &Pointer, reason: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            either_slash: false,
            headers,
            removals: Vec::new(),
            rule: rule.to_string(),
            reason: reason.into(),
            attributes: Vec::new(),
        }
    }
}

/// Adds redirects and other answers after those that were added before.
///
/// # Errors
///
/// The host refuses a rule, or the site has no edge. The run is denied, so return it.
pub fn add_redirects(rules: &[RedirectRule]) -> Result<(), Failure> {
    for chunk in rules.chunks(MAX_RULES) {
        source::add_redirects(chunk)
            .map_err(|error| failure(&error, |index| chunk.get(index).map(|rule| &rule.rule)))?;
    }
    Ok(())
}

/// Adds headers after those that were added before.
///
/// # Errors
///
/// The host refuses a rule, or the site has no edge. The run is denied, so return it.
pub fn add_headers(rules: &[HeaderRule]) -> Result<(), Failure> {
    for chunk in rules.chunks(MAX_RULES) {
        source::add_headers(chunk).map_err(|error| failure(&error, |index| chunk.get(index).map(|rule| &rule.rule)))?;
    }
    Ok(())
}

fn failure<'a>(error: &RuleError, rule_at: impl Fn(usize) -> Option<&'a String>) -> Failure {
    match error {
        RuleError::NoEdge => Failure::new("no-edge", "the site has no edge; add `[site.edge]`"),
        RuleError::BudgetExhausted => {
            Failure::new("too-many-rules", "there are too many rules for requests; remove some")
        }
        RuleError::Invalid(InvalidRule { index, message }) => {
            let rule = usize::try_from(*index).ok().and_then(rule_at).cloned().unwrap_or_default();
            Failure { rule, ..Failure::new("invalid-rule", message.as_str()) }
        }
        RuleError::Other(message) => Failure::new("invalid-rule", message.as_str()),
    }
}
