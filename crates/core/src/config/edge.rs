//! `[site.edge]`: the CloudFront function of a site and the key value store that it reads.

use serde::{Deserialize, Serialize};

use super::value::{DistributionId, SiteName, ValueError};
use crate::arn::Arn;
use crate::edge::OnFailure;
use crate::key::Key;
use crate::location::{Location, Prefix};
use crate::sanitize::sanitize_name;

/// Longest name of a CloudFront function. Source: CloudFront API reference, `CreateFunction`.
const MAX_FUNCTION_NAME: usize = 64;

/// The edge of a site.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct EdgeConfig {
    /// The key value store. Without it, the edge is not installed yet: rules are planned, and nothing is written to it.
    pub store: Option<StoreArn>,
    /// The function; `tidegate-SITE` by default.
    pub function: Option<EdgeFunctionName>,
    /// How a release replaces the one before.
    pub releases: EdgeReleases,
    /// The dialect of `_redirects` and `_headers`.
    pub redirects: RulesDialect,
    /// Which spelling of a page's address visitors see.
    pub trailing_slash: TrailingSlash,
    /// The page for paths that the site does not have; `404.html` by default.
    pub not_found: Option<Key>,
    /// Whether `about.html` is also `/about`.
    pub clean_urls: bool,
    /// What visitors get if the function fails.
    pub on_failure: OnFailure,
    /// The page that answers every path without an extension that the site does not have.
    pub fallback: Option<Key>,
    /// Folders of assets whose names change with their content, beside the names that hold a fingerprint.
    pub shared: Vec<Prefix>,
    /// How many keys the function may read for one request.
    pub max_reads: MaxReads,
}

/// How a release replaces the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeReleases {
    /// Object by object.
    #[default]
    InPlace,
    /// All at once: its pages have a prefix of their own, and the store says which prefix is live.
    Atomic,
}

/// The host whose rules `_redirects` and `_headers` follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RulesDialect {
    /// Netlify.
    #[default]
    Netlify,
    /// Cloudflare Pages.
    Cloudflare,
}

/// Which spelling of a page's address visitors see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrailingSlash {
    /// Both: `/guide` and `/guide/` show the same page.
    #[default]
    Keep,
    /// `/guide` redirects to `/guide/`.
    Add,
    /// `/guide/` redirects to `/guide`.
    Strip,
}

/// How many keys the function may read for one request: every read costs money and time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub enum MaxReads {
    /// The pointer, and what the release says about the path.
    #[default]
    Two,
    /// Also the rules of the path's folder, where the pointer cannot hold all of them.
    Three,
}

/// The ARN of a CloudFront key value store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreArn(String);

/// The name of a CloudFront function.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EdgeFunctionName(String);

/// Why an edge cannot serve its site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EdgeConfigError {
    /// No `state`.
    #[error("its function needs to know which release is live; add `state` to the configuration")]
    State,
    /// No distribution.
    #[error("the site has no distribution; add one to `cdn`")]
    Distribution,
    /// The site is not at the root of a distribution.
    #[error("the distribution `{0}` shows more than the site; set its `origin-path` to the prefix of `{1}`")]
    OriginPath(DistributionId, Location),
    /// Distributions with different origin paths.
    #[error("its distributions have different origin paths; use the same `origin-path` for all of them")]
    OriginPaths,
}

impl EdgeConfig {
    /// The key of the page for paths that the site does not have.
    #[must_use]
    pub fn not_found(&self) -> &str {
        self.not_found.as_ref().map_or("404.html", Key::as_str)
    }

    /// Whether a release has its pages in a folder of its own. Without a store, no function can find them.
    #[must_use]
    pub fn is_atomic(&self) -> bool {
        self.releases == EdgeReleases::Atomic && self.store.is_some()
    }

    /// The name of the function of a site.
    #[must_use]
    pub fn function(&self, site: &SiteName) -> String {
        self.function.as_ref().map_or_else(|| format!("tidegate-{site}"), |name| name.as_str().to_owned())
    }
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            store: None,
            function: None,
            releases: EdgeReleases::default(),
            redirects: RulesDialect::default(),
            trailing_slash: TrailingSlash::default(),
            not_found: None,
            clean_urls: true,
            on_failure: OnFailure::default(),
            fallback: None,
            shared: Vec::new(),
            max_reads: MaxReads::default(),
        }
    }
}

impl TryFrom<u64> for MaxReads {
    type Error = ValueError;
    fn try_from(reads: u64) -> Result<Self, ValueError> {
        match reads {
            2 => Ok(Self::Two),
            3 => Ok(Self::Three),
            other => Err(ValueError::MaxReads(other)),
        }
    }
}

impl From<MaxReads> for u64 {
    fn from(reads: MaxReads) -> Self {
        match reads {
            MaxReads::Two => 2,
            MaxReads::Three => 3,
        }
    }
}

impl RulesDialect {
    /// As in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Netlify => "netlify",
            Self::Cloudflare => "cloudflare",
        }
    }
}

impl StoreArn {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The account that owns the store.
    #[must_use]
    pub fn account(&self) -> &str {
        Arn::parse(&self.0).map_or("", |arn| arn.account)
    }
}

impl EdgeFunctionName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for StoreArn {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let valid = Arn::parse(&text).is_some_and(|arn| {
            let id = arn.resource.strip_prefix("key-value-store/").unwrap_or_default();
            let is_id = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
            arn.service == "cloudfront" && arn.region.is_empty() && !id.is_empty() && id.chars().all(is_id)
        });
        if valid { Ok(Self(text)) } else { Err(ValueError::Store(sanitize_name(&text))) }
    }
}

impl From<StoreArn> for String {
    fn from(store: StoreArn) -> Self {
        store.0
    }
}

impl TryFrom<String> for EdgeFunctionName {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
        let valid = (1..=MAX_FUNCTION_NAME).contains(&text.len()) && text.chars().all(is_part);
        if valid { Ok(Self(text)) } else { Err(ValueError::EdgeFunction(sanitize_name(&text))) }
    }
}

impl From<EdgeFunctionName> for String {
    fn from(name: EdgeFunctionName) -> Self {
        name.0
    }
}
