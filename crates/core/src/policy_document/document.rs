//! IAM policy documents as values, and their JSON.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::error::PolicyDocumentError;

/// Version of the policy language.
const LANGUAGE: &str = "2012-10-17";

/// An IAM policy document, version 2012-10-17.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyDocument {
    version: &'static str,
    statement: Vec<Statement>,
}

/// The effect of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Effect {
    /// Grants the actions.
    Allow,
    /// Denies the actions, even if another statement allows them.
    Deny,
}

/// The principal of a statement in a trust policy or bucket policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Everyone, including anonymous requests.
    Anyone,
    /// Accounts, users and roles, by ARN.
    Aws(Vec<String>),
    /// An identity provider, by ARN.
    Federated(String),
    /// An AWS service, such as `lambda.amazonaws.com`.
    Service(String),
}

/// Condition operators, each with condition keys and their accepted values.
pub type Conditions = BTreeMap<&'static str, BTreeMap<String, Vec<String>>>;

/// One statement of a policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<Cow<'static, str>>,
    effect: Effect,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Principal>,
    #[serde(serialize_with = "one_or_many")]
    action: Vec<Cow<'static, str>>,
    #[serde(serialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    resource: Vec<String>,
    #[serde(serialize_with = "conditions", skip_serializing_if = "BTreeMap::is_empty")]
    condition: Conditions,
    /// Why the statement is there, for people: a sentence without a full stop.
    #[serde(skip)]
    why: &'static str,
}

/// Writes a single value without brackets, since the size of a session policy is limited.
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
            Self::Anyone => return serializer.serialize_str("*"),
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
    /// A statement that allows actions on resources.
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

    /// A statement that denies actions on resources.
    pub fn deny<A: Into<Cow<'static, str>>>(
        actions: impl IntoIterator<Item = A>,
        resources: impl IntoIterator<Item = String>,
    ) -> Self {
        Self { effect: Effect::Deny, ..Self::allow(actions, resources) }
    }

    /// Sets the statement id, and why the statement is there.
    pub fn because(mut self, sid: impl Into<Cow<'static, str>>, why: &'static str) -> Self {
        (self.sid, self.why) = (Some(sid.into()), why);
        self
    }

    /// Sets the principal.
    pub fn of(mut self, principal: Principal) -> Self {
        self.principal = Some(principal);
        self
    }

    /// Adds a condition: a key of the request must have one of these values.
    pub fn when(
        mut self,
        operator: &'static str,
        key: impl Into<String>,
        values: impl IntoIterator<Item = String>,
    ) -> Self {
        self.condition.entry(operator).or_default().insert(key.into(), values.into_iter().collect());
        self
    }

    /// The same statement with the effect `Deny`.
    pub(super) fn as_denial(&self) -> Self {
        Self { effect: Effect::Deny, ..self.clone() }
    }

    /// Why the statement is there, for people.
    #[must_use]
    pub fn why(&self) -> &'static str {
        self.why
    }

    /// The statement id.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// The actions.
    #[must_use]
    pub fn actions(&self) -> &[Cow<'static, str>] {
        &self.action
    }

    /// The effect.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The principal, in a trust policy or bucket policy.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// ARNs of resources, with wildcards.
    #[must_use]
    pub fn resources(&self) -> &[String] {
        &self.resource
    }

    /// The conditions.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.condition
    }
}

impl PolicyDocument {
    /// Creates a document. Statement ids are unique in a document, so only the first of several equal ids is kept.
    pub fn new(mut statements: Vec<Statement>) -> Self {
        let mut names = BTreeSet::new();
        for statement in &mut statements {
            statement.sid = statement.sid.take().filter(|sid| names.insert(sid.clone()));
        }
        Self { version: LANGUAGE, statement: statements }
    }

    /// The statements.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statement
    }

    /// Whether there are no statements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statement.is_empty()
    }

    /// Compact JSON for IAM, STS and S3, which limit the number of characters.
    ///
    /// # Errors
    /// [`PolicyDocumentError::Json`], a bug in Tidegate.
    pub fn compact(&self) -> Result<String, PolicyDocumentError> {
        serde_json::to_string(self).map_err(|error| PolicyDocumentError::Json(error.to_string()))
    }

    /// Indented JSON for people.
    ///
    /// # Errors
    /// As [`PolicyDocument::compact`].
    pub fn pretty(&self) -> Result<String, PolicyDocumentError> {
        serde_json::to_string_pretty(self).map_err(|error| PolicyDocumentError::Json(error.to_string()))
    }

    /// The document as a JSON value.
    ///
    /// # Errors
    /// As [`PolicyDocument::compact`].
    pub fn value(&self) -> Result<serde_json::Value, PolicyDocumentError> {
        serde_json::to_value(self).map_err(|error| PolicyDocumentError::Json(error.to_string()))
    }

    /// Why each statement is there, by statement id.
    #[must_use]
    pub fn reasons(&self) -> serde_json::Map<String, serde_json::Value> {
        let named = self.statement.iter().filter(|statement| !statement.why.is_empty());
        named.filter_map(|statement| Some((statement.sid()?.to_owned(), serde_json::json!(statement.why)))).collect()
    }
}
