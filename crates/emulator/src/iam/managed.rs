//! Managed policies: a document that several identities can use, in up to five versions, one of which is in effect.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::document::IdentityPolicy;
use super::error::{IamError, Obstacle};
use super::name::EntityPath;
use super::quota;
use super::record::StoredPolicy;
use crate::random::{self, RandomError};

/// A managed policy. It always has a default version, which is therefore a field of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ManagedPolicy {
    /// `ANPA…`.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) path: EntityPath,
    pub(super) description: Option<String>,
    pub(super) created: Timestamp,
    /// The version in effect.
    pub(super) default: PolicyVersion,
    /// The other versions, oldest first.
    others: Vec<PolicyVersion>,
    /// The number of the next version. Numbers are never reused.
    next: u32,
}

/// A version of a managed policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PolicyVersion {
    number: u32,
    pub(super) document: StoredPolicy<IdentityPolicy>,
    pub(super) created: Timestamp,
}

impl PolicyVersion {
    /// `v1` and so on.
    pub(super) fn id(&self) -> String {
        format!("v{}", self.number)
    }
}

impl ManagedPolicy {
    /// A customer managed policy with its first version.
    pub(super) fn new(
        name: &str,
        document: StoredPolicy<IdentityPolicy>,
        created: Timestamp,
    ) -> Result<Self, RandomError> {
        Ok(Self::with_id(random::identifier("ANPA", 17)?, name, document, created))
    }

    /// A policy with a known ID.
    pub(super) fn with_id(id: String, name: &str, document: StoredPolicy<IdentityPolicy>, created: Timestamp) -> Self {
        Self {
            id,
            name: name.to_owned(),
            path: EntityPath::default(),
            description: None,
            created,
            default: PolicyVersion { number: 1, document, created },
            others: Vec::new(),
            next: 2,
        }
    }

    /// All versions, newest first, as IAM lists them.
    pub(super) fn versions(&self) -> Vec<&PolicyVersion> {
        let mut versions: Vec<&PolicyVersion> = self.others.iter().chain([&self.default]).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version.number));
        versions
    }

    pub(super) fn version(&self, id: &str) -> Result<&PolicyVersion, IamError> {
        self.versions()
            .into_iter()
            .find(|version| version.id() == id)
            .ok_or_else(|| IamError::NoSuchEntity { kind: "policy version", name: id.to_owned() })
    }

    /// When the newest version was created.
    pub(super) fn updated(&self) -> Timestamp {
        self.others.iter().map(|version| version.created).fold(self.default.created, Timestamp::max)
    }

    /// Whether there are versions other than the default one.
    pub(super) fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Adds a version and returns it.
    pub(super) fn add(
        &mut self,
        document: StoredPolicy<IdentityPolicy>,
        created: Timestamp,
        set_as_default: bool,
    ) -> Result<PolicyVersion, IamError> {
        if self.others.len() + 1 >= quota::VERSIONS {
            return Err(IamError::LimitExceeded { quota: "VersionsPerPolicy", limit: quota::VERSIONS });
        }
        let version = PolicyVersion { number: self.next, document, created };
        self.next += 1;
        self.others.push(version.clone());
        if set_as_default {
            self.set_default(&version.id())?;
        }
        Ok(version)
    }

    /// Makes another version the default.
    pub(super) fn set_default(&mut self, id: &str) -> Result<(), IamError> {
        if self.default.id() == id {
            return Ok(());
        }
        let version = self.take(id)?;
        let before = std::mem::replace(&mut self.default, version);
        self.others.push(before);
        self.others.sort_by_key(|version| version.number);
        Ok(())
    }

    /// Removes a version other than the default.
    pub(super) fn remove(&mut self, id: &str) -> Result<(), IamError> {
        if self.default.id() == id {
            return Err(IamError::DeleteConflict { name: id.to_owned(), obstacle: Obstacle::DefaultVersion });
        }
        self.take(id).map(drop)
    }

    fn take(&mut self, id: &str) -> Result<PolicyVersion, IamError> {
        match self.others.iter().position(|version| version.id() == id) {
            Some(index) => Ok(self.others.remove(index)),
            None => Err(IamError::NoSuchEntity { kind: "policy version", name: id.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn document(resource: u32) -> StoredPolicy<IdentityPolicy> {
        let statement = format!(r#"{{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::{resource}"}}"#);
        format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#).try_into().expect("a policy")
    }

    fn texts(policy: &ManagedPolicy) -> Vec<(String, String)> {
        policy.versions().iter().map(|version| (version.id(), version.document.text.clone())).collect()
    }

    proptest! {
        /// Compares with a list of numbers: after any sequence of changes one of at most five versions is the default,
        /// numbers only rise, and a rejected change changes nothing.
        #[test]
        fn versions_have_rising_numbers_and_one_default(
            steps in proptest::collection::vec((0..4_u8, 1..9_u32), 0..30),
        ) {
            let mut policy = ManagedPolicy::with_id("ANPA".to_owned(), "p", document(1), Timestamp::UNIX_EPOCH);
            let (mut numbers, mut default, mut next) = (vec![1_u32], 1_u32, 2_u32);
            for (step, number) in steps {
                let id = format!("v{number}");
                let known = numbers.contains(&number);
                let (accepted, expected) = match step {
                    0 | 1 => {
                        let expected = numbers.len() < 5;
                        let added = policy.add(document(next), Timestamp::UNIX_EPOCH, step == 1);
                        if expected {
                            numbers.push(next);
                            if step == 1 { default = next; }
                            next += 1;
                        }
                        (added.is_ok(), expected)
                    }
                    2 => {
                        if known { default = number; }
                        (policy.set_default(&id).is_ok(), known)
                    }
                    _ => {
                        let expected = known && default != number;
                        if expected { numbers.retain(|other| *other != number); }
                        (policy.remove(&id).is_ok(), expected)
                    }
                };
                prop_assert_eq!(accepted, expected);
                let newest_first: Vec<(String, String)> = {
                    let mut sorted = numbers.clone();
                    sorted.sort_by(|a, b| b.cmp(a));
                    sorted.iter().map(|number| (format!("v{number}"), document(*number).text)).collect()
                };
                prop_assert_eq!(texts(&policy), newest_first);
                prop_assert_eq!(policy.default.id(), format!("v{default}"));
            }
        }
    }
}
