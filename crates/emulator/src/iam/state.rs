//! The account's identities in memory and in the documents: loads them, finds the owner of an access key and the
//! policies that apply to it. Only one process opens the documents, so memory and documents do not differ.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::caller::{Caller, CallerIdentity};
use super::document::IdentityPolicy;
use super::error::IamError;
use super::evaluate::{EvaluatedIdentity, Grants};
use super::kind::EntityKind;
use super::managed::ManagedPolicy;
use super::record::{IamGroup, IamRole, IamUser, KeyOwner, OpenIdProvider, Policies, StoredAccessKey, StoredPolicy};
use super::session::{SessionOwner, StsSession};
use super::table::IamTable;
use super::{arn, aws_managed};
use crate::documents::Documents;

/// The table of customer managed policies, by ARN.
const POLICIES: &str = "iam-policies";

/// All entities by name, managed policies by ARN, keys and sessions by access key ID.
pub(super) struct IamState {
    pub(super) users: IamTable<IamUser>,
    pub(super) roles: IamTable<IamRole>,
    pub(super) groups: IamTable<IamGroup>,
    pub(super) policies: IamTable<ManagedPolicy>,
    pub(super) keys: IamTable<StoredAccessKey>,
    pub(super) sessions: IamTable<StsSession>,
    /// OpenID Connect providers by ARN.
    pub(super) providers: IamTable<OpenIdProvider>,
    /// The AWS managed policies.
    pub(super) aws_policies: BTreeMap<String, ManagedPolicy>,
    root_key: (String, String),
}

/// How long sessions are kept after they expire, to distinguish an expired token from an unknown one.
const KEPT_AFTER_EXPIRY: Duration = Duration::from_secs(24 * 3_600);

/// The role or user of a session.
enum SessionEntity<'a> {
    Role(&'a IamRole),
    User(&'a IamUser),
}

impl IamState {
    pub(super) fn load(documents: &Documents, now: Timestamp) -> Result<Self, IamError> {
        upgrade_policies(documents, now)?;
        let mut keys: IamTable<StoredAccessKey> = IamTable::load(documents, "iam-access-keys", "access key")?;
        let known = keys.iter().find(|(_, key)| key.owner == KeyOwner::Root);
        let root_key = match known {
            Some((id, key)) => (id.clone(), key.secret.clone()),
            None => {
                let (id, key) = StoredAccessKey::new(KeyOwner::Root, now)?;
                let secret = key.secret.clone();
                keys.put(&id, key)?;
                (id, secret)
            }
        };
        Ok(Self {
            users: IamTable::load(documents, "iam-users", "user")?,
            roles: IamTable::load(documents, "iam-roles", "role")?,
            groups: IamTable::load(documents, "iam-groups", "group")?,
            policies: IamTable::load(documents, POLICIES, "policy")?,
            sessions: IamTable::load(documents, "iam-sessions", "session")?,
            providers: IamTable::load(documents, "iam-oidc-providers", "OIDC provider")?,
            aws_policies: aws_managed::policies()?,
            keys,
            root_key,
        })
    }

    pub(super) fn root_key_id(&self) -> &str {
        &self.root_key.0
    }

    pub(super) fn root_secret(&self) -> &str {
        &self.root_key.1
    }

    pub(super) fn caller(&self, access_key_id: &str) -> Option<Caller> {
        let user_identity = |name: &str, user: &IamUser, session| CallerIdentity::User {
            name: name.to_owned(),
            path: user.path.clone(),
            id: user.id.clone(),
            session,
        };
        let identity = if let Some(session) = self.sessions.get(access_key_id) {
            match (&session.owner, self.session_entity(session)?) {
                (SessionOwner::Role { role: name, role_id, name: session_name }, SessionEntity::Role(role)) => {
                    CallerIdentity::Session {
                        role: name.clone(),
                        role_path: role.path.clone(),
                        role_id: role_id.clone(),
                        name: session_name.clone(),
                        issued: session.issued,
                    }
                }
                (SessionOwner::User { user: name, .. }, SessionEntity::User(user)) => {
                    user_identity(name, user, Some(session.issued))
                }
                _ => return None,
            }
        } else {
            match &self.keys.get(access_key_id)?.owner {
                KeyOwner::Root => CallerIdentity::Root,
                KeyOwner::User(name) => user_identity(name, self.users.get(name)?, None),
            }
        };
        Some(Caller { access_key_id: access_key_id.to_owned(), identity })
    }

    pub(super) fn grants(&self, access_key_id: &str) -> Option<Grants> {
        if let Some(session) = self.sessions.get(access_key_id) {
            let grants = match self.session_entity(session)? {
                SessionEntity::Role(role) => self.role_grants(role),
                SessionEntity::User(user) => self.user_grants(user),
            };
            let policies = |stored: &[StoredPolicy<IdentityPolicy>]| -> Vec<Arc<IdentityPolicy>> {
                stored.iter().map(|document| document.policy.clone()).collect()
            };
            return Some(Grants { session: policies(&session.policies), scopes: policies(&session.scopes), ..grants });
        }
        match &self.keys.get(access_key_id)?.owner {
            KeyOwner::Root => Some(Grants::of(EvaluatedIdentity::Root)),
            KeyOwner::User(name) => Some(self.user_grants(self.users.get(name)?)),
        }
    }

    /// Stores a session, and removes those that expired long ago.
    pub(super) fn add_session(&mut self, access_key_id: &str, session: StsSession) -> Result<(), IamError> {
        let now = session.issued;
        let outdated: Vec<String> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.expires.checked_add(KEPT_AFTER_EXPIRY).is_ok_and(|end| end < now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in outdated {
            self.sessions.remove(&id)?;
        }
        self.sessions.put(access_key_id, session)
    }

    /// The role or user of a session; `None` if it was deleted, even if one of its name exists again.
    fn session_entity(&self, session: &StsSession) -> Option<SessionEntity<'_>> {
        match &session.owner {
            SessionOwner::Role { role, role_id, .. } => {
                self.roles.get(role).filter(|role| role.id == *role_id).map(SessionEntity::Role)
            }
            SessionOwner::User { user, user_id } => {
                self.users.get(user).filter(|user| user.id == *user_id).map(SessionEntity::User)
            }
        }
    }

    /// The grants of a user, role or group. A user also has those of its groups.
    pub(super) fn entity_grants(&self, kind: EntityKind, name: &str) -> Result<Grants, IamError> {
        Ok(match kind {
            EntityKind::User => self.user_grants(self.users.find(name)?),
            EntityKind::Role => self.role_grants(self.roles.find(name)?),
            EntityKind::Group => self.collect_grants([&self.groups.find(name)?.policies], None),
        })
    }

    fn user_grants(&self, user: &IamUser) -> Grants {
        let groups = user.groups.iter().filter_map(|name| self.groups.get(name)).map(|group| &group.policies);
        self.collect_grants(
            [&user.permissions.policies].into_iter().chain(groups),
            user.permissions.boundary.as_deref(),
        )
    }

    fn role_grants(&self, role: &IamRole) -> Grants {
        self.collect_grants([&role.permissions.policies], role.permissions.boundary.as_deref())
    }

    fn collect_grants<'a>(&self, all: impl IntoIterator<Item = &'a Policies>, boundary: Option<&str>) -> Grants {
        let mut granted = Vec::new();
        for policies in all {
            let attached = policies.attached.iter().filter_map(|arn| self.policy(arn)).map(|policy| &policy.default);
            granted.extend(policies.inline.values().map(|document| document.policy.clone()));
            granted.extend(attached.map(|version| version.document.policy.clone()));
        }
        // A boundary that does not exist allows nothing.
        let boundary = boundary.map(|arn| match self.policy(arn) {
            Some(policy) => policy.default.document.policy.clone(),
            None => Arc::new(IdentityPolicy::nothing()),
        });
        Grants { boundary, ..Grants::of(EvaluatedIdentity::Policies(granted)) }
    }

    /// A managed policy of the account or of AWS.
    pub(super) fn policy(&self, arn: &str) -> Option<&ManagedPolicy> {
        self.policies.get(arn).or_else(|| self.aws_policies.get(arn))
    }

    /// The ARN of a user, role or group.
    pub(super) fn arn_of(&self, kind: EntityKind, name: &str) -> Option<String> {
        let path = match kind {
            EntityKind::User => &self.users.get(name)?.path,
            EntityKind::Role => &self.roles.get(name)?.path,
            EntityKind::Group => &self.groups.get(name)?.path,
        };
        Some(arn::entity(kind, path, name))
    }

    /// The user, role or group with this ARN.
    pub(super) fn entity_of<'a>(&self, arn: &'a str) -> Option<(EntityKind, &'a str)> {
        let kind = EntityKind::ALL.into_iter().find(|kind| arn.starts_with(&format!("{}/", arn::entities(*kind))))?;
        let (_, name) = arn.rsplit_once('/')?;
        (self.arn_of(kind, name)? == arn).then_some((kind, name))
    }
}

/// In the first version, a managed policy was stored as its document alone, without path and versions.
fn upgrade_policies(documents: &Documents, now: Timestamp) -> Result<(), IamError> {
    let storage = |error: &dyn std::error::Error| IamError::Storage(error.to_string());
    for (arn, value) in documents.list(POLICIES).map_err(|error| storage(&error))? {
        let Value::String(text) = value else {
            continue;
        };
        let (_, name) = arn.rsplit_once('/').ok_or_else(|| IamError::PolicyArn(arn.clone()))?;
        let policy = ManagedPolicy::new(name, text.try_into()?, now)?;
        let value = serde_json::to_value(policy).map_err(|error| storage(&error))?;
        documents.put(POLICIES, &arn, value).map_err(|error| storage(&error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::database::Database;
    use crate::iam::context::ConditionContext;

    const MAY_PUT: &str =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}}"#;
    const ALLOW_ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}}"#;
    const POLICY: &str = "arn:aws:iam::000000000000:policy/p";

    fn is_allowed(state: &IamState, key: &str, action: &str) -> bool {
        state
            .grants(key)
            .is_some_and(|grants| grants.evaluate(action, "arn:aws:s3:::a/b", &ConditionContext::default()).is_ok())
    }

    /// Documents in the format of 0.1, before paths, groups and versions.
    #[test]
    fn opens_a_directory_of_the_first_version() {
        let documents = Documents::new(Arc::new(Database::in_memory().expect("a database")));
        let permissions = |boundary: Option<&str>| json!({ "inline": { "all": ALLOW_ALL }, "attached": [POLICY], "boundary": boundary });
        for (table, key, value) in [
            ("iam-policies", POLICY, json!(MAY_PUT)),
            ("iam-users", "lea", json!({ "id": "AIDAAAAAAAAAAAAAAAAAA", "permissions": permissions(Some(POLICY)) })),
            (
                "iam-roles",
                "r",
                json!({ "id": "AROAAAAAAAAAAAAAAAAAA", "trust": TRUST, "permissions": permissions(None), "longest_session": 7_200 }),
            ),
            ("iam-access-keys", "AKIAROOT", json!({ "secret": "root's", "owner": "root", "active": true })),
            ("iam-access-keys", "AKIALEA", json!({ "secret": "lea's", "owner": { "user": "lea" }, "active": true })),
            (
                "iam-sessions",
                "ASIA",
                json!({
                    "secret": "s", "token": "t", "role": "r", "role_id": "AROAAAAAAAAAAAAAAAAAA", "name": "run", "policies": [MAY_PUT],
                    "issued": "2026-01-31T12:00:00Z", "expires": "2026-01-31T13:00:00Z",
                }),
            ),
        ] {
            documents.put(table, key, value).expect("stored");
        }
        let now: Timestamp = "2026-02-01T00:00:00Z".parse().expect("a timestamp");
        let state = IamState::load(&documents, now).expect("the identities");
        assert_eq!((state.root_key_id(), state.root_secret()), ("AKIAROOT", "root's"));
        assert_eq!(state.caller("AKIALEA").expect("lea").arn(), "arn:aws:iam::000000000000:user/lea");
        assert!(
            is_allowed(&state, "AKIALEA", "s3:PutObject") && !is_allowed(&state, "AKIALEA", "s3:GetObject"),
            "the boundary applies"
        );
        assert!(
            is_allowed(&state, "ASIA", "s3:PutObject") && !is_allowed(&state, "ASIA", "s3:GetObject"),
            "the session policy applies"
        );
        let policy = state.find_policy(POLICY).expect("the policy");
        assert_eq!((policy.name.as_str(), policy.path.as_str(), policy.created), ("p", "/", now));
        assert_eq!((policy.default.id().as_str(), policy.default.document.text.as_str()), ("v1", MAY_PUT));

        // Load the upgraded documents again: nothing is created anew.
        let again = IamState::load(&documents, now).expect("the identities");
        assert_eq!(again.find_policy(POLICY).expect("the policy").id, policy.id);
    }

    #[test]
    fn a_missing_boundary_allows_nothing() {
        let documents = Documents::new(Arc::new(Database::in_memory().expect("a database")));
        let lea = json!({ "id": "AIDA", "permissions": { "inline": { "all": ALLOW_ALL }, "attached": [], "boundary": POLICY } });
        documents.put("iam-users", "lea", lea).expect("stored");
        documents
            .put("iam-access-keys", "AKIALEA", json!({ "secret": "s", "owner": { "user": "lea" }, "active": true }))
            .expect("stored");
        let state = IamState::load(&documents, Timestamp::UNIX_EPOCH).expect("the identities");
        assert!(!is_allowed(&state, "AKIALEA", "s3:PutObject"));
    }
}
