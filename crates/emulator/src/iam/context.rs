//! The condition keys of a request, which policies can check. As in IAM, the case of keys is ignored.

use std::collections::BTreeMap;

/// Condition keys and values of one request, such as `s3:prefix` with `docs/`. A key may have several values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConditionContext {
    values: BTreeMap<String, Vec<String>>,
}

impl ConditionContext {
    /// Adds a value to a key.
    pub(crate) fn add(&mut self, key: &str, value: impl Into<String>) {
        self.values.entry(key.to_ascii_lowercase()).or_default().push(value.into());
    }

    /// Adds a value to a key and returns the context.
    #[cfg(test)]
    pub(crate) fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.add(key, value);
        self
    }

    /// The values of a key; `None` if the request does not have the key.
    #[must_use]
    pub(crate) fn values(&self, key: &str) -> Option<&[String]> {
        self.values.get(&key.to_ascii_lowercase()).map(Vec::as_slice)
    }

    /// The value of a key with exactly one value, which is what a policy variable can stand for.
    #[must_use]
    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        match self.values(key) {
            Some([value]) => Some(value),
            _ => None,
        }
    }
}
