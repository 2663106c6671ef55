//! What a release says about requests: the rules of its plugins and the paths of its site, as the function reads them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::function::POINTER_FORMAT;
use super::headers::HeaderPlan;
use crate::config::TrailingSlash;

/// What a release says about requests. It is stored with the release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReleaseEdge {
    /// By path without a `/` at its end: what is said about exactly this path, in order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub paths: BTreeMap<String, Vec<PathLine>>,
    /// Patterns of paths: the first match applies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<PatternLine>,
    /// Headers.
    #[serde(default)]
    pub headers: HeaderPlan,
    /// How visitors spell the addresses of pages.
    #[serde(default)]
    pub trailing_slash: TrailingSlash,
    /// Folders of shared assets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<String>,
    /// Whether a rule may apply to a shared asset.
    #[serde(default)]
    pub rules_for_assets: bool,
}

/// A line about one path: `file`, `folder`, or `STATUS[FLAG] TARGET`, where the flag `/` is only for the path with a `/` at
/// its end, and `.` only for the one without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PathLine(pub String);

/// A pattern. The function reads `[path, target, flags, area]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "PatternFields", into = "PatternFields")]
pub struct PatternLine {
    /// The paths, as in a rule.
    pub path: String,
    /// The target, with `{1}` for the first placeholder.
    pub target: String,
    /// The status, and `!` also where the site has the path, `=` for the spelling as written, `e` for paths without an
    /// extension only.
    pub flags: String,
    /// Paths that start with it are left alone.
    pub area: Option<String>,
}

/// The fields of a pattern as the function reads them, without an area that is not set.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PatternFields {
    Four(String, String, String, String),
    Three(String, String, String),
}

impl From<PatternFields> for PatternLine {
    fn from(fields: PatternFields) -> Self {
        match fields {
            PatternFields::Four(path, target, flags, area) => Self { path, target, flags, area: Some(area) },
            PatternFields::Three(path, target, flags) => Self { path, target, flags, area: None },
        }
    }
}

impl From<PatternLine> for PatternFields {
    fn from(PatternLine { path, target, flags, area }: PatternLine) -> Self {
        match area {
            Some(area) => Self::Four(path, target, flags, area),
            None => Self::Three(path, target, flags),
        }
    }
}

/// The release that the function serves.
#[derive(Debug, Serialize)]
struct EdgePointer<'a> {
    v: u32,
    n: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    r: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    t: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    x: u8,
    #[serde(skip_serializing_if = "is_zero")]
    f: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    g: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    h: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    a: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    w: &'a [PatternLine],
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(flag: &u8) -> bool {
    *flag == 0
}

impl ReleaseEdge {
    /// The value of the pointer. `folder` is the folder of the release below [`super::placement::RELEASES`], or empty for a
    /// site in place.
    ///
    /// # Errors
    /// Only if the value cannot be written as JSON, which is a bug in Tidegate.
    pub fn pointer(&self, number: u64, folder: &str) -> Result<String, serde_json::Error> {
        serde_json::to_string(&EdgePointer {
            v: POINTER_FORMAT,
            n: number,
            r: folder,
            t: match self.trailing_slash {
                TrailingSlash::Keep => "",
                TrailingSlash::Add => "add",
                TrailingSlash::Strip => "strip",
            },
            x: u8::from(!self.paths.is_empty()),
            f: u8::from(self.rules_for_assets),
            g: self.headers.set_name.as_deref(),
            h: self.headers.hsts(),
            a: &self.shared,
            w: &self.patterns,
        })
    }
}
