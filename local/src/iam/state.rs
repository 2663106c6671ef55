//! The account's identities in memory, and their documents. It owns loading them, finding who an
//! access key belongs to, and gathering the policies that apply. What is in memory is what is kept:
//! only one process has the documents open.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::caller::{Caller, CallerIdentity};
use super::document::IdentityPolicy;
use super::evaluate::{Grants, Identity};
use super::record::{Document, Key, Owner, Permissions, Role, Session, User};
use super::{IamError, random};
use crate::documents::Documents;

pub(super) const USERS: &str = "iam-users";
pub(super) const ROLES: &str = "iam-roles";
pub(super) const POLICIES: &str = "iam-policies";
pub(super) const KEYS: &str = "iam-access-keys";
pub(super) const SESSIONS: &str = "iam-sessions";

/// Everything there is, by name; managed policies by ARN, keys and sessions by access key id.
pub(super) struct State {
    pub(super) users: BTreeMap<String, User>,
    pub(super) roles: BTreeMap<String, Role>,
    pub(super) policies: BTreeMap<String, Document<IdentityPolicy>>,
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) sessions: BTreeMap<String, Session>,
    root_key: (String, String),
}

impl State {
    pub(super) fn load(documents: &dyn Documents) -> Result<Self, IamError> {
        let mut keys: BTreeMap<String, Key> = table(documents, KEYS)?;
        let known = keys.iter().find(|(_, key)| key.owner == Owner::Root);
        let root_key = match known {
            Some((id, key)) => (id.clone(), key.secret.clone()),
            None => {
                let id = random::identifier("AKIA", 16)?;
                let key = Key { secret: random::secret()?, owner: Owner::Root, active: true };
                keep(documents, KEYS, &id, &key)?;
                let secret = key.secret.clone();
                keys.insert(id.clone(), key);
                (id, secret)
            }
        };
        Ok(Self {
            users: table(documents, USERS)?,
            roles: table(documents, ROLES)?,
            policies: table(documents, POLICIES)?,
            sessions: table(documents, SESSIONS)?,
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
        let identity = if let Some(session) = self.sessions.get(access_key_id) {
            // The session of a role that was deleted, and perhaps made anew, is nobody's.
            self.roles.get(&session.role).filter(|role| role.id == session.role_id)?;
            CallerIdentity::Session {
                role: session.role.clone(),
                role_id: session.role_id.clone(),
                name: session.name.clone(),
                issued: session.issued,
            }
        } else {
            match &self.keys.get(access_key_id)?.owner {
                Owner::Root => CallerIdentity::Root,
                Owner::User(name) => CallerIdentity::User { name: name.clone(), id: self.users.get(name)?.id.clone() },
            }
        };
        Some(Caller { access_key_id: access_key_id.to_owned(), identity })
    }

    pub(super) fn grants(&self, access_key_id: &str) -> Option<Grants> {
        if let Some(session) = self.sessions.get(access_key_id) {
            let role = self.roles.get(&session.role).filter(|role| role.id == session.role_id)?;
            let session = session.policies.iter().map(|document| document.policy.clone()).collect();
            return Some(Grants { session, ..self.permitted(&role.permissions) });
        }
        match &self.keys.get(access_key_id)?.owner {
            Owner::Root => Some(Grants { identity: Identity::Root, boundary: None, session: Vec::new() }),
            Owner::User(name) => Some(self.permitted(&self.users.get(name)?.permissions)),
        }
    }

    fn permitted(&self, permissions: &Permissions) -> Grants {
        let inline = permissions.inline.values();
        let attached = permissions.attached.iter().filter_map(|arn| self.policies.get(arn));
        let policies = inline.chain(attached).map(|document| document.policy.clone()).collect();
        let boundary = permissions.boundary.as_ref().and_then(|arn| self.policies.get(arn));
        Grants {
            identity: Identity::Policies(policies),
            boundary: boundary.map(|document| document.policy.clone()),
            session: Vec::new(),
        }
    }
}

fn table<T: DeserializeOwned>(documents: &dyn Documents, table: &str) -> Result<BTreeMap<String, T>, IamError> {
    documents
        .list(table)
        .map_err(|error| IamError::Storage(error.to_string()))?
        .into_iter()
        .map(|(key, value)| {
            let record = serde_json::from_value(value)
                .map_err(|error| IamError::Storage(format!("`{key}` in `{table}` can't be read: {error}")))?;
            Ok((key, record))
        })
        .collect()
}

pub(super) fn keep<T: Serialize>(
    documents: &dyn Documents,
    table: &str,
    key: &str,
    record: &T,
) -> Result<(), IamError> {
    let value = serde_json::to_value(record).map_err(|error| IamError::Storage(error.to_string()))?;
    documents.put(table, key, value).map_err(|error| IamError::Storage(error.to_string()))
}

pub(super) fn forget(documents: &dyn Documents, table: &str, key: &str) -> Result<(), IamError> {
    documents.update(table, key, Box::new(|_| None)).map(drop).map_err(|error| IamError::Storage(error.to_string()))
}
