//! JSON documents of the services that store little (identities, distributions, invalidations), in the same file as the
//! objects.

use std::sync::Arc;

use redb::ReadableTable as _;
use serde_json::Value;

use crate::database::{DOCUMENTS, Database, DatabaseError};

/// Changes one document: gets the stored value and returns the value to store. `None` means no document.
pub(crate) type DocumentChange = Box<dyn FnOnce(Option<Value>) -> Option<Value> + Send>;

/// A store of JSON documents by table and key. Every method is atomic, and durable once it returns. If the storage fails,
/// the old document is unchanged.
#[derive(Clone)]
pub(crate) struct Documents(Arc<Database>);

impl Documents {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self(database)
    }

    /// Creates or replaces a document.
    pub(crate) fn put(&self, table: &str, key: &str, value: Value) -> Result<(), DatabaseError> {
        self.update(table, key, Box::new(move |_| Some(value))).map(drop)
    }

    /// Creates, replaces or deletes (`None`) several documents of a table in one transaction.
    pub(crate) fn put_all(&self, table: &str, changes: Vec<(String, Option<Value>)>) -> Result<(), DatabaseError> {
        let table = table.to_owned();
        self.0.write_blocking(move |open| {
            let mut documents = open.transaction.open_table(DOCUMENTS)?;
            for (key, value) in &changes {
                let name = (table.as_str(), key.as_str());
                match value {
                    Some(value) => drop(documents.insert(name, serde_json::to_vec(value)?.as_slice())?),
                    None => drop(documents.remove(name)?),
                }
            }
            Ok(())
        })
    }

    /// All documents of a table with their keys, ordered by the UTF-8 bytes of the keys.
    pub(crate) fn list(&self, table: &str) -> Result<Vec<(String, Value)>, DatabaseError> {
        self.0.read(|transaction| {
            let documents = transaction.open_table(DOCUMENTS)?;
            let mut found = Vec::new();
            for entry in documents.range((table, "")..)? {
                let (name, bytes) = entry?;
                let (in_table, key) = name.value();
                if in_table != table {
                    break;
                }
                found.push((key.to_owned(), serde_json::from_slice(bytes.value())?));
            }
            Ok(found)
        })
    }

    /// Changes one document atomically and returns the new value.
    pub(crate) fn update(
        &self,
        table: &str,
        key: &str,
        change: DocumentChange,
    ) -> Result<Option<Value>, DatabaseError> {
        let (table, key) = (table.to_owned(), key.to_owned());
        self.0.write_blocking(move |open| {
            let mut documents = open.transaction.open_table(DOCUMENTS)?;
            let name = (table.as_str(), key.as_str());
            let before = documents.get(name)?.map(|bytes| serde_json::from_slice(bytes.value())).transpose()?;
            let after = change(before);
            match &after {
                Some(value) => drop(documents.insert(name, serde_json::to_vec(value)?.as_slice())?),
                None => drop(documents.remove(name)?),
            }
            Ok(after)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stores_documents_and_lists_them_by_table() {
        let documents = Documents::new(Arc::new(Database::in_memory().unwrap()));
        documents.put("roles", "b", json!(2)).unwrap();
        documents.put("roles", "a", json!(1)).unwrap();
        documents.put("roles2", "c", json!(3)).unwrap();
        assert_eq!(documents.list("roles").unwrap(), [("a".to_owned(), json!(1)), ("b".to_owned(), json!(2))]);

        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        let add =
                            Box::new(|now: Option<Value>| Some(json!(now.and_then(|n| n.as_u64()).unwrap_or(0) + 1)));
                        documents.update("counter", "n", add).unwrap();
                    }
                });
            }
        });
        assert_eq!(documents.list("counter").unwrap(), [("n".to_owned(), json!(200))]);

        assert_eq!(documents.update("roles", "a", Box::new(|_| None)).unwrap(), None);
        assert_eq!(documents.list("roles").unwrap(), [("b".to_owned(), json!(2))]);
    }
}
