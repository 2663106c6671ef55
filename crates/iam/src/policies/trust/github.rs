//! The subjects of GitHub's tokens.
//!
//! Since 15 July 2026, the subject of a repository that is created, renamed or transferred has the ids of owner and
//! repository: `repo:acme@123/docs@456:ref:refs/heads/main`. Older repositories keep `repo:acme/docs:…` until they opt in, and
//! GitHub Enterprise Server has no other. Source: GitHub Docs, "OpenID Connect reference", "Immutable subject claims".

use std::fmt;
use std::str::FromStr;

use tidegate_core::sanitize::sanitize_name;

use super::TrustError;
use super::jobs::{TrustedJobs, check_ref, environment_in_subject};

/// The issuer of github.com, without `https://`.
pub(super) const ISSUER: &str = "token.actions.githubusercontent.com";

/// An organization or a repository, with the ids that GitHub never reuses: `acme`, `acme/docs`, `acme@123/docs@456`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubRepository {
    owner: NameWithId,
    repository: Option<NameWithId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct NameWithId {
    name: String,
    id: Option<String>,
}

impl NameWithId {
    fn parse(text: &str, allowed: &str) -> Option<Self> {
        let (name, id) = text.split_once('@').map_or((text, None), |(name, id)| (name, Some(id)));
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || allowed.contains(c));
        let is_id = id.is_none_or(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()));
        (is_name && is_id).then(|| Self { name: name.to_owned(), id: id.map(str::to_owned) })
    }

    /// With the id, or with a wildcard for it. No name has an `@`, so the name cannot go on.
    fn immutable(&self) -> String {
        format!("{}@{}", self.name, self.id.as_deref().unwrap_or("*"))
    }
}

impl FromStr for GitHubRepository {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        let invalid = || TrustError::Repository(sanitize_name(text));
        let (owner, repository) = text.split_once('/').map_or((text, None), |(owner, rest)| (owner, Some(rest)));
        let owner = NameWithId::parse(owner, "-_").ok_or_else(invalid)?;
        let repository = repository.map(|name| NameWithId::parse(name, "-_.").ok_or_else(invalid)).transpose()?;
        Ok(Self { owner, repository })
    }
}

/// Without ids: `acme`, `acme/docs`.
impl fmt::Display for GitHubRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.owner.name)?;
        self.repository.as_ref().map_or(Ok(()), |repository| write!(f, "/{}", repository.name))
    }
}

impl GitHubRepository {
    fn has_ids(&self) -> bool {
        self.owner.id.is_some() || self.repository.as_ref().is_some_and(|repository| repository.id.is_some())
    }

    fn is_pinned(&self) -> bool {
        self.owner.id.is_some() && self.repository.as_ref().is_none_or(|repository| repository.id.is_some())
    }

    /// The beginnings of subjects: that with ids, and the earlier one unless an id was given.
    fn beginnings(&self, issuer: &str) -> Vec<String> {
        let named = |owner: &str, repository: Option<&str>| format!("repo:{owner}/{}", repository.unwrap_or("*"));
        let earlier = named(&self.owner.name, self.repository.as_ref().map(|repository| repository.name.as_str()));
        let repository = self.repository.as_ref().map(NameWithId::immutable);
        let immutable = named(&self.owner.immutable(), repository.as_deref());
        // GitHub Enterprise Server.
        if !issuer.starts_with("token.actions.") {
            return vec![earlier];
        }
        if self.has_ids() { vec![immutable] } else { vec![earlier, immutable] }
    }

    /// The subjects of these jobs.
    pub(super) fn subjects(
        &self,
        issuer: &str,
        jobs: &[TrustedJobs],
        workflow: Option<&str>,
    ) -> Result<Vec<String>, TrustError> {
        let is_environment = |one: &TrustedJobs| matches!(one, TrustedJobs::Environment(_));
        if jobs.iter().any(is_environment) && !jobs.iter().all(is_environment) {
            return Err(TrustError::Both);
        }
        let mut ends = jobs.iter().map(context).collect::<Result<Vec<String>, TrustError>>()?;
        if ends.is_empty() {
            ends.push("*".to_owned());
        }
        let workflow = workflow.map(check_workflow).transpose()?;
        let mut subjects = Vec::new();
        for beginning in self.beginnings(issuer) {
            for end in &ends {
                subjects.push(match &workflow {
                    Some(workflow) => format!("{beginning}:{end}:job_workflow_ref:{workflow}"),
                    // `repo:acme/*` ends in a wildcard of its own.
                    None if self.repository.is_none() && end == "*" => beginning.clone(),
                    None => format!("{beginning}:{end}"),
                });
            }
        }
        Ok(subjects)
    }

    /// What the reader of the document should know.
    pub(super) fn notes(&self, issuer: &str, jobs: &[TrustedJobs], workflow: Option<&str>) -> Vec<String> {
        let mut notes = Vec::new();
        if issuer.starts_with("token.actions.") && !self.is_pinned() {
            let name = &self.owner.name;
            let example = match &self.repository {
                Some(repository) => {
                    format!("gh api repos/{name}/{0} --jq '\"{name}@\\(.owner.id)/{0}@\\(.id)\"'", repository.name)
                }
                None => format!("gh api users/{name} --jq '\"{name}@\\(.id)\"'"),
            };
            notes.push(format!(
                "without ids, only the names are trusted: also an account that registers `{name}` later, and for a repository also others of `{name}` with customized subjects. Give --github what this prints: {example}"
            ));
        }
        if jobs.iter().any(|one| matches!(one, TrustedJobs::Environment(_))) {
            notes.push(
                "tokens of an environment do not name the branch: restrict branches in its deployment rules".to_owned(),
            );
        }
        if let (Some(_), Some(_)) = (workflow, &self.repository) {
            notes.push(format!(
                "tokens name the workflow only after: gh api -X PUT repos/{self}/actions/oidc/customization/sub -F use_default=false -f 'include_claim_keys[]=repo' -f 'include_claim_keys[]=context' -f 'include_claim_keys[]=job_workflow_ref'"
            ));
        } else if workflow.is_some() {
            notes.push(
                "tokens name the workflow only if the subjects of the repositories are customized with `include_claim_keys`: repo, context, job_workflow_ref"
                    .to_owned(),
            );
        }
        notes
    }
}

fn context(jobs: &TrustedJobs) -> Result<String, TrustError> {
    Ok(match jobs {
        TrustedJobs::Branch(name) => format!("ref:refs/heads/{}", check_ref(name, "branch")?),
        TrustedJobs::Tag(name) => format!("ref:refs/tags/{}", check_ref(name, "tag")?),
        TrustedJobs::PullRequests => "pull_request".to_owned(),
        TrustedJobs::Environment(name) => format!("environment:{}", environment_in_subject(name)?),
    })
}

/// `acme/ci/.github/workflows/publish.yml@refs/heads/main`.
fn check_workflow(text: &str) -> Result<String, TrustError> {
    let invalid = || TrustError::Workflow(sanitize_name(text));
    let (path, reference) = text.split_once('@').ok_or_else(invalid)?;
    let mut names = path.splitn(3, '/');
    let is_named = names.next().is_some_and(|name| NameWithId::parse(name, "-_").is_some())
        && names.next().is_some_and(|name| NameWithId::parse(name, "-_.").is_some())
        && names.next().is_some_and(|file| file.ends_with(".yml") || file.ends_with(".yaml"));
    if !is_named || path.contains(['*', '?', '$', ':', ' ']) || !reference.starts_with("refs/") {
        return Err(invalid());
    }
    check_ref(reference, "ref of the workflow")?;
    Ok(text.to_owned())
}
