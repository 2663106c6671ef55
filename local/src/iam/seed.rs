//! Seeding: making users, roles, managed policies and access keys from tests and from the command
//! line. It owns names, sizes and quotas as IAM checks them; every change is kept before it can be
//! seen.

use std::fmt;
use std::sync::PoisonError;

use aws_credential_types::Credentials;

use super::document::{IdentityPolicy, TrustPolicy};
use super::record::{Document, Key, Owner, Permissions, Role, User};
use super::state::{self, State, keep};
use super::{Iam, IamError, arn, random};

/// Longest name of a user or a role. Source: "IAM and AWS STS quotas", IAM User Guide.
const LONGEST_NAME: usize = 64;
/// Inline policies of one role together, characters without white space. Same source.
const ROLE_POLICY_SIZE: usize = 10_240;
/// Inline policies of one user together. Same source.
const USER_POLICY_SIZE: usize = 2_048;
/// One managed policy. Same source.
const MANAGED_POLICY_SIZE: usize = 6_144;
/// A trust policy, by the default quota. Same source.
const TRUST_POLICY_SIZE: usize = 2_048;
/// A role's longest session unless it is set, in seconds. Source: `MaxSessionDuration` of IAM's
/// `CreateRole`.
const DEFAULT_LONGEST_SESSION: u32 = 3_600;

/// A long-lived access key.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// `AKIA…`.
    pub id: String,
    /// The secret access key.
    pub secret: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl AccessKey {
    /// The key as the AWS SDK takes it.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials::new(&self.id, &self.secret, None, None, "tidegate-local")
    }
}

impl Iam {
    /// Makes a role from a trust policy and inline policies, each a name and a document; answers
    /// its ARN. Its longest session is one hour.
    ///
    /// # Errors
    /// If the role exists, or something in it isn't what IAM takes.
    pub fn create_role(&self, name: &str, trust: &str, policies: &[(&str, &str)]) -> Result<String, IamError> {
        check_name(name)?;
        check_size(name, [trust], TRUST_POLICY_SIZE)?;
        let trust: Document<TrustPolicy> = trust.to_owned().try_into()?;
        let permissions = inline(name, policies, ROLE_POLICY_SIZE)?;
        self.change(|state, iam| {
            if state.roles.contains_key(name) {
                return Err(IamError::EntityAlreadyExists { kind: "role", name: name.to_owned() });
            }
            check_principals(state, &trust.policy)?;
            let id = random::identifier("AROA", 17)?;
            let role = Role { id, trust, permissions, longest_session: DEFAULT_LONGEST_SESSION };
            keep(&*iam.documents, state::ROLES, name, &role)?;
            state.roles.insert(name.to_owned(), role);
            Ok(arn::role(name))
        })
    }

    /// Deletes a role; its sessions end at once.
    ///
    /// # Errors
    /// If the role doesn't exist.
    pub fn delete_role(&self, name: &str) -> Result<(), IamError> {
        self.change(|state, iam| {
            if !state.roles.contains_key(name) {
                return Err(no_such("role", name));
            }
            state::forget(&*iam.documents, state::ROLES, name)?;
            state.roles.remove(name);
            Ok(())
        })
    }

    /// Makes a user with inline policies, each a name and a document; answers its ARN.
    ///
    /// # Errors
    /// If the user exists, or something in it isn't what IAM takes.
    pub fn create_user(&self, name: &str, policies: &[(&str, &str)]) -> Result<String, IamError> {
        check_name(name)?;
        let permissions = inline(name, policies, USER_POLICY_SIZE)?;
        self.change(|state, iam| {
            if state.users.contains_key(name) {
                return Err(IamError::EntityAlreadyExists { kind: "user", name: name.to_owned() });
            }
            let user = User { id: random::identifier("AIDA", 17)?, permissions };
            keep(&*iam.documents, state::USERS, name, &user)?;
            state.users.insert(name.to_owned(), user);
            Ok(arn::user(name))
        })
    }

    /// Makes an access key of a user.
    ///
    /// # Errors
    /// If the user doesn't exist.
    pub fn create_access_key(&self, user: &str) -> Result<AccessKey, IamError> {
        self.change(|state, iam| {
            if !state.users.contains_key(user) {
                return Err(no_such("user", user));
            }
            let id = random::identifier("AKIA", 16)?;
            let key = Key { secret: random::secret()?, owner: Owner::User(user.to_owned()), active: true };
            keep(&*iam.documents, state::KEYS, &id, &key)?;
            let answer = AccessKey { id: id.clone(), secret: key.secret.clone() };
            state.keys.insert(id, key);
            Ok(answer)
        })
    }

    /// Makes an access key inactive: requests signed with it are refused as those of an unknown
    /// key.
    ///
    /// # Errors
    /// If the key doesn't exist.
    pub fn deactivate_access_key(&self, id: &str) -> Result<(), IamError> {
        self.change(|state, iam| {
            let key = state.keys.get(id).ok_or_else(|| no_such("access key", id))?;
            let key = Key { active: false, ..key.clone() };
            keep(&*iam.documents, state::KEYS, id, &key)?;
            state.keys.insert(id.to_owned(), key);
            Ok(())
        })
    }

    /// Makes a managed policy; answers its ARN.
    ///
    /// # Errors
    /// If the policy exists or isn't what IAM takes.
    pub fn create_policy(&self, name: &str, document: &str) -> Result<String, IamError> {
        check_name(name)?;
        check_size(name, [document], MANAGED_POLICY_SIZE)?;
        let document: Document<IdentityPolicy> = document.to_owned().try_into()?;
        let arn = arn::policy(name);
        self.change(|state, iam| {
            if state.policies.contains_key(&arn) {
                return Err(IamError::EntityAlreadyExists { kind: "policy", name: name.to_owned() });
            }
            keep(&*iam.documents, state::POLICIES, &arn, &document)?;
            state.policies.insert(arn.clone(), document);
            Ok(arn.clone())
        })
    }

    /// Adds or replaces an inline policy of a role.
    ///
    /// # Errors
    /// If the role doesn't exist, or the policy isn't what IAM takes.
    pub fn put_role_policy(&self, role: &str, name: &str, document: &str) -> Result<(), IamError> {
        check_name(name)?;
        let document: Document<IdentityPolicy> = document.to_owned().try_into()?;
        self.change_role(role, |role| {
            role.permissions.inline.insert(name.to_owned(), document);
            check_size(name, role.permissions.inline.values().map(|kept| kept.text.as_str()), ROLE_POLICY_SIZE)
        })
    }

    /// Adds or replaces an inline policy of a user.
    ///
    /// # Errors
    /// If the user doesn't exist, or the policy isn't what IAM takes.
    pub fn put_user_policy(&self, user: &str, name: &str, document: &str) -> Result<(), IamError> {
        check_name(name)?;
        let document: Document<IdentityPolicy> = document.to_owned().try_into()?;
        self.change_user(user, |user| {
            user.permissions.inline.insert(name.to_owned(), document);
            check_size(name, user.permissions.inline.values().map(|kept| kept.text.as_str()), USER_POLICY_SIZE)
        })
    }

    /// Attaches a managed policy to a role.
    ///
    /// # Errors
    /// If the role or the policy doesn't exist.
    pub fn attach_role_policy(&self, role: &str, policy_arn: &str) -> Result<(), IamError> {
        self.check_policy(policy_arn)?;
        self.change_role(role, |role| {
            role.permissions.attached.insert(policy_arn.to_owned());
            Ok(())
        })
    }

    /// Attaches a managed policy to a user.
    ///
    /// # Errors
    /// If the user or the policy doesn't exist.
    pub fn attach_user_policy(&self, user: &str, policy_arn: &str) -> Result<(), IamError> {
        self.check_policy(policy_arn)?;
        self.change_user(user, |user| {
            user.permissions.attached.insert(policy_arn.to_owned());
            Ok(())
        })
    }

    /// Sets the permissions boundary of a role, a managed policy.
    ///
    /// # Errors
    /// If the role or the policy doesn't exist.
    pub fn set_role_boundary(&self, role: &str, policy_arn: &str) -> Result<(), IamError> {
        self.check_policy(policy_arn)?;
        self.change_role(role, |role| {
            role.permissions.boundary = Some(policy_arn.to_owned());
            Ok(())
        })
    }

    /// Sets the permissions boundary of a user, a managed policy.
    ///
    /// # Errors
    /// If the user or the policy doesn't exist.
    pub fn set_user_boundary(&self, user: &str, policy_arn: &str) -> Result<(), IamError> {
        self.check_policy(policy_arn)?;
        self.change_user(user, |user| {
            user.permissions.boundary = Some(policy_arn.to_owned());
            Ok(())
        })
    }

    /// Sets a role's longest session, 3,600 to 43,200 seconds.
    ///
    /// # Errors
    /// If the role doesn't exist, or no role can have sessions that long.
    pub fn set_longest_session(&self, role: &str, seconds: u32) -> Result<(), IamError> {
        if !(3_600..=43_200).contains(&seconds) {
            return Err(IamError::SessionDuration(seconds));
        }
        self.change_role(role, |role| {
            role.longest_session = seconds;
            Ok(())
        })
    }

    fn check_policy(&self, arn: &str) -> Result<(), IamError> {
        if self.read().policies.contains_key(arn) { Ok(()) } else { Err(no_such("policy", arn)) }
    }

    fn change_role(&self, name: &str, change: impl FnOnce(&mut Role) -> Result<(), IamError>) -> Result<(), IamError> {
        self.change(|state, iam| {
            let mut role = state.roles.get(name).ok_or_else(|| no_such("role", name))?.clone();
            change(&mut role)?;
            keep(&*iam.documents, state::ROLES, name, &role)?;
            state.roles.insert(name.to_owned(), role);
            Ok(())
        })
    }

    fn change_user(&self, name: &str, change: impl FnOnce(&mut User) -> Result<(), IamError>) -> Result<(), IamError> {
        self.change(|state, iam| {
            let mut user = state.users.get(name).ok_or_else(|| no_such("user", name))?.clone();
            change(&mut user)?;
            keep(&*iam.documents, state::USERS, name, &user)?;
            state.users.insert(name.to_owned(), user);
            Ok(())
        })
    }

    /// One change at a time: what is kept and what is in memory never differ for a reader.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut State, &Self) -> Result<T, IamError>,
    ) -> Result<T, IamError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut state, self)
    }
}

fn no_such(kind: &'static str, name: &str) -> IamError {
    IamError::NoSuchEntity { kind, name: name.to_owned() }
}

fn inline(owner: &str, policies: &[(&str, &str)], limit: usize) -> Result<Permissions, IamError> {
    check_size(owner, policies.iter().map(|(_, text)| *text), limit)?;
    let mut permissions = Permissions::default();
    for (name, text) in policies {
        check_name(name)?;
        let document: Document<IdentityPolicy> = (*text).to_owned().try_into()?;
        if permissions.inline.insert((*name).to_owned(), document).is_some() {
            return Err(IamError::EntityAlreadyExists { kind: "policy", name: (*name).to_owned() });
        }
    }
    Ok(permissions)
}

fn check_name(name: &str) -> Result<(), IamError> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "_+=,.@-".contains(character);
    if (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(IamError::Name(name.to_owned()))
    }
}

fn check_size<'a>(name: &str, texts: impl IntoIterator<Item = &'a str>, limit: usize) -> Result<(), IamError> {
    let size = texts.into_iter().flat_map(str::chars).filter(|character| !character.is_whitespace()).count();
    if size <= limit { Ok(()) } else { Err(IamError::TooLarge { name: name.to_owned(), size, limit }) }
}

/// IAM refuses a trust policy that names a user or a role which doesn't exist.
fn check_principals(state: &State, trust: &TrustPolicy) -> Result<(), IamError> {
    for named in trust.named_arns() {
        let known = if let Some(name) = named.strip_prefix(arn::user("").as_str()) {
            state.users.contains_key(name)
        } else if let Some(name) = named.strip_prefix(arn::role("").as_str()) {
            state.roles.contains_key(name)
        } else {
            true
        };
        if !known {
            return Err(IamError::UnknownPrincipal(named.to_owned()));
        }
    }
    Ok(())
}
