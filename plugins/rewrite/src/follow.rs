//! Finds redirect loops. Only paths of this site are followed.

use std::collections::{BTreeMap, BTreeSet};

use crate::redirects::{KeyRedirect, Redirects, candidates};

/// The loops of these redirects, each with its keys in order.
pub(crate) fn loops(redirects: &BTreeMap<String, KeyRedirect>, rules: &Redirects) -> Vec<Vec<String>> {
    // Each key has at most one target. So a walk that reaches one of its own steps is a loop, and a walk that reaches a
    // step of an earlier walk ends like that one.
    let mut known = BTreeSet::new();
    let mut loops = Vec::new();
    for start in redirects.keys() {
        let mut steps: Vec<String> = Vec::new();
        let mut next = Some(start.clone());
        while let Some(key) = next {
            if let Some(at) = steps.iter().position(|step| *step == key) {
                loops.push(steps.split_off(at));
                break;
            }
            if !known.insert(key.clone()) {
                break;
            }
            next = redirects.get(&key).and_then(|redirect| {
                // The website uses the first candidate that exists. If it is an object, the walk ends.
                let exists = |key: &String| redirects.contains_key(key) || rules.has(key);
                candidates(&redirect.to)?.into_iter().find(exists).filter(|key| redirects.contains_key(key))
            });
            steps.push(key);
        }
    }
    loops
}
