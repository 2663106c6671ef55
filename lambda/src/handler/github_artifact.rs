//! Files that GitHub keeps, fetched into the state of the site that they are published to.
//!
//! Owns the way from the file that is wanted to a zip that can be read by ranges. A fetched file has a name of its own for
//! ever, so a run that comes again finds it; it is there only once it is whole, and goes with the run that published it.

use std::time::Duration;

use futures::TryStreamExt;
use tidegate_core::config::Site;
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::location::ObjectLocation;
use tidegate_publish::aws_error::AwsError;

use super::EventHandler;
use crate::context::InvocationContext;
use crate::github::{Github, GithubError, GithubFileRef};
use crate::secrets::SecretStoreError;

/// How long what runs that died left in the state is kept, which is longer than any run lasts.
const LEFT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a file of GitHub's cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum GithubArtifactError {
    /// GitHub does not give it.
    #[error(transparent)]
    Github(#[from] GithubError),
    /// The state does not take it.
    #[error(transparent)]
    Cloud(#[from] AwsError),
    /// The token cannot be had.
    #[error(transparent)]
    Secrets(#[from] SecretStoreError),
    /// No rule asks for it, which is what a run that somebody made up looks like.
    #[error("no rule of the site `{0}` asks for this file of GitHub's any more")]
    NoRule(tidegate_core::config::SiteName),
    /// There is no place to fetch it to.
    #[error("the site `{0}` has no `state`, into which a file of GitHub's would be fetched")]
    NoState(tidegate_core::config::SiteName),
}

impl GithubArtifactError {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Github(error) => error.kind(),
            Self::Cloud(_) | Self::Secrets(SecretStoreError::Cloud(_)) => ErrorKind::Cloud,
            Self::Secrets(_) | Self::NoRule(_) | Self::NoState(_) => ErrorKind::Configuration,
        }
    }

    fn of_github(&self) -> Option<&GithubError> {
        match self {
            Self::Github(error) => Some(error),
            _ => None,
        }
    }
}

impl EventHandler {
    /// Fetches a file into the state, unless it is there.
    pub(super) async fn fetch_file(
        &self,
        site: &Site,
        wanted: &GithubFileRef,
        moment: InvocationContext,
    ) -> Result<ObjectLocation, GithubArtifactError> {
        // Whoever may invoke the function may hand it a run. The token goes nowhere but where the configuration says.
        if !site.github_rules().any(|rule| wanted.is_configured_by(rule)) {
            return Err(GithubArtifactError::NoRule(site.name.clone()));
        }
        let state = self.publisher.state(site).ok_or_else(|| GithubArtifactError::NoState(site.name.clone()))?;
        let token = self.secrets.secret(&wanted.access.token).await?;
        let github =
            Github::new(&wanted.access, &token, InvocationContext { deadline: moment.continue_at(), ..moment })?;
        let file = github.find(wanted).await?;
        let name = wanted.stored_name(&file);
        let place = state.fetched(&name)?;
        if state.has_fetched(&place).await? {
            tracing::info!(%place, "the file was fetched before");
            return Ok(place);
        }
        let before = moment.now.milliseconds().saturating_sub(u64::try_from(LEFT_FOR.as_millis()).unwrap_or_default());
        if let Err(error) = state.forget_fetched_before(before).await {
            tracing::warn!(%error, "what earlier runs fetched could not be removed");
        }
        let carry = || async {
            let bytes = github.open(wanted, &file).await?;
            match state.put_fetched(&name, bytes.map_err(GithubArtifactError::from)).await {
                // Another invocation was quicker, with the very same file.
                Err(GithubArtifactError::Cloud(error)) if error.is_condition_failed() => Ok(()),
                stored => stored,
            }
        };
        github.again(carry, GithubArtifactError::of_github).await?;
        Ok(place)
    }

    /// Removes what was fetched for a run that has ended. What cannot be removed goes with a later run.
    pub(super) async fn forget(&self, site: &Site, fetched: &ObjectLocation) {
        let Some(state) = self.publisher.state(site) else { return };
        if let Err(error) = state.forget_fetched(fetched).await {
            tracing::warn!(place = %fetched, %error, "what was fetched could not be removed");
        }
    }
}
