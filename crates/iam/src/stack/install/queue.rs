//! The changes to queues whose messages start the function, and to their event source mappings.

use std::collections::BTreeMap;

use super::error::InstallError;
use super::found::{FoundMapping, FoundStack};
use crate::changes::{Change, FunctionChange, QueueChange};
use crate::stack::model::Stack;

/// Lets the messages of each queue of the configuration start the function, and no others.
///
/// Lambda refuses a queue that hides messages for less than an invocation.
pub(super) fn ensure_mappings(
    changes: &mut Vec<Change>,
    stack: &Stack,
    found: &FoundStack,
) -> Result<(), InstallError> {
    let function = || stack.function.name.to_string();
    let none = BTreeMap::new();
    let mappings = found.function.as_ref().map_or(&none, |current| &current.mappings);
    let least = stack.function.timeout.queue_visibility();
    for queue in &stack.function.queues {
        let current = found.event_queues.get(queue).ok_or_else(|| InstallError::NoQueue(queue.clone()))?;
        if current.visibility < least {
            let (queue, url) = (queue.name().to_owned(), current.url.clone());
            changes.push(Change::Queue(QueueChange::SetVisibility { queue, url, seconds: least }));
        }
        let queue = queue.as_str().to_owned();
        let change = match mappings.get(&queue) {
            None => FunctionChange::CreateMapping { function: function(), queue },
            Some(FoundMapping { reports_failures: true, .. }) => continue,
            Some(mapping) => FunctionChange::UpdateMapping { function: function(), queue, uuid: mapping.uuid.clone() },
        };
        changes.push(Change::Function(change));
    }
    for (queue, mapping) in mappings {
        if stack.function.queues.iter().all(|configured| configured.as_str() != queue) {
            changes.push(delete_mapping(&function(), queue, mapping));
        }
    }
    Ok(())
}

/// Deletes a mapping, which would outlive its function.
pub(super) fn delete_mapping(function: &str, queue: &str, mapping: &FoundMapping) -> Change {
    let (function, queue, uuid) = (function.to_owned(), queue.to_owned(), mapping.uuid.clone());
    Change::Function(FunctionChange::DeleteMapping { function, queue, uuid })
}
