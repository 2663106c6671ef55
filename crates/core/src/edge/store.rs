//! What the key value store of a site holds: a pure function of the kept releases.
//!
//! The lines of a path say for which releases they hold, so they can be written before the pointer moves, and stay after a
//! rollback.

use std::collections::{BTreeMap, BTreeSet};

use super::function::MAX_VALUE;
use super::release::{PathLine, ReleaseEdge, ReleaseValues};
use super::switch::StoredEdge;
use crate::config::{MaxReads, SiteName};
use crate::release::ReleaseId;

/// Longest key, in bytes. Source: Amazon CloudFront developer guide, "Quotas".
const MAX_KEY: usize = 512;

/// Largest store that Tidegate fills, in bytes: 90 % of CloudFront's limit of 5 MB.
const MAX_STORE: usize = 4_500_000;

/// Most keys of one update. Same source.
const MAX_BATCH: usize = 50;

/// A kept release with its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEdge {
    /// The release.
    pub id: ReleaseId,
    /// What is stored about its edge.
    pub stored: StoredEdge,
}

/// The keys of a site.
pub type EdgeKeys = BTreeMap<String, String>;

/// One update of a store, which it applies as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyBatch {
    /// Keys to write.
    pub puts: Vec<(String, String)>,
    /// Keys to delete.
    pub deletes: Vec<String>,
}

impl KeyBatch {
    /// Two batches that do the same one after the other: deletes first, and the pointer, which is the last put, last.
    #[must_use]
    pub fn halves(&self) -> Option<(Self, Self)> {
        let half = (self.puts.len() + self.deletes.len()) / 2;
        if half == 0 {
            return None;
        }
        let (first_deletes, last_deletes) = self.deletes.split_at(half.min(self.deletes.len()));
        let (first_puts, last_puts) = self.puts.split_at(half - first_deletes.len());
        let batch =
            |puts: &[(String, String)], deletes: &[String]| Self { puts: puts.to_vec(), deletes: deletes.to_vec() };
        Some((batch(first_puts, first_deletes), batch(last_puts, last_deletes)))
    }
}

/// Something does not fit into the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EdgeSizeError {
    /// The pointer, with all rules.
    #[error(
        "{patterns} rules with placeholders have {bytes} bytes, and one value of the store has at most {MAX_VALUE}; list the paths one by one, remove rules, or divide them by folder with `max-reads = 3` in `[site.edge]`"
    )]
    Patterns {
        /// How many.
        patterns: usize,
        /// Bytes of the pointer.
        bytes: usize,
    },
    /// Rules that folders cannot divide.
    #[error(
        "{patterns} rules with placeholders have {bytes} bytes, and those that may match in one folder, or in any, have more than the {MAX_VALUE} of one value of the store; list the paths one by one, or remove rules"
    )]
    UndividedPatterns {
        /// How many.
        patterns: usize,
        /// Bytes of the pointer.
        bytes: usize,
    },
    /// The lines of a path.
    #[error(
        "the rules for `{path}` have {bytes} bytes in the kept releases, and the maximum is {MAX_VALUE}; shorten their targets, or keep fewer releases"
    )]
    Lines {
        /// The path.
        path: String,
        /// Bytes.
        bytes: usize,
    },
    /// A path.
    #[error(
        "the path `{path}` has a rule and {bytes} bytes, and the maximum is {MAX_KEY}; shorten it, or remove the rule"
    )]
    Path {
        /// The path.
        path: String,
        /// Bytes of its key.
        bytes: usize,
    },
    /// Header rules.
    #[error(
        "the header rules for some paths have {bytes} bytes, and those for one folder, or for any, have more than {MAX_VALUE}; move headers to `/*`, or remove rules"
    )]
    Headers {
        /// Bytes.
        bytes: usize,
    },
    /// The store.
    #[error(
        "the rules of the kept releases have {bytes} bytes, and the store takes {MAX_STORE}; remove rules, or keep fewer releases"
    )]
    Store {
        /// Bytes.
        bytes: usize,
    },
    /// A pointer that cannot be written: a bug in Tidegate.
    #[error("cannot write the pointer of the release {0}; report this as a bug in Tidegate")]
    Json(ReleaseId),
}

/// The key of a site's pointer.
#[must_use]
pub fn pointer_key(site: &SiteName) -> String {
    site.to_string()
}

/// What the store should hold. `kept` is in the order of ids, and `served` the one that visitors get. `held` is what it holds: a value that is right for all kept
/// releases stays, although another one would be shorter.
///
/// # Errors
/// [`EdgeSizeError`].
pub fn edge_keys(
    site: &SiteName,
    kept: &[KeptEdge],
    served: ReleaseId,
    held: &EdgeKeys,
) -> Result<EdgeKeys, EdgeSizeError> {
    let mut keys = EdgeKeys::new();
    for release in kept {
        let StoredEdge { folder, rules } = &release.stored;
        let values = |rules: &ReleaseEdge| {
            rules.values(release.id.number(), folder).map_err(|_| EdgeSizeError::Json(release.id))
        };
        let ReleaseValues { pointer, lists } = values(rules)?;
        if pointer.len() > MAX_VALUE {
            let (patterns, bytes) = (rules.patterns.len(), pointer.len());
            let divided = values(&ReleaseEdge { max_reads: MaxReads::Three, ..rules.clone() })?;
            let is_enough = divided.pointer.len() <= MAX_VALUE;
            return Err(match is_enough {
                true => EdgeSizeError::Patterns { patterns, bytes },
                false => EdgeSizeError::UndividedPatterns { patterns, bytes },
            });
        }
        if release.id == served {
            keys.insert(pointer_key(site), pointer);
        }
        if let Some(large) = lists.values().find(|list| list.len() > MAX_VALUE) {
            return Err(EdgeSizeError::Headers { bytes: large.len() });
        }
        for (name, list) in lists {
            let key = format!("{site}^{name}");
            if key.len() > MAX_KEY {
                return Err(EdgeSizeError::Path { path: name, bytes: key.len() });
            }
            keys.insert(key, list);
        }
    }
    let paths: BTreeSet<&String> = kept.iter().flat_map(|release| release.stored.rules.paths.keys()).collect();
    for path in paths {
        let key = format!("{site}:{path}");
        if key.len() > MAX_KEY {
            return Err(EdgeSizeError::Path { path: path.clone(), bytes: key.len() });
        }
        let value = match held.get(&key).filter(|value| is_right(value, path, kept)) {
            Some(value) => value.clone(),
            None => value_of(path, kept),
        };
        if value.len() > MAX_VALUE {
            return Err(EdgeSizeError::Lines { path: path.clone(), bytes: value.len() });
        }
        keys.insert(key, value);
    }
    let bytes = keys.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > MAX_STORE { Err(EdgeSizeError::Store { bytes }) } else { Ok(keys) }
}

fn lines_of<'a>(path: &str, release: &'a KeptEdge) -> &'a [PathLine] {
    release.stored.rules.paths.get(path).map_or(&[], Vec::as_slice)
}

/// The lines of a path, with the releases that they are for. The first and the last kept release stand for all before and
/// after them.
fn value_of(path: &str, kept: &[KeptEdge]) -> String {
    let mut value = String::new();
    let mut at = 0;
    while let Some(first) = kept.get(at) {
        let lines = lines_of(path, first);
        let rest = kept.get(at..).unwrap_or_default();
        let next = rest.iter().position(|other| lines_of(path, other) != lines).map(|equal| at + equal);
        let from = if at == 0 { String::new() } else { first.id.number().to_string() };
        let to =
            next.and_then(|next| kept.get(next)).map(|next| (next.id.number() - 1).to_string()).unwrap_or_default();
        for PathLine(line) in lines {
            if !value.is_empty() {
                value.push('\n');
            }
            value.push_str(&format!("{from}-{to} {line}"));
        }
        at = next.unwrap_or(kept.len());
    }
    value
}

/// Whether a value says the right thing about a path for every kept release.
fn is_right(value: &str, path: &str, kept: &[KeptEdge]) -> bool {
    kept.iter().all(|release| {
        let found = value.lines().filter_map(|line| line_for(line, release.id.number()));
        found.eq(lines_of(path, release).iter().map(|line| line.0.as_str()))
    })
}

fn line_for(line: &str, number: u64) -> Option<&str> {
    let (range, line) = line.split_once(' ')?;
    let (from, to) = range.split_once('-')?;
    let after = from.is_empty() || from.parse::<u64>().is_ok_and(|from| number >= from);
    let before = to.is_empty() || to.parse::<u64>().is_ok_and(|to| number <= to);
    (after && before).then_some(line)
}

/// The updates that make a store that holds `held` hold `wanted`, the pointer in the last one. Keys of other sites stay.
#[must_use]
pub fn key_batches(site: &SiteName, held: &EdgeKeys, wanted: &EdgeKeys) -> Vec<KeyBatch> {
    let pointer = pointer_key(site);
    let changed = |(key, value): &(&String, &String)| held.get(*key) != Some(*value);
    let puts = wanted.iter().filter(changed).filter(|(key, _)| **key != pointer);
    let mut changes: Vec<(String, Option<String>)> =
        puts.map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
    let gone = held.keys().filter(|key| is_own(site, key) && !wanted.contains_key(*key));
    changes.extend(gone.map(|key| (key.clone(), None)));
    let moved = wanted.get_key_value(&pointer).filter(changed);
    changes.extend(moved.map(|(key, value)| (key.clone(), Some(value.clone()))));
    // From the end, so that the last update is full: up to 49 changed rules go live with the pointer.
    let mut batches: Vec<KeyBatch> = changes.rchunks(MAX_BATCH).map(batch).collect();
    batches.reverse();
    batches
}

fn batch(changes: &[(String, Option<String>)]) -> KeyBatch {
    let mut batch = KeyBatch::default();
    for (key, value) in changes {
        match value {
            Some(value) => batch.puts.push((key.clone(), value.clone())),
            None => batch.deletes.push(key.clone()),
        }
    }
    batch
}

/// Whether a key belongs to the rules of a site. `docs!` says what is installed, and previews have names of their own.
#[must_use]
pub fn is_own(site: &SiteName, key: &str) -> bool {
    key.strip_prefix(site.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '^']))
}

#[cfg(test)]
mod tests {
    use super::super::release::ReleaseEdge;
    use super::*;

    fn release(number: u64, lines: &[(&str, &str)]) -> KeptEdge {
        let mut edge = ReleaseEdge::default();
        let folder = "r9".to_owned();
        for (path, line) in lines {
            edge.paths.entry((*path).to_owned()).or_default().push(PathLine((*line).to_owned()));
        }
        KeptEdge { id: format!("r{number}").parse().unwrap(), stored: StoredEdge { folder, rules: edge } }
    }

    fn site() -> SiteName {
        SiteName::try_from("docs".to_owned()).unwrap()
    }

    fn keys(kept: &[KeptEdge], held: &EdgeKeys) -> EdgeKeys {
        edge_keys(&site(), kept, kept.last().unwrap().id, held).unwrap()
    }

    #[test]
    fn lines_say_for_which_releases_they_hold() {
        let kept = [
            release(41, &[("/a", "301 /x"), ("/b", "301 /b1")]),
            release(44, &[("/a", "301 /x"), ("/b", "302 /b2")]),
            release(45, &[("/b", "302 /b2"), ("/c", "410")]),
        ];
        let keys = keys(&kept, &EdgeKeys::new());
        assert_eq!(keys.get("docs:/a").unwrap(), "-44 301 /x");
        assert_eq!(keys.get("docs:/b").unwrap(), "-43 301 /b1\n44- 302 /b2");
        assert_eq!(keys.get("docs:/c").unwrap(), "45- 410");
        assert_eq!(keys.get("docs").unwrap(), r#"{"v":1,"n":45,"r":"r9","x":1}"#);
    }

    #[test]
    fn values_that_are_right_stay() {
        let (r41, r44) = (release(41, &[("/a", "301 /x")]), release(44, &[("/a", "301 /y")]));
        let held = keys(&[r41, r44.clone()], &EdgeKeys::new());
        let next = release(46, &[("/a", "301 /y")]);
        let wanted = keys(&[r44, next], &held);
        assert_eq!(wanted.get("docs:/a").unwrap(), "-43 301 /x\n44- 301 /y");
        let batches = key_batches(&site(), &held, &wanted);
        assert_eq!(batches.len(), 1);
        assert_eq!(batches.first().unwrap().puts.len(), 1, "the pointer alone");
    }

    #[test]
    fn the_pointer_moves_last_and_other_sites_stay() {
        let lines: Vec<(String, String)> = (0..120).map(|n| (format!("/{n}"), format!("301 /x{n}"))).collect();
        let lines: Vec<(&str, &str)> = lines.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let wanted = keys(&[release(1, &lines)], &EdgeKeys::new());
        let mut held =
            EdgeKeys::from(["docs2", "docs2:/a", "docs!", "docs:/gone"].map(|key| (key.to_owned(), "1".to_owned())));
        let batches = key_batches(&site(), &held, &wanted);
        let sizes: Vec<usize> = batches.iter().map(|batch| batch.puts.len() + batch.deletes.len()).collect();
        assert_eq!(sizes, [22, 50, 50]);
        assert_eq!(batches.last().unwrap().puts.last().unwrap().0, "docs");
        for batch in batches {
            batch.deletes.iter().for_each(|key| drop(held.remove(key)));
            held.extend(batch.puts);
        }
        assert!(!held.contains_key("docs:/gone"));
        assert_eq!(held.len(), wanted.len() + 3);
        assert!(key_batches(&site(), &held, &wanted).is_empty());
    }
}
