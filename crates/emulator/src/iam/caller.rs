//! Callers and their names: the ARNs and user IDs by which policies and messages know them.

use std::fmt;

use jiff::Timestamp;

use super::arn;
use super::arn::ACCOUNT_ID;
use super::context::ConditionContext;
use super::evaluate::AccessRefusal;
use super::name::EntityPath;

/// The identity that signs a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The access key that signed.
    pub access_key_id: String,
    /// The identity that the key belongs to.
    pub identity: CallerIdentity,
}

/// The identity behind an access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerIdentity {
    /// The account itself.
    Root,
    /// A user.
    User {
        /// The user's name.
        name: String,
        /// The user's path.
        path: EntityPath,
        /// The user's unique ID, `AIDA…`.
        id: String,
        /// When the credentials were created, if they are temporary.
        session: Option<Timestamp>,
    },
    /// A session of a role.
    Session {
        /// The role's name.
        role: String,
        /// The role's path.
        role_path: EntityPath,
        /// The role's unique ID, `AROA…`.
        role_id: String,
        /// The session's name.
        name: String,
        /// When the session was created.
        issued: Timestamp,
    },
}

impl Caller {
    /// The ARN in `GetCallerIdentity` and in messages.
    #[must_use]
    pub fn arn(&self) -> String {
        match &self.identity {
            CallerIdentity::Root => arn::root(),
            CallerIdentity::User { name, path, .. } => arn::user(path, name),
            CallerIdentity::Session { role, name, .. } => arn::session(role, name),
        }
    }

    /// The unique ID in `GetCallerIdentity`.
    #[must_use]
    pub fn user_id(&self) -> String {
        match &self.identity {
            CallerIdentity::Root => ACCOUNT_ID.to_owned(),
            CallerIdentity::User { id, .. } => id.clone(),
            CallerIdentity::Session { role_id, name, .. } => format!("{role_id}:{name}"),
        }
    }

    /// Every ARN by which a trust policy may name this caller: itself, the role it assumed, its account.
    pub(super) fn trusted_as(&self) -> Vec<String> {
        let mut arns = vec![self.arn(), arn::root()];
        if let CallerIdentity::Session { role, role_path, .. } = &self.identity {
            arns.push(arn::role(role_path, role));
        }
        arns
    }

    /// Adds the global condition keys that describe the caller and the time.
    ///
    /// `aws:SecureTransport` is always true, since the same request would reach AWS over TLS.
    pub(super) fn describe(&self, now: Timestamp, context: &mut ConditionContext) {
        let (kind, principal) = match &self.identity {
            CallerIdentity::Root => ("Account", arn::root()),
            CallerIdentity::User { name, path, session, .. } => {
                context.add("aws:username", name);
                if let Some(issued) = session {
                    context.add("aws:TokenIssueTime", super::clock::iso8601(*issued));
                    context.add("aws:MultiFactorAuthPresent", "false");
                }
                ("User", arn::user(path, name))
            }
            CallerIdentity::Session { role, role_path, issued, .. } => {
                context.add("aws:TokenIssueTime", super::clock::iso8601(*issued));
                ("AssumedRole", arn::role(role_path, role))
            }
        };
        context.add("aws:PrincipalArn", principal);
        context.add("aws:PrincipalType", kind);
        context.add("aws:PrincipalAccount", ACCOUNT_ID);
        context.add("aws:userid", self.user_id());
        context.add("aws:CurrentTime", super::clock::iso8601(now));
        context.add("aws:EpochTime", now.as_second().to_string());
        context.add("aws:SecureTransport", "true");
        context.add("aws:ViaAWSService", "false");
    }
}

/// One action of a caller.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// The action, such as `s3:PutObject`.
    pub action: &'a str,
    /// The full ARN of the resource; `*` for an action without one.
    pub resource: &'a str,
    /// Condition keys of the request, such as `("s3:prefix", "docs/")`. A key may occur several times.
    pub context: &'a [(&'a str, &'a str)],
}

/// A request that is not allowed. Its text is the message of AWS's `AccessDenied`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessDenied {
    /// The caller's ARN.
    pub caller: String,
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// Why; `None` if a trust policy does not allow the caller, which AWS does not report.
    pub refusal: Option<AccessRefusal>,
}

impl fmt::Display for AccessDenied {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { caller, action, resource, refusal } = self;
        write!(formatter, "User: {caller} is not authorized to perform: {action} on resource: ")?;
        // S3 quotes the resource, other services do not.
        if action.starts_with("s3:") {
            write!(formatter, "\"{resource}\"")?;
        } else {
            formatter.write_str(resource)?;
        }
        match refusal {
            None => Ok(()),
            Some(AccessRefusal::Explicit(kind)) => {
                write!(formatter, " with an explicit deny in {}", kind.with_article())
            }
            Some(AccessRefusal::Implicit(kind)) => {
                write!(formatter, " because no {} allows the {action} action", kind.name())
            }
        }
    }
}

impl std::error::Error for AccessDenied {}
