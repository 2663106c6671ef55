//! Credentials for buckets: the steps towards them.
//!
//! Owns the order, which makes every failure harmless: buckets first, the key last. Permanent credentials are a user with
//! one inline policy and a key; temporary ones are a session of a role that all of them share.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use tidegate_core::config::{RoleArn, ValueError};
use tidegate_core::location::Bucket;

use super::IamChange;
use crate::document::{PolicyDocumentError, PolicyLimit};
use crate::policies::{BucketAccess, BucketGrant, BucketGrantError, public, trust_account};

/// The role that temporary credentials are sessions of: it may do everything in S3, and every session is narrowed.
pub const SHARED_ROLE: &str = "tidegate.AmazonS3FullAccess";

/// Longest session of a role, in seconds: 12 hours. Source: STS API reference, `AssumeRole`, `DurationSeconds`.
const LONGEST_SESSION: u32 = 43_200;

/// Shortest session, in seconds. Same source.
const SHORTEST_SESSION: u32 = 900;

/// How long temporary credentials last: 15 minutes to 12 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SessionSeconds(u32);

/// Not such a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not 15 minutes to 12 hours, write it as in `15m`, `1h` or `1200s`")]
pub struct SessionSecondsError(String);

impl SessionSeconds {
    /// Seconds, 900 to 43,200.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// As a time.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

impl FromStr for SessionSeconds {
    type Err = SessionSecondsError;
    fn from_str(text: &str) -> Result<Self, SessionSecondsError> {
        let refused = || SessionSecondsError(text.escape_default().to_string());
        let unit = text.chars().last().ok_or_else(refused)?;
        let times = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            _ => return Err(refused()),
        };
        let number: u32 = text.trim_end_matches(unit).parse().map_err(|_| refused())?;
        let seconds = number.checked_mul(times).ok_or_else(refused)?;
        if (SHORTEST_SESSION..=LONGEST_SESSION).contains(&seconds) { Ok(Self(seconds)) } else { Err(refused()) }
    }
}

/// What bounds a new user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PermissionsBoundary {
    /// S3 alone, as far as the credentials' kind goes; nothing where a policy or a statement of their own is given.
    Fitting,
    /// A managed policy.
    Arn(String),
    /// Nothing.
    None,
}

/// Which credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialsKind {
    /// A user's, until somebody removes them.
    Permanent {
        /// The user; derived from what is granted where absent.
        user: Option<String>,
        /// What bounds it, where it is new.
        boundary: PermissionsBoundary,
    },
    /// A session's.
    Temporary(SessionSeconds),
}

/// What becomes of buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketSpec {
    /// Missing ones are made.
    pub create: bool,
    /// In this region.
    pub region: Option<String>,
    /// New ones are public.
    pub public: bool,
    /// New ones are websites, and so public.
    pub website: bool,
}

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct CredentialsSpec {
    /// What the credentials may do.
    pub grant: BucketGrant,
    /// Which credentials.
    pub kind: CredentialsKind,
    /// What becomes of buckets.
    pub buckets: BucketSpec,
    /// The account that it is for.
    pub account: String,
}

/// A bucket that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundBucket {
    /// It is the caller's, or open to the caller.
    Ours,
    /// It is somebody else's.
    Theirs,
}

/// What is there already.
#[derive(Debug, Clone, Default)]
pub struct FoundIdentity {
    /// Buckets that there are, of those asked for.
    pub buckets: BTreeMap<Bucket, FoundBucket>,
    /// Inline policies of the user, by name, where the user is there.
    pub user: Option<BTreeMap<String, String>>,
    /// Whether the shared role is there.
    pub role: bool,
}

/// Why somebody cannot have what they ask for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsSpecError {
    /// A bucket is not there.
    #[error("the bucket `{0}` does not exist, check its name or add `--create-bucket`")]
    NoBucket(Bucket),
    /// A bucket is in somebody else's account.
    #[error("the bucket `{0}` belongs to another account, or the caller may not see it: check its name")]
    TheirBucket(Bucket),
    /// A public bucket that was not asked to be made.
    #[error(
        "`{0}` exists already, so it is not made public: `--public` and `--website` are for buckets that `--create-bucket` makes"
    )]
    Existing(Bucket),
    /// Policies that do not fit.
    #[error(transparent)]
    Grant(#[from] BucketGrantError),
    /// The user's policies would be longer than IAM takes.
    #[error(
        "the inline policies of the user `{user}` would have {length} characters, a user may have {most}: choose another `--username`, or delete policies that are not needed"
    )]
    UserFull {
        /// The user.
        user: String,
        /// Characters, white space left out.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// An account's id that makes no ARN.
    #[error(transparent)]
    Role(#[from] ValueError),
    /// A document that cannot be written.
    #[error(transparent)]
    Document(#[from] PolicyDocumentError),
}

/// The steps.
///
/// # Errors
/// [`CredentialsSpecError`]; nothing was done yet.
pub fn plan_changes(spec: &CredentialsSpec, found: &FoundIdentity) -> Result<Vec<IamChange>, CredentialsSpecError> {
    let mut changes = Vec::new();
    for bucket in &spec.grant.buckets {
        buckets(spec, bucket, found, &mut changes)?;
    }
    match &spec.kind {
        CredentialsKind::Permanent { user, boundary } => {
            permanent(spec, user.as_deref(), boundary, found, &mut changes)?;
        }
        CredentialsKind::Temporary(seconds) => temporary(spec, *seconds, found, &mut changes)?,
    }
    Ok(changes)
}

fn buckets(
    spec: &CredentialsSpec,
    bucket: &Bucket,
    found: &FoundIdentity,
    changes: &mut Vec<IamChange>,
) -> Result<(), CredentialsSpecError> {
    let open = spec.buckets.public || spec.buckets.website;
    match found.buckets.get(bucket) {
        Some(FoundBucket::Theirs) => return Err(CredentialsSpecError::TheirBucket(bucket.clone())),
        Some(FoundBucket::Ours) if open => return Err(CredentialsSpecError::Existing(bucket.clone())),
        Some(FoundBucket::Ours) => return Ok(()),
        None if !spec.buckets.create => return Err(CredentialsSpecError::NoBucket(bucket.clone())),
        None => {}
    }
    changes.push(IamChange::CreateBucket { bucket: bucket.clone(), region: spec.buckets.region.clone() });
    if open {
        let policy = public(&spec.grant.partition, bucket).compact()?;
        changes.push(IamChange::AllowPublicAccess { bucket: bucket.clone() });
        changes.push(IamChange::SetBucketPolicy { bucket: bucket.clone(), policy });
    }
    if spec.buckets.website {
        changes.push(IamChange::SetWebsite {
            bucket: bucket.clone(),
            index: "index.html".to_owned(),
            error: "error.html".to_owned(),
        });
    }
    Ok(())
}

fn permanent(
    spec: &CredentialsSpec,
    user: Option<&str>,
    boundary: &PermissionsBoundary,
    found: &FoundIdentity,
    changes: &mut Vec<IamChange>,
) -> Result<(), CredentialsSpecError> {
    let user = user.map_or_else(|| spec.grant.user_name(), str::to_owned);
    let (name, policy) = (spec.grant.policy_name(), spec.grant.text(PolicyLimit::User)?);
    // What a user has already counts as well, but for the policy that is replaced.
    let others = found.user.iter().flatten().filter(|(other, _)| **other != name);
    let length =
        others.map(|(_, text)| PolicyLimit::User.length(text)).sum::<usize>() + PolicyLimit::User.length(&policy);
    let most = PolicyLimit::User.characters();
    if length > most {
        return Err(CredentialsSpecError::UserFull { user, length, most });
    }
    if found.user.is_none() {
        let own = spec.grant.custom.is_some() || !spec.grant.statements.is_empty();
        let partition = &spec.grant.partition;
        let managed = |name: &str| format!("arn:{partition}:iam::aws:policy/{name}");
        let boundary = match boundary {
            PermissionsBoundary::None => None,
            PermissionsBoundary::Fitting if own => None,
            PermissionsBoundary::Fitting if spec.grant.access == BucketAccess::ReadOnly => {
                Some(managed("AmazonS3ReadOnlyAccess"))
            }
            PermissionsBoundary::Fitting => Some(managed("AmazonS3FullAccess")),
            PermissionsBoundary::Arn(arn) => Some(arn.clone()),
        };
        changes.push(IamChange::CreateUser { user: user.clone(), boundary });
    }
    changes.push(IamChange::PutUserPolicy { user: user.clone(), name, policy });
    changes.push(IamChange::CreateAccessKey { user });
    Ok(())
}

fn temporary(
    spec: &CredentialsSpec,
    seconds: SessionSeconds,
    found: &FoundIdentity,
    changes: &mut Vec<IamChange>,
) -> Result<(), CredentialsSpecError> {
    let partition = &spec.grant.partition;
    let policy = spec.grant.text(PolicyLimit::Session)?;
    if !found.role {
        let trust = trust_account(&format!("arn:{partition}:iam::{}:root", spec.account)).document.compact()?;
        changes.push(IamChange::CreateRole {
            role: SHARED_ROLE.to_owned(),
            trust,
            description: "Everything in S3; sessions that tidegate makes of it are narrowed to what was asked for"
                .to_owned(),
            longest_session: LONGEST_SESSION,
        });
        changes.push(IamChange::AttachRolePolicy {
            role: SHARED_ROLE.to_owned(),
            arn: format!("arn:{partition}:iam::aws:policy/AmazonS3FullAccess"),
        });
    }
    let role = RoleArn::try_from(format!("arn:{partition}:iam::{}:role/{SHARED_ROLE}", spec.account))?;
    changes.push(IamChange::AssumeRole { role, session: spec.grant.user_name(), seconds: seconds.get(), policy });
    Ok(())
}
