//! Finds redirect loops, and redirects to paths that the site does not have. Only paths of this site are checked.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_plugin::{Failure, Finding, Summary};

use crate::redirects::{Redirect, Redirects, local_path};

/// The keys that redirect targets can resolve to, and whether the site has them.
#[derive(Debug, Default)]
pub(crate) struct Targets(BTreeMap<String, bool>);

impl Targets {
    /// The keys that the targets of these redirects can resolve to.
    pub(crate) fn new(redirects: &Redirects) -> Self {
        let keys = redirects.rules().iter().filter_map(|redirect| candidates(&redirect.to)).flatten();
        Self(keys.map(|key| (key, false)).collect())
    }

    /// Adds a key of the site.
    pub(crate) fn add(&mut self, key: &str) {
        if let Some(exists) = self.0.get_mut(key) {
            *exists = true;
        }
    }

    fn has(&self, key: &str) -> bool {
        self.0.get(key) == Some(&true)
    }

    /// Adds findings about redirects to paths that the site does not have.
    pub(crate) fn finish(&self, redirects: &Redirects, summary: &mut Summary) {
        for Redirect { from, to, rule, .. } in redirects.rules() {
            let exists = |key: &String| self.has(key) || redirects.target(key).is_some();
            if candidates(to).is_some_and(|keys| !keys.iter().any(exists)) {
                let message = format!("`{from}` redirects to `{to}`, which does not exist on this site");
                summary.finding(Finding::warning("redirect-to-nothing", message).with_rule(rule));
            }
        }
    }
}

/// Fails if a redirect leads back to itself in any number of steps.
pub(crate) fn check(redirects: &Redirects, targets: &Targets) -> Result<(), Failure> {
    // Each key has at most one target. So a walk that reaches one of its own steps is a loop, and a walk that reaches a
    // step of an earlier walk ends like that one.
    let mut known = BTreeSet::new();
    for start in redirects.keys() {
        let mut steps = Vec::new();
        let mut next = Some(start.to_owned());
        while let Some(key) = next {
            if steps.contains(&key) {
                return Err(failure(redirects, &steps, &key));
            }
            if known.contains(&key) {
                break;
            }
            next = redirects.target(&key).and_then(|target| {
                // The website uses the first candidate that exists. If it is an object, the walk ends.
                let exists = |key: &String| redirects.target(key).is_some() || targets.has(key);
                let reached = candidates(target.to)?.into_iter().find(exists)?;
                redirects.target(&reached).map(|_| reached)
            });
            steps.push(key);
        }
        known.extend(steps);
    }
    Ok(())
}

fn failure(redirects: &Redirects, steps: &[String], again: &str) -> Failure {
    let path: Vec<String> = steps.iter().skip_while(|key| *key != again).map(|key| format!("`/{key}`")).collect();
    let message = format!("redirect loop: {} to `/{again}`; remove one of them", path.join(" to "));
    let failure = Failure::new("redirect-loop", message).with_key(again);
    match redirects.target(again) {
        Some(target) => failure.with_rule(target.rule),
        None => failure,
    }
}

/// The keys that a website tries for a target, in order.
fn candidates(to: &str) -> Option<Vec<String>> {
    let path = local_path(to)?;
    let bare = path.trim_end_matches('/');
    Some(match (bare.is_empty(), path.ends_with('/')) {
        (true, _) => vec!["index.html".to_owned()],
        (false, true) => vec![format!("{bare}/index.html")],
        (false, false) => vec![bare.to_owned(), format!("{bare}/index.html")],
    })
}
