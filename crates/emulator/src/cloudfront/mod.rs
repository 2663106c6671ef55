//! CloudFront: distributions, invalidations, functions, key value stores, response headers policies and origin access
//! controls, with the rules and quotas of the real service. Each kind of resource has its own file.

mod access_control;
mod distribution;
mod error;
mod function;
mod headers_policy;
mod invalidation;
mod key_value_store;
mod keys;
mod run;
pub(crate) mod path;
mod record;
mod shape;
mod tags;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use distribution::{Distribution, ErrorResponse, OriginAccess, S3Origin, ServedDistribution};
pub use error::{CloudFrontError, RefusalCode};
pub(crate) use headers_policy::{CacheResult, ViewerExchange};
pub use invalidation::{InvalidationBatch, MAX_PATHS, MAX_WILDCARDS};
pub use path::{InvalidationPath, PathError, ViewerPath};
pub use record::{Invalidation, InvalidationDelay};

use access_control::OriginAccessControl;
use function::CloudFrontFunction;
use headers_policy::HeadersPolicy;
use key_value_store::KeyValueStore;

use crate::documents::Documents;
use crate::iam::{IamClock, IamService};
use crate::random::identifier;
use crate::s3::ObjectStore;

/// Default duration of an invalidation.
const DEFAULT_COMPLETION: InvalidationDelay = InvalidationDelay::After(Duration::from_secs(1));
/// How long an update of a distribution is `InProgress`.
const DEPLOYMENT: Duration = Duration::from_secs(1);
/// Longest name of a function or a key value store, in characters.
const MAX_NAME: usize = 64;

const DISTRIBUTIONS: &str = "cloudfront-distributions";
const INVALIDATIONS: &str = "cloudfront-invalidations";
const FUNCTIONS: &str = "cloudfront-functions";
const STORES: &str = "cloudfront-key-value-stores";
/// Keys of the stores, by the store's ID and the key.
const ENTRIES: &str = "cloudfront-key-value-pairs";
const HEADERS_POLICIES: &str = "cloudfront-headers-policies";
const ACCESS_CONTROLS: &str = "cloudfront-access-controls";

/// The account's CloudFront. All clones are the same service.
#[derive(Clone)]
pub struct CloudFrontService {
    iam: IamService,
    documents: Documents,
    /// The account's buckets, for imports.
    objects: ObjectStore,
    state: Arc<Mutex<CloudFrontState>>,
}

impl fmt::Debug for CloudFrontService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CloudFrontService").finish_non_exhaustive()
    }
}

struct CloudFrontState {
    distributions: BTreeMap<String, Distribution>,
    /// By distribution, the newest last.
    invalidations: BTreeMap<String, Vec<Invalidation>>,
    completion: InvalidationDelay,
    /// Number of invalidations that completed since the process started.
    completed: u64,
    /// By name.
    functions: BTreeMap<String, CloudFrontFunction>,
    /// By name.
    stores: BTreeMap<String, KeyValueStore>,
    /// Keys and values, by the store's ID.
    entries: BTreeMap<String, BTreeMap<String, String>>,
    headers_policies: BTreeMap<String, HeadersPolicy>,
    access_controls: BTreeMap<String, OriginAccessControl>,
}

impl CloudFrontService {
    /// Loads the stored state.
    ///
    /// # Errors
    /// A record cannot be read.
    pub(crate) fn open(documents: Documents, iam: IamService, objects: ObjectStore) -> Result<Self, CloudFrontError> {
        let mut invalidations: BTreeMap<String, Vec<Invalidation>> = BTreeMap::new();
        for (key, invalidation) in table::<Invalidation>(&documents, INVALIDATIONS)? {
            let distribution = key.split('/').next().unwrap_or_default();
            invalidations.entry(distribution.to_owned()).or_default().push(invalidation);
        }
        for list in invalidations.values_mut() {
            list.sort_by_key(|invalidation| invalidation.number);
        }
        let stores = table::<KeyValueStore>(&documents, STORES)?;
        let mut entries: BTreeMap<String, BTreeMap<String, String>> =
            stores.values().map(|store| (store.id.clone(), BTreeMap::new())).collect();
        for (name, value) in table::<String>(&documents, ENTRIES)? {
            if let Some((store, key)) = name.split_once('/')
                && let Some(own) = entries.get_mut(store)
            {
                own.insert(key.to_owned(), value);
            }
        }
        let state = CloudFrontState {
            distributions: table(&documents, DISTRIBUTIONS)?,
            invalidations,
            completion: DEFAULT_COMPLETION,
            completed: 0,
            functions: table(&documents, FUNCTIONS)?,
            stores,
            entries,
            headers_policies: table(&documents, HEADERS_POLICIES)?,
            access_controls: table(&documents, ACCESS_CONTROLS)?,
        };
        Ok(Self { iam, documents, objects, state: Arc::new(Mutex::new(state)) })
    }

    /// The account's clock.
    #[must_use]
    pub fn clock(&self) -> &IamClock {
        self.iam.clock()
    }

    /// The account's identities.
    pub(crate) fn iam(&self) -> &IamService {
        &self.iam
    }

    fn store<T: Serialize>(&self, table: &str, key: &str, record: &T) -> Result<(), CloudFrontError> {
        let value = serde_json::to_value(record).map_err(storage)?;
        self.documents.put(table, key, value).map_err(storage)
    }

    fn remove(&self, table: &str, key: &str) -> Result<(), CloudFrontError> {
        self.documents.put_all(table, vec![(key.to_owned(), None)]).map_err(storage)
    }

    /// Stores or removes (`None`) keys of a store, all or none of them.
    fn store_entries(&self, store: &str, changes: Vec<(String, Option<String>)>) -> Result<(), CloudFrontError> {
        let changes = changes.into_iter().map(|(key, value)| (format!("{store}/{key}"), value.map(Value::String)));
        self.documents.put_all(ENTRIES, changes.collect()).map_err(storage)
    }

    fn lock(&self) -> MutexGuard<'_, CloudFrontState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn storage(error: impl fmt::Display) -> CloudFrontError {
    CloudFrontError::Storage(error.to_string())
}

/// A new version identifier.
fn etag() -> Result<String, CloudFrontError> {
    identifier("E", 13).map_err(storage)
}

/// Checks the `If-Match` header of a request that changes a resource.
fn check_match(headers: &HeaderMap, etag: &str) -> Result<(), CloudFrontError> {
    let Some(condition) = headers.get(header::IF_MATCH) else {
        let message = "The If-Match version is missing or not valid for the resource.";
        return Err(CloudFrontError::refused(RefusalCode::InvalidIfMatchVersion, message));
    };
    if condition.as_bytes() != etag.as_bytes() {
        let message =
            "The request failed because it didn't meet the preconditions in one or more request-header fields.";
        return Err(CloudFrontError::refused(RefusalCode::PreconditionFailed, message));
    }
    Ok(())
}

/// Checks the name of a new function or key value store.
fn check_name(name: &str) -> Result<(), CloudFrontError> {
    let is_valid = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_valid) {
        let message = format!("The name `{name}` must have 1 to {MAX_NAME} letters, digits, hyphens and underscores.");
        return Err(CloudFrontError::refused(RefusalCode::InvalidArgument, message));
    }
    Ok(())
}

fn table<T: DeserializeOwned>(documents: &Documents, table: &str) -> Result<BTreeMap<String, T>, CloudFrontError> {
    let stored = documents.list(table).map_err(storage)?;
    stored
        .into_iter()
        .map(|(key, value)| match serde_json::from_value(value) {
            Ok(record) => Ok((key, record)),
            Err(error) => {
                let message = format!(
                    "`{key}` in `{table}` cannot be read: {error}; delete the emulator's directory to start over"
                );
                Err(CloudFrontError::Storage(message))
            }
        })
        .collect()
}
