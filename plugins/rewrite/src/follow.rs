//! Follows redirects as visitors do, to find those that never arrive.
//!
//! Owns loops and dangling targets. Only paths of this site are followed: what other hosts answer is not known.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_plugin::{Failure, Finding, Summary};

use crate::redirects::{Redirects, local_path};

/// The keys that targets of redirects may mean, and which of them the site has.
#[derive(Debug, Default)]
pub(crate) struct Targets(BTreeMap<String, bool>);

impl Targets {
    /// The keys that the targets of these redirects may mean.
    pub(crate) fn of(redirects: &Redirects) -> Self {
        let keys = redirects.targets().filter_map(|(_, to, _)| candidates(to)).flatten();
        Self(keys.map(|key| (key, false)).collect())
    }

    /// Takes note of a key of the site.
    pub(crate) fn see(&mut self, key: &str) {
        if let Some(seen) = self.0.get_mut(key) {
            *seen = true;
        }
    }

    fn has(&self, key: &str) -> bool {
        self.0.get(key) == Some(&true)
    }

    /// Says which redirects lead to nothing on this site.
    pub(crate) fn finish(&self, redirects: &Redirects, summary: &mut Summary) {
        for (from, to, rule) in redirects.targets() {
            let Some(candidates) = candidates(to) else {
                continue;
            };
            let arrives = candidates.iter().any(|key| self.has(key) || redirects.lead(key).is_some());
            if !arrives {
                let message = format!("`{from}` redirects to `{to}`, which is not on this site");
                summary.finding(Finding::warning("redirect-to-nothing", message).by(rule));
            }
        }
    }
}

/// Fails if a redirect leads back to itself.
pub(crate) fn check(redirects: &Redirects, targets: &Targets) -> Result<(), Failure> {
    // Each key leads to one other at the most, so a walk that meets its own steps has found a loop, and one that meets
    // the steps of an earlier walk ends as that one did.
    let mut known = BTreeSet::new();
    for start in redirects.leading_keys() {
        let mut steps = Vec::new();
        let mut next = Some(start.to_owned());
        while let Some(key) = next {
            if steps.contains(&key) {
                return Err(failure(redirects, &steps, &key));
            }
            if known.contains(&key) {
                break;
            }
            next = redirects.lead(&key).and_then(|(to, _)| {
                // The key as it is written comes first; an object of the site that has it ends the walk.
                let reached =
                    candidates(to)?.into_iter().find(|key| redirects.lead(key).is_some() || targets.has(key))?;
                redirects.lead(&reached).map(|_| reached)
            });
            steps.push(key);
        }
        known.extend(steps);
    }
    Ok(())
}

fn failure(redirects: &Redirects, steps: &[String], again: &str) -> Failure {
    let path: Vec<String> = steps.iter().skip_while(|key| *key != again).map(|key| format!("`/{key}`")).collect();
    let message =
        format!("redirects lead in a circle: {} and back to `/{again}`; remove one of them", path.join(" to "));
    let failure = Failure::new("redirect-loop", message).on(again);
    match redirects.lead(again) {
        Some((_, rule)) => failure.by(rule),
        None => failure,
    }
}

/// The keys by which a website finds a target, in the order in which it looks.
fn candidates(to: &str) -> Option<Vec<String>> {
    let path = local_path(to)?;
    let bare = path.trim_end_matches('/');
    Some(match (bare.is_empty(), path.ends_with('/')) {
        (true, _) => vec!["index.html".to_owned()],
        (false, true) => vec![format!("{bare}/index.html")],
        (false, false) => vec![bare.to_owned(), format!("{bare}/index.html")],
    })
}
