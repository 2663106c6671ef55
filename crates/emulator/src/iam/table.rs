//! Records of one kind, in memory and in the documents. A record that cannot be stored is not visible.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::IamError;
use crate::documents::Documents;

/// Records by name.
pub(super) struct IamTable<T> {
    documents: Documents,
    /// The name of the table in the documents.
    table: &'static str,
    /// The kind of record, in messages.
    kind: &'static str,
    rows: BTreeMap<String, T>,
}

impl<T: Serialize + DeserializeOwned> IamTable<T> {
    /// Reads all records.
    pub(super) fn load(documents: &Documents, table: &'static str, kind: &'static str) -> Result<Self, IamError> {
        let stored = documents.list(table).map_err(|error| IamError::Storage(error.to_string()))?;
        let rows = stored
            .into_iter()
            .map(|(key, value)| match serde_json::from_value(value) {
                Ok(record) => Ok((key, record)),
                Err(error) => Err(IamError::Storage(format!("`{key}` in `{table}` cannot be read: {error}"))),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { documents: documents.clone(), table, kind, rows })
    }

    pub(super) fn get(&self, key: &str) -> Option<&T> {
        self.rows.get(key)
    }

    /// A record that must exist.
    pub(super) fn find(&self, key: &str) -> Result<&T, IamError> {
        self.get(key).ok_or_else(|| IamError::NoSuchEntity { kind: self.kind, name: key.to_owned() })
    }

    /// All records, ordered by the bytes of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.rows.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Creates or replaces a record.
    pub(super) fn put(&mut self, key: &str, record: T) -> Result<(), IamError> {
        let value = serde_json::to_value(&record).map_err(|error| IamError::Storage(error.to_string()))?;
        self.documents.put(self.table, key, value).map_err(|error| IamError::Storage(error.to_string()))?;
        self.rows.insert(key.to_owned(), record);
        Ok(())
    }

    /// Creates a record. Its name must be unique, ignoring case.
    pub(super) fn create(&mut self, key: &str, record: T) -> Result<(), IamError> {
        if self.rows.keys().any(|known| known.eq_ignore_ascii_case(key)) {
            return Err(IamError::EntityAlreadyExists { kind: self.kind, name: key.to_owned() });
        }
        self.put(key, record)
    }

    /// Changes a record. If `change` fails, the record is unchanged.
    pub(super) fn change<R>(
        &mut self,
        key: &str,
        change: impl FnOnce(&mut T) -> Result<R, IamError>,
    ) -> Result<R, IamError>
    where
        T: Clone,
    {
        let mut record = self.find(key)?.clone();
        let result = change(&mut record)?;
        self.put(key, record)?;
        Ok(result)
    }

    /// Deletes a record that must exist.
    pub(super) fn remove(&mut self, key: &str) -> Result<(), IamError> {
        self.find(key)?;
        self.documents
            .update(self.table, key, Box::new(|_| None))
            .map_err(|error| IamError::Storage(error.to_string()))?;
        self.rows.remove(key);
        Ok(())
    }
}
