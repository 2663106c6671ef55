//! JSON documents of the services that have little to keep (identities, distributions, invalidations, secrets, parameters), in the
//! same file as the objects. Owns storing them and changing one atomically; never what is in them.

use std::sync::Arc;

use redb::ReadableTable as _;
use serde_json::Value;

use crate::database::{DOCUMENTS, Database, DatabaseError};

/// A change of one document: given what is kept now, answers what shall be kept; `None` is no document.
pub type DocumentChange = Box<dyn FnOnce(Option<Value>) -> Option<Value> + Send>;

/// A store of JSON documents, named by table and key. Every method is atomic, and durable once it returns.
pub trait Documents: Send + Sync {
    /// The document, if there is one.
    ///
    /// # Errors
    /// The storage failed.
    fn get(&self, table: &str, key: &str) -> Result<Option<Value>, DatabaseError>;

    /// Keeps `value` in place of whatever was there.
    ///
    /// # Errors
    /// The storage failed; the old document is still there.
    fn put(&self, table: &str, key: &str, value: Value) -> Result<(), DatabaseError>;

    /// All documents of a table with their keys, in the order of the keys' UTF-8 bytes.
    ///
    /// # Errors
    /// The storage failed.
    fn list(&self, table: &str) -> Result<Vec<(String, Value)>, DatabaseError>;

    /// Changes one document with nobody else between reading and writing it; answers what is kept afterwards.
    ///
    /// # Errors
    /// The storage failed; the old document is still there.
    fn update(&self, table: &str, key: &str, change: DocumentChange) -> Result<Option<Value>, DatabaseError>;
}

/// Documents in the stand-in's database.
#[derive(Clone)]
pub(crate) struct StoredDocuments(Arc<Database>);

impl StoredDocuments {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self(database)
    }
}

impl Documents for StoredDocuments {
    fn get(&self, table: &str, key: &str) -> Result<Option<Value>, DatabaseError> {
        self.0.read(|transaction| {
            let documents = transaction.open_table(DOCUMENTS)?;
            let found = documents.get((table, key))?;
            Ok(found.map(|kept| serde_json::from_slice(kept.value())).transpose()?)
        })
    }

    fn put(&self, table: &str, key: &str, value: Value) -> Result<(), DatabaseError> {
        self.update(table, key, Box::new(move |_| Some(value))).map(drop)
    }

    fn list(&self, table: &str) -> Result<Vec<(String, Value)>, DatabaseError> {
        self.0.read(|transaction| {
            let documents = transaction.open_table(DOCUMENTS)?;
            let mut found = Vec::new();
            for entry in documents.range((table, "")..)? {
                let (name, kept) = entry?;
                let (in_table, key) = name.value();
                if in_table != table {
                    break;
                }
                found.push((key.to_owned(), serde_json::from_slice(kept.value())?));
            }
            Ok(found)
        })
    }

    fn update(&self, table: &str, key: &str, change: DocumentChange) -> Result<Option<Value>, DatabaseError> {
        let (table, key) = (table.to_owned(), key.to_owned());
        self.0.write_blocking(move |open| {
            let mut documents = open.transaction.open_table(DOCUMENTS)?;
            let name = (table.as_str(), key.as_str());
            let before = documents.get(name)?.map(|kept| serde_json::from_slice(kept.value())).transpose()?;
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
    fn documents_are_kept_listed_by_table_and_changed_atomically() {
        let documents = StoredDocuments::new(Arc::new(Database::in_memory().unwrap()));
        documents.put("roles", "b", json!(2)).unwrap();
        documents.put("roles", "a", json!(1)).unwrap();
        documents.put("roles2", "c", json!(3)).unwrap();
        assert_eq!(documents.get("roles", "b").unwrap(), Some(json!(2)));
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
        assert_eq!(documents.get("counter", "n").unwrap(), Some(json!(200)));

        assert_eq!(documents.update("roles", "a", Box::new(|_| None)).unwrap(), None);
        assert_eq!(documents.get("roles", "a").unwrap(), None);
    }
}
