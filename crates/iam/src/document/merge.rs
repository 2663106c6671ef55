//! Comparing policy documents that AWS returned with ours, and merging our statements into them.

use serde_json::Value;

use super::statements::{statements, strings};
use super::{PolicyDocument, PolicyDocumentError};

/// Whether two texts are the same JSON value. AWS may return a document in another form than it was written in.
pub(crate) fn is_same_json(one: &str, other: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    value(one).is_some_and(|one| value(other) == Some(one))
}

/// The document `current` with the statements of `ours`; `None` where it has them already. Statements of `current` with
/// the `Sid` of one of ours are replaced, all others are kept.
pub(crate) fn merge(current: &str, ours: &PolicyDocument) -> Result<Option<String>, PolicyDocumentError> {
    let json_error = |error: serde_json::Error| PolicyDocumentError::Json(error.to_string());
    let mut policy: Value = serde_json::from_str(current).map_err(json_error)?;
    let ours = ours.value()?;
    let ours = statements(&ours);
    let mut merged = statements(&policy).to_vec();
    if ours.iter().all(|statement| merged.contains(statement)) {
        return Ok(None);
    }
    let sids: Vec<&Value> = ours.iter().filter_map(|statement| statement.get("Sid")).collect();
    merged.retain(|statement| statement.get("Sid").is_none_or(|sid| !sids.contains(&sid)));
    merged.extend_from_slice(ours);
    if let Some(members) = policy.as_object_mut() {
        members.insert("Statement".to_owned(), Value::Array(merged));
    }
    serde_json::to_string(&policy).map(Some).map_err(json_error)
}

/// What is left of a document without our statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RemovedStatements {
    /// It had none of them.
    None,
    /// It had nothing else.
    All,
    /// The statements of others.
    Some(String),
}

/// The document `current` without the statements that have the `Sid` of one of ours.
pub(crate) fn remove_statements(
    current: &str,
    ours: &PolicyDocument,
) -> Result<RemovedStatements, PolicyDocumentError> {
    let json_error = |error: serde_json::Error| PolicyDocumentError::Json(error.to_string());
    let mut policy: Value = serde_json::from_str(current).map_err(json_error)?;
    let ours = ours.value()?;
    let sids: Vec<&Value> = statements(&ours).iter().filter_map(|statement| statement.get("Sid")).collect();
    let all = statements(&policy);
    let is_ours = |statement: &&Value| statement.get("Sid").is_some_and(|sid| sids.contains(&sid));
    let kept: Vec<Value> = all.iter().filter(|statement| !is_ours(statement)).cloned().collect();
    if kept.len() == all.len() {
        return Ok(RemovedStatements::None);
    }
    if kept.is_empty() {
        return Ok(RemovedStatements::All);
    }
    if let Some(members) = policy.as_object_mut() {
        members.insert("Statement".to_owned(), Value::Array(kept));
    }
    serde_json::to_string(&policy).map(RemovedStatements::Some).map_err(json_error)
}

/// Whether a document names a resource of ours, apart from `*`; also where one of them names none.
pub(crate) fn shares_resource(current: &str, ours: &PolicyDocument) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(current) else { return true };
    let members = statements(&policy).iter().filter_map(Value::as_object);
    let theirs: Vec<&str> =
        members.flat_map(|statement| strings(statement, "Resource")).filter(|arn| *arn != "*").collect();
    let mut ours = ours.statements().iter().flat_map(super::Statement::resources).filter(|arn| *arn != "*").peekable();
    theirs.is_empty() || ours.peek().is_none() || ours.any(|arn| theirs.contains(&arn.as_str()))
}
