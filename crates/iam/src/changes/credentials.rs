//! Credentials for buckets: a user with an access key, or a session of a shared role.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tidegate_core::config::{RoleArn, ValueError};
use tidegate_core::location::Bucket;
use tidegate_core::sanitize::sanitize_name;

use super::{BucketChange, Change, FoundRole, RoleChange, UserChange};
use crate::document::{PolicyDocument, PolicyDocumentError, PolicyLimit, Principal, Statement, statements, strings};
use crate::policies::{BucketAccess, BucketGrant, BucketGrantError, TrustedArn, TrustedArnError, public};

/// The role whose sessions are the temporary credentials. It has full access to S3; session policies narrow it.
pub const SHARED_ROLE: &str = "tidegate.AmazonS3FullAccess";

/// The value of the shared role's tag [`TAG`](super::TAG).
const SHARED_ROLE_OWNER: &str = "credentials";

/// Maximum duration of a session, in seconds: 12 hours. Source: STS API reference, `AssumeRole`, `DurationSeconds`.
const LONGEST_SESSION: u32 = 43_200;

/// Minimum duration of a session, in seconds. Same source.
const SHORTEST_SESSION: u32 = 900;

/// A change that issues credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields are named after the parameters of the AWS API")]
pub enum CredentialsChange {
    /// Create an access key of a user.
    CreateAccessKey { user: String },
    /// Start a session of a role, with a session policy.
    AssumeRole { role: RoleArn, session: String, seconds: u32, policy: String },
}

/// Duration of temporary credentials: 15 minutes to 12 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SessionSeconds(u32);

/// An invalid session duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid duration `{0}`: write 15 minutes to 12 hours, such as `15m`, `1h` or `1200s`")]
pub struct SessionSecondsError(String);

impl SessionSeconds {
    /// Seconds, 900 to 43,200.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// As a [`Duration`].
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

impl FromStr for SessionSeconds {
    type Err = SessionSecondsError;
    fn from_str(text: &str) -> Result<Self, SessionSecondsError> {
        let invalid = || SessionSecondsError(text.escape_default().to_string());
        let unit = text.chars().last().ok_or_else(invalid)?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            _ => return Err(invalid()),
        };
        let number: u32 = text.trim_end_matches(unit).parse().map_err(|_| invalid())?;
        let seconds = number.checked_mul(factor).ok_or_else(invalid)?;
        if (SHORTEST_SESSION..=LONGEST_SESSION).contains(&seconds) { Ok(Self(seconds)) } else { Err(invalid()) }
    }
}

/// The permissions boundary of a new user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PermissionsBoundary {
    /// `AmazonS3FullAccess` or `AmazonS3ReadOnlyAccess`, by the kind of access. None where the grant has a custom policy
    /// or additional statements, since it may allow more than S3.
    Fitting,
    /// The managed policy with this ARN.
    Arn(String),
    /// No boundary.
    None,
}

/// The kind of credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialsKind {
    /// An access key of a user.
    Permanent {
        /// The user; named after the grant where absent.
        user: Option<String>,
        /// The boundary of the user, where it is created.
        boundary: PermissionsBoundary,
    },
    /// A session of the shared role.
    Temporary(SessionSeconds),
}

/// How to create missing buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketSpec {
    /// Create missing buckets.
    pub create: bool,
    /// The region of new buckets.
    pub region: Option<String>,
    /// Make new buckets public.
    pub public: bool,
    /// Make new buckets websites, which are public.
    pub website: bool,
}

/// Credentials to create.
#[derive(Debug, Clone)]
pub struct CredentialsSpec {
    /// What the credentials allow.
    pub grant: BucketGrant,
    /// Which credentials.
    pub kind: CredentialsKind,
    /// How to create missing buckets.
    pub buckets: BucketSpec,
    /// The caller's account id.
    pub account: String,
    /// ARN of the caller, where it is a user or a role. Only callers are trusted by the shared role.
    pub caller: Option<String>,
}

/// An existing bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundBucket {
    /// The caller may access it.
    Accessible,
    /// The caller may not access it: most likely it belongs to another account.
    Denied,
}

/// What the account has of the requested credentials.
#[derive(Debug, Clone, Default)]
pub struct FoundIdentity {
    /// Those of the requested buckets that exist.
    pub buckets: BTreeMap<Bucket, FoundBucket>,
    /// Inline policies of the user by name; `None` where the user does not exist.
    pub user: Option<BTreeMap<String, String>>,
    /// The shared role, where it exists.
    pub role: Option<FoundRole>,
}

/// Why credentials cannot be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsSpecError {
    /// A bucket does not exist.
    #[error("the bucket `{0}` does not exist: check its name, or add `--create-bucket`")]
    NoBucket(Bucket),
    /// The caller may not access a bucket.
    #[error("the bucket `{0}` belongs to another account, or the caller may not access it: check its name")]
    BucketDenied(Bucket),
    /// An existing bucket is never made public.
    #[error(
        "the bucket `{0}` exists already: `--public` and `--website` apply only to buckets that `--create-bucket` creates"
    )]
    BucketExists(Bucket),
    /// The policy is invalid or too long.
    #[error(transparent)]
    Grant(#[from] BucketGrantError),
    /// The user's inline policies would be too long.
    #[error(
        "the inline policies of the user `{user}` would have {length} characters, IAM allows {most}: choose another `--username`, or delete policies that are not needed"
    )]
    UserFull {
        /// The user.
        user: String,
        /// Characters without white space.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// A session of the shared role has access to S3 only.
    #[error(
        "temporary credentials are for S3 only, so they cannot allow `{0}`: leave out `--duration`, or the statement"
    )]
    BeyondS3(String),
    /// A role has the name of the shared role.
    #[error("the role `{0}` was not created by `tidegate credentials`: delete it, or leave out `--duration`")]
    ForeignRole(&'static str),
    /// The caller's ARN cannot be trusted.
    #[error(transparent)]
    Caller(#[from] TrustedArnError),
    /// The account id gives no valid role ARN.
    #[error(transparent)]
    Role(#[from] ValueError),
    /// The document cannot be serialized.
    #[error(transparent)]
    Document(#[from] PolicyDocumentError),
}

/// Creates credentials. Buckets come first and the credentials last, so that a failure in between leaves no credentials
/// behind.
///
/// # Errors
/// [`CredentialsSpecError`].
pub fn create_credentials(spec: &CredentialsSpec, found: &FoundIdentity) -> Result<Vec<Change>, CredentialsSpecError> {
    let mut changes = Vec::new();
    for bucket in &spec.grant.buckets {
        create_bucket(spec, bucket, found, &mut changes)?;
    }
    match &spec.kind {
        CredentialsKind::Permanent { user, boundary } => {
            create_user_key(spec, user.as_deref(), boundary, found, &mut changes)?;
        }
        CredentialsKind::Temporary(seconds) => start_session(spec, *seconds, found, &mut changes)?,
    }
    Ok(changes)
}

fn create_bucket(
    spec: &CredentialsSpec,
    bucket: &Bucket,
    found: &FoundIdentity,
    changes: &mut Vec<Change>,
) -> Result<(), CredentialsSpecError> {
    let is_public = spec.buckets.public || spec.buckets.website;
    match found.buckets.get(bucket) {
        Some(FoundBucket::Denied) => return Err(CredentialsSpecError::BucketDenied(bucket.clone())),
        Some(FoundBucket::Accessible) if is_public => return Err(CredentialsSpecError::BucketExists(bucket.clone())),
        Some(FoundBucket::Accessible) => return Ok(()),
        None if !spec.buckets.create => return Err(CredentialsSpecError::NoBucket(bucket.clone())),
        None => {}
    }
    let mut push = |change| changes.push(Change::Bucket(change));
    push(BucketChange::CreateBucket { bucket: bucket.clone(), region: spec.buckets.region.clone() });
    if is_public {
        let policy = public(&spec.grant.partition, bucket).compact()?;
        push(BucketChange::AllowPublicAccess { bucket: bucket.clone() });
        push(BucketChange::SetBucketPolicy { bucket: bucket.clone(), policy });
    }
    if spec.buckets.website {
        let (index, error) = ("index.html".to_owned(), "error.html".to_owned());
        push(BucketChange::SetWebsite { bucket: bucket.clone(), index, error });
    }
    Ok(())
}

fn create_user_key(
    spec: &CredentialsSpec,
    user: Option<&str>,
    boundary: &PermissionsBoundary,
    found: &FoundIdentity,
    changes: &mut Vec<Change>,
) -> Result<(), CredentialsSpecError> {
    let user = user.map_or_else(|| spec.grant.user_name(), str::to_owned);
    let (name, policy) = (spec.grant.policy_name(), spec.grant.text(PolicyLimit::User)?);
    // The limit is for all inline policies of the user together; the one of this name is replaced.
    let others = found.user.iter().flatten().filter(|(other, _)| **other != name);
    let length =
        others.map(|(_, text)| PolicyLimit::User.length(text)).sum::<usize>() + PolicyLimit::User.length(&policy);
    let most = PolicyLimit::User.characters();
    if length > most {
        return Err(CredentialsSpecError::UserFull { user, length, most });
    }
    if found.user.is_none() {
        let is_custom = spec.grant.custom.is_some() || !spec.grant.statements.is_empty();
        let boundary = match boundary {
            PermissionsBoundary::None => None,
            PermissionsBoundary::Fitting if is_custom => None,
            PermissionsBoundary::Fitting if spec.grant.access == BucketAccess::ReadOnly => {
                Some(aws_managed_policy(spec, "AmazonS3ReadOnlyAccess"))
            }
            PermissionsBoundary::Fitting => Some(aws_managed_policy(spec, "AmazonS3FullAccess")),
            PermissionsBoundary::Arn(arn) => Some(arn.clone()),
        };
        changes.push(Change::User(UserChange::CreateUser { user: user.clone(), boundary }));
    }
    changes.push(Change::User(UserChange::PutUserPolicy { user: user.clone(), name, policy }));
    changes.push(Change::Credentials(CredentialsChange::CreateAccessKey { user }));
    Ok(())
}

fn start_session(
    spec: &CredentialsSpec,
    seconds: SessionSeconds,
    found: &FoundIdentity,
    changes: &mut Vec<Change>,
) -> Result<(), CredentialsSpecError> {
    let partition = &spec.grant.partition;
    if let Some(action) = spec.grant.action_beyond_s3() {
        return Err(CredentialsSpecError::BeyondS3(sanitize_name(&action)));
    }
    let policy = spec.grant.text(PolicyLimit::Session)?;
    ensure_shared_role(spec, found.role.as_ref(), changes)?;
    let role = RoleArn::try_from(format!("arn:{partition}:iam::{}:role/{SHARED_ROLE}", spec.account))?;
    let session = spec.grant.user_name();
    changes.push(Change::Credentials(CredentialsChange::AssumeRole { role, session, seconds: seconds.get(), policy }));
    Ok(())
}

/// Creates the shared role, which trusts this caller, or adds the caller to those that it trusts.
fn ensure_shared_role(
    spec: &CredentialsSpec,
    found: Option<&FoundRole>,
    changes: &mut Vec<Change>,
) -> Result<(), CredentialsSpecError> {
    let root = || format!("arn:{}:iam::{}:root", spec.grant.partition, spec.account);
    let caller: TrustedArn = spec.caller.clone().unwrap_or_else(root).parse()?;
    let Some(found) = found else {
        changes.push(Change::Role(RoleChange::CreateRole {
            role: SHARED_ROLE.to_owned(),
            path: "/".to_owned(),
            description: "Full access to S3, for sessions that `tidegate credentials` narrows by a session policy"
                .to_owned(),
            trust: trust_callers(&[caller])?,
            max_session_duration: Some(LONGEST_SESSION),
            owner: Some(SHARED_ROLE_OWNER.to_owned()),
        }));
        changes.push(Change::Role(RoleChange::AttachRolePolicy {
            role: SHARED_ROLE.to_owned(),
            arn: aws_managed_policy(spec, "AmazonS3FullAccess"),
        }));
        return Ok(());
    };
    if found.owner.as_deref() != Some(SHARED_ROLE_OWNER) {
        return Err(CredentialsSpecError::ForeignRole(SHARED_ROLE));
    }
    let mut callers = trusted_callers(&found.trust);
    if !callers.contains(&caller) {
        callers.push(caller);
        let (role, trust) = (SHARED_ROLE.to_owned(), trust_callers(&callers)?);
        let current = Some(found.trust.clone());
        changes.push(Change::Role(RoleChange::SetTrust { role, current, trust }));
    }
    Ok(())
}

/// The trust policy of the shared role. Its principals are conditions, also that of the root user: otherwise the root user
/// as principal would stand for the whole account.
fn trust_callers(callers: &[TrustedArn]) -> Result<String, PolicyDocumentError> {
    let roots: BTreeSet<String> = callers.iter().filter_map(TrustedArn::account_root).collect();
    let arns: BTreeSet<String> = callers.iter().map(ToString::to_string).collect();
    let statement = Statement::allow(["sts:AssumeRole"], [])
        .of(Principal::Aws(roots.into_iter().collect()))
        .when("ArnEquals", "aws:PrincipalArn", arns)
        .because("TrustCallers", "to trust those who created temporary credentials, and no other principal");
    PolicyDocument::new(vec![statement]).compact()
}

/// The callers that [`trust_callers`] wrote.
fn trusted_callers(trust: &str) -> Vec<TrustedArn> {
    let value: Value = serde_json::from_str(trust).unwrap_or_default();
    let arns = statements(&value).iter().filter_map(|statement| statement.pointer("/Condition/ArnEquals"));
    let arns = arns.filter_map(Value::as_object).flat_map(|keys| strings(keys, "aws:PrincipalArn"));
    arns.filter_map(|arn| arn.parse().ok()).collect()
}

fn aws_managed_policy(spec: &CredentialsSpec, name: &str) -> String {
    format!("arn:{}:iam::aws:policy/{name}", spec.grant.partition)
}

impl CredentialsChange {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::CreateAccessKey { user } => format!("create an access key of the user `{user}`"),
            Self::AssumeRole { role, session, seconds, .. } => {
                format!("assume {} as `{session}` for {seconds} s", role.as_str())
            }
        }
    }
}
