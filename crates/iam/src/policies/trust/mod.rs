//! Trust policies: for jobs of GitHub and GitLab by their OIDC tokens, for accounts, for roles and for services.

mod github;
mod gitlab;
mod jobs;

use tidegate_core::config::RoleArn;
use tidegate_core::sanitize::sanitize_name;

use super::{Grant, PolicyKind};
use crate::document::{Partition, PolicyDocument, Principal, Statement};

pub use github::GitHubRepository;
pub use jobs::TrustedJobs;

/// The CI jobs whose tokens are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedIdentity {
    /// Jobs of GitHub Actions.
    GitHub {
        /// An organization or one repository.
        repository: GitHubRepository,
        /// Only these jobs; all where empty.
        jobs: Vec<TrustedJobs>,
        /// Only jobs of this reusable workflow: `acme/ci/.github/workflows/publish.yml@refs/heads/main`.
        workflow: Option<String>,
        /// The issuer without `https://`, where it is not that of github.com.
        issuer: Option<String>,
        /// The audience of the tokens, where it is not that of the action `configure-aws-credentials`.
        audience: Option<String>,
    },
    /// Jobs of GitLab.
    GitLab {
        /// A project, or all projects of a group: `acme/docs`, `acme/*`.
        project: String,
        /// Only these jobs; all where empty.
        jobs: Vec<TrustedJobs>,
        /// The host of the server, such as `gitlab.com`.
        host: String,
        /// The audience of the tokens, such as `https://gitlab.com`; the URL of the host where absent.
        audience: Option<String>,
    },
}

/// Why there is no trust policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A host or audience with invalid characters, or with wildcards, which would trust others.
    #[error("invalid {1} `{0}`: use letters, digits, `.`, `_`, `-`, `/` and `:`")]
    Name(String, &'static str),
    /// Not an organization or repository of GitHub.
    #[error(
        "invalid organization or repository of GitHub `{0}`: write `acme`, `acme/docs` or, with ids, `acme@123/docs@456`"
    )]
    Repository(String),
    /// Not a project of GitLab.
    #[error("invalid project of GitLab `{0}`: write `acme/docs`, or `acme/*` for all projects of a group")]
    Project(String),
    /// Not the name of a branch or tag, or a pattern of them.
    #[error("invalid {1} `{0}`: write a name that git allows, without `$`; `*` matches any text")]
    Ref(String, &'static str),
    /// Not the name of an environment.
    #[error("invalid environment `{0}`: write its name, without `*`, `?` and `$`")]
    Environment(String),
    /// Not a reusable workflow.
    #[error("invalid workflow `{0}`: write `OWNER/REPO/.github/workflows/FILE.yml@refs/heads/BRANCH`")]
    Workflow(String),
    /// The token of a job in a GitHub environment does not name its branch.
    #[error(
        "the token of a job in an environment does not name its branch: use `--environment` alone, and restrict branches in the environment's deployment rules"
    )]
    Both,
    /// GitLab has no tokens for environments or pull requests alone.
    #[error("tokens of GitLab name a branch or a tag: use `--branch` or `--tag`")]
    OnlyGitHub,
}

fn check_name(text: &str, kind: &'static str) -> Result<(), TrustError> {
    let is_valid = !text.is_empty()
        && !text.starts_with('/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:".contains(c));
    if is_valid { Ok(()) } else { Err(TrustError::Name(sanitize_name(text), kind)) }
}

impl TrustedIdentity {
    /// The issuer of the tokens without `https://`, by which an account names the OIDC provider.
    #[must_use]
    pub fn issuer(&self) -> &str {
        match self {
            Self::GitHub { issuer, .. } => issuer.as_deref().unwrap_or(github::ISSUER),
            Self::GitLab { host, .. } => host,
        }
    }

    /// The audience of the tokens. For GitHub, it is that which the action `aws-actions/configure-aws-credentials` is to
    /// request in a partition.
    #[must_use]
    pub fn audience(&self, partition: &Partition) -> String {
        match self {
            Self::GitHub { audience: Some(audience), .. } | Self::GitLab { audience: Some(audience), .. } => {
                audience.clone()
            }
            Self::GitHub { .. } => format!("sts.{}", partition.dns_suffix()),
            Self::GitLab { host, .. } => format!("https://{host}"),
        }
    }

    /// The ARN of the OIDC provider.
    #[must_use]
    pub fn provider(&self, partition: &Partition, account: &str) -> String {
        format!("arn:{partition}:iam::{account}:oidc-provider/{}", self.issuer())
    }

    /// What the reader of the document should know, as sentences without a full stop.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        match self {
            Self::GitHub { repository, jobs, workflow, .. } => {
                repository.notes(self.issuer(), jobs, workflow.as_deref())
            }
            Self::GitLab { .. } => Vec::new(),
        }
    }

    fn subjects(&self) -> Result<Vec<String>, TrustError> {
        check_name(self.issuer(), "host")?;
        check_name(&self.audience(&Partition::default()), "audience")?;
        match self {
            Self::GitHub { repository, jobs, workflow, .. } => {
                repository.subjects(self.issuer(), jobs, workflow.as_deref())
            }
            Self::GitLab { project, jobs, .. } => gitlab::subjects(project, jobs),
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
    let (host, subjects) = (identity.issuer(), identity.subjects()?);
    // Conditions on one key under two operators would both have to hold.
    let has_pattern = subjects.iter().any(|subject| subject.contains('*'));
    let operator = if has_pattern { "StringLike" } else { "StringEquals" };
    let statement = Statement::allow(["sts:AssumeRoleWithWebIdentity"], [])
        .of(Principal::Federated(identity.provider(partition, account)))
        .when("StringEquals", format!("{host}:aud"), [identity.audience(partition)])
        .when(operator, format!("{host}:sub"), subjects)
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

/// Trusts the role of a CI job, by the same condition, in the role `publisher`.
#[must_use]
pub fn trust_ci_role(partition: &Partition, account: &str, arn: &str, publisher: &RoleArn) -> Grant {
    let statement = Statement::allow(["sts:AssumeRole"], [])
        .of(Principal::Aws(vec![format!("arn:{partition}:iam::{account}:root")]))
        .when("ArnEquals", "aws:PrincipalArn", [arn.to_owned()])
        .because("TrustCiRole", "to trust the role of the CI job, and no other principal of the account");
    Grant {
        name: publisher.role_name().to_owned(),
        path: publisher.path().to_owned(),
        ..grant("Publishes a site, in sessions limited to one plan", statement)
    }
}

/// Trusts an AWS service, such as `lambda.amazonaws.com`.
#[must_use]
pub fn trust_service(service: &str) -> Grant {
    let statement = Statement::allow(["sts:AssumeRole"], [])
        .of(Principal::Service(service.to_owned()))
        .because("TrustService", "to trust the service that runs the function");
    grant("Trusts a service", statement)
}

/// Trusts Step Functions on behalf of one state machine, and of no other that could be given the role. The ARN of a Map
/// Run has a label after the name.
///
/// Source: AWS Step Functions developer guide, "Creating an IAM role for your state machine", "Prevent cross-service
/// confused deputy issue".
#[must_use]
pub fn trust_state_machine(partition: &Partition, account: &str, region: &str, name: &str) -> Grant {
    let arn = format!("arn:{partition}:states:{region}:{account}:stateMachine:{name}");
    let statement = Statement::allow(["sts:AssumeRole"], [])
        .of(Principal::Service("states.amazonaws.com".to_owned()))
        .when("StringEquals", "aws:SourceAccount", [account.to_owned()])
        .when("ArnLike", "aws:SourceArn", [arn.clone(), format!("{arn}/*")])
        .because("TrustStateMachine", "to trust Step Functions for this state machine, and for no other");
    grant("Trusts a state machine", statement)
}
