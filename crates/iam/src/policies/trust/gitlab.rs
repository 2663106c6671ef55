//! The subjects of GitLab's tokens. Source: GitLab Docs, "ID token authentication", and "Configure OpenID Connect in AWS".

use tidegate_core::sanitize::sanitize_name;

use super::TrustError;
use super::jobs::{TrustedJobs, check_ref};

/// The subjects of these jobs of a project, or of all projects of a group: `acme/docs`, `acme/*`.
pub(super) fn subjects(project: &str, jobs: &[TrustedJobs]) -> Result<Vec<String>, TrustError> {
    let invalid = || TrustError::Project(sanitize_name(project));
    let path = project.strip_suffix("/*").unwrap_or(project);
    let is_path = path
        .split('/')
        .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)));
    if !is_path {
        return Err(invalid());
    }
    if jobs.is_empty() {
        return Ok(vec![format!("project_path:{project}:*")]);
    }
    let end = |jobs: &TrustedJobs| {
        Ok(match jobs {
            TrustedJobs::Branch(name) => format!("branch:ref:{}", check_ref(name, "branch")?),
            TrustedJobs::Tag(name) => format!("tag:ref:{}", check_ref(name, "tag")?),
            TrustedJobs::PullRequests | TrustedJobs::Environment(_) => return Err(TrustError::OnlyGitHub),
        })
    };
    jobs.iter().map(|one| end(one).map(|end| format!("project_path:{project}:ref_type:{end}"))).collect()
}
