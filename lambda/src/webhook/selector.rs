//! The members of an unverified payload that select the secrets to verify its signature with.
//!
//! Anyone can send a payload of 6 MB. So these are read without a tree of the payload: everything else is skipped, and the
//! memory does not depend on what is sent. A duplicate member is an error, so that the secrets are those of the repository
//! or site that the verified payload names.

use std::borrow::Cow;

use serde::Deserialize;
use tidegate_core::config::Repository;

/// What selects the secrets of a GitHub webhook.
#[derive(Deserialize)]
pub(super) struct GithubSelector<'a> {
    #[serde(borrow)]
    repository: Option<RepositoryName<'a>>,
    #[serde(borrow)]
    organization: Option<OrganizationName<'a>>,
}

#[derive(Deserialize)]
struct RepositoryName<'a> {
    #[serde(borrow)]
    full_name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct OrganizationName<'a> {
    #[serde(borrow)]
    login: Cow<'a, str>,
}

/// What selects the secrets of a generic webhook.
#[derive(Deserialize)]
pub(super) struct GenericSelector<'a> {
    /// The name of the site.
    #[serde(borrow)]
    pub(super) site: Cow<'a, str>,
}

impl GithubSelector<'_> {
    /// The repository.
    pub(super) fn repository(&self) -> Option<Repository> {
        Repository::try_from(self.repository.as_ref()?.full_name.clone().into_owned()).ok()
    }

    /// The organization of a payload without a repository, which is the ping of an organization's webhook.
    pub(super) fn organization(&self) -> Option<&str> {
        if self.repository.is_some() { None } else { Some(&self.organization.as_ref()?.login) }
    }
}
