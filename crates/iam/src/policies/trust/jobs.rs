//! The jobs of a CI system that are trusted, and the names of branches, tags and environments in their subjects.

use tidegate_core::sanitize::sanitize_name;

use super::TrustError;

/// Jobs of a repository. A list trusts each of them; an empty list trusts all jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedJobs {
    /// Jobs of a branch, or of branches that match a pattern such as `release/*`.
    Branch(String),
    /// Jobs of a tag, or of tags that match a pattern such as `v*`.
    Tag(String),
    /// Jobs of pull requests (GitHub).
    PullRequests,
    /// Jobs in an environment (GitHub).
    Environment(String),
}

/// Checks the name of a branch or tag, in which `*` is a wildcard. The other characters are those that git allows, without
/// `$`, which begins a policy variable. Source: git-check-ref-format.
pub(super) fn check_ref(text: &str, kind: &'static str) -> Result<String, TrustError> {
    let is_valid = !text.is_empty()
        && !text.starts_with(['/', '-'])
        && !text.ends_with(['/', '.'])
        && !["..", "//", "@{"].iter().any(|refused| text.contains(refused))
        && text.chars().all(|c| !" ~^:?[\\$".contains(c) && is_policy_character(c));
    if is_valid { Ok(text.to_owned()) } else { Err(TrustError::Ref(sanitize_name(text), kind)) }
}

/// The name of an environment as it stands in a subject. Source: GitHub Docs, "OpenID Connect reference", "Filtering for
/// metadata containing `:`".
pub(super) fn environment_in_subject(text: &str) -> Result<String, TrustError> {
    let is_valid = !text.is_empty() && text.chars().all(|c| !"*?$".contains(c) && is_policy_character(c));
    if is_valid { Ok(text.replace(':', "%3A")) } else { Err(TrustError::Environment(sanitize_name(text))) }
}

/// Characters of policy documents. Source: IAM API reference, `PolicyDocument` of `CreateRole`.
fn is_policy_character(c: char) -> bool {
    matches!(c, ' '..='\u{ff}') && !c.is_control()
}
