//! From what an account needs to the steps that are missing: to make it, to bring it up to date, and to take it back.
//!
//! Owns the order, which makes every failure harmless: what is referred to comes before what refers to it, and the notifications
//! that start the function come last. What somebody else made is never changed: the tag [`TAG`](super::TAG) tells. Never takes a
//! step, and never asks AWS.

mod found;
mod notification;
mod remove;
mod role;
mod step;

use std::collections::{BTreeMap, BTreeSet};

use tidegate_core::location::Bucket;

use super::{Stack, UploadTrigger};
use crate::document::PolicyDocumentError;

pub use found::{FoundFunction, FoundLog, FoundQueue, FoundRetries, FoundRole, FoundStack};
pub use notification::{NotificationEntry, NotificationOverlap, ours, overlap};
pub use remove::uninstall;
pub use step::{FunctionSettings, InstallStep, InvokePermission};

/// Steps, and what is left as it is although it is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstallSteps {
    /// In their order.
    pub steps: Vec<InstallStep>,
    /// Publisher roles that somebody else made.
    pub kept: Vec<String>,
}

/// Why nothing is installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    /// Something of that name is there, and is not this installation's.
    #[error(
        "the {what} `{name}` is there and was not made by `tidegate install` for the function `{function}`: choose another `name` in `[function]`, or remove it"
    )]
    Theirs {
        /// `function`, `role`, `queue`, `log group`.
        what: &'static str,
        /// Its name.
        name: String,
        /// The function.
        function: String,
    },
    /// A bucket of the configuration.
    #[error(
        "the bucket `{0}` is not there, or not in this region: check its name, and that the function is where it is"
    )]
    NoBucket(Bucket),
    /// Two notifications of a bucket would be about one object, which S3 refuses.
    #[error(transparent)]
    Overlap(#[from] Box<NotificationOverlap>),
    /// A document that cannot be written.
    #[error(transparent)]
    Document(#[from] PolicyDocumentError),
}

/// The steps. `code` is the SHA-256 of the package, in Base64 as Lambda shows it.
///
/// # Errors
/// [`InstallError`]; nothing was done yet.
pub fn install(wanted: &Stack, found: &FoundStack, code: &str) -> Result<InstallSteps, InstallError> {
    let name = wanted.function.name.as_str();
    let theirs = |what, name: &str| InstallError::Theirs {
        what,
        name: name.to_owned(),
        function: wanted.function.name.to_string(),
    };
    for (what, there, owner) in [
        ("function", name, found.function.as_ref().map(|function| function.owner.as_deref())),
        ("queue", &wanted.dead_letters, found.queue.as_ref().map(|queue| queue.owner.as_deref())),
        ("log group", &wanted.log_group, found.log.as_ref().map(|log| log.owner.as_deref())),
        (
            "role",
            &wanted.execution_role.name,
            found.roles.get(&wanted.execution_role.name).map(|role| role.owner.as_deref()),
        ),
    ] {
        if owner.is_some_and(|owner| owner != Some(name)) {
            return Err(theirs(what, there));
        }
    }
    let mut steps = InstallSteps::default();
    role::make(&mut steps.steps, &wanted.execution_role, name, found)?;
    for publisher in &wanted.publishers {
        let there = found.roles.get(&publisher.name);
        if there.is_some_and(|role| role.owner.as_deref() != Some(name)) {
            steps.kept.push(publisher.name.clone());
            continue;
        }
        role::make(&mut steps.steps, publisher, name, found)?;
    }
    queue(&mut steps.steps, wanted, found);
    log(&mut steps.steps, wanted, found);
    function(&mut steps.steps, wanted, found, code);
    url(&mut steps.steps, wanted, found);
    uploads(&mut steps.steps, wanted, found)?;
    role::drop_stale(&mut steps.steps, wanted, found);
    Ok(steps)
}

fn queue(steps: &mut Vec<InstallStep>, wanted: &Stack, found: &FoundStack) {
    let queue = wanted.dead_letters.clone();
    let owner = wanted.function.name.to_string();
    match &found.queue {
        None => steps.push(InstallStep::CreateQueue { queue, owner }),
        Some(there) if !there.as_wanted() => steps.push(InstallStep::SetQueue { queue, url: there.url.clone() }),
        Some(_) => {}
    }
}

fn log(steps: &mut Vec<InstallStep>, wanted: &Stack, found: &FoundStack) {
    let (group, days) = (wanted.log_group.clone(), wanted.function.log_retention.get());
    if found.log.is_none() {
        steps.push(InstallStep::CreateLogGroup { group: group.clone(), owner: wanted.function.name.to_string() });
    }
    if found.log.as_ref().and_then(|log| log.days) != Some(days) {
        steps.push(InstallStep::SetRetention { group, days });
    }
}

fn function(steps: &mut Vec<InstallStep>, wanted: &Stack, found: &FoundStack, code: &str) {
    let name = wanted.function.name.to_string();
    let settings = FunctionSettings::of(wanted);
    let architecture = wanted.function.architecture;
    match &found.function {
        None => {
            let code = code.to_owned();
            steps.push(InstallStep::CreateFunction { function: name.clone(), settings, architecture, code });
        }
        Some(there) => {
            if there.code != code || there.architecture != architecture.as_str() {
                steps.push(InstallStep::UpdateCode { function: name.clone(), architecture, code: code.to_owned() });
            }
            if there.settings != settings {
                steps.push(InstallStep::UpdateFunction { function: name.clone(), settings });
            }
        }
    }
    let retries = FoundRetries {
        retries: wanted.function.retries.get(),
        event_age: wanted.function.event_age.get(),
        dead_letters: wanted.arn("sqs", &wanted.dead_letters),
    };
    if found.function.as_ref().and_then(|there| there.retries.as_ref()) != Some(&retries) {
        steps.push(InstallStep::SetRetries { function: name, retries });
    }
}

fn url(steps: &mut Vec<InstallStep>, wanted: &Stack, found: &FoundStack) {
    let function = || wanted.function.name.to_string();
    let there = found.function.as_ref();
    let (has, permitted) = (there.is_some_and(|there| there.url), there.map(|there| &there.permissions));
    let is_permitted =
        |permission: &InvokePermission| permitted.is_some_and(|known| known.contains_key(&permission.sid()));
    if wanted.url && !has {
        steps.push(InstallStep::CreateUrl { function: function() });
    }
    for permission in [InvokePermission::UrlCalled, InvokePermission::UrlInvoked] {
        match (wanted.url, is_permitted(&permission)) {
            (true, false) => steps.push(InstallStep::Permit { function: function(), permission }),
            (false, true) => steps.push(InstallStep::Forbid { function: function(), sid: permission.sid() }),
            _ => {}
        }
    }
    if !wanted.url && has {
        steps.push(InstallStep::DeleteUrl { function: function() });
    }
}

/// Buckets tell the function of uploads: those of the configuration, and no longer those that were in it.
fn uploads(steps: &mut Vec<InstallStep>, wanted: &Stack, found: &FoundStack) -> Result<(), InstallError> {
    let (name, arn) = (wanted.function.name.to_string(), wanted.function_arn());
    let mut buckets: BTreeMap<&Bucket, Vec<&UploadTrigger>> = BTreeMap::new();
    for upload in &wanted.uploads {
        buckets.entry(&upload.bucket).or_default().push(upload);
    }
    let known: BTreeMap<String, Option<Bucket>> =
        found.function.as_ref().map(|there| there.permissions.clone()).unwrap_or_default();
    let mut needed = BTreeSet::new();
    for (bucket, uploads) in &buckets {
        let permission = InvokePermission::Bucket {
            bucket: (*bucket).clone(),
            account: wanted.place.account().to_owned(),
            partition: wanted.partition.clone(),
        };
        needed.insert(permission.sid());
        if !known.contains_key(&permission.sid()) {
            steps.push(InstallStep::Permit { function: name.clone(), permission });
        }
        let entries = notification::entries(&name, &arn, uploads);
        let there = found.notifications.get(*bucket).ok_or_else(|| InstallError::NoBucket((*bucket).clone()))?;
        overlap(bucket, &entries, there, &arn)?;
        let mut mine: Vec<&NotificationEntry> = there.iter().filter(|entry| ours(entry, &arn)).collect();
        mine.sort_by(|a, b| a.id.cmp(&b.id));
        if mine.into_iter().ne(&entries) {
            steps.push(InstallStep::SetNotifications { bucket: (*bucket).clone(), function: arn.clone(), entries });
        }
    }
    for (sid, bucket) in known {
        let Some(bucket) = bucket.filter(|_| InvokePermission::is_of_bucket(&sid) && !needed.contains(&sid)) else {
            continue;
        };
        let there = found.notifications.get(&bucket).map(Vec::as_slice).unwrap_or_default();
        if there.iter().any(|entry| ours(entry, &arn)) {
            steps.push(InstallStep::SetNotifications { bucket, function: arn.clone(), entries: Vec::new() });
        }
        steps.push(InstallStep::Forbid { function: name.clone(), sid });
    }
    Ok(())
}
