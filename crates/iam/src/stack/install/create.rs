//! The changes that create a stack or bring it up to date.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_core::location::Bucket;
use tidegate_core::sanitize::sanitize_name;

use super::error::InstallError;
use super::found::FoundStack;
use super::notification::{check_overlap, entries};
use super::queue::ensure_mappings;
use super::role::{delete_stale_roles, ensure_role};
use crate::changes::{
    BucketChange, Change, FunctionChange, FunctionSettings, InvokePermission, LogGroupChange, NotificationEntry,
    QueueChange, RetrySettings,
};
use crate::stack::model::Stack;
use crate::stack::settings::{DEAD_LETTER_SECONDS, HANDLER, RUNTIME};
use crate::stack::upload::UploadTrigger;

/// The changes of an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstallChanges {
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// Publisher roles that exist without the function's tag, and are left unchanged.
    pub unmanaged_roles: Vec<String>,
}

/// The changes that install a stack. `code` is the SHA-256 of the deployment package, in Base64 as Lambda returns it.
///
/// # Errors
/// [`InstallError`].
pub fn install(stack: &Stack, found: &FoundStack, code: &str) -> Result<InstallChanges, InstallError> {
    let owner = stack.function.name.as_str();
    check_owners(stack, found)?;
    let mut unmanaged_roles = Vec::new();
    let mut changes = Vec::new();
    if let Some(role) = stack.own_execution_role() {
        ensure_role(&mut changes, role, stack, found)?;
    }
    for publisher in &stack.publishers {
        if found.roles.get(&publisher.name).is_some_and(|role| role.owner.as_deref() != Some(owner)) {
            unmanaged_roles.push(publisher.name.clone());
        } else {
            ensure_role(&mut changes, publisher, stack, found)?;
        }
    }
    ensure_queue(&mut changes, stack, found);
    ensure_log_group(&mut changes, stack, found);
    ensure_function(&mut changes, stack, found, code);
    ensure_url(&mut changes, stack, found);
    ensure_mappings(&mut changes, stack, found)?;
    ensure_notifications(&mut changes, stack, found)?;
    delete_stale_roles(&mut changes, stack, found);
    Ok(InstallChanges { changes, unmanaged_roles })
}

fn check_owners(stack: &Stack, found: &FoundStack) -> Result<(), InstallError> {
    let function = stack.function.name.as_str();
    let execution_role = stack.own_execution_role().map(|role| role.name.as_str()).unwrap_or_default();
    for (kind, name, owner) in [
        ("function", function, found.function.as_ref().map(|function| &function.owner)),
        ("queue", &stack.dead_letters, found.queue.as_ref().map(|queue| &queue.owner)),
        ("log group", &stack.log_group, found.log_group.as_ref().map(|group| &group.owner)),
        ("role", execution_role, found.roles.get(execution_role).map(|role| &role.owner)),
    ] {
        if owner.is_some_and(|owner| owner.as_deref() != Some(function)) {
            return Err(InstallError::Unmanaged { kind, name: name.to_owned(), function: function.to_owned() });
        }
    }
    Ok(())
}

fn ensure_queue(changes: &mut Vec<Change>, stack: &Stack, found: &FoundStack) {
    let (queue, owner) = (stack.dead_letters.clone(), stack.function.name.to_string());
    match &found.queue {
        None => changes.push(Change::Queue(QueueChange::CreateQueue { queue, owner })),
        Some(current) if current.retention != Some(DEAD_LETTER_SECONDS) || !current.encrypted => {
            changes.push(Change::Queue(QueueChange::SetQueue { queue, url: current.url.clone() }));
        }
        Some(_) => {}
    }
}

fn ensure_log_group(changes: &mut Vec<Change>, stack: &Stack, found: &FoundStack) {
    let (group, days) = (stack.log_group.clone(), stack.function.log_retention.get());
    if found.log_group.is_none() {
        let owner = stack.function.name.to_string();
        changes.push(Change::LogGroup(LogGroupChange::CreateLogGroup { group: group.clone(), owner }));
    }
    if found.log_group.as_ref().and_then(|found| found.days) != Some(days) {
        changes.push(Change::LogGroup(LogGroupChange::SetRetention { group, days }));
    }
}

fn ensure_function(changes: &mut Vec<Change>, stack: &Stack, found: &FoundStack, code: &str) {
    let mut push = |change| changes.push(Change::Function(change));
    let function = || stack.function.name.to_string();
    let code = code.to_owned();
    let architecture = stack.function.architecture;
    let settings = FunctionSettings {
        role: stack.execution_role_arn(),
        runtime: RUNTIME.to_owned(),
        handler: HANDLER.to_owned(),
        memory: stack.function.memory.get(),
        timeout: stack.function.timeout.get(),
    };
    match &found.function {
        None => push(FunctionChange::CreateFunction { function: function(), settings, architecture, code }),
        Some(current) => {
            if current.code != code || current.architecture != architecture.as_str() {
                push(FunctionChange::UpdateCode { function: function(), architecture, code });
            }
            if current.settings != settings {
                push(FunctionChange::UpdateFunction { function: function(), settings });
            }
        }
    }
    let retries = RetrySettings {
        retries: stack.function.retries.get(),
        event_age: stack.function.event_age.get(),
        dead_letters: stack.dead_letters_arn(),
    };
    if found.function.as_ref().and_then(|current| current.retries.as_ref()) != Some(&retries) {
        push(FunctionChange::SetRetries { function: function(), retries });
    }
    if found.function.as_ref().is_none_or(|current| current.recursion == Some(false)) {
        push(FunctionChange::AllowRecursion { function: function() });
    }
}

fn ensure_url(changes: &mut Vec<Change>, stack: &Stack, found: &FoundStack) {
    let mut push = |change| changes.push(Change::Function(change));
    let function = || stack.function.name.to_string();
    let current = found.function.as_ref();
    let has_url = current.is_some_and(|current| current.url);
    if stack.url && !has_url {
        push(FunctionChange::CreateUrl { function: function() });
    }
    for permission in [InvokePermission::UrlCalled, InvokePermission::UrlInvoked] {
        let sid = permission.sid();
        let is_permitted = current.is_some_and(|current| current.permissions.contains_key(&sid));
        match (stack.url, is_permitted) {
            (true, false) => push(FunctionChange::AddPermission { function: function(), permission }),
            (false, true) => push(FunctionChange::RemovePermission { function: function(), sid }),
            _ => {}
        }
    }
    if !stack.url && has_url {
        push(FunctionChange::DeleteUrl { function: function() });
    }
}

/// Lets each bucket of the configuration notify the function, and removes that from buckets that are no longer in it.
fn ensure_notifications(changes: &mut Vec<Change>, stack: &Stack, found: &FoundStack) -> Result<(), InstallError> {
    let (function, arn) = (stack.function.name.to_string(), stack.function_arn());
    let mut buckets: BTreeMap<&Bucket, Vec<&UploadTrigger>> = BTreeMap::new();
    for upload in &stack.uploads {
        buckets.entry(&upload.bucket).or_default().push(upload);
    }
    let permissions = found.function.as_ref().map(|current| current.permissions.clone()).unwrap_or_default();
    let mut needed = BTreeSet::new();
    for (bucket, uploads) in buckets {
        let permission = InvokePermission::Bucket {
            bucket: bucket.clone(),
            account: stack.place.account().to_owned(),
            partition: stack.partition.clone(),
        };
        needed.insert(permission.sid());
        if !permissions.contains_key(&permission.sid()) {
            changes.push(Change::Function(FunctionChange::AddPermission { function: function.clone(), permission }));
        }
        let entries = entries(&function, &arn, &uploads);
        let current = found.notifications.get(bucket).ok_or_else(|| InstallError::NoBucket(bucket.clone()))?;
        check_overlap(bucket, &entries, current, &arn)?;
        let mut ours: Vec<&NotificationEntry> = current.iter().filter(|entry| entry.is_ours(&arn)).collect();
        ours.sort_by(|a, b| a.id.cmp(&b.id));
        if ours.into_iter().ne(&entries) {
            check_targets(bucket, current, &arn, found)?;
            let (bucket, function) = (bucket.clone(), arn.clone());
            changes.push(Change::Bucket(BucketChange::SetNotifications { bucket, function, entries }));
        }
    }
    for (sid, bucket) in permissions {
        let is_stale = InvokePermission::is_of_bucket(&sid) && !needed.contains(&sid);
        let Some(bucket) = bucket.filter(|_| is_stale) else { continue };
        let current = found.notifications.get(&bucket).map(Vec::as_slice).unwrap_or_default();
        if current.iter().any(|entry| entry.is_ours(&arn)) {
            check_targets(&bucket, current, &arn, found)?;
            let (function, entries) = (arn.clone(), Vec::new());
            changes.push(Change::Bucket(BucketChange::SetNotifications { bucket, function, entries }));
        }
        changes.push(Change::Function(FunctionChange::RemovePermission { function: function.clone(), sid }));
    }
    Ok(())
}

/// Refuses to change the notifications of a bucket where the target of another one is gone.
fn check_targets(
    bucket: &Bucket,
    current: &[NotificationEntry],
    function: &str,
    found: &FoundStack,
) -> Result<(), InstallError> {
    let mut others = current.iter().filter(|entry| !entry.is_ours(function));
    match others.find(|entry| found.missing_targets.contains(&entry.target)) {
        None => Ok(()),
        Some(entry) => Err(InstallError::MissingTarget {
            bucket: bucket.clone(),
            id: sanitize_name(&entry.id),
            target: sanitize_name(&entry.target),
        }),
    }
}
