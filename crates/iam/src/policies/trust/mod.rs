//! Trust policies: for jobs of GitHub and GitLab by their OIDC tokens, for accounts, for roles and for services.
//!
//! Sources for the subjects of tokens: GitHub Docs, "OpenID Connect reference"; GitLab Docs,
//! "ID token authentication", and "Configure OpenID Connect in AWS".

use tidegate_core::sanitize::sanitize_name;

use super::{Grant, PolicyKind};
use crate::document::{Partition, PolicyDocument, Principal, Statement};

/// The audience of the tokens that the action `aws-actions/configure-aws-credentials` requests.
const GITHUB_AUDIENCE: &str = "sts.amazonaws.com";

/// The CI jobs whose tokens are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedIdentity {
    /// Jobs of GitHub Actions.
    GitHub {
        /// An organization or one repository: `acme`, `acme/docs`.
        repository: String,
        /// Only jobs of this branch.
        branch: Option<String>,
        /// Only jobs in this environment.
        environment: Option<String>,
    },
    /// Jobs of GitLab.
    GitLab {
        /// A project, or all projects of a group: `acme/docs`, `acme/*`.
        project: String,
        /// Only jobs of this branch.
        branch: Option<String>,
        /// The host of the server, such as `gitlab.com`.
        host: String,
        /// The audience of the tokens, such as `https://gitlab.com`; the URL of the host where absent.
        audience: Option<String>,
    },
}

/// Why there is no trust policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A name with invalid characters, or with wildcards, which would trust others.
    #[error("invalid {1} `{0}`: use letters, digits, `.`, `_`, `-` and `/`")]
    Name(String, &'static str),
    /// The token of a job in a GitHub environment does not name its branch.
    #[error(
        "the token of a job in an environment does not name its branch: use one of `--branch` and `--environment`, and restrict branches in the environment's deployment rules"
    )]
    Both,
}

fn check_name(text: &str, kind: &'static str, allowed: &str) -> Result<String, TrustError> {
    let is_valid = !text.is_empty()
        && !text.starts_with('/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c) || allowed.contains(c));
    if is_valid { Ok(text.to_owned()) } else { Err(TrustError::Name(sanitize_name(text), kind)) }
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
                let name = check_name(repository, "organization or repository of GitHub", "")?;
                let name = if name.contains('/') { name } else { format!("{name}/*") };
                Ok(match (branch, environment) {
                    (Some(branch), _) => format!("repo:{name}:ref:refs/heads/{}", check_name(branch, "branch", "")?),
                    (_, Some(environment)) => {
                        format!("repo:{name}:environment:{}", check_name(environment, "environment", " ")?)
                    }
                    // `repo:acme/*` ends in a wildcard of its own.
                    (None, None) if name.ends_with('*') => format!("repo:{name}"),
                    (None, None) => format!("repo:{name}:*"),
                })
            }
            Self::GitLab { project, branch, host, audience } => {
                check_name(host, "host", ":")?;
                if let Some(audience) = audience {
                    check_name(audience, "audience", ":")?;
                }
                let name = check_name(project.strip_suffix("/*").unwrap_or(project), "project of GitLab", "")?;
                let name = if project.ends_with("/*") { format!("{name}/*") } else { name };
                let branch = branch.as_deref().map(|branch| check_name(branch, "branch", "")).transpose()?;
                Ok(match branch {
                    Some(branch) => format!("project_path:{name}:ref_type:branch:ref:{branch}"),
                    None => format!("project_path:{name}:*"),
                })
            }
        }
    }
}

fn grant(description: &'static str, statement: Statement) -> Grant {
    let document = PolicyDocument::new(vec![statement]);
    Grant { attached: PolicyKind::Trust, ..Grant::policy("tidegate-trust", description, document) }
}

/// Trusts CI jobs by their OIDC tokens, without an access key.
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
        .because("TrustCiJobs", "to trust tokens with this audience and subject, and no others of the provider");
    Ok(grant("Trusts CI jobs by their OIDC tokens", statement))
}

/// Trusts users and roles of an account that are allowed to assume the role by their own policies, or one of them.
#[must_use]
pub fn trust_account(arn: &str) -> Grant {
    let statement = Statement::allow(["sts:AssumeRole"], [])
        .of(Principal::Aws(vec![arn.to_owned()]))
        .because("TrustAccount", "to trust principals whose own policies allow them to assume the role");
    grant("Trusts an account", statement)
}

/// Trusts one other role of the account, by its ARN. The principal is the account and the role is a condition: IAM stores a
/// role that is a principal by its id, so it would have to exist first, and would no longer be trusted after it was created
/// again. Source: IAM user guide, "AWS JSON policy elements: Principal".
#[must_use]
pub fn trust_role(partition: &Partition, account: &str, arn: &str) -> Grant {
    let statement = Statement::allow(["sts:AssumeRole"], [])
        .of(Principal::Aws(vec![format!("arn:{partition}:iam::{account}:root")]))
        .when("ArnEquals", "aws:PrincipalArn", [arn.to_owned()])
        .because(
            "TrustExecutionRole",
            "to trust the execution role of the function, and no other principal of the account",
        );
    grant("Trusts a role", statement)
}

/// Trusts an AWS service, such as `lambda.amazonaws.com`.
#[must_use]
pub fn trust_service(service: &str) -> Grant {
    let statement = Statement::allow(["sts:AssumeRole"], [])
        .of(Principal::Service(service.to_owned()))
        .because("TrustService", "to trust the service that runs the function");
    grant("Trusts a service", statement)
}
