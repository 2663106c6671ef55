//! CloudFront: distributions, and invalidations with the rules and quotas of the real service.
//!
//! Source of quotas: CloudFront Developer Guide, "Quotas" and "Invalidate files". Source of errors: CloudFront API
//! Reference, "CreateInvalidation".

mod error;
pub(crate) mod path;
mod record;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::CloudFrontError;
pub use path::{InvalidationPath, PathError, ViewerPath};
pub use record::{Distribution, Invalidation, InvalidationDelay, S3Origin};

use crate::documents::Documents;
use crate::iam::{IamClock, IamService, arn};
use crate::random::identifier;

/// Most paths without a wildcard in progress for one distribution, and most paths in one request.
pub const MAX_PATHS: usize = 3_000;
/// Most paths with a wildcard in progress for one distribution.
pub const MAX_WILDCARDS: usize = 15;
/// Completed invalidations to keep of each distribution, so that the database does not grow for ever.
const KEPT_INVALIDATIONS: usize = 1_000;
/// Default duration of an invalidation.
const DEFAULT_COMPLETION: InvalidationDelay = InvalidationDelay::After(Duration::from_secs(1));

const DISTRIBUTIONS: &str = "cloudfront-distributions";
const INVALIDATIONS: &str = "cloudfront-invalidations";

/// A request for an invalidation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidationBatch {
    /// An ID that makes repeating the request harmless.
    pub caller_reference: String,
    /// The number of paths that the request claims to have.
    pub quantity: i64,
    /// The paths and cache tags, unchecked.
    pub paths: Vec<String>,
}

/// The account's distributions and invalidations. All clones are the same service.
#[derive(Clone)]
pub struct CloudFrontService {
    iam: IamService,
    documents: Documents,
    state: Arc<Mutex<DistributionStates>>,
}

impl fmt::Debug for CloudFrontService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CloudFrontService").finish_non_exhaustive()
    }
}

struct DistributionStates {
    distributions: BTreeMap<String, Distribution>,
    /// By distribution, the newest last.
    invalidations: BTreeMap<String, Vec<Invalidation>>,
    completion: InvalidationDelay,
    /// Number of invalidations that completed since the process started.
    completed: u64,
}

impl CloudFrontService {
    /// Loads the stored distributions and invalidations.
    ///
    /// # Errors
    /// A record cannot be read.
    pub(crate) fn open(documents: Documents, iam: IamService) -> Result<Self, CloudFrontError> {
        let distributions = table(&documents, DISTRIBUTIONS)?;
        let mut invalidations: BTreeMap<String, Vec<Invalidation>> = BTreeMap::new();
        for (key, invalidation) in table::<Invalidation>(&documents, INVALIDATIONS)? {
            let distribution = key.split('/').next().unwrap_or_default();
            invalidations.entry(distribution.to_owned()).or_default().push(invalidation);
        }
        for list in invalidations.values_mut() {
            list.sort_by_key(|invalidation| invalidation.number);
        }
        let state = DistributionStates { distributions, invalidations, completion: DEFAULT_COMPLETION, completed: 0 };
        Ok(Self { iam, documents, state: Arc::new(Mutex::new(state)) })
    }

    /// Creates a distribution and returns its ARN.
    ///
    /// # Errors
    /// The distribution exists, or its ID or the origin's path is invalid.
    pub fn create_distribution(
        &self,
        id: &str,
        origin: S3Origin,
        default_root_object: Option<&str>,
    ) -> Result<String, CloudFrontError> {
        let well_formed = !id.is_empty() && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if !well_formed {
            let message =
                format!("invalid distribution ID `{id}`; use capital letters and digits, such as `E2EXAMPLE`");
            return Err(CloudFrontError::InvalidArgument(message));
        }
        if !origin.path.is_empty() && (!origin.path.starts_with('/') || origin.path.ends_with('/')) {
            let message =
                format!("invalid origin path `{}`; it must start with `/` and must not end with `/`", origin.path);
            return Err(CloudFrontError::InvalidArgument(message));
        }
        let mut state = self.lock();
        if state.distributions.contains_key(id) {
            return Err(CloudFrontError::DistributionAlreadyExists(id.to_owned()));
        }
        let distribution = Distribution {
            id: id.to_owned(),
            origin,
            default_root_object: default_root_object.map(str::to_owned),
            cache_tags: None,
            created: self.iam.clock().now(),
        };
        self.store(DISTRIBUTIONS, id, &distribution)?;
        state.distributions.insert(id.to_owned(), distribution);
        Ok(arn::distribution(id))
    }

    /// Sets the header that a distribution reads cache tags from (its `CacheTagConfig`). `None` removes it.
    ///
    /// # Errors
    /// The distribution does not exist.
    pub fn set_cache_tags(&self, id: &str, header: Option<&str>) -> Result<(), CloudFrontError> {
        let mut state = self.lock();
        let known = state.distributions.get(id).ok_or(CloudFrontError::NoSuchDistribution)?;
        let distribution = Distribution { cache_tags: header.map(str::to_ascii_lowercase), ..known.clone() };
        self.store(DISTRIBUTIONS, id, &distribution)?;
        state.distributions.insert(id.to_owned(), distribution);
        Ok(())
    }

    /// The account's clock.
    #[must_use]
    pub fn clock(&self) -> &IamClock {
        self.iam.clock()
    }

    /// Sets when invalidations are complete, including those in progress. The default is one second after their
    /// creation.
    pub fn set_completion(&self, completion: InvalidationDelay) {
        self.lock().completion = completion;
    }

    /// All distributions, ordered by ID.
    #[must_use]
    pub fn distributions(&self) -> Vec<Distribution> {
        self.lock().distributions.values().cloned().collect()
    }

    /// A distribution.
    ///
    /// # Errors
    /// The distribution does not exist.
    pub fn distribution(&self, id: &str) -> Result<Distribution, CloudFrontError> {
        self.lock().distributions.get(id).cloned().ok_or(CloudFrontError::NoSuchDistribution)
    }

    /// Starts an invalidation, or returns the existing one with the same reference and paths.
    ///
    /// # Errors
    /// The request breaks a rule or a quota, and nothing is started.
    pub fn create_invalidation(
        &self,
        distribution: &str,
        batch: &InvalidationBatch,
    ) -> Result<Invalidation, CloudFrontError> {
        let mut state = self.lock();
        let known = state.distributions.get(distribution).ok_or(CloudFrontError::NoSuchDistribution)?;
        let reads_tags = known.cache_tags.is_some();
        if usize::try_from(batch.quantity) != Ok(batch.paths.len()) {
            return Err(CloudFrontError::InconsistentQuantities);
        }
        if batch.paths.is_empty() {
            return Err(CloudFrontError::InvalidArgument("an invalidation needs at least one path".to_owned()));
        }
        if batch.caller_reference.is_empty() {
            return Err(CloudFrontError::InvalidArgument("CallerReference is empty".to_owned()));
        }
        if batch.paths.len() > MAX_PATHS {
            return Err(CloudFrontError::BatchTooLarge);
        }
        let paths: Vec<InvalidationPath> = batch
            .paths
            .iter()
            .map(|path| InvalidationPath::parse(path))
            .collect::<Result<_, _>>()
            .map_err(CloudFrontError::InvalidPath)?;
        // AWS documents no error for this. Rejecting it is the stricter choice for a caller that relies on tags.
        if !reads_tags && paths.iter().any(InvalidationPath::is_tag) {
            let message = "The distribution has no CacheTagConfig, so it cannot be invalidated by cache tags.";
            return Err(CloudFrontError::InvalidArgument(message.to_owned()));
        }

        self.complete_due(&mut state, distribution)?;
        let known = state.invalidations.get(distribution).map(Vec::as_slice).unwrap_or_default();
        if let Some(earlier) = known.iter().find(|earlier| earlier.caller_reference == batch.caller_reference) {
            return if sorted(&earlier.paths) == sorted(&paths) {
                Ok(earlier.clone())
            } else {
                Err(CloudFrontError::InvalidationBatchAlreadyExists)
            };
        }
        let all = known.iter().filter(|known| known.in_progress()).flat_map(|known| &known.paths).chain(&paths);
        let (wildcards, single): (Vec<_>, Vec<_>) = all.partition(|path| path.is_wildcard());
        if single.len() > MAX_PATHS || wildcards.len() > MAX_WILDCARDS {
            return Err(CloudFrontError::TooManyInvalidationsInProgress);
        }
        let invalidation = Invalidation {
            id: identifier("I", 25).map_err(|error| CloudFrontError::Storage(error.to_string()))?,
            caller_reference: batch.caller_reference.clone(),
            paths,
            created: self.iam.clock().now(),
            number: known.last().map_or(0, |last| last.number + 1),
            polls: 0,
            complete: false,
            completed_as: 0,
        };
        self.store(INVALIDATIONS, &format!("{distribution}/{}", invalidation.id), &invalidation)?;
        let list = state.invalidations.entry(distribution.to_owned()).or_default();
        list.push(invalidation.clone());
        let excess = list.len().saturating_sub(KEPT_INVALIDATIONS);
        for old in list.iter().take(excess).filter(|old| old.complete) {
            let removed =
                self.documents.update(INVALIDATIONS, &format!("{distribution}/{}", old.id), Box::new(|_| None));
            removed.map_err(|error| CloudFrontError::Storage(error.to_string()))?;
        }
        let mut position = 0;
        list.retain(|old| {
            position += 1;
            position > excess || !old.complete
        });
        Ok(invalidation)
    }

    /// An invalidation. Each call counts as a poll ([`InvalidationDelay::AfterPolls`]).
    ///
    /// # Errors
    /// The distribution or the invalidation does not exist.
    pub fn poll_invalidation(&self, distribution: &str, id: &str) -> Result<Invalidation, CloudFrontError> {
        let mut state = self.lock();
        if !state.distributions.contains_key(distribution) {
            return Err(CloudFrontError::NoSuchDistribution);
        }
        let find = |state: &mut DistributionStates| {
            let list = state.invalidations.get_mut(distribution)?;
            list.iter_mut().find(|invalidation| invalidation.id == id).map(|found| {
                found.polls = found.polls.saturating_add(1);
            })
        };
        find(&mut state).ok_or(CloudFrontError::NoSuchInvalidation)?;
        self.complete_due(&mut state, distribution)?;
        let list = state.invalidations.get(distribution).map(Vec::as_slice).unwrap_or_default();
        let found = list.iter().find(|invalidation| invalidation.id == id);
        found.cloned().ok_or(CloudFrontError::NoSuchInvalidation)
    }

    /// All stored invalidations of a distribution, the newest first. Does not count as a poll.
    ///
    /// # Errors
    /// The distribution does not exist.
    pub fn invalidations(&self, distribution: &str) -> Result<Vec<Invalidation>, CloudFrontError> {
        let mut state = self.lock();
        if !state.distributions.contains_key(distribution) {
            return Err(CloudFrontError::NoSuchDistribution);
        }
        self.complete_due(&mut state, distribution)?;
        let list = state.invalidations.get(distribution).map(Vec::as_slice).unwrap_or_default();
        Ok(list.iter().rev().cloned().collect())
    }

    /// The number of invalidations that have completed. A cache reads it before it fetches an object, and stores it
    /// with the object.
    ///
    /// # Errors
    /// A completion cannot be stored.
    pub fn completed(&self, distribution: &str) -> Result<u64, CloudFrontError> {
        let mut state = self.lock();
        self.complete_due(&mut state, distribution)?;
        Ok(state.completed)
    }

    /// Whether an invalidation that completed after the first `seen` ones clears the cached copy of `path` with these
    /// cache tags ([`path::tags`]).
    ///
    /// # Errors
    /// A completion cannot be stored.
    pub fn cleared_with(
        &self,
        distribution: &str,
        path: &ViewerPath,
        tags: &[String],
        seen: u64,
    ) -> Result<bool, CloudFrontError> {
        let mut state = self.lock();
        self.complete_due(&mut state, distribution)?;
        let list = state.invalidations.get(distribution).map(Vec::as_slice).unwrap_or_default();
        Ok(list
            .iter()
            .filter(|invalidation| invalidation.complete && invalidation.completed_as > seen)
            .any(|invalidation| invalidation.paths.iter().any(|own| own.clears(path) || own.clears_tagged(tags))))
    }

    /// Completes the invalidations that are due.
    fn complete_due(&self, state: &mut DistributionStates, distribution: &str) -> Result<(), CloudFrontError> {
        let now = self.iam.clock().now();
        let completion = state.completion;
        let Some(list) = state.invalidations.get_mut(distribution) else {
            return Ok(());
        };
        for invalidation in list.iter_mut().filter(|one| one.in_progress() && one.is_due(completion, now)) {
            let complete = Invalidation { complete: true, completed_as: state.completed + 1, ..invalidation.clone() };
            self.store(INVALIDATIONS, &format!("{distribution}/{}", complete.id), &complete)?;
            *invalidation = complete;
            state.completed += 1;
        }
        Ok(())
    }

    fn store<T: Serialize>(&self, table: &str, key: &str, record: &T) -> Result<(), CloudFrontError> {
        let value = serde_json::to_value(record).map_err(|error| CloudFrontError::Storage(error.to_string()))?;
        self.documents.put(table, key, value).map_err(|error| CloudFrontError::Storage(error.to_string()))
    }

    fn lock(&self) -> MutexGuard<'_, DistributionStates> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sorted(paths: &[InvalidationPath]) -> Vec<&InvalidationPath> {
    let mut sorted: Vec<_> = paths.iter().collect();
    sorted.sort();
    sorted
}

fn table<T: DeserializeOwned>(documents: &Documents, table: &str) -> Result<BTreeMap<String, T>, CloudFrontError> {
    let stored = documents.list(table).map_err(|error| CloudFrontError::Storage(error.to_string()))?;
    stored
        .into_iter()
        .map(|(key, value)| match serde_json::from_value(value) {
            Ok(record) => Ok((key, record)),
            Err(error) => Err(CloudFrontError::Storage(format!("`{key}` in `{table}` cannot be read: {error}"))),
        })
        .collect()
}
