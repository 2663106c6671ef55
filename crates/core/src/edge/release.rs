//! What a release says about requests: the rules of its plugins and the paths of its site, as the function reads them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::function::{FIRST_POINTER_FORMAT, MAX_VALUE, POINTER_FORMAT};
use super::groups::{GroupedRule, RuleGroups};
use super::headers::{HeaderPlan, set_name};
use crate::config::{MaxReads, TrailingSlash};

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
    /// How many keys the function may read for one request.
    #[serde(default, skip_serializing_if = "is_two")]
    pub max_reads: MaxReads,
}

/// A line about one path: `file`, `folder`, or `STATUS[FLAG] TARGET [CONDITIONS]`, where the flag `/` is only for the path
/// with a `/` at its end, and `.` only for the one without. Conditions are on the query, as [`super::query::encoded`] writes
/// them; then a rule without a target has `-`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PathLine(pub String);

/// A pattern. The function reads `[path, target, flags, area, conditions]`.
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
    /// Conditions on the query, or empty.
    pub query: String,
}

/// The fields of a pattern as the function reads them, without those at the end that are not set.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PatternFields {
    Five(String, String, String, String, String),
    Four(String, String, String, String),
    Three(String, String, String),
}

impl From<PatternFields> for PatternLine {
    fn from(fields: PatternFields) -> Self {
        let (path, target, flags, area, query) = match fields {
            PatternFields::Five(path, target, flags, area, query) => (path, target, flags, area, query),
            PatternFields::Four(path, target, flags, area) => (path, target, flags, area, String::new()),
            PatternFields::Three(path, target, flags) => (path, target, flags, String::new(), String::new()),
        };
        Self { path, target, flags, area: Some(area).filter(|area| !area.is_empty()), query }
    }
}

impl From<PatternLine> for PatternFields {
    fn from(PatternLine { path, target, flags, area, query }: PatternLine) -> Self {
        match area {
            area if !query.is_empty() => Self::Five(path, target, flags, area.unwrap_or_default(), query),
            Some(area) => Self::Four(path, target, flags, area),
            None => Self::Three(path, target, flags),
        }
    }
}

/// The release that the function serves.
#[derive(Debug, Clone, Serialize)]
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
    /// Folders with header rules of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    q: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    h: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    a: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    w: Vec<PatternLine>,
    /// The name of the lists of patterns by folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    o: Option<String>,
    /// Folders with patterns of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    p: Vec<String>,
}

/// What the store holds of a release beside the lines of single paths.
#[derive(Debug)]
pub(crate) struct ReleaseValues {
    /// The pointer.
    pub(crate) pointer: String,
    /// Lists of rules, by the end of their keys.
    pub(crate) lists: BTreeMap<String, String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(flag: &u8) -> bool {
    *flag == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_two(reads: &MaxReads) -> bool {
    *reads == MaxReads::Two
}

impl PathLine {
    /// The conditions on the query, or empty.
    pub(crate) fn query(&self) -> &str {
        self.0.split(' ').nth(2).unwrap_or_default()
    }
}

impl ReleaseEdge {
    fn has_conditions(&self) -> bool {
        self.patterns.iter().any(|pattern| !pattern.query.is_empty())
            || self.paths.values().flatten().any(|line| !line.query().is_empty())
    }

    /// The value of the pointer. `folder` is the folder of the release below [`super::placement::RELEASES`], or empty for a
    /// site in place.
    ///
    /// # Errors
    /// Only if the value cannot be written as JSON, which is a bug in Tidegate.
    pub fn pointer(&self, number: u64, folder: &str) -> Result<String, serde_json::Error> {
        Ok(self.values(number, folder)?.pointer)
    }

    /// The pointer, and lists of rules. Rules that one value cannot hold are in lists by folder, if that is possible with
    /// the reads that the function may use.
    pub(crate) fn values(&self, number: u64, folder: &str) -> Result<ReleaseValues, serde_json::Error> {
        let (mut lists, mut header_folders) = (BTreeMap::new(), Vec::new());
        if let (Some(name), Some(set)) = (&self.headers.set_name, &self.headers.set) {
            let fits = |general: &str, _: &[String]| general.len() <= MAX_VALUE;
            match RuleGroups::new(&header_rules(set)?, MAX_VALUE, fits) {
                Some(groups) => {
                    header_folders = groups.folders();
                    lists.insert(name.clone(), groups.general);
                    lists.extend(groups.by_folder.into_iter().map(|(folder, list)| (format!("{name}{folder}"), list)));
                }
                None => drop(lists.insert(name.clone(), set.clone())),
            }
        }
        let whole = EdgePointer {
            v: FIRST_POINTER_FORMAT,
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
            q: header_folders,
            h: self.headers.hsts(),
            a: &self.shared,
            w: self.patterns.clone(),
            o: None,
            p: Vec::new(),
        };
        // Functions that know neither conditions nor folders must not apply such rules to all requests, or none of them.
        let is_new = self.has_conditions() || !whole.q.is_empty();
        let whole = EdgePointer { v: if is_new { POINTER_FORMAT } else { FIRST_POINTER_FORMAT }, ..whole };
        let pointer = serde_json::to_string(&whole)?;
        if pointer.len() <= MAX_VALUE || self.max_reads == MaxReads::Two {
            return Ok(ReleaseValues { pointer, lists });
        }
        let (rules, name) = self.pattern_rules()?;
        let grouped = |general: &str, folders: &[String]| {
            let (o, p, w) = (Some(name.clone()), folders.to_vec(), serde_json::from_str(general)?);
            serde_json::to_string(&EdgePointer { v: POINTER_FORMAT, o, p, w, ..whole.clone() })
        };
        let fits = |general: &str, folders: &[String]| {
            grouped(general, folders).is_ok_and(|pointer| pointer.len() <= MAX_VALUE)
        };
        let Some(groups) = RuleGroups::new(&rules, MAX_VALUE, fits) else {
            return Ok(ReleaseValues { pointer, lists });
        };
        let pointer = grouped(&groups.general, &groups.folders())?;
        lists.extend(groups.by_folder.into_iter().map(|(folder, list)| (format!("{name}{folder}"), list)));
        Ok(ReleaseValues { pointer, lists })
    }

    /// The patterns one by one, and a name for all of them.
    fn pattern_rules(&self) -> Result<(Vec<GroupedRule>, String), serde_json::Error> {
        let rule = |line: &PatternLine| Ok(GroupedRule { path: line.path.clone(), json: serde_json::to_string(line)? });
        let rules = self.patterns.iter().map(rule).collect::<Result<_, serde_json::Error>>()?;
        Ok((rules, set_name(&serde_json::to_string(&self.patterns)?)))
    }
}

/// The rules of a set of headers one by one.
fn header_rules(set: &str) -> Result<Vec<GroupedRule>, serde_json::Error> {
    let rules: Vec<Value> = serde_json::from_str(set)?;
    let path = |rule: &Value| rule.get(0).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(rules.iter().map(|rule| GroupedRule { path: path(rule), json: rule.to_string() }).collect())
}
