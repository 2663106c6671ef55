//! The keys of key value stores. Every write names the version that it expects of the whole store, and changes all or
//! nothing.
//!
//! Source of limits: CloudFront Developer Guide, "Quotas on key value stores" (the API's own limit of a key, 1,024, is not
//! the quota). Source of errors: CloudFront KeyValueStore API Reference. What the references leave open is refused:
//! deleting a missing key, naming a key twice, and a change of nothing.

mod import;
mod view;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

pub(super) use view::LiveStore;

use super::key_value_store::KeyValueStore;
use super::{CloudFrontError, CloudFrontService, CloudFrontState, STORES, etag};

/// Longest key, in bytes.
const MAX_KEY: usize = 512;
/// Longest value, in bytes.
const MAX_VALUE: usize = 1_024;
/// Largest store: the bytes of all keys and values.
const MAX_STORE: usize = 5 * 1024 * 1024;
/// Most keys in one `UpdateKeys`.
const MAX_UPDATE_KEYS: usize = 50;
/// Most bytes of keys and values in one `UpdateKeys`.
const MAX_UPDATE_BYTES: usize = 3 * 1024 * 1024;

/// Why a request about keys is refused. [`StoreError::code`] is AWS's code.
#[derive(Debug, Error)]
pub(super) enum StoreError {
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Validation(String),
    #[error("{0}")]
    Quota(String),
    #[error(transparent)]
    Storage(#[from] CloudFrontError),
}

impl StoreError {
    fn precondition() -> Self {
        Self::Validation("Pre-Condition failed".to_owned())
    }
}

/// A change of several keys.
#[derive(Debug, Default)]
struct KeyChanges {
    /// Keys with their new values.
    puts: Vec<(String, String)>,
    deletes: Vec<String>,
}

/// The size of a store.
struct StoreSize {
    items: usize,
    bytes: usize,
}

impl StoreSize {
    fn of(entries: &BTreeMap<String, String>) -> Self {
        Self { items: entries.len(), bytes: entries.iter().map(|(key, value)| key.len() + value.len()).sum() }
    }
}

/// A store with its keys.
struct StoreEntries<'a> {
    store: &'a KeyValueStore,
    entries: &'a BTreeMap<String, String>,
}

impl CloudFrontState {
    fn entries(&self, arn: &str) -> Result<StoreEntries<'_>, StoreError> {
        let store = self.stores.values().find(|store| store.arn() == arn);
        let found = store.and_then(|store| Some(StoreEntries { store, entries: self.entries.get(&store.id)? }));
        found.ok_or_else(|| StoreError::NotFound(format!("The key value store {arn} was not found.")))
    }
}

impl CloudFrontService {
    /// The keys and values of a store, by its ARN; `None` if there is no such store.
    #[must_use]
    pub fn store_entries_of(&self, arn: &str) -> Option<BTreeMap<String, String>> {
        self.lock().entries(arn).ok().map(|found| found.entries.clone())
    }

    /// Applies a change, and returns the new version and size of the store.
    fn change_keys(
        &self,
        arn: &str,
        if_match: Option<&str>,
        changes: KeyChanges,
    ) -> Result<(String, StoreSize), StoreError> {
        check(&changes)?;
        let mut state = self.lock();
        let found = state.entries(arn)?;
        if if_match != Some(found.store.data_etag.as_str()) {
            return Err(StoreError::precondition());
        }
        if let Some(missing) = changes.deletes.iter().find(|key| !found.entries.contains_key(*key)) {
            return Err(StoreError::NotFound(format!("The key {missing} was not found.")));
        }
        let mut entries = found.entries.clone();
        for key in &changes.deletes {
            entries.remove(key);
        }
        entries.extend(changes.puts.iter().cloned());
        let size = StoreSize::of(&entries);
        if size.bytes > MAX_STORE {
            let message = format!("The key value store would have {} bytes, more than {MAX_STORE}.", size.bytes);
            return Err(StoreError::Quota(message));
        }
        let store = found.store.changed(etag()?, self.iam.clock().now());
        // The version first: after a crash between the two, the old keys have a new version, as after a change back.
        self.store(STORES, &store.name, &store)?;
        let written = changes.puts.into_iter().map(|(key, value)| (key, Some(value)));
        self.store_entries(&store.id, written.chain(changes.deletes.into_iter().map(|key| (key, None))).collect())?;
        let version = store.data_etag.clone();
        state.entries.insert(store.id.clone(), entries);
        state.stores.insert(store.name.clone(), store);
        Ok((version, size))
    }
}

fn check(changes: &KeyChanges) -> Result<(), StoreError> {
    let count = changes.puts.len() + changes.deletes.len();
    if count == 0 {
        return Err(StoreError::Validation("The request has neither Puts nor Deletes.".to_owned()));
    }
    if count > MAX_UPDATE_KEYS {
        let message = format!("The request changes {count} keys, more than {MAX_UPDATE_KEYS}.");
        return Err(StoreError::Quota(message));
    }
    let bytes: usize = changes.puts.iter().map(|(key, value)| key.len() + value.len()).sum();
    let bytes = bytes + changes.deletes.iter().map(String::len).sum::<usize>();
    if bytes > MAX_UPDATE_BYTES {
        return Err(StoreError::Quota(format!("The request has {bytes} bytes, more than {MAX_UPDATE_BYTES}.")));
    }
    let mut keys = BTreeSet::new();
    for key in changes.puts.iter().map(|(key, _)| key).chain(&changes.deletes) {
        check_key(key)?;
        if !keys.insert(key) {
            return Err(StoreError::Validation(format!("The key {key} occurs twice.")));
        }
    }
    changes.puts.iter().try_for_each(|(key, value)| check_entry(key, value))
}

fn check_entry(key: &str, value: &str) -> Result<(), StoreError> {
    check_key(key)?;
    if value.len() > MAX_VALUE {
        let message = format!("The value of {key} has {} bytes, more than {MAX_VALUE}.", value.len());
        return Err(StoreError::Validation(message));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), StoreError> {
    if key.is_empty() || key.len() > MAX_KEY {
        let message = format!("A key must have 1 to {MAX_KEY} bytes, but has {}.", key.len());
        return Err(StoreError::Validation(message));
    }
    Ok(())
}
