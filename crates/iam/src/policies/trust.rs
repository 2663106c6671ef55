//! Who may assume a role: jobs of GitHub and GitLab by their own tokens, accounts, roles and services.
//!
//! Owns the subjects of tokens as the providers write them. Sources: GitHub Docs, "OpenID Connect reference"; GitLab Docs,
//! "ID token authentication", and "Configure OpenID Connect in AWS".

use super::{Grant, PolicyKind};
use crate::document::{Partition, PolicyDocument, Principal, Statement};

/// The audience that AWS's own action asks GitHub for.
const GITHUB_AUDIENCE: &str = "sts.amazonaws.com";

/// Whose tokens are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedIdentity {
    /// Any repository of an organisation, or one repository: `acme` or `acme/docs`.
    GitHub {
        /// `acme`, `acme/docs`.
        repository: String,
        /// Only jobs of this branch.
        branch: Option<String>,
        /// Only jobs in this environment.
        environment: Option<String>,
    },
    /// A project of GitLab, or all of a group: `acme/docs` or `acme/*`.
    GitLab {
        /// Its path.
        project: String,
        /// Only jobs of this branch.
        branch: Option<String>,
        /// The server's host, `gitlab.com`.
        host: String,
        /// The audience that jobs ask for, `https://gitlab.com`.
        audience: Option<String>,
    },
}

/// Why nobody can be trusted like that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Characters that no name has, or wildcards that would trust others.
    #[error("`{0}` is no {1}: letters, digits, `.`, `_`, `-` and `/` make one")]
    Name(String, &'static str),
    /// GitHub's tokens of a job in an environment do not name its branch.
    #[error(
        "a job in an environment has a token that names no branch: give one of `--branch` and `--environment`, and limit branches in the environment's own rules"
    )]
    Both,
}

fn named(text: &str, what: &'static str, more: &str) -> Result<String, TrustError> {
    let fine = !text.is_empty()
        && !text.starts_with('/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c) || more.contains(c));
    if fine { Ok(text.to_owned()) } else { Err(TrustError::Name(text.escape_default().to_string(), what)) }
}

impl TrustedIdentity {
    fn host(&self) -> &str {
        match self {
            Self::GitHub { .. } => "token.actions.githubusercontent.com",
            Self::GitLab { host, .. } => host,
        }
    }

    fn audience(&self) -> String {
        match self {
            Self::GitHub { .. } => GITHUB_AUDIENCE.to_owned(),
            Self::GitLab { audience: Some(audience), .. } => audience.clone(),
            Self::GitLab { host, .. } => format!("https://{host}"),
        }
    }

    fn subject(&self) -> Result<String, TrustError> {
        match self {
            Self::GitHub { branch: Some(_), environment: Some(_), .. } => Err(TrustError::Both),
            Self::GitHub { repository, branch, environment } => {
                let name = named(repository, "organisation or repository of GitHub", "")?;
                let name = if name.contains('/') { name } else { format!("{name}/*") };
                Ok(match (branch, environment) {
                    (Some(branch), _) => format!("repo:{name}:ref:refs/heads/{}", named(branch, "branch", "")?),
                    (_, Some(environment)) => {
                        format!("repo:{name}:environment:{}", named(environment, "environment", " ")?)
                    }
                    // `repo:acme/*` ends in a wildcard of its own.
                    (None, None) if name.ends_with('*') => format!("repo:{name}"),
                    (None, None) => format!("repo:{name}:*"),
                })
            }
            Self::GitLab { project, branch, host, .. } => {
                named(host, "host", ":")?;
                let name = named(project.strip_suffix("/*").unwrap_or(project), "project of GitLab", "")?;
                let name = if project.ends_with("/*") { format!("{name}/*") } else { name };
                let branch = branch.as_deref().map(|branch| named(branch, "branch", "")).transpose()?;
                Ok(match branch {
                    Some(branch) => format!("project_path:{name}:ref_type:branch:ref:{branch}"),
                    None => format!("project_path:{name}:*"),
                })
            }
        }
    }
}

fn grant(name: &str, what: &'static str, statement: Statement) -> Grant {
    Grant { attached: PolicyKind::Trust, ..Grant::policy(name, what, PolicyDocument::new(vec![statement])) }
}

/// A role for jobs that prove by their own token who they are: no key is kept anywhere.
///
/// # Errors
/// [`TrustError`].
pub fn trust(partition: &Partition, account: &str, identity: &TrustedIdentity) -> Result<Grant, TrustError> {
    let (host, subject) = (identity.host(), identity.subject()?);
    let operator = if subject.contains('*') { "StringLike" } else { "StringEquals" };
    let statement = Statement::allow(["sts:AssumeRoleWithWebIdentity"], [])
        .of(Principal::Federated(format!("arn:{partition}:iam::{account}:oidc-provider/{host}")))
        .when("StringEquals", format!("{host}:aud"), [identity.audience()])
        .when(operator, format!("{host}:sub"), [subject])
        .because(
            "TrustTheseJobs",
            "jobs whose token has this audience and this subject, and no others of the same provider",
        );
    Ok(grant(
        "tidegate-trust",
        "Who may assume the role: jobs that prove by a token of their provider who they are",
        statement,
    ))
}

/// A role for users and roles of an account that may assume it by their own policies, or for one of them.
#[must_use]
pub fn trust_account(arn: &str) -> Grant {
    let statement = Statement::allow(["sts:AssumeRole"], [])
        .of(Principal::Aws(vec![arn.to_owned()]))
        .because("TrustTheAccount", "whoever of it is allowed to by a policy of its own");
    grant("tidegate-trust", "Who may assume the role", statement)
}

/// A role for one other role of the account, named by its ARN. The account is trusted and the role is a condition, so that it does
/// not matter which of the two is made first, and a role that is made anew is trusted as before: IAM keeps a role that stands
/// as a principal by its id. Source: IAM user guide, "AWS JSON policy elements: Principal".
#[must_use]
pub fn trust_role(partition: &Partition, account: &str, arn: &str) -> Grant {
    let statement = Statement::allow(["sts:AssumeRole"], [])
        .of(Principal::Aws(vec![format!("arn:{partition}:iam::{account}:root")]))
        .when("ArnEquals", "aws:PrincipalArn", [arn.to_owned()])
        .because("TrustTheFunction", "the execution role of the function, and no other role or user of the account");
    grant("tidegate-trust", "Who may assume the role", statement)
}

/// A role for a service, such as `lambda.amazonaws.com`.
#[must_use]
pub fn trust_service(service: &str) -> Grant {
    let statement = Statement::allow(["sts:AssumeRole"], [])
        .of(Principal::Service(service.to_owned()))
        .because("TrustTheService", "the service that runs the function");
    grant("tidegate-trust", "Who may assume the role", statement)
}
