//! The changes that delete a stack.

use super::found::FoundStack;
use super::queue::delete_mapping;
use super::role::delete_role;
use crate::changes::{BucketChange, Change, FunctionChange, LogGroupChange, QueueChange};
use crate::stack::model::Stack;

/// The changes that delete what [`install`](super::install) created, what starts the function first. Resources without the
/// function's tag, sites, state and artifacts are kept.
#[must_use]
pub fn uninstall(stack: &Stack, found: &FoundStack) -> Vec<Change> {
    let name = stack.function.name.as_str();
    let is_ours = |owner: &Option<String>| owner.as_deref() == Some(name);
    let (mut changes, arn) = (Vec::new(), stack.function_arn());
    for (bucket, entries) in &found.notifications {
        if entries.iter().any(|entry| entry.is_ours(&arn)) {
            let (bucket, function, entries) = (bucket.clone(), arn.clone(), Vec::new());
            changes.push(Change::Bucket(BucketChange::SetNotifications { bucket, function, entries }));
        }
    }
    if let Some(current) = found.function.as_ref().filter(|current| is_ours(&current.owner)) {
        changes.extend(current.mappings.iter().map(|(queue, mapping)| delete_mapping(name, queue, mapping)));
        if current.url {
            changes.push(Change::Function(FunctionChange::DeleteUrl { function: name.to_owned() }));
        }
        changes.push(Change::Function(FunctionChange::DeleteFunction { function: name.to_owned() }));
    }
    for (name, role) in found.roles.iter().filter(|(_, role)| is_ours(&role.owner)) {
        delete_role(&mut changes, name, role);
    }
    if let Some(current) = found.queue.as_ref().filter(|current| is_ours(&current.owner)) {
        let (queue, url) = (stack.dead_letters.clone(), current.url.clone());
        changes.push(Change::Queue(QueueChange::DeleteQueue { queue, url }));
    }
    if found.log_group.as_ref().is_some_and(|current| is_ours(&current.owner)) {
        changes.push(Change::LogGroup(LogGroupChange::DeleteLogGroup { group: stack.log_group.clone() }));
    }
    changes
}
