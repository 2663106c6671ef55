//! Invalidations with the rules and quotas of the real service.
//!
//! Source of quotas: CloudFront Developer Guide, "Quotas" and "Invalidate files". Source of errors: CloudFront API
//! Reference, "CreateInvalidation".

use super::path::{InvalidationPath, ViewerPath};
use super::record::{Invalidation, InvalidationDelay};
use super::{CloudFrontError, CloudFrontService, CloudFrontState, INVALIDATIONS};
use crate::random::identifier;

/// Most paths without a wildcard in progress for one distribution, and most paths in one request.
pub const MAX_PATHS: usize = 3_000;
/// Most paths with a wildcard in progress for one distribution.
pub const MAX_WILDCARDS: usize = 15;
/// Completed invalidations to keep of each distribution, so that the database does not grow for ever.
const KEPT_INVALIDATIONS: usize = 1_000;

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

impl CloudFrontService {
    /// Sets when invalidations are complete, including those in progress. The default is one second after their
    /// creation.
    pub fn set_completion(&self, completion: InvalidationDelay) {
        self.lock().completion = completion;
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
        let reads_tags = known.served().cache_tags.is_some();
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
            self.remove(INVALIDATIONS, &format!("{distribution}/{}", old.id))?;
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
        let find = |state: &mut CloudFrontState| {
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
    /// cache tags ([`super::path::tags`]).
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
    fn complete_due(&self, state: &mut CloudFrontState, distribution: &str) -> Result<(), CloudFrontError> {
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
}

fn sorted(paths: &[InvalidationPath]) -> Vec<&InvalidationPath> {
    let mut sorted: Vec<_> = paths.iter().collect();
    sorted.sort();
    sorted
}
