//! Rules with placeholders by the folders of their paths, where one value of the store cannot hold all of them.
//!
//! A path has the rules of the longest folder that it is in, which are all rules that may match it, in their order; and the
//! general ones if it is in none.

use std::collections::{BTreeMap, BTreeSet};

/// A rule: its path, as the function spells it, and its JSON.
#[derive(Debug, Clone)]
pub(crate) struct GroupedRule {
    pub(crate) path: String,
    pub(crate) json: String,
}

/// Rules by folder. Folders have a `/` at their ends, and none at their starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RuleGroups {
    /// The list for paths in no folder, as JSON.
    pub(crate) general: String,
    /// The list of each folder.
    pub(crate) by_folder: BTreeMap<String, String>,
}

impl RuleGroups {
    /// Groups with as few folders as possible, such that `fits` accepts the general list with the folders, and each list
    /// has at most `most` bytes; `None` if no folders do.
    pub(crate) fn new(rules: &[GroupedRule], most: usize, fits: impl Fn(&str, &[String]) -> bool) -> Option<Self> {
        let mut folders: BTreeSet<String> = BTreeSet::new();
        loop {
            let general = list(rules.iter().filter(|rule| !folders.iter().any(|folder| is_below(rule, folder))));
            let by_folder: BTreeMap<String, String> =
                folders.iter().map(|folder| (folder.clone(), list_of(rules, folder, &folders))).collect();
            let large = by_folder.iter().find(|(_, list)| list.len() > most).map(|(folder, _)| folder.clone());
            let next = match large {
                Some(folder) => largest_folder(rules, &folder, &folders),
                None if fits(&general, &in_order(&folders)) => return Some(Self { general, by_folder }),
                None => largest_folder(rules, "", &folders),
            };
            folders.insert(next?);
        }
    }

    /// The folders in the order in which the function looks for the one of a path: a folder before those that it is in.
    pub(crate) fn folders(&self) -> Vec<String> {
        in_order(&self.by_folder.keys().cloned().collect())
    }
}

fn in_order(folders: &BTreeSet<String>) -> Vec<String> {
    folders.iter().rev().cloned().collect()
}

fn list<'a>(rules: impl Iterator<Item = &'a GroupedRule>) -> String {
    format!("[{}]", rules.map(|rule| rule.json.as_str()).collect::<Vec<_>>().join(","))
}

/// The rules that may match a path whose longest folder is this one.
fn list_of(rules: &[GroupedRule], folder: &str, folders: &BTreeSet<String>) -> String {
    let deeper = |other: &&String| other.starts_with(folder) && other.as_str() != folder;
    let is_elsewhere = |rule: &GroupedRule| folders.iter().filter(deeper).any(|other| is_below(rule, other));
    let may_match = |rule: &GroupedRule| is_below(rule, folder) || format!("/{folder}").starts_with(literal(rule));
    list(rules.iter().filter(|rule| may_match(rule) && !is_elsewhere(rule)))
}

/// The text of a rule's path before its first placeholder.
fn literal(rule: &GroupedRule) -> &str {
    let is_placeholder = |(at, character): &(usize, char)| {
        let next = rule.path.get(at + 1..).and_then(|rest| rest.chars().next());
        *character == '*' || *character == ':' && next.is_some_and(|next| next.is_ascii_alphabetic())
    };
    let end = rule.path.char_indices().find(is_placeholder).map_or(rule.path.len(), |(at, _)| at);
    rule.path.get(..end).unwrap_or_default()
}

/// Whether a rule matches only paths in a folder.
fn is_below(rule: &GroupedRule, folder: &str) -> bool {
    literal(rule).strip_prefix('/').is_some_and(|literal| literal.starts_with(folder))
}

/// The folder next below another one, in which the rules that are in no folder yet have the most bytes.
fn largest_folder(rules: &[GroupedRule], below: &str, folders: &BTreeSet<String>) -> Option<String> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for rule in rules.iter().filter(|rule| is_below(rule, below)) {
        let literal = literal(rule).strip_prefix('/').unwrap_or_default();
        let end = literal.get(below.len()..).and_then(|rest| rest.find('/')).map(|end| below.len() + end + 1);
        if let Some(folder) = end.and_then(|end| literal.get(..end)).filter(|folder| !folders.contains(*folder)) {
            *sizes.entry(folder).or_default() += rule.json.len();
        }
    }
    sizes
        .into_iter()
        .max_by_key(|(folder, size)| (*size, std::cmp::Reverse(*folder)))
        .map(|(folder, _)| folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str) -> GroupedRule {
        GroupedRule { path: path.to_owned(), json: format!("\"{path}\"") }
    }

    /// The lists that a path may have: each rule that can match it is in its list, in order.
    #[test]
    fn a_path_has_all_rules_that_may_match_it_in_order() {
        let paths = [
            "/docs/a/*",
            "/:x/y",
            "/docs/b/:c",
            "/docs/*",
            "/blog/:slug",
            "/blog/a/b/*",
            "/docs/a/b/*",
            "/docs-*",
            "/do*",
            "/*",
            "/blog/a/:x/c",
            "/c:8/*",
        ];
        let rules: Vec<GroupedRule> = paths.map(rule).into();
        for room in [20, 40, 60, 90, 200] {
            let fits = |general: &str, folders: &[String]| general.len() + folders.concat().len() <= room;
            let Some(groups) = RuleGroups::new(&rules, 90, fits) else {
                assert!(room < 60, "{room}");
                continue;
            };
            assert_eq!(groups.by_folder.is_empty(), room == 200, "{room}");
            assert!(groups.by_folder.values().all(|list| list.len() <= 90));
            for path in [
                "/",
                "/docs",
                "/docs/",
                "/docs/a",
                "/docs/a/b/c",
                "/docs/b/x",
                "/docs-x",
                "/blog/a/b/c",
                "/x/y",
                "/c:8/",
            ] {
                let folder =
                    groups.folders().into_iter().find(|folder| format!("{path}/").starts_with(&format!("/{folder}")));
                let list = folder.as_ref().map_or(&groups.general, |folder| &groups.by_folder[folder]);
                let may_match = |rule: &&GroupedRule| {
                    let literal = literal(rule);
                    path.starts_with(literal) || format!("{path}/").starts_with(literal)
                };
                let expected: Vec<String> = rules.iter().filter(may_match).map(|rule| rule.json.clone()).collect();
                let found: Vec<String> = serde_json::from_str::<Vec<String>>(list).unwrap();
                let found: Vec<String> = found.iter().map(|path| format!("\"{path}\"")).collect();
                let mut rest = found.iter();
                assert!(
                    expected.iter().all(|one| rest.any(|other| other == one)),
                    "{path} in {folder:?}: {found:?}, not {expected:?}"
                );
            }
        }
    }

    #[test]
    fn rules_for_all_folders_cannot_be_divided() {
        let rules: Vec<GroupedRule> = (0..20).map(|n| rule(&format!("/:a/x{n}"))).collect();
        assert_eq!(RuleGroups::new(&rules, 90, |general, _| general.len() <= 90), None);
        let same: Vec<GroupedRule> = (0..20).map(|n| rule(&format!("/a/:b/x{n}"))).collect();
        assert_eq!(RuleGroups::new(&same, 90, |general, _| general.len() <= 90), None);
    }
}
