//! The emulator's one transactional file: opens it, reads a consistent state of it, and commits changes to it.
//!
//! Writers do not commit one by one. A thread collects the waiting changes, applies them in order in one transaction,
//! makes it durable with one flush, and then answers all of them. A confirmed change therefore survives a killed
//! process, and a thousand concurrent changes do not cost a thousand flushes.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use redb::{ReadTransaction, ReadableDatabase as _, TableDefinition, WriteTransaction};
use tokio::sync::oneshot;

/// Most changes in one transaction, so that the first change does not wait long for those behind it.
const MAX_BATCH: usize = 512;

/// Size of the database's cache, in bytes. The tables hold only names, headers and small bodies.
const CACHE: usize = 32 * 1024 * 1024;

/// Bucket name to bucket record, as JSON.
pub(crate) const BUCKETS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("s3.buckets");
/// Bucket and key to object record, as JSON. Ordered by the UTF-8 bytes of the key, as S3 lists them.
pub(crate) const OBJECTS: TableDefinition<'static, (&str, &str), &[u8]> = TableDefinition::new("s3.objects");
/// Bucket, key and a rising number to a noncurrent version of an object in a versioned bucket, as JSON.
pub(crate) const VERSIONS: TableDefinition<'static, (&str, &str, u64), &[u8]> = TableDefinition::new("s3.versions");
/// Body number to the number of objects and parts that use it.
pub(crate) const BODIES: TableDefinition<'static, u64, u64> = TableDefinition::new("s3.bodies");
/// Body number to its bytes, for bodies that are too small for a file of their own.
pub(crate) const SMALL_BODIES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("s3.small-bodies");
/// Bucket, key and upload ID to upload record, as JSON.
pub(crate) const UPLOADS: TableDefinition<'static, (&str, &str, &str), &[u8]> = TableDefinition::new("s3.uploads");
/// Upload ID and part number to part record, as JSON.
pub(crate) const PARTS: TableDefinition<'static, (&str, u32), &[u8]> = TableDefinition::new("s3.parts");
/// Table and key to a JSON document, for the services other than S3.
pub(crate) const DOCUMENTS: TableDefinition<'static, (&str, &str), &[u8]> = TableDefinition::new("documents");

/// Why the emulator cannot store or read something. Cheap to clone, since every change of a failed batch gets the same
/// error.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DatabaseError {
    /// The database failed.
    #[error("the emulator's database failed: {0}")]
    Database(Arc<redb::Error>),
    /// A file with a body cannot be written or read.
    #[error("cannot use a file of the emulator: {0}")]
    File(Arc<std::io::Error>),
    /// A record has a format that this version does not write.
    #[error("cannot read a record of the emulator's database: {0}")]
    Record(Arc<serde_json::Error>),
    /// A record names a body that does not exist.
    #[error("body {0} is missing in the emulator's database")]
    MissingBody(u64),
    /// The committing thread has ended.
    #[error("the emulator's database is closed")]
    Closed,
}

/// An error that a change of the database can return.
///
/// An error that is not a storage error must be returned **before** the change has touched a table, since the other
/// changes of the transaction are still committed.
pub(crate) trait CommitFailure: From<DatabaseError> + Send + 'static {
    /// Whether storage failed, so that the transaction must not be committed.
    fn is_storage(&self) -> bool;
}

impl CommitFailure for DatabaseError {
    fn is_storage(&self) -> bool {
        true
    }
}

/// Implements `From` for `$error`, which has `From<DatabaseError>`, from each error of the database.
macro_rules! from_database_errors {
    ($error:ty: $($source:ty),+) => {
        $(impl From<$source> for $error {
            fn from(source: $source) -> Self {
                Self::from($crate::database::DatabaseError::Database(std::sync::Arc::new(redb::Error::from(source))))
            }
        })+
    };
}
pub(crate) use from_database_errors;

from_database_errors!(DatabaseError: redb::TransactionError, redb::TableError, redb::StorageError, redb::CommitError, redb::DatabaseError);

impl From<std::io::Error> for DatabaseError {
    fn from(source: std::io::Error) -> Self {
        Self::File(Arc::new(source))
    }
}

impl From<serde_json::Error> for DatabaseError {
    fn from(source: serde_json::Error) -> Self {
        Self::Record(Arc::new(source))
    }
}

/// The open transaction, and the effects to run once it is durable.
pub(crate) struct DatabaseChange<'a> {
    /// The transaction that all changes of a batch share.
    pub(crate) transaction: &'a WriteTransaction,
    effects: &'a mut Vec<Box<dyn FnOnce() + Send>>,
}

impl DatabaseChange<'_> {
    /// Runs `effect` only once the transaction is durable. Effects run in the order of the changes.
    pub(crate) fn after_commit(&mut self, effect: impl FnOnce() + Send + 'static) {
        self.effects.push(Box::new(effect));
    }
}

/// A change that waits for its transaction.
trait CommitJob: Send {
    fn apply(&mut self, change: &mut DatabaseChange<'_>) -> Result<(), DatabaseError>;
    fn answer(self: Box<Self>, committed: Result<(), DatabaseError>);
}

struct PendingCommit<B, T, E, R> {
    body: Option<B>,
    result: Option<Result<T, E>>,
    reply: R,
}

impl<B, T, E, R> CommitJob for PendingCommit<B, T, E, R>
where
    B: FnOnce(&mut DatabaseChange<'_>) -> Result<T, E> + Send,
    T: Send,
    E: CommitFailure,
    R: FnOnce(Result<T, E>) + Send,
{
    fn apply(&mut self, change: &mut DatabaseChange<'_>) -> Result<(), DatabaseError> {
        let Some(body) = self.body.take() else {
            return Ok(());
        };
        let result = body(change);
        let storage_failed = matches!(&result, Err(error) if error.is_storage());
        self.result = Some(result);
        if storage_failed { Err(DatabaseError::Closed) } else { Ok(()) }
    }

    fn answer(self: Box<Self>, committed: Result<(), DatabaseError>) {
        let result = match (committed, self.result) {
            // The change that made the batch fail has the most precise error.
            (_, Some(Err(error))) if error.is_storage() => Err(error),
            (Err(error), _) => Err(E::from(error)),
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(E::from(DatabaseError::Closed)),
        };
        (self.reply)(result);
    }
}

/// The open database with its committing thread. Dropping it waits for the changes that were accepted.
pub(crate) struct Database {
    tables: Arc<redb::Database>,
    jobs: Option<mpsc::Sender<Box<dyn CommitJob>>>,
    committer: Option<JoinHandle<()>>,
}

impl Database {
    /// Creates a database in memory. It is gone when its last owner drops it.
    pub(crate) fn in_memory() -> Result<Self, DatabaseError> {
        let tables = redb::Database::builder()
            .set_cache_size(CACHE)
            .create_with_backend(redb::backends::InMemoryBackend::new())?;
        Self::start(tables)
    }

    /// Opens or creates the file. The database locks the file, so that it cannot be opened twice.
    pub(crate) fn open(file: &Path) -> Result<Self, redb::DatabaseError> {
        let tables = redb::Database::builder().set_cache_size(CACHE).create(file)?;
        Self::start(tables)
            .map_err(|error| redb::DatabaseError::Storage(redb::StorageError::Io(std::io::Error::other(error))))
    }

    fn start(tables: redb::Database) -> Result<Self, DatabaseError> {
        let transaction = tables.begin_write()?;
        // Opening a table for writing creates it, so that readers find all of them.
        transaction.open_table(BUCKETS)?;
        transaction.open_table(OBJECTS)?;
        transaction.open_table(VERSIONS)?;
        transaction.open_table(BODIES)?;
        transaction.open_table(SMALL_BODIES)?;
        transaction.open_table(UPLOADS)?;
        transaction.open_table(PARTS)?;
        transaction.open_table(DOCUMENTS)?;
        transaction.commit()?;
        let tables = Arc::new(tables);
        let (jobs, waiting) = mpsc::channel();
        let owned = Arc::clone(&tables);
        let committer = std::thread::Builder::new()
            .name("tidegate-local-commit".to_owned())
            .spawn(move || commit_batches(&owned, &waiting))?;
        Ok(Self { tables, jobs: Some(jobs), committer: Some(committer) })
    }

    /// Reads one consistent state: what was committed when the read began.
    pub(crate) fn read<T, E: From<DatabaseError>>(
        &self,
        body: impl FnOnce(&ReadTransaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self.tables.begin_read().map_err(DatabaseError::from)?;
        body(&transaction)
    }

    /// Applies `body` to the latest state and returns once it is durable. The change also happens if the caller stops
    /// waiting.
    pub(crate) async fn write<T, E, B>(&self, body: B) -> Result<T, E>
    where
        T: Send + 'static,
        E: CommitFailure,
        B: FnOnce(&mut DatabaseChange<'_>) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        // A caller that went away needs no answer.
        self.submit(body, move |result| drop(reply.send(result)))?;
        answer.await.unwrap_or_else(|_| Err(E::from(DatabaseError::Closed)))
    }

    /// Like [`Self::write`] for callers that are not asynchronous. Blocks the thread for one commit.
    pub(crate) fn write_blocking<T, E, B>(&self, body: B) -> Result<T, E>
    where
        T: Send + 'static,
        E: CommitFailure,
        B: FnOnce(&mut DatabaseChange<'_>) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = mpsc::sync_channel(1);
        self.submit(body, move |result| drop(reply.send(result)))?;
        answer.recv().unwrap_or_else(|_| Err(E::from(DatabaseError::Closed)))
    }

    fn submit<T, E, B, R>(&self, body: B, reply: R) -> Result<(), E>
    where
        T: Send + 'static,
        E: CommitFailure,
        B: FnOnce(&mut DatabaseChange<'_>) -> Result<T, E> + Send + 'static,
        R: FnOnce(Result<T, E>) + Send + 'static,
    {
        let job = PendingCommit { body: Some(body), result: None, reply };
        self.jobs.as_ref().and_then(|jobs| jobs.send(Box::new(job)).ok()).ok_or_else(|| E::from(DatabaseError::Closed))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Without a sender the thread ends after the changes it has, and the file can be opened again.
        self.jobs = None;
        if let Some(committer) = self.committer.take()
            && committer.thread().id() != std::thread::current().id()
            && committer.join().is_err()
        {
            tracing::error!("the committing thread of the emulator's database panicked");
        }
    }
}

fn commit_batches(tables: &redb::Database, waiting: &mpsc::Receiver<Box<dyn CommitJob>>) {
    while let Ok(first) = waiting.recv() {
        let mut batch = vec![first];
        batch.extend(waiting.try_iter().take(MAX_BATCH - 1));
        let mut effects = Vec::new();
        let committed = commit(tables, &mut batch, &mut effects);
        if committed.is_ok() {
            for effect in effects {
                effect();
            }
        }
        for job in batch {
            job.answer(committed.clone());
        }
    }
}

fn commit(
    tables: &redb::Database,
    batch: &mut [Box<dyn CommitJob>],
    effects: &mut Vec<Box<dyn FnOnce() + Send>>,
) -> Result<(), DatabaseError> {
    let transaction = tables.begin_write()?;
    for job in batch {
        // An early return drops the transaction, which rolls it back.
        job.apply(&mut DatabaseChange { transaction: &transaction, effects })?;
    }
    transaction.commit()?;
    Ok(())
}
