//! The credentials of a run: ones that can only read for planning, and ones that permit exactly one plan for writing.
//!
//! Both are sessions of the site's role, or the caller's own session with fewer permissions. STS has to support the
//! latter, and the caller has to be allowed to ask for it. Without a role and without an explicit setting, a run that
//! gets no scoped credentials uses the caller's own, and says so.

use tidegate_core::arn::{Partition, distribution_arn};
use tidegate_core::config::{CredentialChoice, CredentialMode, RoleArn, StoreArn, UsedCredentials};
use tidegate_core::finding::Finding;
use tidegate_core::location::{Bucket, Location, Source};
use tidegate_core::plan::Plan;
use tidegate_core::policy_document::{PROBED_FROM, PlanningScope, PolicyDocument, SessionScope};

use super::error::PublishError;
use super::run::Run;
use crate::aws_error::AwsError;
use crate::connection::Connection;
use crate::sts::{SessionRequest, Sts};

/// Why other credentials than scoped ones are used. The finding has the details.
const UNSCOPED: &str = "the caller's could not be limited to the plan";

/// Longest description of a session, in characters. Source: STS API reference, `ScopedSessionDescription`.
const MAX_DESCRIPTION: usize = 256;

/// Which credentials a run uses, and why.
#[derive(Debug, Clone)]
pub(super) struct RunCredentials {
    base: CredentialBase,
    why: &'static str,
    /// What is used if the caller's credentials cannot be limited to the plan.
    otherwise: Option<CredentialBase>,
    /// Why they were not limited, though they should have been.
    unscoped: Option<String>,
}

/// What the credentials are made from.
#[derive(Debug, Clone)]
enum CredentialBase {
    /// Sessions of this role.
    Role(RoleArn),
    /// The temporary credentials of this connection.
    Scoped(Box<Connection>),
    /// The caller's own credentials are used as they are.
    Caller,
}

impl RunCredentials {
    fn new(base: CredentialBase, why: &'static str) -> Self {
        Self { base, why, otherwise: None, unscoped: None }
    }

    fn or(self, otherwise: Option<CredentialBase>) -> Self {
        Self { otherwise, ..self }
    }

    /// What is used after `error`.
    fn fall_back(self, error: PublishError) -> Result<Self, PublishError> {
        match (self.otherwise, self.base) {
            (Some(base), _) => Ok(Self { unscoped: Some(error.to_string()), ..Self::new(base, UNSCOPED) }),
            (None, CredentialBase::Scoped(_)) => Err(PublishError::Unscoped(Box::new(error))),
            (None, CredentialBase::Role(_) | CredentialBase::Caller) => Err(error),
        }
    }

    /// What the report says.
    pub(super) fn used(&self) -> UsedCredentials {
        let mode = match self.base {
            CredentialBase::Role(_) => CredentialMode::Role,
            CredentialBase::Scoped(_) => CredentialMode::Scoped,
            CredentialBase::Caller => CredentialMode::Caller,
        };
        UsedCredentials { mode, why: self.why.to_owned() }
    }

    /// The finding, if the credentials should be scoped and are not.
    pub(super) fn finding(&self) -> Option<Finding> {
        let why = self.unscoped.as_ref()?;
        let (uses, remedy) = match self.base {
            CredentialBase::Role(_) => ("a session of the role", "set `credentials = \"role\"`"),
            _ => ("the caller's own credentials", "set `credentials = \"caller\"`, or use a `role`"),
        };
        let message = format!(
            "this run uses {uses}, since the caller's credentials could not be limited to the plan: {why}; allow \
             `sts:GetScopedCredentials`, or {remedy}"
        );
        Some(Finding::warning("unscoped-credentials", message))
    }

    /// Credentials with the permissions of a policy; the caller's own if they are used as they are.
    async fn limited_to(
        &self,
        run: Run<'_>,
        purpose: CredentialPurpose<'_>,
        policy: &str,
    ) -> Result<Connection, AwsError> {
        let own = run.connection();
        let policy = policy.to_owned();
        match &self.base {
            CredentialBase::Role(role) => {
                let request = SessionRequest::Role { role: role.clone(), name: purpose.session_name(run), policy };
                Sts::new(&own).session(request).await
            }
            CredentialBase::Scoped(base) => {
                let request = SessionRequest::Scoped { description: purpose.description(run), policy };
                Sts::new(base).session(request).await
            }
            CredentialBase::Caller => Ok(own),
        }
    }

    /// The partition of the site; that of the region if there is no role.
    fn partition(&self, run: Run<'_>) -> Partition {
        match &self.base {
            CredentialBase::Role(role) => role.partition(),
            _ => Partition::of_region(&run.publisher.connection.region()),
        }
    }

    /// The permissions of a plan; `None` if it needs none, or the caller's own credentials are used.
    fn document(&self, run: Run<'_>, plan: &Plan) -> Option<PolicyDocument> {
        self.document_within(run, plan, None)
    }

    /// The permissions of a plan; with a folder, those of one of its shards, which is within that folder of the site.
    fn document_within(&self, run: Run<'_>, plan: &Plan, folder: Option<&Location>) -> Option<PolicyDocument> {
        let Run { publisher, request, site, .. } = run;
        let account = match &self.base {
            CredentialBase::Role(role) => role.account(),
            // The id of a distribution is unique among all accounts, so naming the account would restrict nothing.
            CredentialBase::Scoped(_) => "*",
            CredentialBase::Caller => return None,
        };
        let partition = self.partition(run);
        let archive = publisher.state(site).map(|state| state.bodies());
        let arn = |id: &str| distribution_arn(&partition, account, id);
        // What follows the writes is not the work of a shard.
        let cdn = if folder.is_some() { &[] } else { site.cdn.as_slice() };
        let edge = site.edge.as_ref().filter(|_| folder.is_none());
        let distributions: Vec<String> = cdn.iter().map(|cdn| arn(cdn.distribution.as_str())).collect();
        let tagged = cdn.iter().filter(|cdn| cdn.cache_tags.is_some());
        let tagged: Vec<String> = tagged.map(|cdn| arn(cdn.distribution.as_str())).collect();
        let staged = match &request.source {
            Source::Prefix(location) => Some(location),
            Source::Release(_) => archive.as_ref(),
            Source::Directory(_) | Source::Archive(_) | Source::Object(_) => None,
        };
        let staged_key = match &request.source {
            Source::Release(_) => site.state_kms_key.as_ref(),
            _ => site.builds_kms_key.as_ref(),
        };
        let scope = SessionScope {
            folder,
            staged,
            staged_key,
            archive: archive.as_ref(),
            archive_key: site.state_kms_key.as_ref(),
            distributions: &distributions,
            tagged: &tagged,
            store: edge.and_then(|edge| edge.store.as_ref()).map(StoreArn::as_str),
            any_key: matches!(self.base, CredentialBase::Scoped(_)),
        };
        Some(PolicyDocument::writing(&partition, plan, scope)).filter(|document| !document.is_empty())
    }
}

/// What credentials are for.
#[derive(Clone, Copy)]
enum CredentialPurpose<'a> {
    Planning,
    /// Asking STS whether a policy fits.
    Checking,
    Writing(&'a Plan),
    /// Carrying out one shard of a plan.
    Shard,
}

impl CredentialPurpose<'_> {
    fn session_name(self, run: Run<'_>) -> String {
        let purpose = match self {
            Self::Planning => "plan",
            Self::Checking => "check",
            Self::Writing(_) => "publish",
            Self::Shard => "shard",
        };
        format!("tidegate-{purpose}-{}", run.request.site)
    }

    fn description(self, run: Run<'_>) -> String {
        let site = &run.request.site;
        let text = match self {
            Self::Planning => format!("tidegate: plan {site}"),
            Self::Checking => format!("tidegate: check the plan of {site}"),
            Self::Shard => format!("tidegate: publish a shard of {site}"),
            Self::Writing(plan) => format!("tidegate: publish {site}, plan {}", plan.digest().unwrap_or_default()),
        };
        text.chars().take(MAX_DESCRIPTION).collect()
    }
}

/// A connection that can read the site and nothing else, and how those that can write are made later.
pub(super) async fn for_planning(run: Run<'_>) -> Result<(Connection, RunCredentials), PublishError> {
    let mut credentials = choose(run).await?;
    let connection = match plan_with(run, &credentials).await {
        Ok(connection) => connection,
        Err(error) => {
            credentials = credentials.fall_back(error)?;
            plan_with(run, &credentials).await?
        }
    };
    Ok((connection, credentials))
}

async fn choose(run: Run<'_>) -> Result<RunCredentials, PublishError> {
    let own = run.connection();
    let scoped = |why| RunCredentials::new(CredentialBase::Scoped(Box::new(own.clone())), why);
    let caller = |why| Ok(RunCredentials::new(CredentialBase::Caller, why));
    match run.site.credential_choice() {
        CredentialChoice::Role(role) => {
            Ok(RunCredentials::new(CredentialBase::Role(role.clone()), "the site has a `role`"))
        }
        CredentialChoice::Caller => caller("`credentials` is `caller`"),
        CredentialChoice::Scoped(role) => {
            let scoped = scoped("`credentials` is `scoped`").or(role.cloned().map(CredentialBase::Role));
            if own.is_temporary().await != Some(false) {
                return Ok(scoped);
            }
            match Sts::new(&own).session(SessionRequest::User).await {
                Ok(session) => Ok(RunCredentials { base: CredentialBase::Scoped(Box::new(session)), ..scoped }),
                Err(error) => scoped.fall_back(error.into()),
            }
        }
        CredentialChoice::ScopedIfPossible if !has_arns(&run.site.target.bucket) => {
            caller("policies cannot name the objects of this kind of bucket")
        }
        CredentialChoice::ScopedIfPossible if own.is_temporary().await != Some(true) => {
            caller("they are not temporary, and the site has no `role`")
        }
        CredentialChoice::ScopedIfPossible => Ok(scoped("they are temporary").or(Some(CredentialBase::Caller))),
    }
}

/// Whether the name of a bucket is that in the ARNs of its objects. That of an access point's alias and of a directory
/// bucket is not. Source: Amazon S3 user guide, "Access point aliases" and "Directory bucket naming rules".
fn has_arns(bucket: &Bucket) -> bool {
    !["-s3alias", "--ol-s3", "--x-s3"].iter().any(|suffix| bucket.as_str().ends_with(suffix))
}

async fn plan_with(run: Run<'_>, credentials: &RunCredentials) -> Result<Connection, PublishError> {
    let Run { publisher, site, .. } = run;
    let any_key = matches!(credentials.base, CredentialBase::Scoped(_));
    let scope = PlanningScope { acls: publisher.check_settings, any_key };
    let document = PolicyDocument::planning(&credentials.partition(run), &site.target, &site.objects, scope);
    Ok(credentials.limited_to(run, CredentialPurpose::Planning, &document.session(&site.target)?).await?)
}

/// A connection that can do what the plan says and nothing else. Call it only after the last plugin has ended.
pub(super) async fn for_writing(
    run: Run<'_>,
    credentials: &RunCredentials,
    plan: &Plan,
) -> Result<Connection, PublishError> {
    let Some(document) = credentials.document(run, plan) else { return Ok(run.connection()) };
    let policy = document.session(&run.site.target)?;
    Ok(credentials.limited_to(run, CredentialPurpose::Writing(plan), &policy).await?)
}

/// A connection that can carry out one shard, which is within a folder of the site.
pub(super) async fn for_shard(run: Run<'_>, shard: &Plan, folder: &Location) -> Result<Connection, PublishError> {
    let mut credentials = choose(run).await?;
    loop {
        let Some(document) = credentials.document_within(run, shard, Some(folder)) else { return Ok(run.connection()) };
        let connection = async {
            let policy = document.session(&run.site.target)?;
            Ok(credentials.limited_to(run, CredentialPurpose::Shard, &policy).await?)
        };
        match connection.await {
            Ok(connection) => return Ok(connection),
            Err(error) => credentials = credentials.fall_back(error)?,
        }
    }
}

/// Checks the plan's session policy against the limits of STS before anything is reviewed or written. Only STS knows
/// the packed size of a policy, so a long one is sent to it in a session that denies what the policy allows. Returns
/// the credentials to write with.
pub(super) async fn check_limits(
    run: Run<'_>,
    credentials: RunCredentials,
    plan: &Plan,
) -> Result<RunCredentials, PublishError> {
    let Some(document) = credentials.document(run, plan) else { return Ok(credentials) };
    let check = async {
        let policy = document.session(&run.site.target)?;
        if policy.len() >= PROBED_FROM {
            let denial = document.as_denial().session(&run.site.target)?;
            credentials.limited_to(run, CredentialPurpose::Checking, &denial).await?;
        }
        Ok(())
    };
    match check.await {
        Ok(()) => Ok(credentials),
        Err(error) => Box::pin(check_limits(run, credentials.fall_back(error)?, plan)).await,
    }
}
