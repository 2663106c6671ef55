//! Comparing policy documents that AWS returned with ours, and merging our statements into them.

use serde_json::Value;

use super::statements::statements;
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
