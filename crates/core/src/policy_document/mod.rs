//! Policy documents: the one generator of what credentials may do, of a run's session and of people around it.
//!
//! Owns their form and how they are written down. What a plan needs is [`session`]'s to say, what people and functions need
//! is `grant`'s. Never speaks to IAM or STS.

mod session;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

pub use crate::arn::{Partition, PartitionError, bucket_arn, distribution_arn, objects_arn};
pub use session::{MAX_COPY_BYTES, MAX_SESSION_POLICY, PROBED_FROM, PolicyDocumentError, SessionScope};

/// The version of the policy language.
const LANGUAGE: &str = "2012-10-17";

/// A policy document of the 2012-10-17 language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyDocument {
    version: &'static str,
    statement: Vec<Statement>,
}

/// Whether a statement gives or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Effect {
    /// Gives.
    Allow,
    /// Takes, whatever else gives it.
    Deny,
}

/// Who a statement of a trust policy or of a bucket's policy is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Everybody, also without credentials.
    Anybody,
    /// Accounts, users and roles, by ARN.
    Aws(Vec<String>),
    /// An identity provider, by ARN.
    Federated(String),
    /// A service of AWS, such as `lambda.amazonaws.com`.
    Service(String),
}

/// Operators, each with the keys that it looks at and the values that it takes.
pub type Conditions = BTreeMap<&'static str, BTreeMap<String, Vec<String>>>;

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'static str>,
    effect: Effect,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Principal>,
    #[serde(serialize_with = "one_or_many")]
    action: Vec<Cow<'static, str>>,
    #[serde(serialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    resource: Vec<String>,
    #[serde(serialize_with = "conditions", skip_serializing_if = "BTreeMap::is_empty")]
    condition: Conditions,
    /// Why it is there, for people: a sentence without its full stop.
    #[serde(skip)]
    why: &'static str,
}

/// One value stands for itself: a session policy has few characters.
fn one_or_many<T: AsRef<str>, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    match values {
        [one] => serializer.serialize_str(one.as_ref()),
        many => serializer.collect_seq(many.iter().map(AsRef::as_ref)),
    }
}

#[derive(Serialize)]
struct ConditionValues<'a>(#[serde(serialize_with = "one_or_many")] &'a [String]);

fn conditions<S: Serializer>(conditions: &Conditions, serializer: S) -> Result<S::Ok, S::Error> {
    let keys = |keys: &BTreeMap<String, Vec<String>>| -> BTreeMap<String, serde_json::Value> {
        keys.iter()
            .map(|(key, values)| (key.clone(), serde_json::to_value(ConditionValues(values)).unwrap_or_default()))
            .collect()
    };
    serializer.collect_map(conditions.iter().map(|(operator, of)| (operator, keys(of))))
}

impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, name) = match self {
            Self::Anybody => return serializer.serialize_str("*"),
            Self::Aws(arns) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("AWS", &ConditionValues(arns))?;
                return map.end();
            }
            Self::Federated(arn) => ("Federated", arn),
            Self::Service(name) => ("Service", name),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(kind, name)?;
        map.end()
    }
}

impl Statement {
    /// A statement that gives actions on resources.
    pub fn allow<A: Into<Cow<'static, str>>>(
        actions: impl IntoIterator<Item = A>,
        resources: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            sid: None,
            effect: Effect::Allow,
            principal: None,
            action: actions.into_iter().map(Into::into).collect(),
            resource: resources.into_iter().collect(),
            condition: BTreeMap::new(),
            why: "",
        }
    }

    /// A statement that takes them.
    pub fn deny<A: Into<Cow<'static, str>>>(
        actions: impl IntoIterator<Item = A>,
        resources: impl IntoIterator<Item = String>,
    ) -> Self {
        Self { effect: Effect::Deny, ..Self::allow(actions, resources) }
    }

    /// With a name, and why it is there.
    pub fn because(mut self, sid: &'static str, why: &'static str) -> Self {
        (self.sid, self.why) = (Some(sid), why);
        self
    }

    /// About somebody.
    pub fn of(mut self, principal: Principal) -> Self {
        self.principal = Some(principal);
        self
    }

    /// Only where a key of the request has one of these values.
    pub fn when(
        mut self,
        operator: &'static str,
        key: impl Into<String>,
        values: impl IntoIterator<Item = String>,
    ) -> Self {
        self.condition.entry(operator).or_default().insert(key.into(), values.into_iter().collect());
        self
    }

    /// Why it is there, for people.
    #[must_use]
    pub fn why(&self) -> &'static str {
        self.why
    }

    /// Its name.
    #[must_use]
    pub fn sid(&self) -> Option<&'static str> {
        self.sid
    }

    /// What it is about.
    #[must_use]
    pub fn actions(&self) -> &[Cow<'static, str>] {
        &self.action
    }

    /// Whether it allows or denies.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Who it is about, in a trust policy or a bucket's policy.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// ARNs that it is about, with wildcards.
    #[must_use]
    pub fn resources(&self) -> &[String] {
        &self.resource
    }

    /// When it holds.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.condition
    }
}

impl PolicyDocument {
    /// Names are unique in a document: of statements that are there for the same reason, the first one has it.
    pub fn new(mut statement: Vec<Statement>) -> Self {
        let mut names = BTreeSet::new();
        for each in &mut statement {
            each.sid = each.sid.filter(|sid| names.insert(*sid));
        }
        Self { version: LANGUAGE, statement }
    }

    /// Its statements.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statement
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statement.is_empty()
    }

    /// Compact JSON: what IAM, STS and S3 are given, since they count characters.
    ///
    /// # Errors
    /// [`PolicyDocumentError::Json`], a defect of Tidegate.
    pub fn compact(&self) -> Result<String, PolicyDocumentError> {
        serde_json::to_string(self).map_err(|error| PolicyDocumentError::Json(error.to_string()))
    }

    /// JSON for people.
    ///
    /// # Errors
    /// As [`PolicyDocument::compact`].
    pub fn pretty(&self) -> Result<String, PolicyDocumentError> {
        serde_json::to_string_pretty(self).map_err(|error| PolicyDocumentError::Json(error.to_string()))
    }

    /// The document as a value.
    ///
    /// # Errors
    /// As [`PolicyDocument::compact`].
    pub fn value(&self) -> Result<serde_json::Value, PolicyDocumentError> {
        serde_json::to_value(self).map_err(|error| PolicyDocumentError::Json(error.to_string()))
    }

    /// Why each of its statements is there, by its name.
    #[must_use]
    pub fn reasons(&self) -> serde_json::Map<String, serde_json::Value> {
        let named = self.statement.iter().filter(|statement| !statement.why.is_empty());
        named.filter_map(|statement| Some((statement.sid?.to_owned(), serde_json::json!(statement.why)))).collect()
    }
}
