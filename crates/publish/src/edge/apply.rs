//! Applying changes to the edge of a site. Each change reads what it needs again, by name, so that a list can be continued
//! after a failure, and something that changed in the meantime is not overwritten.

use std::time::Duration;

use tidegate_core::config::DistributionId;
use tidegate_core::edge::KeyBatch;
use tidegate_core::invalidation::{CachePath, InvalidationRequest};
use tokio::time::{Instant, sleep};

use super::change::EdgeChange;
use super::error::EdgeError;
use super::fits::obstacles;
use super::found::{FoundEdge, StoreReading, find_store};
use super::probe::EdgeAnswer;
use super::spec::EdgeSpec;
use crate::aws_error::AwsError;
use crate::cloudfront::{CloudFront, DistributionEdit, EdgeStage, EdgeStore, FoundEdgeFunction, FoundHeadersPolicy};
use crate::connection::Connection;
use crate::key_values::is_conflict;
use crate::publish::update_in_order;

/// Most of the computing time of a function that a probe may use, in percent. Above 100, visitors get 503.
const MOST_UTILIZATION: u32 = 50;

/// Most attempts of a change that names a version, if something else changes the same thing.
const ATTEMPTS: u32 = 5;

/// How often CloudFront is asked whether something is ready.
const POLL_INTERVAL: Duration = Duration::from_secs(3);

/// How long a store, or a delete of something that was in use, may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a change of a distribution may take to reach all edge locations.
const DEPLOY_TIMEOUT: Duration = Duration::from_secs(1_800);

/// Reads and changes the edge of a site.
#[derive(Debug, Clone)]
pub struct EdgeInstaller {
    cloudfront: CloudFront,
    connection: Connection,
    spec: EdgeSpec,
    interval: Duration,
}

impl EdgeInstaller {
    /// An installer with the caller's connection.
    #[must_use]
    pub fn new(connection: &Connection, spec: EdgeSpec) -> Self {
        let (cloudfront, connection) = (CloudFront::new(connection), connection.clone());
        Self { cloudfront, connection, spec, interval: POLL_INTERVAL }
    }

    /// With another time between two questions whether something is ready.
    #[must_use]
    pub fn with_interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// What the edge should be.
    #[must_use]
    pub fn spec(&self) -> &EdgeSpec {
        &self.spec
    }

    /// What exists.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn read(&self, keys: StoreReading) -> Result<FoundEdge, AwsError> {
        FoundEdge::read(&self.connection, &self.cloudfront, &self.spec, keys).await
    }

    /// Makes the changes in order, and calls `on_start` before each. `reference` names this run, for invalidations.
    ///
    /// # Errors
    /// [`EdgeError`], at the first change that fails. The site works, and a list that is made of what exists then continues.
    pub async fn apply(
        &self,
        changes: &[EdgeChange],
        reference: &str,
        mut on_start: impl FnMut(&EdgeChange),
    ) -> Result<(), EdgeError> {
        for change in changes {
            on_start(change);
            self.apply_change(change, reference).await?;
        }
        Ok(())
    }

    async fn apply_change(&self, change: &EdgeChange, reference: &str) -> Result<(), EdgeError> {
        let Self { cloudfront, spec, .. } = self;
        match change {
            EdgeChange::CreateStore { store } => self.create_store(store).await,
            EdgeChange::PutKeys { version, batches, .. } => self.put_keys(version.as_deref(), batches).await,
            EdgeChange::CreateHeadersPolicy { policy, .. } => {
                let created = cloudfront.create_headers_policy(policy, &spec.comment(), &spec.headers).await;
                unless_exists(created)
            }
            EdgeChange::UpdateHeadersPolicy { .. } => {
                let policy = self.headers_policy().await?;
                Ok(cloudfront.update_headers_policy(&policy, &spec.headers).await?)
            }
            EdgeChange::CreateFunction { function } => {
                let store = self.store().await?;
                unless_exists(cloudfront.create_function(function, &spec.function(&store.arn)).await)
            }
            EdgeChange::UpdateFunction { function } => {
                let (store, current) = (self.store().await?, self.function().await?);
                Ok(cloudfront.update_function(function, &current.etag, &spec.function(&store.arn)).await?)
            }
            EdgeChange::TestFunction { .. } => self.test_function().await,
            EdgeChange::PublishFunction { function } => {
                let current = self.function().await?;
                // What was tested is what is published.
                if current.function.code != spec.code {
                    return Err(EdgeError::Gone { kind: "tested code of the function", name: function.clone() });
                }
                Ok(cloudfront.publish_function(function, &current.etag).await?)
            }
            EdgeChange::UpdateDistribution { distribution, edits } => {
                self.update_distribution(distribution, edits).await?;
                self.await_deployed(distribution).await
            }
            EdgeChange::AwaitDistribution { distribution } => self.await_deployed(distribution).await,
            EdgeChange::Invalidate { distribution } => self.invalidate(distribution, reference).await,
            EdgeChange::DeleteFunction { function } => {
                let delete = async || match cloudfront.function(function, EdgeStage::Development).await? {
                    Some(current) => cloudfront.delete_function(function, &current.etag).await,
                    None => Ok(()),
                };
                self.delete(delete).await
            }
            EdgeChange::DeleteStore { store } => {
                let delete = async || match cloudfront.store(store).await? {
                    Some((_, etag)) => cloudfront.delete_store(store, &etag).await,
                    None => Ok(()),
                };
                self.delete(delete).await
            }
            EdgeChange::DeleteHeadersPolicy { policy } => {
                let delete = async || match cloudfront.headers_policy(policy).await? {
                    Some(found) => cloudfront.delete_headers_policy(&found).await,
                    None => Ok(()),
                };
                self.delete(delete).await
            }
        }
    }

    async fn store(&self) -> Result<EdgeStore, EdgeError> {
        let gone = || EdgeError::Gone { kind: "key value store", name: self.spec.name.clone() };
        find_store(&self.cloudfront, &self.spec).await?.ok_or_else(gone)
    }

    async fn function(&self) -> Result<FoundEdgeFunction, EdgeError> {
        let gone = || EdgeError::Gone { kind: "function", name: self.spec.name.clone() };
        self.cloudfront.function(&self.spec.name, EdgeStage::Development).await?.ok_or_else(gone)
    }

    async fn headers_policy(&self) -> Result<FoundHeadersPolicy, EdgeError> {
        let gone = || EdgeError::Gone { kind: "response headers policy", name: self.spec.name.clone() };
        self.cloudfront.headers_policy(&self.spec.name).await?.ok_or_else(gone)
    }

    async fn create_store(&self, name: &str) -> Result<(), EdgeError> {
        if self.cloudfront.store(name).await?.is_none() {
            unless_exists(self.cloudfront.create_store(name, &self.spec.comment()).await)?;
        }
        let start = Instant::now();
        loop {
            if self.cloudfront.store(name).await?.is_some_and(|(store, _)| store.ready) {
                return Ok(());
            }
            self.wait(start, STORE_TIMEOUT, || format!("the key value store `{name}`")).await?;
        }
    }

    /// Writes keys. What a publish has written since they were planned is not overwritten.
    async fn put_keys(&self, planned: Option<&str>, batches: &[KeyBatch]) -> Result<(), EdgeError> {
        let store = self.store().await?;
        let values = store.values(&self.connection)?;
        if let Some(planned) = planned {
            let mut version = planned.to_owned();
            for batch in batches {
                let conflict =
                    |error| if is_conflict(&error) { EdgeError::Written(store.name.clone()) } else { error.into() };
                version = values.update(&version, batch).await.map_err(conflict)?;
            }
            return Ok(());
        }
        let start = Instant::now();
        let mut version = loop {
            match values.version().await {
                Ok(version) => break version,
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
            self.wait(start, STORE_TIMEOUT, || format!("the key value store `{}`", store.name)).await?;
        };
        Ok(update_in_order(&values, &mut version, batches.to_vec()).await?)
    }

    async fn test_function(&self) -> Result<(), EdgeError> {
        let (function, current) = (&self.spec.name, self.function().await?);
        for probe in &self.spec.probes {
            let result = self.cloudfront.test_function(function, &current.etag, &probe.event.to_string()).await?;
            let (function, path) = (function.clone(), probe.path.clone());
            if let Some(why) = result.error {
                let why = tidegate_core::sanitize::sanitize_name(&why);
                return Err(EdgeError::Fails { function, path, why });
            }
            let found = EdgeAnswer::read(&result.output);
            if found != probe.answer {
                return Err(EdgeError::WrongAnswer { function, path, found, expected: probe.answer.clone() });
            }
            if let Some(percent) = result.utilization.filter(|percent| *percent >= MOST_UTILIZATION) {
                return Err(EdgeError::TooSlow { function, path, percent, most: MOST_UTILIZATION });
            }
        }
        Ok(())
    }

    /// Changes a distribution. If something else changed it at the same time, it has to fit still.
    async fn update_distribution(&self, id: &DistributionId, edits: &[DistributionEdit]) -> Result<(), EdgeError> {
        let mut edits = edits.to_vec();
        for edit in &mut edits {
            if let DistributionEdit::SetHeadersPolicy { id } = edit {
                *id = Some(self.headers_policy().await?.id);
            }
        }
        let adds = edits.iter().any(|edit| matches!(edit, DistributionEdit::Associate { .. }));
        let mut attempts = 1;
        loop {
            match self.cloudfront.edit_distribution(id, &edits).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_condition_failed() && attempts < ATTEMPTS => attempts += 1,
                Err(error) => return Err(error.into()),
            }
            sleep(self.interval).await;
            if adds {
                self.check_fits(id).await?;
            }
        }
    }

    async fn check_fits(&self, id: &DistributionId) -> Result<(), EdgeError> {
        let current = self.cloudfront.distribution(id, &self.spec.bucket).await?;
        let found = FoundEdge { distributions: [(id.clone(), current)].into(), ..FoundEdge::default() };
        let paths = self.spec.distributions.iter().filter(|(other, _)| other == id);
        let obstacle = paths.flat_map(|(id, path)| obstacles(&self.spec, &found, id, path)).next();
        obstacle.map_or(Ok(()), Err)
    }

    async fn await_deployed(&self, id: &DistributionId) -> Result<(), EdgeError> {
        let start = Instant::now();
        loop {
            if self.cloudfront.distribution(id, &self.spec.bucket).await?.deployed {
                return Ok(());
            }
            self.wait(start, DEPLOY_TIMEOUT, || format!("the distribution `{id}`")).await?;
        }
    }

    async fn invalidate(&self, id: &DistributionId, reference: &str) -> Result<(), EdgeError> {
        let everything = CachePath::new("/*")
            .map_err(|error| AwsError::malformed("CreateInvalidation", id.as_str(), error.to_string()))?;
        let request = InvalidationRequest {
            distribution: id.clone(),
            paths: vec![everything],
            tags: Vec::new(),
            reference: format!("tidegate-edge-{reference}"),
            unchanged: 0,
            fallback: None,
        };
        self.cloudfront.invalidate(&request).await?;
        Ok(())
    }

    /// Deletes something. CloudFront may see it in use for a while after the distribution is deployed.
    async fn delete(&self, delete: impl AsyncFn() -> Result<(), AwsError>) -> Result<(), EdgeError> {
        let start = Instant::now();
        loop {
            match delete().await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) if error.code.as_deref().is_some_and(|code| code.contains("InUse")) => {
                    if start.elapsed() >= STORE_TIMEOUT {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
            sleep(self.interval).await;
        }
    }

    async fn wait(&self, start: Instant, limit: Duration, what: impl Fn() -> String) -> Result<(), EdgeError> {
        if start.elapsed() >= limit {
            return Err(EdgeError::NotReady { what: what(), after: limit });
        }
        sleep(self.interval).await;
        Ok(())
    }
}

/// A name that exists was created by an attempt whose response was lost: nothing had it when the changes were planned. The
/// next run compares what it is.
fn unless_exists(result: Result<(), AwsError>) -> Result<(), EdgeError> {
    match result {
        Err(error)
            if error.status == Some(409) && error.code.as_deref().is_some_and(|code| code.contains("Exists")) =>
        {
            Ok(())
        }
        other => Ok(other?),
    }
}
