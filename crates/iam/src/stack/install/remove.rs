//! Steps back: to an account without the function.
//!
//! Owns that only what was made here goes, what starts the function first. The site, the state and the artifacts are never touched.

use super::{FoundStack, InstallStep, ours, role};
use crate::stack::Stack;

/// The steps. What is there under one of the names and was not made here stays.
#[must_use]
pub fn uninstall(wanted: &Stack, found: &FoundStack) -> Vec<InstallStep> {
    let name = wanted.function.name.as_str();
    let mine = |owner: &Option<String>| owner.as_deref() == Some(name);
    let (mut steps, arn) = (Vec::new(), wanted.function_arn());
    for (bucket, entries) in &found.notifications {
        if entries.iter().any(|entry| ours(entry, &arn)) {
            let (bucket, function) = (bucket.clone(), arn.clone());
            steps.push(InstallStep::SetNotifications { bucket, function, entries: Vec::new() });
        }
    }
    if found.function.as_ref().is_some_and(|function| mine(&function.owner)) {
        if found.function.as_ref().is_some_and(|function| function.url) {
            steps.push(InstallStep::DeleteUrl { function: name.to_owned() });
        }
        steps.push(InstallStep::DeleteFunction { function: name.to_owned() });
    }
    for (name, role) in found.roles.iter().filter(|(_, role)| mine(&role.owner)) {
        role::remove(&mut steps, name, role.policies.keys());
    }
    if let Some(queue) = found.queue.as_ref().filter(|queue| mine(&queue.owner)) {
        steps.push(InstallStep::DeleteQueue { queue: wanted.dead_letters.clone(), url: queue.url.clone() });
    }
    if found.log.as_ref().is_some_and(|log| mine(&log.owner)) {
        steps.push(InstallStep::DeleteLogGroup { group: wanted.log_group.clone() });
    }
    steps
}
