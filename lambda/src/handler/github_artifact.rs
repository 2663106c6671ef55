//! Copies a file from GitHub into the state of the site that publishes it.
//!
//! A copy is needed since an archive is read by ranges, and the signed addresses of GitHub's file store expire within
//! minutes. The object appears only when it is complete. Its name contains GitHub's id, so a retry or a continuation
//! finds it; a run that ended deletes it.

use std::time::Duration;

use futures::{TryStreamExt, stream};
use tidegate_core::config::{Site, SiteName};
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::location::ObjectLocation;
use tidegate_publish::aws_error::AwsError;
use tokio::time::{Instant, sleep};

use super::EventHandler;
use crate::context::InvocationContext;
use crate::github::{FileError, FileOrigin, Github, GithubError, GithubFile, GithubFileRef};
use crate::secrets::SecretStoreError;
use crate::trigger::Trigger;

/// How long files of failed runs are kept. It is longer than any run takes.
const KEEP_FAILED: Duration = Duration::from_secs(24 * 60 * 60);

/// How long after its publication the assets of a release may be uploaded. Some tools publish a release first.
const UPLOAD_TIME: Duration = Duration::from_secs(15 * 60);

/// The first and the longest wait between two looks at a release.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Why a file of GitHub cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum GithubArtifactError {
    /// The request to GitHub failed.
    #[error(transparent)]
    Github(#[from] GithubError),
    /// The asset is still being uploaded, and the invocation ends.
    #[error(transparent)]
    Uploading(FileError),
    /// GitHub is not asked, and no file was given in its place.
    #[error("GitHub is not asked with `--local`: {0}; give the file with `--put github:NAME=FILE`")]
    Offline(FileError),
    /// The object could not be written.
    #[error(transparent)]
    Cloud(#[from] AwsError),
    /// The token could not be read.
    #[error(transparent)]
    Secrets(#[from] SecretStoreError),
    /// No rule publishes the file or reports the status. A forged continuation fails with this error.
    #[error("no rule of the site `{0}` allows this request to GitHub")]
    NoRule(SiteName),
    /// There is no state to copy the file into.
    #[error("the site `{0}` has no `state` to copy the file into")]
    NoState(SiteName),
}

impl GithubArtifactError {
    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Github(error) => error.kind(),
            Self::Cloud(_) | Self::Secrets(SecretStoreError::Cloud(_)) => ErrorKind::Cloud,
            Self::Secrets(_) | Self::NoRule(_) | Self::NoState(_) | Self::Uploading(_) | Self::Offline(_) => {
                ErrorKind::Configuration
            }
        }
    }

    fn github(&self) -> Option<&GithubError> {
        match self {
            Self::Github(error) => Some(error),
            _ => None,
        }
    }
}

impl EventHandler {
    /// Copies a file into the state, unless a previous attempt did.
    pub(super) async fn fetch_file(
        &self,
        site: &Site,
        reference: &GithubFileRef,
        trigger: &Trigger,
        context: InvocationContext,
    ) -> Result<ObjectLocation, GithubArtifactError> {
        // Any principal with `lambda:InvokeFunction` can send a continuation. The token goes only where the deployed
        // configuration says.
        if !site.github_rules().any(|rule| reference.is_configured_by(rule)) {
            return Err(GithubArtifactError::NoRule(site.name.clone()));
        }
        let state = self.publisher.state(site).ok_or_else(|| GithubArtifactError::NoState(site.name.clone()))?;
        if let Some(offline) = &self.offline_github {
            let (file, bytes) = offline.find(reference).map_err(GithubArtifactError::Offline)?;
            let name = reference.stored_name(&file);
            let location = state.fetched(&name)?;
            if !state.has_fetched(&location).await? {
                state.put_fetched(&name, stream::iter([Ok::<_, GithubArtifactError>(bytes)])).await?;
            }
            return Ok(location);
        }
        let token = self.secrets.secret(&reference.access.token).await?;
        let context = InvocationContext { deadline: context.continue_at(), ..context };
        let github = Github::new(&reference.access, &token, context)?;
        let file = find(&github, reference, trigger, context).await?;
        let name = reference.stored_name(&file);
        let location = state.fetched(&name)?;
        if state.has_fetched(&location).await? {
            tracing::info!(%location, "the file was copied before");
            return Ok(location);
        }
        let keep = u64::try_from(KEEP_FAILED.as_millis()).unwrap_or_default();
        let oldest = context.now.milliseconds().saturating_sub(keep);
        if let Err(error) = state.delete_fetched_before(oldest).await {
            tracing::warn!(%error, "files of failed runs could not be deleted");
        }
        let copy = || async {
            let bytes = github.download(reference, &file).await?;
            match state.put_fetched(&name, bytes.map_err(GithubArtifactError::from)).await {
                // Another invocation has just copied the same file.
                Err(GithubArtifactError::Cloud(error)) if error.is_condition_failed() => Ok(()),
                result => result,
            }
        };
        github.retry(copy, GithubArtifactError::github).await?;
        Ok(location)
    }

    /// Deletes the copy after a run ended. If that fails, a later run deletes it.
    pub(super) async fn delete_fetched(&self, site: &Site, fetched: &ObjectLocation) {
        let Some(state) = self.publisher.state(site) else { return };
        if let Err(error) = state.delete_fetched(fetched).await {
            tracing::warn!(location = %fetched, %error, "the copied file could not be deleted");
        }
    }
}

/// Finds a file. The asset of a release that was just published is waited for.
async fn find(
    github: &Github,
    reference: &GithubFileRef,
    trigger: &Trigger,
    context: InvocationContext,
) -> Result<GithubFile, GithubArtifactError> {
    let (started, mut wait) = (Instant::now(), FIRST_WAIT);
    let published = trigger.revision.as_ref().map_or(0, |revision| revision.at).min(context.now.milliseconds());
    let age = Duration::from_millis(context.now.milliseconds().saturating_sub(published));
    let is_new = || matches!(reference.origin, FileOrigin::Release(_)) && age + started.elapsed() < UPLOAD_TIME;
    loop {
        match github.find(reference).await {
            Err(GithubError::File(error)) if error.is_early() && is_new() => {
                if Instant::now() + wait >= context.deadline {
                    return Err(GithubArtifactError::Uploading(error));
                }
                tracing::info!(%error, ?wait, "waiting for an asset of a new release");
                sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            result => return Ok(result?),
        }
    }
}
