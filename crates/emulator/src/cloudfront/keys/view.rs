//! A store as a function sees it while it runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, Weak};

use super::super::CloudFrontState;
use super::super::key_value_store::KeyValueStore;
use crate::function::StoreView;

/// The store of a function. It does not keep the account open: functions are cached for longer.
pub(in super::super) struct LiveStore {
    state: Weak<Mutex<CloudFrontState>>,
    /// The ARN of the store; `None` if the function has none.
    arn: Option<String>,
}

impl LiveStore {
    pub(in super::super) fn new(state: Weak<Mutex<CloudFrontState>>, arn: Option<String>) -> Self {
        Self { state, arn }
    }

    fn read<T>(&self, read: impl FnOnce(&KeyValueStore, &BTreeMap<String, String>) -> T) -> Option<T> {
        let state = self.state.upgrade()?;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.entries(self.arn.as_deref()?).ok().map(|found| read(found.store, found.entries))
    }
}

impl StoreView for LiveStore {
    fn get(&self, key: &str) -> Option<String> {
        self.read(|_, entries| entries.get(key).cloned()).flatten()
    }

    fn is_named(&self, id: &str) -> bool {
        self.read(|store, _| id.is_empty() || store.id == id).unwrap_or_default()
    }

    fn count(&self) -> Option<usize> {
        self.read(|_, entries| entries.len())
    }

    fn times(&self) -> Option<(String, String)> {
        self.read(|store, _| (store.created.to_string(), store.data_modified.to_string()))
    }
}
