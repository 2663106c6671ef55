//! The stand-in's one transactional file. Owns opening it, reading a consistent state of it, and committing changes to it;
//! knows nothing of what the tables mean.
//!
//! Writers do not commit one by one: a thread gathers the changes that wait, applies them in order in one transaction, makes
//! that durable with one flush, and then answers them all. So a change that was answered survives a killed process, and a
//! thousand concurrent changes do not cost a thousand flushes.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use redb::{ReadTransaction, ReadableDatabase as _, TableDefinition, WriteTransaction};
use tokio::sync::oneshot;

/// Most changes that one transaction takes, so that the first to wait is not kept waiting by those behind it.
const LARGEST_BATCH: usize = 512;

/// Bytes of the file that may be kept in memory. The tables hold names, headers and small bodies only.
const CACHE: usize = 32 * 1024 * 1024;

/// Bucket name to its description, as JSON.
pub(crate) const BUCKETS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("s3.buckets");
/// Bucket and key to the description of the object, as JSON. Ordered by the UTF-8 bytes of the key, as S3 lists.
pub(crate) const OBJECTS: TableDefinition<'static, (&str, &str), &[u8]> = TableDefinition::new("s3.objects");
/// Bucket, key and a number that rises: what a versioned bucket keeps of objects that are not current, as JSON.
pub(crate) const VERSIONS: TableDefinition<'static, (&str, &str, u64), &[u8]> = TableDefinition::new("s3.versions");
/// Body number to how many objects and parts are made from it.
pub(crate) const BODIES: TableDefinition<'static, u64, u64> = TableDefinition::new("s3.bodies");
/// Body number to its bytes, for bodies too small for a file of their own.
pub(crate) const SMALL_BODIES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("s3.small-bodies");
/// Bucket, key and upload identifier to the upload's description, as JSON.
pub(crate) const UPLOADS: TableDefinition<'static, (&str, &str, &str), &[u8]> = TableDefinition::new("s3.uploads");
/// Upload identifier and part number to the part's description, as JSON.
pub(crate) const PARTS: TableDefinition<'static, (&str, u32), &[u8]> = TableDefinition::new("s3.parts");
/// Table and key to a JSON document: what the other services keep.
pub(crate) const DOCUMENTS: TableDefinition<'static, (&str, &str), &[u8]> = TableDefinition::new("documents");

/// Why the stand-in could not keep or find something. Cheap to clone: everybody in a failed batch is told the same.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DatabaseError {
    /// The database refused or failed.
    #[error("the stand-in's database failed: {0}")]
    Database(Arc<redb::Error>),
    /// A body's file could not be written or read.
    #[error("a file of the stand-in could not be used: {0}")]
    File(Arc<std::io::Error>),
    /// A record in the database is not what this version writes.
    #[error("the stand-in's database holds a record that this version cannot read: {0}")]
    Record(Arc<serde_json::Error>),
    /// A body that a record names is in neither place.
    #[error("the stand-in has lost body {0}")]
    MissingBody(u64),
    /// The thread that commits has ended.
    #[error("the stand-in's database is closed")]
    Closed,
}

/// An error that a change to the database may end with.
///
/// One that is not a storage error must be returned **before** the change has touched a table, since the changes that share its
/// transaction are still committed.
pub(crate) trait CommitFailure: From<DatabaseError> + Send + 'static {
    /// Whether storage failed, so that the transaction must not be committed.
    fn is_storage(&self) -> bool;
}

impl CommitFailure for DatabaseError {
    fn is_storage(&self) -> bool {
        true
    }
}

/// Lets `?` turn every error of the database into `$error`, which has `From<DatabaseError>`.
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

/// What a change works on: the open transaction, and what to do once it is durable.
pub(crate) struct DatabaseChange<'a> {
    /// The transaction that all changes of a batch share.
    pub(crate) transaction: &'a WriteTransaction,
    effects: &'a mut Vec<Box<dyn FnOnce() + Send>>,
}

impl DatabaseChange<'_> {
    /// Does `effect` when, and only if, the transaction has become durable; effects run in the order of the changes.
    pub(crate) fn after_commit(&mut self, effect: impl FnOnce() + Send + 'static) {
        self.effects.push(Box::new(effect));
    }
}

/// One change that waits for its turn.
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
            // The change that made the batch fail knows the cause best.
            (_, Some(Err(error))) if error.is_storage() => Err(error),
            (Err(error), _) => Err(E::from(error)),
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(E::from(DatabaseError::Closed)),
        };
        (self.reply)(result);
    }
}

/// The open database, with its committing thread. Dropping it waits for the changes already accepted.
pub(crate) struct Database {
    tables: Arc<redb::Database>,
    jobs: Option<mpsc::Sender<Box<dyn CommitJob>>>,
    committer: Option<JoinHandle<()>>,
}

impl Database {
    /// A database that lives in memory and goes with its last owner.
    pub(crate) fn in_memory() -> Result<Self, DatabaseError> {
        let tables = redb::Database::builder()
            .set_cache_size(CACHE)
            .create_with_backend(redb::backends::InMemoryBackend::new())?;
        Self::start(tables)
    }

    /// Opens or creates the file. Two openings of one file at once are refused by the file lock that the database takes.
    pub(crate) fn open(file: &Path) -> Result<Self, redb::DatabaseError> {
        let tables = redb::Database::builder().set_cache_size(CACHE).create(file)?;
        Self::start(tables)
            .map_err(|error| redb::DatabaseError::Storage(redb::StorageError::Io(std::io::Error::other(error))))
    }

    fn start(tables: redb::Database) -> Result<Self, DatabaseError> {
        let transaction = tables.begin_write()?;
        // Opening a table for writing creates it, and readers may then rely on all of them.
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

    /// Reads from one consistent state: what was committed when the reading began.
    pub(crate) fn read<T, E: From<DatabaseError>>(
        &self,
        body: impl FnOnce(&ReadTransaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self.tables.begin_read().map_err(DatabaseError::from)?;
        body(&transaction)
    }

    /// Applies `body` alone against the latest state and answers when it is durable. The change happens even if the caller
    /// stops waiting.
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

    /// The same for callers that are not asynchronous; blocks the thread for one commit.
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
        // Without a sender the thread ends after what it was given, and the file is then free to be opened again.
        self.jobs = None;
        if let Some(committer) = self.committer.take()
            && committer.thread().id() != std::thread::current().id()
            && committer.join().is_err()
        {
            tracing::error!("the committing thread of the stand-in's database panicked");
        }
    }
}

fn commit_batches(tables: &redb::Database, waiting: &mpsc::Receiver<Box<dyn CommitJob>>) {
    while let Ok(first) = waiting.recv() {
        let mut batch = vec![first];
        batch.extend(waiting.try_iter().take(LARGEST_BATCH - 1));
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
        // An early return drops the transaction, which undoes it.
        job.apply(&mut DatabaseChange { transaction: &transaction, effects })?;
    }
    transaction.commit()?;
    Ok(())
}
